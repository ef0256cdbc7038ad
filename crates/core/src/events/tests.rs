use super::*;
use crate::features::FEATURES;

const IMPRESSION: &str = r#"{"event":"impression","ts":1760000000000,"session":"s1","request":"r1","item":"v1","position":2,
    "arm":"uniform","propensity":0.5,"features":{"x":1},"user":{"id":"u1","age_band":"25-34","language":"en","gender":"female","segment":7,"device":"tv","shoe":44}}"#;

fn events(lines: &[&str]) -> Vec<Event> {
    lines.iter().map(|line| parse_line(line).unwrap()).collect()
}

fn shown(request: &str, item: &str, position: u32, viewer: &str) -> String {
    format!(
        r#"{{"event":"impression","ts":1760000000000,"session":"{viewer}","request":"{request}","item":"{item}","position":{position}}}"#
    )
}

#[test]
fn a_full_impression() {
    let event = parse_line(IMPRESSION).unwrap();
    assert_eq!((event.ts_ms, event.viewer.as_str()), (1_760_000_000_000, "u1"));
    assert_eq!(event.age_band.map(AgeBand::lower_years), Some(25));
    assert_eq!(event.language.as_deref(), Some("en"));
    let declared = (event.gender, event.segment, event.device);
    assert_eq!(declared, (Some(Gender::Female), Some(7), Some(Device::Tv)));
    let EventKind::Impression {
        request,
        item,
        position,
        arm,
        propensity,
    } = event.kind
    else {
        panic!("kind")
    };
    assert_eq!((request.as_str(), item.as_str(), position), ("r1", "v1", 2));
    assert_eq!((arm.as_deref(), propensity), (Some(UNIFORM_ARM), Some(0.5)));
}

#[test]
fn the_session_stands_in_for_the_viewer() {
    let event = parse_line(r#"{"event":"search","ts":1760000000000,"session":"s1","query":"fox"}"#).unwrap();
    assert_eq!(event.viewer, "s1");
    assert_eq!(
        event.kind,
        EventKind::Search {
            query: "fox".to_owned()
        }
    );
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    error.to_string() + &cause.unwrap_or_default()
}

#[test]
fn broken_lines_say_what_is_wrong() {
    let cases = [
        ("", "EOF"),
        ("[1,2]", "invalid"),
        (
            r#"{"event":"click","ts":"today","session":"s","item":"v"}"#,
            "invalid type",
        ),
        (
            r#"{"event":"click","ts":1760000000,"session":"s","item":"v"}"#,
            "milliseconds",
        ),
        (
            r#"{"event":"like","ts":1760000000000,"session":"s","item":"v"}"#,
            "expected impression, click",
        ),
        (
            r#"{"event":"click","ts":1760000000000,"session":"s"}"#,
            "a click event has no `item`",
        ),
        (
            r#"{"event":"click","ts":1760000000000,"item":"v"}"#,
            "has no `session`",
        ),
        (
            r#"{"event":"click","ts":1760000000000,"session":"s","item":""}"#,
            "`item`: an item id is empty",
        ),
        (
            r#"{"event":"impression","ts":1760000000000,"session":"s","item":"v","position":0}"#,
            "has no `request`",
        ),
        (
            r#"{"event":"impression","ts":1760000000000,"session":"s","request":"r","item":"v"}"#,
            "has no `position`",
        ),
        (
            r#"{"event":"impression","ts":1760000000000,"session":"s","request":"r","item":"v","position":0,"propensity":0}"#,
            "`propensity` is 0",
        ),
        (
            r#"{"event":"watch","ts":1760000000000,"session":"s","item":"v","watch_seconds":-1}"#,
            "`watch_seconds` is -1",
        ),
        (
            r#"{"event":"watch","ts":1760000000000,"session":"s","item":"v","watch_seconds":1e99}"#,
            "`watch_seconds`",
        ),
        (
            r#"{"event":"search","ts":1760000000000,"session":"s","query":"q","user":{"gender":"f"}}"#,
            "\"f\" is no gender; expected \"female\"",
        ),
        (
            r#"{"event":"search","ts":1760000000000,"session":"s","query":"q","user":{"segment":256}}"#,
            "`user.segment` is 256",
        ),
        (
            r#"{"event":"search","ts":1760000000000,"session":"s","query":"q","user":{"age_band":"old"}}"#,
            "`user.age_band`: \"old\"",
        ),
    ];
    for (line, expected) in cases {
        let error = chain(&parse_line(line).expect_err(line));
        assert!(error.contains(expected), "{line}\n  {error}");
    }
}

#[test]
fn clicks_and_watches_join_by_request_and_item() {
    let impressions = [
        shown("r1", "a", 1, "s1"),
        shown("r1", "b", 0, "s1"),
        shown("r2", "a", 0, "s1"),
        shown("r2", "c", 1, "s1"),
    ];
    let mut all = events(&impressions.iter().map(String::as_str).collect::<Vec<_>>());
    all.extend(events(&[
        r#"{"event":"click","ts":1760000001000,"session":"s1","request":"r1","item":"a"}"#,
        r#"{"event":"watch","ts":1760000009000,"session":"s1","request":"r1","item":"a","watch_seconds":29.9}"#,
        r#"{"event":"click","ts":1760000010000,"session":"s1","item":"c"}"#,
        r#"{"event":"click","ts":1760000010000,"session":"s1","request":"elsewhere","item":"c"}"#,
        r#"{"event":"watch","ts":1760000050000,"session":"s1","request":"r2","item":"c","watch_seconds":30}"#,
    ]));
    let positives = |label| -> Vec<Vec<(String, bool)>> {
        let slates = join(&all, label).unwrap();
        let list = |slate: &Slate| {
            slate
                .shown
                .iter()
                .map(|s| (s.item.to_string(), s.positive))
                .collect()
        };
        slates.iter().map(list).collect()
    };
    let pair = |item: &str, positive| (item.to_owned(), positive);
    let clicks = positives(Label::Click);
    assert_eq!(
        clicks,
        [
            [pair("b", false), pair("a", true)],
            [pair("a", false), pair("c", false)]
        ]
    );
    let watches = positives(Label::Watch);
    assert_eq!(
        watches,
        [
            [pair("b", false), pair("a", false)],
            [pair("a", false), pair("c", true)]
        ]
    );
    let slates = join(&all, Label::Click).unwrap();
    assert_eq!((slates[0].answered(), slates[1].answered()), (true, false));
    assert_eq!((slates[1].first_event, slates[1].request.as_str()), (2, "r2"));
}

#[test]
fn ambiguous_requests_are_refused() {
    let twice = [shown("r1", "a", 0, "s1"), shown("r1", "a", 1, "s1")];
    let error = join(&events(&twice.each_ref().map(String::as_str)), Label::Click).unwrap_err();
    assert!(matches!(error, JoinError::Repeated { .. }), "{error}");
    let two = [shown("r1", "a", 0, "s1"), shown("r1", "b", 1, "s2")];
    let error = join(&events(&two.each_ref().map(String::as_str)), Label::Click).unwrap_err();
    assert!(matches!(error, JoinError::Viewers { .. }), "{error}");
}

#[test]
fn a_written_line_reads_back_with_every_bit_of_its_features() {
    let row: Vec<f32> = (0..FEATURES.len())
        .map(|i| [0.1, f32::NAN, -1e-38, 16_777_217.0, 0.333_333_34, -0.0][i % 6] * (1.0 + i as f32))
        .collect();
    let entry = Entry {
        ts: 1_760_000_000_000,
        event: "impression",
        session: "s1",
        request: Some("r1"),
        item: Some("v\"1"),
        position: Some(2),
        arm: Some(UNIFORM_ARM),
        propensity: Some(0.5),
        features: Some(NamedFeatures(&row)),
        user: EntryUser {
            id: "u1",
            age_band: Some("25-34"),
            device: Some("tv"),
            segment: Some(7),
            ..EntryUser::default()
        },
        ..Entry::default()
    };
    let line = entry.to_line();
    let event = parse_line(&line).unwrap();
    assert_eq!((event.viewer.as_str(), event.kind.name()), ("u1", "impression"));
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    for (feature, expected) in FEATURES.iter().zip(&row) {
        let found: Option<f32> = serde_json::from_value(value["features"][feature.name].clone()).unwrap();
        assert_eq!(
            found.map(f32::to_bits),
            Some(expected.to_bits()).filter(|_| !expected.is_nan())
        );
    }
    let search = Entry {
        ts: entry.ts,
        event: "search",
        session: "s1",
        query: Some("red \u{1F98A}"),
        ..Entry::default()
    };
    let EventKind::Search { query } = parse_line(&search.to_line()).unwrap().kind else {
        panic!("kind")
    };
    assert_eq!(query, "red \u{1F98A}");
}

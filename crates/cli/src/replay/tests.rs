use super::fixtures::{START, catalogue, click, impression, parse};
use super::*;

/// Two slates of viewer u, one of viewer v; u clicks b, then d, then c by the same millisecond as v's slate.
fn log() -> Vec<Event> {
    parse(&[
        impression(0, "r1", "u", "a", 0),
        impression(0, "r1", "u", "b", 1),
        click(5, "r1", "u", "b"),
        impression(10, "r2", "u", "b", 0),
        impression(10, "r2", "u", "d", 1),
        impression(10, "r2", "u", "gone", 2),
        click(12, "r2", "u", "d"),
        click(20, "r2", "u", "c"),
        impression(20, "r3", "v", "c", 0),
    ])
}

/// Request, viewer, clicks so far, and (impressions, clicks) of each row.
type Found = (String, usize, usize, Vec<(f32, f32)>);

/// What each slate finds.
fn trace(replay: &Replay<'_>) -> Vec<Found> {
    let mut seen = Vec::new();
    let each = |moment: Moment<'_>| {
        let counts = (0..4)
            .map(|row| (moment.facts)(row))
            .map(|facts| (facts.impressions, facts.clicks));
        let clicks = moment.session.clicks().len();
        seen.push((
            moment.slate.request.clone(),
            moment.viewer,
            clicks,
            counts.collect(),
        ));
        Ok(())
    };
    replay.run(each, |_| {}).unwrap();
    seen
}

#[test]
fn a_slate_sees_only_what_came_before_it() {
    let catalogue = catalogue();
    let replay = Replay::new(&catalogue, log(), Label::Click).unwrap();
    let (none, shown, clicked) = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0));
    assert_eq!(
        trace(&replay),
        [
            ("r1".to_owned(), 0, 0, vec![none; 4]),
            ("r2".to_owned(), 0, 1, vec![shown, clicked, none, none]),
            // The click on c has the slate's own time: it is not earlier.
            ("r3".to_owned(), 1, 0, vec![shown, (2.0, 1.0), none, clicked]),
        ]
    );
    assert_eq!(replay.unknown(), 1);
}

#[test]
fn later_events_change_nothing_earlier() {
    let catalogue = catalogue();
    let whole = trace(&Replay::new(&catalogue, log(), Label::Click).unwrap());
    for length in [2, 6, 9] {
        let cut = Replay::new(&catalogue, log()[..length].to_vec(), Label::Click).unwrap();
        let part = trace(&cut);
        assert_eq!(part, whole[..part.len()], "{length} events");
    }
}

#[test]
fn candidates_are_known_and_unseen() {
    let catalogue = catalogue();
    let replay = Replay::new(&catalogue, log(), Label::Click).unwrap();
    let mut slates = Vec::new();
    let each = |moment: Moment<'_>| {
        let shown = moment
            .unseen(&catalogue)
            .iter()
            .map(|s| (s.row, s.position, s.positive))
            .collect::<Vec<_>>();
        slates.push((shown, moment.uniform(), moment.user.language));
        Ok(())
    };
    let counts = replay.run(each, |_| {}).unwrap();
    assert_eq!(slates[0], (vec![(0, 0, false), (1, 1, true)], true, Some(1)));
    assert_eq!(
        slates[1].0,
        [(3, 1, true)],
        "b was clicked before, and `gone` is not in the catalogue"
    );
    let facts = counts.facts(&catalogue, 2, replay.end_ms());
    assert_eq!(
        (facts.impressions, facts.clicks, facts.popularity),
        (1.0, 1.0, 1.0)
    );
}

#[test]
fn the_split_is_by_slates_in_time() {
    let catalogue = catalogue();
    let replay = Replay::new(&catalogue, log(), Label::Click).unwrap();
    assert_eq!(replay.split_ms(2.0 / 3.0), START + 20_000);
    assert_eq!(replay.split_ms(1.0), i64::MAX);
}

#[test]
fn events_of_another_catalogue_are_refused() {
    let catalogue = catalogue();
    let other = parse(&[
        impression(0, "r", "u", "x", 0),
        impression(0, "r", "u", "y", 1),
        click(1, "r", "u", "a"),
    ]);
    let error = Replay::new(&catalogue, other, Label::Click)
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("2 of 3") && error.contains("such as x"), "{error}");
    let clicks = parse(&[click(0, "r", "u", "a")]);
    assert!(
        Replay::new(&catalogue, clicks, Label::Click)
            .map(drop)
            .unwrap_err()
            .to_string()
            .contains("no impressions")
    );
}

#[test]
fn a_click_keeps_what_was_watched_along_with_it_by_then() {
    let catalogue = catalogue();
    let events = parse(&[
        click(0, "r", "v", "a"),
        click(1, "r", "v", "b"),
        click(2, "r", "u", "a"),
        click(3, "r", "w", "a"),
        click(4, "r", "w", "b"),
        impression(9, "r9", "u", "b", 0),
        impression(9, "r8", "w", "c", 0),
    ]);
    let replay = Replay::new(&catalogue, events, Label::Click).unwrap();
    let mut kept = Vec::new();
    let each = |moment: Moment<'_>| {
        let clicks = moment.session.clicks().iter();
        kept.push(
            clicks
                .map(|c| (c.neighbours.clone(), c.facts.clicks))
                .collect::<Vec<_>>(),
        );
        Ok(())
    };
    let counts = replay.run(each, |_| {}).unwrap();
    let with_b = |both: f64, a: f64, b: f64| recsys_core::cowatch::Neighbour {
        item: catalogue.hash(1),
        weight: recsys_core::cowatch::weight(both, a, b),
    };
    // When u clicked a, one viewer had chosen a and b; w's click on a came after u's.
    assert_eq!(kept[0], [(vec![with_b(1.0, 1.0, 1.0)], 1.0)]);
    assert_eq!(kept[1][0], (vec![with_b(1.0, 2.0, 1.0)], 2.0));
    assert_eq!(counts.neighbours(&catalogue, 0), [with_b(2.0, 3.0, 2.0)]);
}

#[test]
fn long_watches_without_a_click_are_choices() {
    let catalogue = catalogue();
    let watch = |seconds: i64, item: &str, watched: f32| {
        format!(
            r#"{{"event":"watch","ts":{},"session":"s","item":"{item}","watch_seconds":{watched},"user":{{"id":"u"}}}}"#,
            START + seconds * 1000
        )
    };
    let events = parse(&[
        watch(0, "a", 40.0),
        watch(1, "b", 3.0),
        watch(2, "a", 50.0),
        impression(9, "r9", "u", "c", 0),
    ]);
    let replay = Replay::new(&catalogue, events, Label::Watch).unwrap();
    let mut found = Vec::new();
    let each = |moment: Moment<'_>| {
        let clicks = moment.session.clicks().iter();
        let clicks: Vec<_> = clicks.map(|c| (c.item.to_string(), c.watch_seconds)).collect();
        found.push((
            clicks,
            moment.session.seen().len(),
            (moment.facts)(0).clicks,
            (moment.facts)(1).clicks,
        ));
        Ok(())
    };
    replay.run(each, |_| {}).unwrap();
    assert_eq!(found, [(vec![("a".to_owned(), Some(50.0))], 2, 1.0, 0.0)]);
}

#[test]
fn drawn_slates_come_from_what_was_chosen_before() {
    let catalogue = catalogue();
    let events = parse(&[
        click(0, "r", "v", "b"),
        click(1, "r", "v", "c"),
        click(2, "r", "u", "d"),
        click(3, "r", "u", "a"),
    ]);
    let options = Sampling {
        negatives: Some(2),
        negatives_power: 0.75,
        history: 1,
        negatives_seed: 1,
    };
    let replay = Replay::open(&catalogue, events, Label::Click, options, Aggregates::default()).unwrap();
    let mut found = Vec::new();
    let each = |moment: Moment<'_>| {
        let mut items: Vec<_> = moment
            .slate
            .shown
            .iter()
            .map(|s| s.item.as_str().to_owned())
            .collect();
        items.sort();
        found.push((items, moment.session.clicks().len()));
        Ok(())
    };
    replay.run(each, |_| {}).unwrap();
    // v's second choice finds nothing to draw: only b was chosen, by v.
    assert_eq!(found, [(["a", "b", "c"].map(str::to_owned).to_vec(), 1)]);
}

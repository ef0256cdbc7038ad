use super::*;
use crate::session::Click;
use crate::vector::UnitVector;
use std::collections::HashSet;

const DAY_MS: i64 = 86_400_000;
/// 2026-01-01 (day 20,454 since 1970), a Thursday, at 06:30 UTC.
const NOW: i64 = 20_454 * DAY_MS + 6 * 3_600_000 + 30 * 60_000;

fn id(text: &str) -> ItemId {
    ItemId::new(text).unwrap()
}

fn facts(category: u16, creator: u32, duration_s: f32) -> ItemFacts {
    ItemFacts {
        category,
        language: 1,
        creator,
        tags: 0b101,
        duration_s,
        uploaded_day: 20_450.0,
        impressions: 80.0,
        clicks: 9.0,
        popularity: 1.0,
    }
}

fn click(
    name: &str,
    seconds_ago: i64,
    vector: [f32; 2],
    facts: ItemFacts,
    watch_seconds: Option<f32>,
) -> Click {
    let vector = UnitVector::new(vector.to_vec()).unwrap();
    Click {
        item: id(name),
        ts_ms: NOW - seconds_ago * 1000,
        vector,
        facts,
        neighbours: Vec::new(),
        after_search: false,
        watch_seconds,
    }
}

fn features(
    session: &Session,
    user: &UserFeatures,
    facts: &ItemFacts,
    vector: &[f32],
) -> impl Fn(&str) -> f32 + use<> {
    let item = id("candidate");
    let matrix = Matrix::fill(
        session,
        user,
        NOW,
        &[Candidate {
            item: &item,
            facts,
            card: r#"{"name":"A red boat","creator":"Ada"}"#,
            vector,
        }],
    )
    .unwrap();
    move |name| {
        let column = FEATURES
            .iter()
            .position(|feature| feature.name == name)
            .expect(name);
        matrix.row(0).unwrap()[column]
    }
}

/// Three clicks: one a day ago on category 1, then two in this visit on 1 and 2.
fn three_clicks() -> Session {
    let mut session = Session::new();
    session
        .click(click("a", 86_400, [1.0, 0.0], facts(1, 10, 16.0), Some(8.0)))
        .unwrap();
    session
        .click(click("b", 600, [0.0, 1.0], facts(1, 11, 16.0), Some(100.0)))
        .unwrap();
    session
        .click(click("c", 60, [1.0, 0.0], facts(2, 10, 64.0), None))
        .unwrap();
    session.search("Red boats of ADA", NOW - 30_000);
    session
}

#[test]
fn values_of_a_worked_example() {
    let user = UserFeatures {
        age_band: Some(AgeBand::parse("25-34").unwrap()),
        gender: Some(Gender::Male),
        segment: Some(3),
        device: Some(Device::Tablet),
        language: None,
    };
    let of = features(&three_clicks(), &user, &facts(1, 10, 32.0), &[0.6, 0.8]);
    let close =
        |name: &str, expected: f32| assert!((of(name) - expected).abs() < 1e-6, "{name}: {}", of(name));
    close("age_years", 25.0);
    close("gender", 1.0);
    close("segment", 3.0);
    close("device", 1.0);
    close("engagement", 0.75);
    close("history_clicks", 3.0);
    close("visit_clicks", 2.0);
    close("visit_searches", 1.0);
    close("since_click_s", 60.0);
    close("hour_utc", 6.5);
    close("weekday", 3.0);
    close("duration_log2_s", 5.0);
    assert!((of("age_days") - (4.0 + 6.5 / 24.0)).abs() < 1e-5);
    close("impressions_log", 81f32.ln());
    close("category", 1.0);
    close("language", 1.0);
    close("click_rate", 0.1);
    close("clicks_log", 10f32.ln());
    close("popularity_ratio", 0.0);
    close("upload_gap_days", 0.0);
    close("tag_affinity", 1.0);
    close("tags_of_last", 1.0);
    close("search_match", 0.5);
    close("popularity_log", 2f32.ln());
    close("language_match", 1.0);
    close("duration_ratio_log2", 5.0 - (4.0 + 4.0 + 6.0) / 3.0);
    let weights = 1.0 + 0.87 + 0.87 * 0.87;
    close("category_affinity", (0.87 + 0.87 * 0.87) / weights);
    close("creator_affinity", (1.0 + 0.87 * 0.87) / weights);
    close("category_in_visit", 0.5);
    close("same_category_as_last", 0.0);
    close("same_creator_as_last", 1.0);
    close("sim_recent", (2.0 * 0.6 + 0.8) / 5f32.sqrt());
    close("sim_all", (2.0 * 0.6 + 0.8) / 5f32.sqrt());
    close("sim_visit", (0.6 + 0.8) / 2f32.sqrt());
    close("sim_last", 0.6);
    close("sim_nearest", 0.8);
}

/// A session whose clicks, oldest first, have these neighbours.
fn watched(lists: &[&[(&str, u16)]]) -> Session {
    let mut session = Session::new();
    for (i, list) in lists.iter().enumerate() {
        let mut click = click(
            &format!("c{i}"),
            900 - i as i64,
            [1.0, 0.0],
            facts(1, 1, 9.0),
            None,
        );
        click.neighbours = list
            .iter()
            .map(|&(name, weight)| crate::cowatch::Neighbour {
                item: id(name).hash32(),
                weight,
            })
            .collect();
        session.click(click).unwrap();
    }
    session
}

#[test]
fn co_watch_is_summed_over_the_clicks_that_have_any() {
    let none = &[][..];
    let of = |lists: &[&[(&str, u16)]]| {
        let of = features(
            &watched(lists),
            &UserFeatures::default(),
            &facts(1, 1, 1.0),
            &[1.0, 0.0],
        );
        ["cowatch_max", "cowatch_recent", "cowatch_all", "cowatch_last"].map(|name| of(name) * 65_535.0)
    };
    let close = |found: [f32; 4], expected: [f32; 4]| {
        let near = |(a, b): (&f32, &f32)| (a - b).abs() < 0.01 || (a.is_nan() && b.is_nan());
        assert!(found.iter().zip(&expected).all(near), "{found:?}");
    };
    close(of(&[none, none]), [f32::NAN; 4]);
    close(
        of(&[&[("candidate", 300)], none, &[("other", 9)]]),
        [300.0, 150.0, 150.0, 0.0],
    );
    close(
        of(&[&[("candidate", 300)], none]),
        [300.0, 300.0, 300.0, f32::NAN],
    );
    close(
        of(&[&[("candidate", 300)], &[("other", 5), ("candidate", 100)]]),
        [300.0, 200.0, 200.0, 100.0],
    );
    // The first of twelve clicks is kept, but not recent.
    let mut lists = vec![&[("other", 5u16)][..]; 12];
    lists[0] = &[("candidate", 1200)];
    close(of(&lists), [1200.0, 0.0, 100.0, 0.0]);
}

#[test]
fn tags_are_compared_as_unit_vectors_newer_clicks_first() {
    let tagged = |tags: u64| ItemFacts {
        tags,
        ..ItemFacts::unknown()
    };
    let mut session = Session::new();
    for (i, tags) in [0b11, 0, 0b1000].into_iter().enumerate() {
        session
            .click(click(
                &format!("c{i}"),
                900 - i as i64,
                [1.0, 0.0],
                tagged(tags),
                None,
            ))
            .unwrap();
    }
    let of = |tags: u64, name: &str| {
        features(&session, &UserFeatures::default(), &tagged(tags), &[1.0, 0.0])(name)
    };
    let affinity = |tags: u64| of(tags, "tag_affinity");
    assert!((affinity(0b1000) - 1.0 / 1.87).abs() < 1e-6);
    assert!((affinity(0b01) - 0.87 / 1.87 / 2f32.sqrt()).abs() < 1e-6);
    assert_eq!(affinity(0b10000), 0.0);
    assert!(affinity(0).is_nan());
    assert!((of(0b1001, "tags_of_last") - 1.0 / 2f32.sqrt()).abs() < 1e-6);
    assert!((affinity(1 << 63)).abs() < 1e-6, "the highest tag");
}

#[test]
fn the_click_after_a_search_says_what_was_sought() {
    let mut session = three_clicks();
    session
        .click(click("d", 20, [0.0, 1.0], facts(1, 1, 9.0), None))
        .unwrap();
    session
        .click(click("e", 10, [1.0, 0.0], facts(1, 1, 9.0), None))
        .unwrap();
    let of = features(&session, &UserFeatures::default(), &facts(1, 1, 1.0), &[0.6, 0.8]);
    assert_eq!((of("sim_searched"), of("sim_last")), (0.8, 0.6));
}

#[test]
fn nothing_known_is_missing() {
    let of = features(
        &Session::new(),
        &UserFeatures::default(),
        &ItemFacts::unknown(),
        &[1.0, 0.0],
    );
    let known = [
        "history_clicks",
        "visit_clicks",
        "visit_searches",
        "hour_utc",
        "weekday",
    ];
    for feature in &FEATURES {
        assert_eq!(
            of(feature.name).is_nan(),
            !known.contains(&feature.name),
            "{}",
            feature.name
        );
        assert_eq!(
            feature.missing.is_empty(),
            known.contains(&feature.name),
            "{}",
            feature.name
        );
    }
}

#[test]
fn a_declared_language_wins_over_the_clicked_one() {
    let session = three_clicks();
    let declared = UserFeatures {
        language: Some(2),
        ..UserFeatures::default()
    };
    assert_eq!(
        features(&session, &declared, &facts(1, 1, 1.0), &[1.0, 0.0])("language_match"),
        0.0
    );
    let clicked = UserFeatures::default();
    assert_eq!(
        features(&session, &clicked, &facts(1, 1, 1.0), &[1.0, 0.0])("language_match"),
        1.0
    );
}

#[test]
fn values_stay_in_their_range() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 0.0, 1e-30, 1e30];
    for (i, &a) in odd.iter().enumerate() {
        for &b in &odd {
            let facts = ItemFacts {
                duration_s: a,
                uploaded_day: b,
                impressions: b,
                clicks: a,
                popularity: b,
                ..facts(i as u16, 3, a)
            };
            let mut session = three_clicks();
            session
                .click(click("odd", -50, [0.5, -0.5], facts, Some(1.0)))
                .unwrap();
            let of = features(&session, &UserFeatures::default(), &facts, &[0.8, -0.6]);
            for feature in &FEATURES {
                let (value, (low, high)) = (of(feature.name), feature.range);
                assert!(
                    value.is_nan() || (low..=high).contains(&value),
                    "{} = {value}",
                    feature.name
                );
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    let session = three_clicks();
    let (one, two) = (facts(1, 10, 32.0), facts(4, 5, 9.0));
    let (a, b) = (id("one"), id("two"));
    let first = Candidate {
        item: &a,
        facts: &one,
        card: "{}",
        vector: &[0.6, 0.8],
    };
    let second = Candidate {
        item: &b,
        facts: &two,
        card: "{}",
        vector: &[-0.6, 0.8],
    };
    let fill = |list: &[Candidate<'_>]| Matrix::fill(&session, &UserFeatures::default(), NOW, list).unwrap();
    let both = fill(&[first, second]);
    let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(both.rows(), 2);
    assert_eq!(bits(both.row(1).unwrap()), bits(fill(&[second]).values()));
    assert_eq!(fill(&[]).rows(), 0);
}

#[test]
fn a_wrong_dimension_is_an_error() {
    let (item, facts) = (id("x"), ItemFacts::unknown());
    let candidate = Candidate {
        item: &item,
        facts: &facts,
        card: "{}",
        vector: &[1.0, 0.0, 0.0],
    };
    let error = Matrix::fill(&three_clicks(), &UserFeatures::default(), NOW, &[candidate]).unwrap_err();
    assert_eq!((error.expected, error.found), (2, 3));
}

#[test]
fn age_bands() {
    for (text, years) in [("25-34", 25), ("65+", 65), ("<18", 0), ("0-12", 0)] {
        assert_eq!(
            AgeBand::parse(text).map(AgeBand::lower_years),
            Ok(years),
            "{text}"
        );
    }
    for text in ["", "old", "34-25", "25", "-", "+", "<", "300+", "25-+34", "１８+"] {
        assert!(AgeBand::parse(text).is_err(), "{text}");
    }
}

#[test]
fn names_are_unique() {
    let names: HashSet<_> = FEATURES.iter().map(|feature| feature.name).collect();
    assert_eq!(names.len(), FEATURE_COUNT);
}

#[test]
fn the_documentation_holds_the_table() {
    let page = include_str!("../../../../docs/ranking.md");
    assert!(
        page.contains(&markdown()),
        "docs/ranking.md is out of date; its table should be:\n{}",
        markdown()
    );
}

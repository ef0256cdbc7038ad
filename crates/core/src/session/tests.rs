use super::*;

const MINUTE: i64 = 60_000;

fn click(id: &str, minute: i64, vector: &[f32]) -> Click {
    Click {
        item: ItemId::new(id).unwrap(),
        ts_ms: minute * MINUTE,
        vector: UnitVector::new(vector.to_vec()).unwrap(),
        facts: ItemFacts {
            duration_s: 60.0,
            ..ItemFacts::unknown()
        },
        neighbours: vec![Neighbour { item: 7, weight: 9 }],
        after_search: false,
        watch_seconds: None,
    }
}

fn ids(clicks: &[Click]) -> Vec<&str> {
    clicks.iter().map(|click| click.item.as_str()).collect()
}

#[test]
fn the_newest_fifty_clicks_stay_and_all_remain_seen() {
    let mut session = Session::new();
    for i in 0..60 {
        session
            .click(click(&format!("v{i}"), i, &[1.0, i as f32]))
            .unwrap();
    }
    assert_eq!(session.clicks().len(), MAX_CLICKS);
    assert_eq!(session.clicks()[0].item.as_str(), "v10");
    assert!(session.seen().contains(&ItemId::new("v0").unwrap()));
    assert_eq!(session.seen().len(), 60);
}

#[test]
fn a_repeated_click_moves_to_the_end() {
    let mut session = Session::new();
    for (minute, id) in ["a", "b", "a"].into_iter().enumerate() {
        session.click(click(id, minute as i64, &[1.0, 0.0])).unwrap();
    }
    assert_eq!(ids(session.clicks()), ["b", "a"]);
    assert_eq!(
        session.seen().iter().map(ItemId::as_str).collect::<Vec<_>>(),
        ["b", "a"]
    );
}

#[test]
fn the_query_is_the_mean_of_the_window() {
    let mut session = Session::new();
    assert_eq!(session.query(WINDOW), None);
    for (minute, vector) in [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]].iter().enumerate() {
        session
            .click(click(&format!("v{minute}"), minute as i64, vector))
            .unwrap();
    }
    assert_eq!(session.query(0), None);
    assert_eq!(session.query(1).unwrap(), [1.0, 0.0]);
    assert_eq!(session.query(2).unwrap(), [std::f32::consts::FRAC_1_SQRT_2; 2]);
    let all = session.query(usize::MAX).unwrap();
    assert!((all[0] - 2.0 / 5f32.sqrt()).abs() < 1e-6, "{all:?}");
}

#[test]
fn opposite_clicks_give_no_query() {
    let mut session = Session::new();
    session.click(click("a", 0, &[1.0, 0.0])).unwrap();
    session.click(click("b", 1, &[-1.0, 0.0])).unwrap();
    assert_eq!(session.query(WINDOW), None);
}

#[test]
fn a_pause_of_more_than_thirty_minutes_ends_the_visit() {
    let mut session = Session::new();
    for (id, minute) in [("a", 0), ("b", 31), ("c", 61)] {
        session.click(click(id, minute, &[1.0])).unwrap();
    }
    assert_eq!(ids(session.visit(61 * MINUTE)), ["b", "c"]);
    assert_eq!(ids(session.visit(91 * MINUTE)), ["b", "c"]);
    assert!(session.visit(91 * MINUTE + 1).is_empty());
}

#[test]
fn searches_count_within_the_visit() {
    let mut session = Session::new();
    session.search("Red fox", 0);
    session.search("Red fox", 20 * MINUTE);
    assert_eq!(session.searches(50 * MINUTE), 2);
    assert_eq!(session.searches(50 * MINUTE + 1), 0);
    session.search("Red fox", 100 * MINUTE);
    assert_eq!(session.searches(100 * MINUTE), 1);
}

#[test]
fn a_search_alone_does_not_revive_old_clicks() {
    let mut session = Session::new();
    session.click(click("a", 0, &[1.0])).unwrap();
    session.search("Red fox", 100 * MINUTE);
    assert!(session.visit(100 * MINUTE).is_empty());
}

#[test]
fn watch_time_is_kept_for_the_longest_report() {
    let mut session = Session::new();
    let a = ItemId::new("a").unwrap();
    session.click(click("a", 0, &[1.0])).unwrap();
    session.watch(&a, 12.0, MINUTE).unwrap();
    session.watch(&a, 5.0, MINUTE).unwrap();
    assert_eq!(session.clicks()[0].watch_seconds, Some(12.0));
    assert!(matches!(
        session.watch(&a, f32::NAN, MINUTE),
        Err(SessionError::WatchTime { .. })
    ));
    let b = ItemId::new("b").unwrap();
    session.watch(&b, 1.0, MINUTE).unwrap();
    assert!(session.seen().contains(&b));
    assert_eq!(session.clicks().len(), 1);
}

#[test]
fn another_models_vectors_are_refused_until_the_old_are_dropped() {
    let mut session = Session::new();
    session.click(click("a", 0, &[1.0, 0.0])).unwrap();
    let error = session.click(click("b", 1, &[1.0, 0.0, 0.0])).unwrap_err();
    assert!(
        matches!(
            error,
            SessionError::Dimension {
                expected: 2,
                found: 3,
                ..
            }
        ),
        "{error}"
    );
    session.keep_dimension(3);
    session.click(click("b", 1, &[1.0, 0.0, 0.0])).unwrap();
    assert_eq!(ids(session.clicks()), ["b"]);
    assert_eq!(session.seen().len(), 2);
}

#[test]
fn a_new_bundle_replaces_the_facts() {
    let mut session = Session::new();
    session.click(click("a", 0, &[1.0])).unwrap();
    session.click(click("b", 0, &[1.0])).unwrap();
    session.refresh(|id, facts, neighbours| {
        if id.as_str() == "a" {
            facts.category = 7;
            neighbours.clear();
        }
    });
    assert_eq!(session.clicks()[0].facts.category, 7);
    assert!(session.clicks()[0].neighbours.is_empty());
    assert_eq!(session.clicks()[1].facts.category, ItemFacts::NO_CODE);
    assert_eq!(session.clicks()[1].neighbours.len(), 1);
}

#[test]
fn a_session_survives_json() {
    let mut session = Session::new();
    session.click(click("a", 0, &[3.0, 4.0])).unwrap();
    session.click(click("b", 3, &[1.0, 2.0])).unwrap();
    session
        .watch(&ItemId::new("b").unwrap(), 4.5, 4 * MINUTE)
        .unwrap();
    session.search("Red fox", 4 * MINUTE);
    let text = serde_json::to_string(&SessionData::from(&session)).unwrap();
    let data: SessionData = crate::json::read(&text).unwrap();
    let back = Session::try_from(data.clone()).unwrap();
    assert_eq!(SessionData::from(&back), data);
    assert_eq!(back.query(WINDOW), session.query(WINDOW));
    assert_eq!(back.searches(4 * MINUTE), 1);
}

#[test]
fn the_click_that_follows_a_search_is_marked() {
    let mut session = Session::new();
    session.search("Red  fox", 0);
    assert_eq!(session.search_words(30 * MINUTE), ["red", "fox"]);
    session.click(click("a", 1, &[1.0])).unwrap();
    session.click(click("b", 2, &[1.0])).unwrap();
    session.search("boat", 3 * MINUTE);
    let marked = |session: &Session| {
        session
            .clicks()
            .iter()
            .map(|c| c.after_search)
            .collect::<Vec<_>>()
    };
    assert_eq!(marked(&session), [true, false]);
    assert_eq!(session.search_words(3 * MINUTE), ["boat"]);
    let mut stored = Session::try_from(SessionData::from(&session)).unwrap();
    assert_eq!(SessionData::from(&stored), SessionData::from(&session));
    // The visit of the search is over by then.
    stored.click(click("c", 90, &[1.0])).unwrap();
    assert_eq!(marked(&stored), [true, false, false]);
    assert!(stored.search_words(90 * MINUTE).is_empty());
    session.click(click("c", 4, &[1.0])).unwrap();
    assert_eq!(marked(&session), [true, false, true]);
}

#[test]
fn data_of_version_1_still_reads() {
    let click = r#"{"item":"a","ts_ms":5,"vector":[1,0],"facts":{"category":1,"language":null,"creator":null,
        "duration_s":9,"uploaded_day":null,"impressions":null,"clicks":null,"popularity":null},"watch_seconds":null}"#;
    let text = format!(r#"{{"version":1,"clicks":[{click}],"seen":["a"],"searches":2,"last_active_ms":5}}"#);
    let session = Session::try_from(crate::json::read::<SessionData>(&text).unwrap()).unwrap();
    assert_eq!((session.clicks().len(), session.searches(5)), (1, 2));
    assert!(session.clicks()[0].neighbours.is_empty());
}

#[test]
fn broken_stored_data_is_refused_by_place() {
    let mut session = Session::new();
    session.click(click("a", 0, &[1.0])).unwrap();
    let good = SessionData::from(&session);

    let mut old = good.clone();
    old.version = 99;
    assert_eq!(Session::try_from(old), Err(SessionError::Version(99)));
    for break_it in [
        (|click: &mut ClickData| click.vector = vec![0.0]) as fn(&mut ClickData),
        |click| click.item = String::new(),
        |click| click.watch_seconds = Some(-1.0),
    ] {
        let mut bad = good.clone();
        break_it(&mut bad.clicks[0]);
        let error = Session::try_from(bad).unwrap_err();
        assert!(matches!(error, SessionError::Stored { index: 0, .. }), "{error}");
    }
}

#[test]
fn the_seen_set_forgets_its_oldest() {
    let mut seen = SeenSet::default();
    let id = |i: usize| ItemId::new(format!("v{i}")).unwrap();
    for i in 0..=SeenSet::MAX {
        seen.insert(id(i));
    }
    assert_eq!(seen.len(), SeenSet::MAX);
    assert!(!seen.contains(&id(0)) && seen.contains(&id(1)) && seen.contains(&id(SeenSet::MAX)));
}

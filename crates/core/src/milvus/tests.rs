use super::*;
use crate::candidates::{Answer, Candidates, Entry, Source};
use crate::catalogue::{ItemFacts, ItemId};
use crate::manifest::Manifest;
use crate::segment::fixture::{self, Video};
use crate::segment::{Filter, Located, Segments};

fn segments() -> Segments {
    let video = |id: &'static str, duration_s: f32| Video {
        id,
        facts: ItemFacts {
            duration_s,
            category: 3,
            tags: 5,
            ..ItemFacts::unknown()
        },
        neighbours: vec!["b"],
        ..Video::default()
    };
    fixture::bundle(8, &[&[video("a\"\\", 1.5), video("b", f32::NAN)]], true).segments
}

fn located(segments: &Segments) -> Vec<Located<'_>> {
    segments.find(["a\"\\", "b"].into_iter())
}

fn head() -> Head {
    Head {
        contents: "0123456789abcdef".to_owned(),
        items: 2,
        sequence: 7,
        mean: located(&segments())[0].mean().unwrap().to_vec(),
    }
}

/// A field of an entity as it is sent.
fn sent(entity: &Entity, field: &str) -> serde_json::Value {
    serde_json::to_value(entity).unwrap()[field].clone()
}

fn entry_of(entity: &Entity) -> String {
    assert_eq!(sent(entity, "entry"), entity.entry());
    entity.entry().to_owned()
}

/// Whether an entry is accepted; then the layout of answers accepts it too.
fn accepted(head: &Head, entry: &str) -> bool {
    let Ok(stored) = Stored::read(head, ItemId::new("a").unwrap(), Some(&[0.5; 8]), entry) else {
        return false;
    };
    let answer = Answer {
        dim: 8,
        entries: &[stored],
        source: Source::Personal,
        bundle: "b",
        degraded: None,
    };
    Candidates::parse(&answer.to_bytes()).unwrap();
    true
}

#[test]
fn what_is_loaded_comes_back() {
    let (segments, head) = (segments(), head());
    let query = fixture::vector(8, "b");
    for item in located(&segments) {
        let entity = Entity::of(&item, Some(6)).unwrap();
        let id = ItemId::new(entity.video()).unwrap();
        let stored = Stored::read(&head, id, Some(&query), &entry_of(&entity)).unwrap();
        assert_eq!(stored.id(), item.id());
        assert_eq!((stored.card(), stored.cell()), (item.card(), item.cell()));
        assert_eq!(format!("{:?}", stored.facts()), format!("{:?}", item.facts()));
        assert_eq!(stored.neighbours(), Entry::neighbours(&item));
        assert_eq!(stored.mean(), item.mean());
        assert_eq!(stored.vector().0, Entry::vector(&item).0);
        assert_eq!(stored.vector().1, &Entry::vector(&item).1[..8]);
        let direct: f32 = query.iter().zip(entity.vector()).map(|(q, v)| q * v).sum();
        assert!(
            (stored.score() - direct).abs() < 0.02,
            "{} {direct}",
            stored.score()
        );
        let length: f32 = entity.vector().iter().map(|v| v * v).sum();
        assert!((length - 1.0).abs() < 1e-5);
    }
    let [known, unknown] = [0, 1].map(|i| Entity::of(&located(&segments)[i], None).unwrap());
    assert_eq!(sent(&known, "duration"), 1.5);
    assert_eq!(sent(&unknown, "duration"), f64::from(UNKNOWN));
    assert_eq!(
        (sent(&known, "category"), sent(&known, "age")),
        (3.into(), 256.into())
    );
}

#[test]
fn the_head_comes_back_and_is_no_video() {
    let head = head();
    let entity = head.entity();
    assert_eq!(Head::read(&entry_of(&entity)).unwrap(), head);
    assert!(ItemId::new(entity.video()).is_err());
    assert_eq!(entity.vector().len(), 8);
    let zero = Head {
        mean: vec![0.0; 8],
        ..head
    };
    assert_eq!(zero.entity().vector().len(), 8);
}

#[test]
fn every_truncation_is_refused_and_no_flip_panics() {
    let (segments, head) = (segments(), head());
    let entity = Entity::of(&located(&segments)[0], None).unwrap();
    for (good, is_head) in [(entry_of(&entity), false), (entry_of(&head.entity()), true)] {
        let read = |entry: &str| match is_head {
            true => Head::read(entry).is_ok(),
            false => accepted(&head, entry),
        };
        assert!(read(&good));
        for cut in 0..good.len() {
            assert!(!read(&good[..cut]), "cut at {cut}");
        }
        // Every six bits, changed to all others.
        for at in 0..good.len() {
            for with in ('A'..='Z')
                .chain('a'..='z')
                .chain('0'..='9')
                .chain(['+', '/', '=', 'é'])
            {
                let mut bad = good.clone();
                bad.replace_range(at..=at, with.encode_utf8(&mut [0; 4]));
                let _ = read(&bad);
            }
        }
        assert!(!read(""));
    }
    let other = Head {
        mean: vec![0.0; 16],
        ..head
    };
    let refused = Stored::read(&other, ItemId::new("a").unwrap(), None, &entry_of(&entity));
    assert!(matches!(refused, Err(EntityError::Format(error)) if error.what == "dimensions"));
}

#[test]
fn filters_become_expressions() {
    assert_eq!(all_of(&Filter::default(), &[]), "");
    let filter = Filter {
        categories: Some(vec![3, 7]),
        languages: Some(vec![]),
        age: Some(12),
        duration_s: Some(60.1..=f32::INFINITY),
        uploaded_day: Some(f32::NEG_INFINITY..=20_783.998),
    };
    assert_eq!(
        all_of(&filter, &["a"]),
        "category in [3, 7] and category in [-1] and age <= 12 and duration >= 60.099998474121094 and uploaded > \
         -3.4028234663852886e38 and uploaded <= 20783.998046875 and video not in [\"a\"]"
    );
    for range in [f32::NAN..=1.0, 0.0..=f32::NAN, f32::INFINITY..=f32::INFINITY] {
        let filter = Filter {
            duration_s: Some(range),
            ..Filter::default()
        };
        assert_eq!(all_of(&filter, &[]), NOTHING);
    }
}

#[test]
fn no_id_ends_its_text() {
    let nasty = [
        "\"] or row >= 0 or video in [\"",
        "\\",
        "\\\"",
        "a'b",
        "é\u{2028}😀",
        "{x}%s$1",
    ];
    let text = among(&nasty);
    // Read back by the rules of the expressions' grammar: a backslash takes the next character with it.
    let (mut ids, mut chars) = (Vec::new(), text.strip_prefix("video in [").unwrap().chars());
    while let Some(c) = chars.next() {
        if c == ']' {
            break;
        }
        if c != '"' {
            assert!(matches!(c, ',' | ' '), "{c} between two texts of {text}");
            continue;
        }
        let mut id = String::new();
        loop {
            match chars.next().unwrap() {
                '"' => break,
                '\\' => id.push(chars.next().unwrap()),
                c => id.push(c),
            }
        }
        ids.push(id);
    }
    assert_eq!(chars.next(), None);
    assert_eq!(ids, nasty);
    assert_eq!(among(&[HEAD_ID]), "video in [\"\\n\"]");
}

#[test]
fn other_videos_have_another_name_and_another_ranker_has_not() {
    let manifest = || {
        fixture::bundle(
            8,
            &[&[Video {
                id: "a",
                ..Video::default()
            }]],
            true,
        )
        .manifest
    };
    let name = contents(&manifest());
    let changed = |change: fn(&mut Manifest)| {
        let mut manifest = manifest();
        change(&mut manifest);
        contents(&manifest)
    };
    assert_eq!(name, changed(|manifest| manifest.sequence += 1));
    assert_eq!(name, changed(|manifest| manifest.created.clear()));
    assert_eq!(
        name,
        changed(|manifest| manifest.ranker = Some(manifest.dictionaries.clone()))
    );
    for other in [
        changed(|manifest| manifest.dim += 1),
        changed(|manifest| manifest.removed = Some(manifest.dictionaries.clone())),
        changed(|manifest| manifest.segments[0].home += 1),
        changed(|manifest| manifest.segments[0].items.sha256.push('0')),
        changed(|manifest| manifest.segments[0].co_watch = None),
    ] {
        assert_ne!(name, other);
    }
    assert_eq!(
        contents_of("recsys", &collection("recsys", &name)),
        Some(name.as_str())
    );
}

#[test]
fn names_of_collections() {
    let name = collection("recsys", "0123456789abcdef");
    assert_eq!(contents_of("recsys", &name), Some("0123456789abcdef"));
    for other in [
        "recsys",
        "recsys_",
        "recsys_0123",
        "other_0123456789abcdef",
        "recsys_0123456789ABCDEF",
    ] {
        assert_eq!(contents_of("recsys", other), None, "{other}");
    }
    assert!(is_name("recsys") && is_name("_a1"));
    for bad in ["", "1a", "a-b", "é", "a b", &"a".repeat(300)] {
        assert!(!is_name(bad), "{bad}");
    }
}

#[test]
fn answers_of_both_versions_are_read() {
    let v1 = br#"{"code":200,"data":{"fields":[{"name":"row","type":"Int64"},{"name":"vector","type":"FloatVector(64)"}],
        "indexes":[{"fieldName":"vector","indexName":"vector_idx","metricType":"COSINE"}]}}"#;
    let v2 = br#"{"code":0,"data":{"fields":[{"name":"vector","type":"FloatVector","params":[{"key":"dim","value":"64"}]}],
        "indexes":[{"fieldName":"vector","indexName":"vector","metricType":"COSINE"}]},"message":""}"#;
    for body in [v1.as_slice(), v2] {
        let collection = described(200, body).unwrap();
        assert_eq!((collection.dim, collection.metric.as_str()), (Some(64), "COSINE"));
    }
    assert_eq!(count(200, br#"{"code":200,"data":[{"count(*)":"41"}]}"#), Ok(41));
    assert_eq!(
        count(200, br#"{"code":0,"data":[{"count(*)":41}],"cost":6}"#),
        Ok(41)
    );
    assert_eq!(
        collections(200, br#"{"code":0,"data":["a"]}"#),
        Ok(vec!["a".to_owned()])
    );
    let hits =
        br#"{"code":200,"data":[{"distance":0.5,"id":"470758425747259874","video":"a","entry":"AA=="}]}"#;
    assert_eq!(rows(200, hits, 1).unwrap()[0].video, "a");
    assert_eq!(rows(200, hits, 0).unwrap_err().problem, Problem::Unreadable);
}

#[test]
fn refusals_are_told_apart() {
    let problem = |status, body: &str| done(status, body.as_bytes()).unwrap_err().problem;
    assert_eq!(
        problem(200, r#"{"code":100,"message":"collection not found"}"#),
        Problem::Missing
    );
    assert_eq!(
        problem(200, r#"{"code":1800,"message":"user hasn't authenticated"}"#),
        Problem::Credentials
    );
    assert_eq!(problem(401, r#"{"code":1800}"#), Problem::Credentials);
    assert_eq!(problem(404, "404 page not found"), Problem::NoSuchPath);
    assert_eq!(problem(503, ""), Problem::Busy);
    assert_eq!(
        problem(200, r#"{"code":8,"message":"rate limit"}"#),
        Problem::Busy
    );
    assert_eq!(problem(200, "<html>"), Problem::Unreadable);
    assert_eq!(problem(200, "[]"), Problem::Unreadable);
    assert_eq!(problem(200, r#"{"code":65535,"message":"x"}"#), Problem::Refused);
    assert_eq!(
        count(200, br#"{"code":0}"#).unwrap_err().problem,
        Problem::Unreadable
    );
}

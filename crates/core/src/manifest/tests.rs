use super::*;

fn segment(rows: u32, home: u32) -> SegmentEntry {
    let entry = |stem: &str| FileEntry::of(stem, "bin", format!("{stem}{rows}").as_bytes());
    SegmentEntry {
        rows,
        home,
        shard: entry("shard"),
        items: entry("items"),
        co_watch: None,
        delta: false,
    }
}

fn manifest() -> Manifest {
    let search = SearchSettings {
        ef: 64,
        flat_up_to: 5000,
    };
    let lists = FileEntry::of("dictionaries", "bin", b"lists");
    Manifest::new(
        3,
        "2026-01-01T00:00:00Z".into(),
        128,
        10,
        search,
        lists,
        vec![segment(10, 10)],
    )
}

#[test]
fn round_trips() {
    let manifest = manifest();
    assert_eq!(Manifest::parse(&manifest.to_bytes()).unwrap(), manifest);
    assert_eq!(bundle_id(b""), "e3b0c44298fc1c14");
}

#[test]
fn refuses_what_does_not_fit() {
    let change = |from: &str, to: &str| {
        let text = String::from_utf8(manifest().to_bytes()).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        Manifest::parse(text.replacen(from, to, 1).as_bytes())
            .unwrap_err()
            .to_string()
    };
    assert!(change("recsys-bundle", "other").contains("format"));
    assert!(change("\"version\": 2", "\"version\": 1").contains("version"));
    assert!(change("\"dim\": 128", "\"dim\": 0").contains("dim"));
    assert!(change("shard-", "../shard-").contains("file"));
    assert!(change("\"bytes\": 5", "\"bytes\": 9999999999").contains("bytes"));
    assert!(change("\"sha256\": \"", "\"sha256\": \"Z").contains("sha256"));
    assert!(change("{", "[").contains("manifest.json"));
}

#[test]
fn rules_and_experiments_are_held_to_their_limits() {
    let with = |field: &str| {
        let text = String::from_utf8(manifest().to_bytes()).unwrap();
        Manifest::parse(text.replacen('{', &format!("{{{field},"), 1).as_bytes())
    };
    let rules = r#""policy":{"caps":{"perCreator":2},"boosts":[{"category":"a","add":0.5}]}"#;
    let read = with(&format!(r#"{rules},"policyCodes":{{"categories":[["a",3]]}}"#)).unwrap();
    assert_eq!(Manifest::parse(&read.to_bytes()).unwrap(), read);
    let (policy, unknown) = read.policy.unwrap().resolve(&read.policy_codes);
    assert_eq!(
        (policy.caps.per_creator, policy.boosts[0].category, unknown.len()),
        (Some(2), Some(3), 0)
    );
    let refused = |field: &str| with(field).unwrap_err().to_string();
    let pins = |item: &str| format!(r#""policy":{{"pins":[{{"item":"{item}","position":1}}]}}"#);
    let arm = format!(r#"{{"name":"a"}},{{"name":"b",{}}}"#, pins("v2"));
    let both = format!(r#"{},"experiments":[{{"name":"t","arms":[{arm}]}}]"#, pins("v1"));
    assert_eq!(with(&both).unwrap().pinned().collect::<Vec<_>>(), ["v1", "v2"]);
    assert!(refused(r#""policy":{"lambda":2}"#).contains("policy: lambda"));
    assert!(refused(r#""policy":{"capz":{}}"#).contains("unknown field `capz`"));
    let arms = |arms: &str| format!(r#""experiments":[{{"name":"t","arms":[{arms}]}}]"#);
    assert!(with(&arms(r#"{"name":"a"},{"name":"b","policy":{"lambda":1}}"#)).is_ok());
    assert!(refused(&arms(r#"{"name":"a"}"#)).contains("1 arms"));
    assert!(refused(&arms(r#"{"name":"a"},{"name":"b","policy":{"pool":0}}"#)).contains("policy: pool"));
}

#[test]
fn cells_name_segments_that_there_are() {
    let with = |segments: Vec<u32>, probes: u32| {
        let mut manifest = manifest();
        manifest.cells = Some(Cells {
            centroids: FileEntry::of("cells", "bin", b"three"),
            segments,
            probes,
            public: Vec::new(),
        });
        Manifest::parse(&manifest.to_bytes()).map(|read| assert_eq!(read, manifest))
    };
    with(vec![0, 0], 4).unwrap();
    for (segments, probes, field) in [
        (vec![0, 1], 4, "cells.segments"),
        (vec![], 4, "cells.segments"),
        (vec![0], 0, "cells.probes"),
    ] {
        let error = with(segments, probes).unwrap_err().to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
}

#[test]
fn segments_are_held_to_their_limits() {
    let with = |segments: Vec<SegmentEntry>, items: u32| {
        let mut manifest = manifest();
        (manifest.segments, manifest.items) = (segments, items);
        match Manifest::parse(&manifest.to_bytes()) {
            Ok(read) => {
                assert_eq!(read, manifest);
                String::new()
            }
            Err(error) => error.to_string(),
        }
    };
    let delta = SegmentEntry {
        co_watch: Some(FileEntry::of("cowatch", "bin", b"c")),
        delta: true,
        ..segment(2, 2)
    };
    assert_eq!(with(vec![segment(10, 7), delta.clone()], 9), "");
    assert_eq!(with(vec![segment(10, 7), delta.clone()], 1), "");
    assert!(with(vec![segment(10, 7), delta.clone()], 10).contains("items"));
    assert!(with(vec![segment(10, 7)], 0).contains("items"));
    assert!(with(vec![segment(10, 11)], 5).contains("segments.home"));
    assert!(with(vec![segment(10, 0), delta], 2).contains("segments.home"));
    assert!(with(vec![segment(0, 0)], 1).contains("segments.rows"));
    assert!(with(Vec::new(), 1).contains("segments"));
}

#[test]
fn a_file_is_held_to_its_length_and_hash() {
    let entry = FileEntry::of("x", "bin", b"abc");
    assert!(entry.check(b"abc").is_ok());
    assert!(matches!(
        entry.check(b"abcd"),
        Err(ManifestError::FileLength { .. })
    ));
    assert!(matches!(entry.check(b"abd"), Err(ManifestError::FileHash { .. })));
    let mut digest = FileDigest::default();
    digest.add(b"a");
    digest.add(b"bc");
    assert!(entry.check_digest(digest).is_ok());
}

use super::*;
use crate::bytes::Cursor;
use crate::catalogue::id_hash;
use crate::cowatch::check_starts;
use crate::segment::fixture::{self, Video};
use crate::segment::{Filter, Located, Segments, Wanted};
use crate::shard::Scratch;

/// Two segments; "c" is a neighbour of "b".
fn segments() -> Segments {
    let video = |id: &'static str, duration_s: f32| Video {
        id,
        facts: ItemFacts {
            duration_s,
            category: 0,
            tags: 1,
            ..ItemFacts::unknown()
        },
        neighbours: if id == "c" { vec!["b"] } else { Vec::new() },
        ..Video::default()
    };
    let (first, second) = ([video("a", 1.0), video("b", 2.0)], [video("c", 3.0)]);
    fixture::bundle(8, &[&first, &second], true).segments
}

fn found<'a>(segments: &'a Segments, degraded: Option<&'a str>) -> (Vec<Located<'a>>, Option<&'a str>) {
    let wanted = Wanted {
        k: 2,
        filter: &Filter::default(),
        exclude: &["a"],
    };
    let search = fixture::SEARCH;
    let query = fixture::vector(8, "c");
    let nearest = segments
        .nearest(&query, &search, &wanted, &mut Scratch::default())
        .unwrap();
    (nearest.found, degraded)
}

fn bytes() -> Vec<u8> {
    let segments = segments();
    let (hits, degraded) = found(&segments, Some("no ranker"));
    Answer {
        dim: 8,
        entries: &hits,
        source: Source::Search,
        bundle: "abc",
        degraded,
    }
    .to_bytes()
}

#[test]
fn the_wire_and_the_direct_way_give_the_same() {
    let segments = segments();
    let (hits, degraded) = found(&segments, None);
    let answer = Answer {
        dim: 8,
        entries: &hits,
        source: Source::Personal,
        bundle: "b",
        degraded,
    };
    let (wire, direct) = (Candidates::parse(&answer.to_bytes()).unwrap(), answer.collect());
    assert_eq!(format!("{wire:?}"), format!("{direct:?}"));
    let ids: Vec<&str> = wire.list.iter().map(|candidate| candidate.id.as_str()).collect();
    assert_eq!(ids, ["c", "b"]);
    assert_eq!(wire.list[0].cell, fixture::cell("c"));
    assert_eq!(wire.list[1].facts.duration_s, 2.0);
    assert_eq!(
        (wire.list[0].neighbours[0].item, wire.list[0].facts.tags),
        (id_hash("b"), 1)
    );
}

#[test]
fn what_no_shard_or_co_watch_file_has_is_refused() {
    let refused = |at: usize, value: &[u8]| {
        let mut bad = bytes();
        bad[at..at + value.len()].copy_from_slice(value);
        Candidates::parse(&bad).unwrap_err().what
    };
    let good = bytes();
    let place = |field: &[u8]| good.windows(field.len()).position(|w| w == field).unwrap();
    let mean = place(&fixture::MEAN.to_le_bytes());
    assert_eq!(refused(mean, &17f32.to_le_bytes()), "mean");
    // Eight means, two cells and two scores, each section from a multiple of 16.
    let scores = mean + 48;
    assert_eq!(refused(scores, &f32::INFINITY.to_le_bytes()), "scores");
    assert_eq!(refused(scores + 16, &1.5f32.to_le_bytes()), "scales");
    let weight = place(&fixture::WEIGHT.to_le_bytes());
    assert_eq!(refused(weight, &[0, 0]), "weights of neighbours");
}

#[test]
fn more_neighbours_of_one_candidate_than_allowed_are_refused() {
    let starts = |starts: &[u32]| {
        let c = Cursor::new("candidates", &[]);
        check_starts(&c, starts, 100).is_ok()
    };
    assert!(starts(&[0, 50, 100]) && starts(&[0, 64, 64, 100]));
    assert!(
        !starts(&[0, 65, 100])
            && !starts(&[0, 50, 99])
            && !starts(&[1, 50, 100])
            && !starts(&[0, 60, 50, 100])
    );
}

#[test]
fn every_truncation_is_refused_and_no_flip_panics() {
    let good = bytes();
    assert_eq!(
        Candidates::parse(&good).unwrap().degraded.as_deref(),
        Some("no ranker")
    );
    for cut in 0..good.len() {
        assert!(Candidates::parse(&good[..cut]).is_err(), "cut at {cut}");
    }
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let _ = Candidates::parse(&bad);
    }
}

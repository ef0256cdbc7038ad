//! The search over several segments against plain loops.

use super::fixture::{self, Bundle, Video};
use super::{Filter, Segment, Segments, Slot, Wanted};
use crate::bytes::AlignedBytes;
use crate::catalogue::ItemFacts;
use crate::manifest::SearchSettings;
use crate::rng::SplitMix64;
use crate::shard::Scratch;
use std::sync::Arc;

const DIM: usize = 16;

/// 60 videos of three segments; of the ten first of each there is a copy in the next one.
fn videos() -> Vec<Vec<Video>> {
    let mut rng = SplitMix64::new(5);
    let video = |number: usize, rng: &mut SplitMix64| Video {
        id: Box::leak(format!("v{number:02}").into_boxed_str()),
        facts: ItemFacts {
            category: rng.below(4) as u16,
            language: [0, 1, ItemFacts::NO_CODE][rng.below(3)],
            duration_s: [10.0, 60.0, 600.0, f32::NAN][rng.below(4)],
            uploaded_day: [100.0, 200.5, f32::NAN][rng.below(3)],
            popularity: rng.below(12) as f32,
            ..ItemFacts::unknown()
        },
        min_age: [None, Some(0), Some(12), Some(18)][rng.below(4)],
        ..Video::default()
    };
    let mut segments: Vec<Vec<Video>> = (0..3)
        .map(|segment| (0..20).map(|i| video(segment * 20 + i, &mut rng)).collect())
        .collect();
    let copies: Vec<Vec<Video>> = segments.iter().map(|videos| videos[..10].to_vec()).collect();
    for (segment, copies) in copies.into_iter().enumerate() {
        let copies = copies.into_iter().map(|video| Video { copy: true, ..video });
        segments[(segment + 1) % 3].extend(copies);
    }
    segments
}

fn bundle(cells: Option<(&[(&str, u32)], u32)>) -> (Bundle, Vec<Video>) {
    let videos = videos();
    let segments: Vec<&[Video]> = videos.iter().map(Vec::as_slice).collect();
    let bundle = fixture::with_cells(DIM, &segments, true, cells);
    let home = videos.into_iter().flatten().filter(|video| !video.copy);
    (bundle, home.collect())
}

fn filter(rng: &mut SplitMix64) -> Filter {
    let mut some = |one_in: usize| rng.below(one_in) == 0;
    let mut filter = Filter::default();
    if some(2) {
        filter.categories = Some(vec![1, 3]);
    }
    if some(3) {
        filter.languages = Some(vec![0]);
    }
    if some(3) {
        filter.age = Some(12);
    }
    if some(3) {
        filter.duration_s = Some(0.0..=60.0);
    }
    if some(3) {
        filter.uploaded_day = Some(150.0..=f32::INFINITY);
    }
    filter
}

/// What a filter means, said once more.
fn fits(filter: &Filter, video: &Video) -> bool {
    let Video { facts, min_age, .. } = video;
    let code_fits = |codes: &Option<Vec<u16>>, code: u16| match codes {
        None => true,
        Some(codes) => code != ItemFacts::NO_CODE && codes.contains(&code),
    };
    code_fits(&filter.categories, facts.category)
        && code_fits(&filter.languages, facts.language)
        && (filter.age.is_none() || min_age.is_some_and(|age| age <= 12))
        && (filter.duration_s.is_none() || facts.duration_s <= 60.0)
        && (filter.uploaded_day.is_none() || facts.uploaded_day >= 150.0)
}

fn ids(nearest: &super::Nearest<'_>) -> Vec<String> {
    nearest
        .found
        .iter()
        .map(|located| located.id().to_owned())
        .collect()
}

/// The best `k` of these videos by the exact product, leaving room for the rounding of the codes.
fn agrees(found: &[String], fitting: &[&Video], query: &[f32], k: usize) {
    let product = |id: &str| -> f32 {
        fixture::vector(DIM, id)
            .iter()
            .zip(query)
            .map(|(a, b)| a * b)
            .sum()
    };
    let mut exact: Vec<f32> = fitting.iter().map(|video| product(video.id)).collect();
    exact.sort_by(|a, b| b.total_cmp(a));
    assert_eq!(found.len(), k.min(fitting.len()));
    for (id, exact) in found.iter().zip(exact) {
        assert!(fitting.iter().any(|video| video.id == id), "{id}");
        assert!(
            (product(id) - exact).abs() < 0.02,
            "{id}: {} {exact}",
            product(id)
        );
    }
    let distinct: std::collections::HashSet<&String> = found.iter().collect();
    assert_eq!(distinct.len(), found.len(), "one came twice");
}

#[test]
fn any_filter_gives_the_best_that_fit_each_once_and_their_exact_number() {
    // With cells a query is asked of one segment first, whose videos are seldom enough.
    let cells: &[(&str, u32)] = &[("v03", 0), ("v30", 1), ("v50", 2)];
    let (all, home) = bundle(None);
    let (routed, _) = bundle(Some((cells, 1)));
    let mut rng = SplitMix64::new(9);
    let mut scratch = Scratch::default();
    let (mut empty, mut selective) = (0, 0);
    for round in 0..400 {
        let query = fixture::vector(DIM, &format!("query {round}"));
        let (filter, k) = (filter(&mut rng), 1 + rng.below(30));
        let excluded: Vec<&str> = home.iter().map(|v| v.id).filter(|_| rng.below(6) == 0).collect();
        let wanted = Wanted {
            k,
            filter: &filter,
            exclude: &excluded,
        };
        let fitting: Vec<&Video> = home
            .iter()
            .filter(|video| fits(&filter, video) && !excluded.contains(&video.id))
            .collect();
        // The fixture's graphs are rings, in which a walk gets lost.
        let scan = SearchSettings {
            flat_up_to: 1000,
            ..fixture::SEARCH
        };
        let nearest = all
            .segments
            .nearest(&query, &scan, &wanted, &mut scratch)
            .unwrap();
        agrees(&ids(&nearest), &fitting, &query, k);
        let matching = nearest
            .matching
            .map(|matching| (matching.videos, matching.complete));
        let expected = (!filter.is_empty()).then_some((fitting.len(), true));
        assert_eq!(matching, expected);
        let few = routed
            .segments
            .nearest(&query, &fixture::SEARCH, &wanted, &mut scratch)
            .unwrap();
        assert_eq!(few.matching, nearest.matching);
        assert_eq!(few.found.len(), k.min(fitting.len()), "never short");
        empty += usize::from(fitting.is_empty());
        selective += usize::from(!fitting.is_empty() && fitting.len() < 12);
    }
    assert!(empty > 0 && selective > 50, "{empty} {selective}");
}

#[test]
fn what_was_removed_never_comes() {
    let (bundle, home) = bundle(None);
    // v03 stands in segment 0 at row 3, and its copy in segment 1 at row 23.
    let removed: [&[u32]; 3] = [&[3], &[23], &[]];
    let slots = (0..3).map(|number| {
        let segment = Arc::clone(bundle.segments.get(number).unwrap().segment());
        Some(Slot::new(segment, &bundle.manifest.segments[number], removed[number]).unwrap())
    });
    let segments = Segments::new(&bundle.manifest, slots.collect(), None);
    let wanted = Wanted {
        k: 60,
        filter: &Filter::default(),
        exclude: &[],
    };
    let query = fixture::vector(DIM, "v03");
    let search = |segments: &Segments| {
        let nearest = segments.nearest(&query, &fixture::SEARCH, &wanted, &mut Scratch::default());
        ids(&nearest.unwrap())
    };
    assert_eq!(search(&bundle.segments)[0], "v03");
    let (found, left) = (search(&segments), home.iter().filter(|video| video.id != "v03"));
    agrees(&found, &left.collect::<Vec<_>>(), &query, 60);
    assert_eq!(segments.popular(&wanted).found.len(), 59);
    assert_eq!(segments.find(["v03", "v04"].into_iter()).len(), 1);
    let segment = Arc::clone(segments.get(0).unwrap().segment());
    let beyond = Slot::new(segment, &bundle.manifest.segments[0], &[30]).unwrap_err();
    assert!(beyond.to_string().contains("tombstones"), "{beyond}");
}

#[test]
fn segments_that_are_not_at_hand_are_counted_and_the_others_answer() {
    let (bundle, home) = bundle(None);
    let slots = (0..3).map(|number| bundle.segments.get(number).filter(|_| number != 1).cloned());
    let segments = Segments::new(&bundle.manifest, slots.collect(), None);
    let filter = Filter {
        categories: Some(vec![0, 1, 2, 3]),
        ..Filter::default()
    };
    let wanted = Wanted {
        k: 60,
        filter: &filter,
        exclude: &[],
    };
    let query = fixture::vector(DIM, "x");
    let nearest = segments
        .nearest(&query, &fixture::SEARCH, &wanted, &mut Scratch::default())
        .unwrap();
    // Those of the second segment that have a copy in the third one come all the same.
    let here: Vec<&Video> = home[..30].iter().chain(&home[40..]).collect();
    agrees(&ids(&nearest), &here, &query, 60);
    assert_eq!(nearest.missing, 1);
    let matching = nearest.matching.unwrap();
    assert_eq!((matching.videos, matching.complete), (40, false));
}

#[test]
fn popular_videos_come_by_popularity_and_then_in_the_catalogues_order() {
    let (bundle, home) = bundle(None);
    let wanted = Wanted {
        k: 25,
        filter: &Filter::default(),
        exclude: &["v07"],
    };
    let mut expected: Vec<&Video> = home.iter().filter(|video| video.id != "v07").collect();
    expected.sort_by(|a, b| b.facts.popularity.total_cmp(&a.facts.popularity));
    let popular = bundle.segments.popular(&wanted);
    let expected: Vec<&str> = expected.iter().take(25).map(|video| video.id).collect();
    assert_eq!(ids(&popular), expected);
    for located in &popular.found {
        let stored = located.vector().unwrap();
        let exact = fixture::vector(DIM, located.id());
        let product: f32 = stored.as_slice().iter().zip(&exact).map(|(a, b)| a * b).sum();
        assert!(product > 0.999, "{}: {product}", located.id());
    }
}

#[test]
fn videos_are_found_by_their_ids_with_their_stills() {
    let (bundle, _) = bundle(None);
    let found = bundle.segments.find(["v45", "nothing", "v03", "v45"].into_iter());
    let places: Vec<(&str, u32)> = found
        .iter()
        .map(|located| (located.id(), located.cell()))
        .collect();
    let expected = ["v45", "v03", "v45"].map(|id| (id, fixture::cell(id)));
    assert_eq!(places, expected);
    assert!(found.iter().all(|located| located.shard().is_some()));
}

#[test]
fn a_query_is_asked_of_the_segments_of_its_nearest_cells_and_of_those_without_cells() {
    let cells: &[(&str, u32)] = &[("a", 2), ("b", 0), ("c", 2)];
    let (mut bundle, _) = bundle(Some((cells, 1)));
    let route = |bundle: &Bundle, near: &str| {
        let query = fixture::vector(DIM, near);
        bundle.segments.route(&query, &mut Scratch::default()).unwrap()
    };
    assert_eq!(route(&bundle, "a"), [2, 1]);
    assert_eq!(route(&bundle, "b"), [0, 1]);
    assert_eq!(route(&bundle, "c"), [2, 1]);
    bundle.segments.set_probes(9);
    assert_eq!(route(&bundle, "b"), [0, 2, 1]);
}

#[test]
fn files_of_another_segment_or_bundle_are_refused() {
    let (bundle, _) = bundle(None);
    let videos = videos();
    let short = fixture::bundle(DIM, &[&videos[0][..20]], true);
    let (entry, other) = (&bundle.manifest.segments[0], &short.manifest.segments[0]);
    let files = fixture::files(DIM, &videos[0][..20], true).map(|bytes| AlignedBytes::copy_of(&bytes));
    let [shard, items, co_watch] = files;
    let refused = |result: Result<(), super::SegmentError>| result.unwrap_err().to_string();
    let open = |entry, counts| Segment::open(entry, counts, items.clone());
    assert!(refused(open(entry, fixture::COUNTS).map(drop)).contains("number of videos"));
    let fewer = crate::items::dictionaries::Counts::default();
    assert!(refused(open(other, fewer).map(drop)).contains("dictionaries"));
    let mut segment = open(other, fixture::COUNTS).unwrap();
    assert!(refused(segment.add_shard(entry, DIM as u32, shard.clone())).contains("number of videos"));
    assert!(refused(segment.add_shard(other, 8, shard.clone())).contains("dimensions"));
    segment.add_shard(other, DIM as u32, shard).unwrap();
    segment.add_co_watch(co_watch).unwrap();
    let [_, _, co_watch] = fixture::files(DIM, &videos[0], true);
    assert!(refused(segment.add_co_watch(AlignedBytes::copy_of(&co_watch))).contains("number of videos"));
}

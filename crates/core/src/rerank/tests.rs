use super::*;
use crate::catalogue::{ItemFacts, ItemId};
use crate::features::{FEATURE_COUNT, FEATURES};
use crate::policy::Lambda;
use crate::session::Click;
use crate::trees::{Builder, Output, Split, Test};
use crate::vector::UnitVector;

const NOW: i64 = 1_760_000_000_000;

struct World {
    ids: Vec<ItemId>,
    facts: Vec<ItemFacts>,
    vectors: Vec<Vec<f32>>,
}

impl World {
    /// Items on a circle, ten degrees apart; the later the more popular, and every second one long.
    fn new(n: usize) -> Self {
        let ids = (0..n).map(|i| ItemId::new(format!("v{i}")).unwrap()).collect();
        let fact = |i: usize| ItemFacts {
            popularity: i as f32,
            duration_s: if i.is_multiple_of(2) { 30.0 } else { 300.0 },
            ..ItemFacts::unknown()
        };
        let angle = |i: usize| (i as f32 * 10.0).to_radians();
        Self {
            ids,
            facts: (0..n).map(fact).collect(),
            vectors: (0..n).map(|i| vec![angle(i).cos(), angle(i).sin()]).collect(),
        }
    }

    fn candidates(&self) -> Vec<Candidate<'_>> {
        let one = |i: usize| Candidate {
            item: &self.ids[i],
            facts: &self.facts[i],
            card: "{}",
            vector: &self.vectors[i],
        };
        (0..self.ids.len()).map(one).collect()
    }

    fn clicked(&self, items: &[usize]) -> Session {
        let mut session = Session::new();
        for (minute, &i) in items.iter().enumerate() {
            let vector = UnitVector::new(self.vectors[i].clone()).unwrap();
            let ts_ms = NOW + minute as i64 * 60_000;
            let click = Click {
                item: self.ids[i].clone(),
                ts_ms,
                vector,
                facts: self.facts[i],
                neighbours: Vec::new(),
                after_search: false,
                watch_seconds: None,
            };
            session.click(click).unwrap();
        }
        session
    }
}

fn names() -> Vec<String> {
    FEATURES.iter().map(|feature| feature.name.to_owned()).collect()
}

/// One split: long videos score 1, short ones −1. Of `covers`, the first is that of the short ones.
fn long_video_ranker(covers: Option<[f32; 2]>) -> Ranker {
    let feature = FEATURES.iter().position(|f| f.name == "duration_log2_s").unwrap();
    let mut builder = Builder::new(FEATURES.len(), names(), Output::IDENTITY, vec![0.0]).unwrap();
    let test = Test::AtMost {
        threshold: 6.0,
        zero_is_missing: false,
    };
    builder
        .split(Split {
            feature,
            test,
            missing_left: true,
        })
        .unwrap();
    for (side, leaf) in [-1.0, 1.0].into_iter().enumerate() {
        match covers {
            Some(covers) => builder.covered_leaf(leaf, covers[side]).unwrap(),
            None => builder.leaf(leaf).unwrap(),
        }
    }
    builder.end_class().unwrap();
    Ranker::try_from(builder.finish().unwrap()).unwrap()
}

fn likes_long_videos() -> Ranker {
    long_video_ranker(None)
}

fn top(world: &World, session: &Session, ranker: Option<&Ranker>, policy: &Policy, k: usize) -> Vec<usize> {
    let user = UserFeatures::default();
    let ranked = rerank(
        session,
        &user,
        NOW,
        &world.candidates(),
        ranker,
        &Page { policy, k, seed: 1 },
    )
    .unwrap();
    ranked.iter().map(|ranked| ranked.index).collect()
}

fn relevance() -> Policy {
    Policy {
        lambda: Lambda::RELEVANCE,
        ..Policy::default()
    }
}

#[test]
fn a_new_viewer_gets_what_is_popular() {
    let world = World::new(6);
    assert_eq!(top(&world, &Session::new(), None, &relevance(), 3), [5, 4, 3]);
    assert_eq!(
        top(
            &world,
            &Session::new(),
            Some(&likes_long_videos()),
            &relevance(),
            2
        ),
        [5, 4]
    );
}

#[test]
fn without_a_ranker_the_nearest_unseen_come_first() {
    let world = World::new(8);
    let session = world.clicked(&[2]);
    assert_eq!(top(&world, &session, None, &relevance(), 4), [1, 3, 0, 4]);
    let all = Policy {
        exclude_seen: false,
        ..relevance()
    };
    assert_eq!(top(&world, &session, None, &all, 1), [2]);
}

#[test]
fn a_ranker_decides_and_equals_keep_their_order() {
    let world = World::new(6);
    let session = world.clicked(&[3]);
    assert_eq!(
        top(&world, &session, Some(&likes_long_videos()), &relevance(), 9),
        [1, 5, 0, 2, 4]
    );
}

#[test]
fn variety_brings_in_another_direction() {
    let world = World::new(10);
    let session = world.clicked(&[0]);
    let varied = Policy {
        lambda: Lambda::new(0.3).unwrap(),
        ..Policy::default()
    };
    assert_eq!(top(&world, &session, None, &relevance(), 2), [1, 2]);
    assert_eq!(top(&world, &session, None, &varied, 2), [1, 9]);
    // The pool bounds where variety may come from.
    let narrow = Policy {
        pool: 3,
        lambda: Lambda::new(0.0).unwrap(),
        ..Policy::default()
    };
    assert_eq!(top(&world, &session, None, &narrow, 2), [1, 3]);
}

#[test]
fn two_policies_share_a_list_by_turns() {
    let world = World::new(12);
    let session = world.clicked(&[0]);
    let varied = Policy {
        lambda: Lambda::new(0.3).unwrap(),
        ..Policy::default()
    };
    let plain = relevance();
    let lists = [&plain, &varied].map(|policy| top(&world, &session, None, policy, 6));
    let mut first = Vec::new();
    for seed in 0..40 {
        let pages = [&plain, &varied].map(|policy| Page { policy, k: 6, seed });
        let candidates = world.candidates();
        let user = UserFeatures::default();
        let drafted =
            rerank_interleaved(&session, &user, NOW, &candidates, None, [&pages[0], &pages[1]]).unwrap();
        assert_eq!(drafted.len(), 6);
        for pick in &drafted {
            assert!(lists[usize::from(pick.team == Team::B)].contains(&pick.index));
            assert!(pick.score.is_finite());
        }
        first.push(drafted[0].team);
    }
    assert!(
        first.contains(&Team::A) && first.contains(&Team::B),
        "the seed throws the coin"
    );
}

#[test]
fn k_is_bounded_by_the_candidates() {
    let world = World::new(3);
    assert_eq!(
        top(&world, &Session::new(), None, &relevance(), 1_000_000_000).len(),
        3
    );
    assert!(top(&world, &Session::new(), None, &relevance(), 0).is_empty());
    assert!(top(&World::new(0), &Session::new(), None, &relevance(), 5).is_empty());
}

#[test]
fn a_model_of_other_features_is_refused() {
    let build = |names: Vec<String>, base: Vec<f32>| {
        let mut builder = Builder::new(names.len(), names, Output::IDENTITY, base.clone()).unwrap();
        for _ in &base {
            builder.leaf(0.0).unwrap();
            builder.end_class().unwrap();
        }
        Ranker::try_from(builder.finish().unwrap())
    };
    let mut renamed = names();
    renamed[4] = "something_else".to_owned();
    assert!(matches!(
        build(renamed, vec![0.0]),
        Err(RankerError::Features { column: 4, .. })
    ));
    let mut more = names();
    more.push("extra".to_owned());
    assert!(matches!(
        build(more, vec![0.0]),
        Err(RankerError::Features {
            column: FEATURE_COUNT,
            ..
        })
    ));
    assert!(build(names(), vec![0.0]).is_ok());
    assert!(matches!(
        Ranker::from_bytes(b"no model"),
        Err(RankerError::Format(_))
    ));
}

#[test]
fn an_explanation_names_the_nearest_click_and_what_the_ranker_used() {
    let world = World::new(7);
    let session = world.clicked(&[0, 4]);
    let ranker = likes_long_videos();
    let user = UserFeatures::default();
    let why = |ranker, index| explain(&session, &user, NOW, &world.candidates(), ranker, index).unwrap();
    // Item 3 is long where the median is short, 10° from click 4.
    let long = why(Some(&ranker), 3).unwrap();
    let because = long.because.unwrap();
    assert_eq!(because.click, 1);
    assert!((because.similarity - 10f32.to_radians().cos()).abs() < 1e-6);
    assert_eq!(long.reasons.len(), 1);
    assert_eq!(
        (long.reasons[0].feature.name, long.reasons[0].effect),
        ("duration_log2_s", 2.0)
    );
    assert_eq!(
        long.sentence(Some("Red fox")),
        "Because you watched “Red fox”: a longer video."
    );
    assert!(why(Some(&ranker), 2).unwrap().reasons.is_empty());
    // Without the ranker the reason is the similarity.
    assert_eq!(why(None, 2).unwrap().reasons[0].feature.name, "sim_recent");
    assert!(why(None, 7).is_none());
}

#[test]
fn a_ranker_with_covers_is_explained_exactly() {
    let world = World::new(7);
    let session = world.clicked(&[0, 4]);
    let candidates = world.candidates();
    let user = UserFeatures::default();
    let ranker = long_video_ranker(Some([3.0, 1.0]));
    let why = |index| {
        explain(&session, &user, NOW, &candidates, Some(&ranker), index)
            .unwrap()
            .unwrap()
    };
    let long = why(3);
    let contributions = long.contributions.as_ref().unwrap();
    // A quarter of the training data was long: the mean score is -0.5. Three of the seven candidates are.
    assert_eq!(contributions.expected, -0.5);
    let first = &contributions.features[0];
    assert_eq!((first.feature.name, first.contribution), ("duration_log2_s", 1.5));
    assert!((first.typical - (3.0 * 1.5 - 4.0 * 0.5) / 7.0).abs() < 1e-6);
    assert_eq!(contributions.features.len(), FEATURES.len());
    assert!(contributions.features[1..].iter().all(|c| c.contribution == 0.0));
    assert_eq!(long.reasons.len(), 1);
    assert_eq!(long.reasons[0].effect, first.effect());
    assert_eq!(
        long.sentence(Some("Red fox")),
        "Because you watched “Red fox”: a longer video."
    );
    // A short one owes the feature less than others do: it is split all the same, but no reason.
    let short = why(2);
    assert!(short.reasons.is_empty());
    assert_eq!(short.contributions.unwrap().features[0].contribution, -0.5);
    // Similarity and popularity are one feature: nothing to split.
    let bare = explain(&session, &user, NOW, &candidates, None, 3)
        .unwrap()
        .unwrap();
    assert!(bare.contributions.is_none());
    assert!(why_without_covers(&world, &session).contributions.is_none());
}

fn why_without_covers(world: &World, session: &Session) -> Explanation {
    let (user, ranker) = (UserFeatures::default(), likes_long_videos());
    explain(session, &user, NOW, &world.candidates(), Some(&ranker), 3)
        .unwrap()
        .unwrap()
}

#[test]
fn an_explanation_for_a_new_viewer_is_popularity() {
    let world = World::new(5);
    let why = explain(
        &Session::new(),
        &UserFeatures::default(),
        NOW,
        &world.candidates(),
        None,
        4,
    )
    .unwrap()
    .unwrap();
    assert_eq!(why.because, None);
    assert_eq!(why.sentence(None), "Popular now.");
}

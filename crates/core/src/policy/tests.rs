use super::*;
use crate::catalogue::ItemFacts;
use crate::features::Candidate;
use crate::rng::SplitMix64;
use crate::vector::UnitVector;
use std::collections::{BTreeMap, HashMap, HashSet};

const NOW: i64 = 20_000 * 86_400_000;

struct World {
    ids: Vec<ItemId>,
    facts: Vec<ItemFacts>,
    vectors: Vec<Vec<f32>>,
    scores: Vec<f32>,
    seen: HashSet<usize>,
}

fn unit(rng: &mut SplitMix64) -> f32 {
    rng.below(1 << 20) as f32 / (1 << 20) as f32
}

impl World {
    /// Items of five creators and three categories, some unknown, of any age up to 20 days, a tenth of them seen.
    fn new(n: usize, seed: u64) -> Self {
        let mut rng = SplitMix64::new(seed);
        let fact = |rng: &mut SplitMix64| ItemFacts {
            creator: [0, 1, 2, 3, 4, ItemFacts::NO_CREATOR][rng.below(6)],
            category: [0, 1, 2, ItemFacts::NO_CODE][rng.below(4)],
            uploaded_day: if rng.below(5) == 0 {
                f32::NAN
            } else {
                20_000.0 - 20.0 * unit(rng)
            },
            ..ItemFacts::unknown()
        };
        let vector = |rng: &mut SplitMix64| {
            let values = (0..8).map(|_| unit(rng) - 0.5).collect();
            UnitVector::new(values).unwrap().into_vec()
        };
        Self {
            ids: (0..n).map(id).collect(),
            facts: (0..n).map(|_| fact(&mut rng)).collect(),
            vectors: (0..n).map(|_| vector(&mut rng)).collect(),
            // Coarse, so that equal scores are common.
            scores: (0..n).map(|_| (unit(&mut rng) * 20.0).round() / 10.0).collect(),
            seen: (0..n).filter(|_| rng.below(10) == 0).collect(),
        }
    }

    fn list(&self, policy: &Policy, k: usize, seed: u64) -> Vec<Placed> {
        let candidate = |i: usize| Candidate {
            item: &self.ids[i],
            facts: &self.facts[i],
            card: "{}",
            vector: &self.vectors[i],
        };
        let candidates: Vec<Candidate<'_>> = (0..self.ids.len()).map(candidate).collect();
        let pool = Pool {
            candidates: &candidates,
            scores: &self.scores,
            allowed: &|index| !policy.exclude_seen || !self.seen.contains(&index),
            now_ms: NOW,
        };
        arrange(policy, &pool, k, seed)
    }

    fn indices(&self, policy: &Policy, k: usize) -> Vec<usize> {
        self.list(policy, k, 1)
            .iter()
            .map(|placed| placed.index)
            .collect()
    }
}

fn id(i: usize) -> ItemId {
    ItemId::new(format!("v{i}")).unwrap()
}

fn any_policy(rng: &mut SplitMix64, items: usize) -> Policy {
    let cap = |rng: &mut SplitMix64| [None, Some(1), Some(2), Some(4)][rng.below(4)];
    let mut places: Vec<usize> = (0..12).collect();
    rng.shuffle(&mut places);
    let (pins, chance) = (places.split_off(9), places.split_off(6));
    let mut pinned: Vec<(ItemId, usize)> = pins
        .into_iter()
        .map(|place| (id(rng.below(items)), place))
        .collect();
    pinned.sort_by_key(|&(_, place)| place);
    pinned.dedup_by(|a, b| a.0 == b.0);
    let mut once = HashSet::new();
    pinned.retain(|(item, _)| once.insert(item.clone()));
    let mut places = chance;
    places.sort_unstable();
    let exploration = Exploration {
        places,
        pool: 4 + rng.below(30),
        rate: [1.0, 0.5][rng.below(2)],
    };
    let rule = Rule {
        category: Some(1),
        add: 0.4,
        ..Rule::default()
    };
    Policy {
        exclude_seen: rng.below(2) == 0,
        lambda: Lambda::new([1.0, 0.9, 0.3, 0.0][rng.below(4)]).unwrap(),
        pool: [3, 20, 100][rng.below(3)],
        caps: Caps {
            per_creator: cap(rng),
            per_category: cap(rng),
        },
        boosts: if rng.below(2) == 0 { vec![rule] } else { Vec::new() },
        freshness: None,
        pins: if rng.below(2) == 0 { pinned } else { Vec::new() },
        exploration: (rng.below(2) == 0).then_some(exploration),
    }
}

#[test]
fn every_list_keeps_every_rule() {
    let mut rng = SplitMix64::new(3);
    for round in 0..600 {
        let items = [0, 1, 4, 30, 150][rng.below(5)];
        let world = World::new(items, round);
        let policy = any_policy(&mut rng, items.max(1));
        let k = [0, 1, 6, 12, 40][rng.below(5)];
        let list = world.list(&policy, k, round);
        let about = format!("round {round}: {policy:?}, k {k}: {list:?}");

        assert!(list.len() <= k.min(items), "{about}");
        let different: HashSet<usize> = list.iter().map(|placed| placed.index).collect();
        assert_eq!(different.len(), list.len(), "{about}");
        let allowed = |index: usize| !policy.exclude_seen || !world.seen.contains(&index);
        assert!(list.iter().all(|placed| allowed(placed.index)), "{about}");
        assert!(
            list.iter()
                .all(|placed| placed.propensity > 0.0 && placed.propensity <= 1.0),
            "{about}"
        );

        for (item, place) in &policy.pins {
            let index = world.ids.iter().position(|other| other == item);
            if let Some(index) = index.filter(|&index| allowed(index) && *place < k) {
                let at = list.iter().position(|placed| placed.index == index).unwrap();
                // Where the list is too short for its place, only other fixed places follow.
                let last = list[at..].iter().all(|placed| placed.slot != Slot::Ranked);
                assert!(at == *place || (at < *place && last), "{item}: {about}");
            }
        }
        keeps_caps(&world, &policy, &list, &about);
        for (place, placed) in list.iter().enumerate() {
            let chance = policy
                .exploration
                .as_ref()
                .is_some_and(|e| e.places.contains(&place));
            assert!(
                placed.slot != Slot::Explored || chance || list.len() < k,
                "{about}"
            );
        }
        let unlimited = policy.caps == Caps::default();
        let all = (0..items).filter(|&index| allowed(index)).count();
        assert!(!unlimited || list.len() == k.min(all), "{about}");
    }
}

/// Counts groups as the caps do, with pins first: only they may go beyond a cap.
fn keeps_caps(world: &World, policy: &Policy, list: &[Placed], about: &str) {
    let mut creators: HashMap<u32, usize> = HashMap::new();
    let mut categories: HashMap<u16, usize> = HashMap::new();
    let mut pinned: Vec<&Placed> = list.iter().collect();
    pinned.sort_by_key(|placed| placed.slot != Slot::Pinned);
    for placed in pinned {
        let facts = &world.facts[placed.index];
        let of_creator = creators.entry(facts.creator).or_default();
        *of_creator += 1;
        let of_category = categories.entry(facts.category).or_default();
        *of_category += 1;
        if placed.slot == Slot::Pinned {
            continue;
        }
        let fits =
            |cap: Option<usize>, known: bool, count: usize| !known || cap.is_none_or(|cap| count <= cap);
        assert!(
            fits(
                policy.caps.per_creator,
                facts.creator != ItemFacts::NO_CREATOR,
                *of_creator
            ),
            "{about}"
        );
        assert!(
            fits(
                policy.caps.per_category,
                facts.category != ItemFacts::NO_CODE,
                *of_category
            ),
            "{about}"
        );
    }
}

#[test]
fn without_rules_it_is_relevance_and_variety_alone() {
    for seed in 0..20 {
        let world = World::new(150, seed);
        let policy = Policy::default();
        let order: Vec<usize> = by_score(&world.scores)
            .into_iter()
            .filter(|i| !world.seen.contains(i))
            .collect();
        let items: Vec<(f32, &[f32])> = order[..100]
            .iter()
            .map(|&i| (world.scores[i], world.vectors[i].as_slice()))
            .collect();
        let expected: Vec<usize> = mmr(&items, policy.lambda, 20)
            .into_iter()
            .map(|place| order[place])
            .collect();
        assert_eq!(world.indices(&policy, 20), expected);
    }
}

#[test]
fn propensities_are_the_frequencies() {
    let world = World::new(60, 4);
    for rate in [1.0, 0.4] {
        let policy = Policy {
            caps: Caps {
                per_creator: Some(3),
                per_category: None,
            },
            pins: vec![(id(7), 2)],
            exploration: Some(Exploration {
                places: vec![1, 4, 7],
                pool: 12,
                rate,
            }),
            ..Policy::default()
        };
        let pages = 30_000;
        let mut shown: BTreeMap<usize, (u32, f64)> = BTreeMap::new();
        let mut by_place: HashMap<(usize, usize), u32> = HashMap::new();
        for seed in 0..pages {
            // Seeds as a browser draws them: any 64 bits.
            let list = world.list(&policy, 8, SplitMix64::new(seed).next_u64());
            assert_eq!(list.len(), 8);
            for (place, placed) in list.into_iter().enumerate() {
                let entry = shown.entry(placed.index).or_insert((0, placed.propensity));
                assert!(
                    (entry.1 - placed.propensity).abs() < 1e-12,
                    "one propensity, however it got there"
                );
                entry.0 += 1;
                if placed.slot == Slot::Explored {
                    *by_place.entry((placed.index, place)).or_default() += 1;
                }
            }
        }
        let pages = pages as f64;
        for (index, (count, propensity)) in &shown {
            let frequency = f64::from(*count) / pages;
            // Five standard errors.
            let error = 5.0 * (propensity * (1.0 - propensity) / pages).sqrt() + 1e-9;
            assert!(
                (frequency - propensity).abs() < error,
                "{index}: {frequency} {propensity}, rate {rate}"
            );
        }
        let explored = shown.values().filter(|(_, propensity)| *propensity < 1.0);
        assert!(explored.count() >= 12);
        for count in by_place.values() {
            let (frequency, expected) = (f64::from(*count) / pages, rate / 12.0);
            assert!(
                (frequency - expected).abs() < 0.01,
                "every place alike: {frequency} {expected}"
            );
        }
    }
}

#[test]
fn nothing_is_explored_where_there_is_no_choice() {
    let world = World::new(8, 1);
    let explore = |pool, places: Vec<usize>| Policy {
        exclude_seen: false,
        exploration: Some(Exploration {
            places,
            pool,
            rate: 1.0,
        }),
        ..Policy::default()
    };
    let all = world.list(&explore(5, vec![0, 2]), 8, 3);
    assert_eq!(all.len(), 8);
    assert!(
        all.iter()
            .all(|placed| placed.slot == Slot::Ranked && placed.propensity == 1.0)
    );
    let beyond = world.list(&explore(5, vec![6, 7]), 4, 3);
    assert!(beyond.iter().all(|placed| placed.slot == Slot::Ranked));
}

/// Three plain items with scores 3, 2, 1, and a fourth far below.
fn ladder() -> World {
    let mut world = World::new(4, 1);
    world.scores = vec![3.0, 2.0, 1.0, -9.0];
    world.facts = vec![ItemFacts::unknown(); 4];
    world.seen.clear();
    world
}

fn boosted(rules: Vec<Rule>) -> Policy {
    Policy {
        boosts: rules,
        pool: 3,
        ..Policy::relevance()
    }
}

#[test]
fn a_boost_is_a_share_of_the_pools_range() {
    let mut world = ladder();
    world.facts[2].category = 5;
    let add = |add| {
        boosted(vec![Rule {
            category: Some(5),
            add,
            ..Rule::default()
        }])
    };
    // The pool's range is 2, from 3 to 1.
    assert_eq!(world.indices(&add(0.4), 3), [0, 1, 2]);
    assert_eq!(world.indices(&add(0.6), 3), [0, 2, 1]);
    assert_eq!(world.indices(&add(1.0), 3), [0, 2, 1], "of equals the earlier");
    world.facts[0].category = 5;
    assert_eq!(world.indices(&add(-0.75), 3), [1, 0, 2]);
    // Two rules add up, and a rule holds where all its conditions do.
    let item = |i: usize, add| Rule {
        item: Some(id(i)),
        add,
        ..Rule::default()
    };
    assert_eq!(
        world.indices(&boosted(vec![item(2, 0.6), item(2, 0.6)]), 3),
        [2, 0, 1]
    );
    let both = Rule {
        category: Some(5),
        ..item(1, 1.0)
    };
    assert_eq!(world.indices(&boosted(vec![both]), 3), [0, 1, 2]);
}

#[test]
fn equal_scores_still_take_a_boost() {
    let mut world = ladder();
    world.scores = vec![1.0; 4];
    let rule = Rule {
        item: Some(id(3)),
        add: 0.1,
        ..Rule::default()
    };
    assert_eq!(world.indices(&boosted(vec![rule]), 2), [3, 0]);
}

#[test]
fn new_uploads_gain_by_their_age() {
    let mut world = ladder();
    world.facts[1].uploaded_day = 19_990.0;
    world.facts[2].uploaded_day = 19_999.0;
    let newer = |days| {
        boosted(vec![Rule {
            newer_than_days: Some(days),
            add: 0.9,
            ..Rule::default()
        }])
    };
    assert_eq!(world.indices(&newer(1.5), 3), [0, 2, 1]);
    assert_eq!(
        world.indices(&newer(20.0), 3),
        [1, 0, 2],
        "the unknown date is not new"
    );
    let fresh = |weight, half_life_days| Policy {
        freshness: Some(Freshness {
            weight,
            half_life_days,
        }),
        ..boosted(Vec::new())
    };
    // After one day of a one-day half-life 1 becomes ½, half of the range of 2; after ten, nothing.
    assert_eq!(world.indices(&fresh(1.0, 1.0), 3), [0, 1, 2]);
    world.scores[1] = 1.9;
    assert_eq!(world.indices(&fresh(1.0, 1.0), 3), [0, 2, 1]);
    assert_eq!(world.indices(&fresh(1.0, 1e4), 3)[..2], [1, 0]);
}

#[test]
fn caps_reach_beyond_the_pool() {
    let mut world = ladder();
    for i in 0..3 {
        world.facts[i].creator = 1;
    }
    let policy = Policy {
        caps: Caps {
            per_creator: Some(1),
            per_category: None,
        },
        pool: 1,
        ..Policy::default()
    };
    assert_eq!(world.indices(&policy, 2), [0, 3]);
    assert_eq!(
        world.indices(&policy, 4),
        [0, 3],
        "shorter rather than against the cap"
    );
}

#[test]
fn a_seen_pin_leaves_and_variety_keeps_away_from_a_pin() {
    let mut world = ladder();
    world.vectors = vec![vec![1.0, 0.0], vec![0.0, 1.0], vec![1.0, 0.0], vec![1.0, 0.0]];
    let policy = Policy {
        lambda: Lambda::new(0.4).unwrap(),
        pool: 4,
        pins: vec![(id(3), 1)],
        ..Policy::default()
    };
    assert_eq!(world.indices(&policy, 3), [1, 3, 0], "item 0 is what the pin is");
    world.seen.insert(3);
    assert_eq!(world.indices(&policy, 3), [0, 1, 2]);
}

const EVERYTHING: &str = r#"{
    "excludeSeen": false, "lambda": 0.7, "pool": 200,
    "caps": {"perCreator": 2, "perCategory": 5},
    "boosts": [
        {"category": "sport", "newerThanDays": 7, "add": 0.2},
        {"creator": "Ann", "language": "en", "add": -0.5},
        {"item": "v1", "add": 1}
    ],
    "freshness": {"weight": 0.3, "halfLifeDays": 3},
    "pins": [{"item": "v9", "position": 3}, {"item": "v8", "position": 1}],
    "exploration": {"positions": [10, 5], "pool": 40, "rate": 0.25}
}"#;

fn codes() -> Codes {
    let of = |name: &str, code| vec![(name.to_owned(), code)];
    Codes {
        categories: of("sport", 4),
        creators: of("Ann", 70_000),
        languages: of("en", 1),
    }
}

#[test]
fn a_file_becomes_a_policy() {
    let settings = Settings::parse(EVERYTHING.as_bytes()).unwrap();
    let again = Settings::parse(&serde_json::to_vec(&settings).unwrap()).unwrap();
    assert_eq!(again, settings);
    let (policy, unknown) = settings.resolve(&codes());
    assert!(unknown.is_empty());
    assert_eq!(policy.pins, [(id(9), 2), (id(8), 0)]);
    assert_eq!(
        policy.exploration,
        Some(Exploration {
            places: vec![9, 4],
            pool: 40,
            rate: 0.25
        })
    );
    let rule = &policy.boosts[1];
    assert_eq!(
        (rule.category, rule.creator, rule.language, rule.add),
        (None, Some(70_000), Some(1), -0.5)
    );
    assert_eq!(policy.boosts[0].newer_than_days, Some(7.0));
    assert_eq!(settings.names(), [vec!["sport"], vec!["Ann"], vec!["en"]]);
    assert_eq!(settings.items().collect::<Vec<_>>(), ["v1", "v9", "v8"]);
}

#[test]
fn an_empty_file_is_the_default() {
    let settings = Settings::parse(b"{}").unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.resolve(&Codes::default()).0, Policy::default());
}

#[test]
fn names_without_a_code_are_named_and_their_rules_left_out() {
    let settings = Settings::parse(EVERYTHING.as_bytes()).unwrap();
    let (policy, unknown) = settings.resolve(&Codes {
        creators: Vec::new(),
        ..codes()
    });
    assert_eq!((policy.boosts.len(), unknown), (2, vec!["Ann".to_owned()]));
}

#[test]
fn what_is_no_policy_is_refused_by_field() {
    for (json, field) in [
        ("[]", "the file"),
        ("{\"lamda\": 1}", "unknown field `lamda`"),
        ("{\"caps\": {\"perSeries\": 1}}", "unknown field `perSeries`"),
        ("{\"pool\": -1}", "the file"),
        ("{\"lambda\": 1.5}", "lambda"),
        ("{\"pool\": 0}", "pool"),
        ("{\"caps\": {\"perCreator\": 0}}", "caps.perCreator"),
        ("{\"boosts\": [{\"add\": 0.5}]}", "newerThanDays"),
        ("{\"boosts\": [{\"category\": \"a\"}]}", "boosts.add"),
        ("{\"boosts\": [{\"category\": \"a\", \"add\": 2}]}", "boosts.add"),
        ("{\"boosts\": [{\"item\": \"\", \"add\": 1}]}", "boosts.item"),
        (
            "{\"boosts\": [{\"newerThanDays\": 0, \"add\": 1}]}",
            "boosts.newerThanDays",
        ),
        (
            "{\"freshness\": {\"weight\": 0, \"halfLifeDays\": 1}}",
            "freshness.weight",
        ),
        (
            "{\"freshness\": {\"weight\": 1, \"halfLifeDays\": 0}}",
            "freshness.halfLifeDays",
        ),
        ("{\"freshness\": {\"weight\": 1}}", "halfLifeDays"),
        (
            "{\"pins\": [{\"item\": \"a\", \"position\": 0}]}",
            "pins.position",
        ),
        (
            "{\"pins\": [{\"item\": \"a\", \"position\": 101}]}",
            "pins.position",
        ),
        (
            "{\"pins\": [{\"item\": \"a\", \"position\": 1}, {\"item\": \"b\", \"position\": 1}]}",
            "one video a position",
        ),
        (
            "{\"pins\": [{\"item\": \"a\", \"position\": 1}, {\"item\": \"a\", \"position\": 2}]}",
            "one position a video",
        ),
        ("{\"exploration\": {\"positions\": []}}", "exploration.positions"),
        ("{\"exploration\": {\"positions\": [2, 2]}}", "no position twice"),
        (
            "{\"exploration\": {\"positions\": [2], \"pool\": 1}}",
            "exploration.pool",
        ),
        (
            "{\"exploration\": {\"positions\": [2], \"rate\": 0}}",
            "exploration.rate",
        ),
        (
            "{\"pins\": [{\"item\": \"a\", \"position\": 2}], \"exploration\": {\"positions\": [2]}}",
            "positions without a pin",
        ),
    ] {
        let error = Settings::parse(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(field), "{json}: {error}");
    }
}

//! Properties against a plain walk of the same random trees, bit for bit, and checksums that hold on every target.

use super::super::{Builder, Model, Output, Split, Test};
use super::{BitSliced, LANES};
use crate::rng::SplitMix64;

type Rng = SplitMix64;

fn chance(rng: &mut Rng) -> bool {
    rng.below(2) == 1
}

fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.below(of.len())]
}

/// From -1 to 1, exact in f32.
fn number(rng: &mut Rng) -> f32 {
    (rng.next_u64() >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// What the trees of a forest are made of.
#[derive(Clone, Copy)]
struct Kind {
    trees_of_classes: &'static [usize],
    /// Most leaves of a tree.
    leaves: usize,
    features: usize,
    /// Distinct thresholds of a feature, about.
    thresholds: usize,
    /// The first features are categorical, with this many categories each.
    categories: &'static [usize],
    /// Between two categories.
    stride: u32,
}

const KIND: Kind = Kind {
    trees_of_classes: &[9],
    leaves: 31,
    features: 5,
    thresholds: 40,
    categories: &[],
    stride: 1,
};

/// A tree as it was drawn: the reference walks it by what [`Test`] documents, and nothing else.
enum Tree {
    Leaf(f32),
    Split(Split, Vec<u32>, Box<[Tree; 2]>),
}

impl Tree {
    fn walk(&self, row: &[f32]) -> f32 {
        match self {
            Self::Leaf(value) => *value,
            Self::Split(split, set, sides) => {
                sides[usize::from(!goes_left(split, set, row[split.feature]))].walk(row)
            }
        }
    }

    fn build(&self, builder: &mut Builder) {
        match self {
            Self::Leaf(value) => builder.leaf(*value).unwrap(),
            Self::Split(split, set, sides) => {
                let mut split = *split;
                if let Test::In { set: number, .. } = &mut split.test {
                    let mut words = vec![0; set.iter().max().map_or(0, |top| *top as usize / 32 + 1)];
                    for category in set {
                        words[*category as usize / 32] |= 1 << (category % 32);
                    }
                    *number = builder.add_set(&words).unwrap();
                }
                builder.split(split).unwrap();
                sides.iter().for_each(|side| side.build(builder));
            }
        }
    }
}

fn goes_left(split: &Split, set: &[u32], x: f32) -> bool {
    match split.test {
        _ if x.is_nan() => split.missing_left,
        Test::AtMost { zero_is_missing, .. } if zero_is_missing && x.abs() <= 1e-35 => split.missing_left,
        Test::AtMost { threshold, .. } => x <= threshold,
        Test::In {
            truncates_negative, ..
        } => {
            let whole = x.trunc();
            (x >= 0.0 || truncates_negative && whole == 0.0)
                && set.iter().any(|category| *category as f32 == whole)
        }
    }
}

struct Forest {
    kind: Kind,
    classes: Vec<(f32, Vec<Tree>)>,
}

impl Forest {
    fn draw(rng: &mut Rng, kind: Kind) -> Self {
        let thresholds: Vec<Vec<f32>> = (0..kind.features)
            .map(|_| (0..kind.thresholds).map(|_| threshold(rng)).collect())
            .collect();
        let classes = kind.trees_of_classes.iter().map(|trees| {
            let base = number(rng);
            // The largest number of leaves is there, and so are others.
            let leaves = |rng: &mut Rng, tree| {
                if tree == 0 {
                    kind.leaves
                } else {
                    1 + rng.below(kind.leaves)
                }
            };
            let trees = (0..*trees).map(|tree| {
                let leaves = leaves(rng, tree);
                grow(rng, &kind, &thresholds, leaves)
            });
            (base, trees.collect())
        });
        let classes = classes.collect();
        Self { kind, classes }
    }

    fn model(&self) -> Model {
        let base = self.classes.iter().map(|(base, _)| *base).collect();
        let mut builder = Builder::new(self.kind.features, Vec::new(), Output::IDENTITY, base).unwrap();
        for (_, trees) in &self.classes {
            trees.iter().for_each(|tree| tree.build(&mut builder));
            builder.end_class().unwrap();
        }
        builder.finish().unwrap()
    }

    /// Every value is one that some split decides on, or near one, or special.
    fn rows(&self, rng: &mut Rng, n: usize) -> Vec<f32> {
        let mut seen = vec![SPECIAL.to_vec(); self.kind.features];
        let mut open: Vec<&Tree> = self.classes.iter().flat_map(|(_, trees)| trees).collect();
        while let Some(tree) = open.pop() {
            if let Tree::Split(split, set, sides) = tree {
                open.extend(sides.iter());
                match split.test {
                    Test::AtMost { threshold: t, .. } => {
                        seen[split.feature].extend([t, t.next_up(), t.next_down()]);
                    }
                    Test::In { .. } => {
                        seen[split.feature].extend(set.iter().map(|category| *category as f32));
                    }
                }
            }
        }
        let mut value = |feature: usize| match rng.below(8) {
            0 => f32::NAN,
            1 => (rng.below(600) as f32 - 20.0) / 2.0,
            _ => pick(rng, &seen[feature]),
        };
        (0..n * self.kind.features)
            .map(|at| value(at % self.kind.features))
            .collect()
    }

    fn walk(&self, row: &[f32]) -> impl Iterator<Item = f32> {
        self.classes.iter().map(|(base, trees)| {
            let sum = trees
                .iter()
                .fold(f64::from(*base), |sum, tree| sum + f64::from(tree.walk(row)));
            sum as f32
        })
    }

    /// Scores blocks of every kind, and compares them with the walk.
    fn check(&self, rng: &mut Rng, counts: impl IntoIterator<Item = usize>) -> Model {
        let model = self.model();
        let features = self.kind.features;
        for n in counts {
            let rows = self.rows(rng, n);
            let mut scores = vec![f32::NAN; n * self.classes.len()];
            model.score(&rows, &mut scores).unwrap();
            let mut sliced = vec![f32::NAN; scores.len()];
            model.scorer.score(&model, &rows, &mut sliced);
            let expected: Vec<f32> = rows.chunks(features).flat_map(|row| self.walk(row)).collect();
            assert_eq!(bits(&scores), bits(&expected), "{n} rows");
            assert_eq!(bits(&sliced), bits(&expected), "{n} rows, all sliced");
        }
        model
    }
}

const SPECIAL: [f32; 17] = [
    f32::NEG_INFINITY,
    f32::MIN,
    -1.0,
    -0.99,
    -1e-35,
    -1e-45,
    -0.0,
    0.0,
    1e-45,
    1e-35,
    1.000_000_1e-35,
    f32::MIN_POSITIVE,
    0.5,
    16_777_216.0,
    4_294_967_296.0,
    f32::MAX,
    f32::INFINITY,
];

fn threshold(rng: &mut Rng) -> f32 {
    match rng.below(12) {
        0 => pick(rng, &SPECIAL),
        1 => rng.below(5) as f32,
        _ => number(rng) * 8.0,
    }
}

fn grow(rng: &mut Rng, kind: &Kind, thresholds: &[Vec<f32>], leaves: usize) -> Tree {
    if leaves == 1 {
        return Tree::Leaf(number(rng));
    }
    let feature = rng.below(kind.features);
    let (test, set) = match kind.categories.get(feature) {
        // A feature may have both kinds of split.
        Some(&categories) if rng.below(10) > 0 => {
            let share = 1 + rng.below(4);
            let members = (0..categories as u32).filter(|_| rng.below(4) < share);
            let set = members.map(|index| index * kind.stride).collect();
            let truncates_negative = chance(rng);
            (
                Test::In {
                    set: 0,
                    truncates_negative,
                },
                set,
            )
        }
        _ => {
            let threshold = pick(rng, &thresholds[feature]);
            let zero_is_missing = chance(rng);
            (
                Test::AtMost {
                    threshold,
                    zero_is_missing,
                },
                Vec::new(),
            )
        }
    };
    let split = Split {
        feature,
        test,
        missing_left: chance(rng),
    };
    // Every shape, down to lists.
    let left = if rng.below(3) == 0 {
        1
    } else {
        1 + rng.below(leaves - 1)
    };
    let sides = [left, leaves - left].map(|leaves| grow(rng, kind, thresholds, leaves));
    Tree::Split(split, set, Box::new(sides))
}

fn bits(scores: &[f32]) -> Vec<u32> {
    scores.iter().map(|score| score.to_bits()).collect()
}

#[test]
fn any_number_of_rows_scores_as_the_walk_does() {
    let mut rng = Rng::new(1);
    let kind = Kind {
        categories: &[30, 5],
        ..KIND
    };
    Forest::draw(&mut rng, kind).check(&mut rng, 0..=200);
}

#[test]
fn random_forests_score_as_the_walk_does() {
    let mut rng = Rng::new(2);
    for _ in 0..200 {
        let kind = Kind {
            trees_of_classes: pick(&mut rng, &[[5].as_slice(), &[3, 1, 4], &[2, 0]]),
            leaves: 1 + rng.below(80),
            features: 1 + rng.below(6),
            thresholds: 1 + rng.below(80),
            categories: pick(&mut rng, &[[].as_slice(), &[1], &[40, 3], &[200, 126, 127, 8]]),
            stride: pick(&mut rng, &[1, 3, 1000]),
        };
        let n = 1 + rng.below(150);
        Forest::draw(&mut rng, kind).check(&mut rng, [n]);
    }
}

#[test]
fn trees_up_to_256_leaves_are_sliced_and_more_are_walked() {
    let mut rng = Rng::new(3);
    for leaves in [1, 2, 8, 9, 32, 63, 64, 65, 128, 255, 256, 257, 300, 600] {
        let kind = Kind {
            leaves,
            trees_of_classes: &[1],
            ..KIND
        };
        let model = Forest::draw(&mut rng, kind).check(&mut rng, [1, 64, 100]);
        assert_eq!(model.scorer.trees[0].leaves == 0, leaves > 256, "{leaves} leaves");
        let mixed = Kind {
            leaves,
            trees_of_classes: &[4, 3],
            categories: &[300],
            ..KIND
        };
        Forest::draw(&mut rng, mixed).check(&mut rng, [70]);
    }
}

#[test]
fn any_number_of_thresholds_is_ranked() {
    let mut rng = Rng::new(4);
    for thresholds in [1, 2, 15, 16, 17, 200, 254, 255, 256, 257, 900] {
        // One tree that uses each threshold once, in a random order.
        let mut order: Vec<f32> = (0..thresholds).map(|index| index as f32 - 100.0).collect();
        rng.shuffle(&mut order);
        let mut trees = Vec::new();
        for of_tree in order.chunks(90) {
            trees.push(
                of_tree
                    .iter()
                    .fold(Tree::Leaf(number(&mut rng)), |tree, &threshold| {
                        let test = Test::AtMost {
                            threshold,
                            zero_is_missing: false,
                        };
                        let split = Split {
                            feature: 0,
                            test,
                            missing_left: true,
                        };
                        let mut sides = [tree, Tree::Leaf(number(&mut rng))];
                        if chance(&mut rng) {
                            sides.reverse();
                        }
                        Tree::Split(split, Vec::new(), Box::new(sides))
                    }),
            );
        }
        let forest = Forest {
            kind: Kind { features: 1, ..KIND },
            classes: vec![(0.5, trees)],
        };
        let model = forest.check(&mut rng, [64, 150]);
        assert_eq!(
            model.scorer.columns.answers(),
            thresholds + 1,
            "{thresholds} thresholds"
        );
    }
    let many = Kind {
        thresholds: 2000,
        leaves: 250,
        trees_of_classes: &[30],
        features: 2,
        ..KIND
    };
    Forest::draw(&mut rng, many).check(&mut rng, [130]);
}

#[test]
fn trees_with_categories_beyond_what_codes_can_tell_are_walked() {
    let mut rng = Rng::new(5);
    for (categories, stride, walked) in [
        (&[126], 1, false),
        (&[127], 1, false),
        (&[128], 900, false),
        (&[1500], 1, false),
        (&[2046], 7, false),
        (&[2200], 1, true),
        (&[2200], 50, true),
    ] {
        let kind = Kind {
            categories,
            stride,
            features: 2,
            ..KIND
        };
        let scorer: BitSliced = Forest::draw(&mut rng, kind).check(&mut rng, [64, 90]).scorer;
        let tree = scorer.trees[0];
        assert_eq!(tree.leaves == 0, walked, "{categories:?}");
        assert_eq!(scorer.memberships.is_empty(), walked, "{categories:?}");
        assert_eq!(scorer.pieces.is_empty(), walked, "{categories:?}");
    }
}

#[test]
fn sets_without_members_send_all_categories_right() {
    let mut rng = Rng::new(6);
    let test = Test::In {
        set: 0,
        truncates_negative: true,
    };
    let split = Split {
        feature: 0,
        test,
        missing_left: true,
    };
    let tree = Tree::Split(split, Vec::new(), Box::new([Tree::Leaf(1.0), Tree::Leaf(2.0)]));
    let forest = Forest {
        kind: Kind { features: 1, ..KIND },
        classes: vec![(0.0, vec![tree])],
    };
    forest.check(&mut rng, [LANES]);
}

/// FNV-1a over the bits of the scores.
fn checksum(scores: &[f32]) -> u64 {
    let bytes = scores.iter().flat_map(|score| score.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// `cargo xtask test` runs this natively, as wasm with SIMD and as wasm without.
#[test]
fn scores_have_the_same_bits_on_every_target() {
    let kinds = [
        KIND,
        Kind {
            trees_of_classes: &[60, 40],
            categories: &[300, 20],
            leaves: 120,
            ..KIND
        },
        Kind {
            thresholds: 700,
            leaves: 300,
            ..KIND
        },
    ];
    let checksums = kinds.map(|kind| {
        let mut rng = Rng::new(7);
        let forest = Forest::draw(&mut rng, kind);
        let rows = forest.rows(&mut rng, 333);
        let mut scores = vec![0.0; 333 * forest.classes.len()];
        forest.model().score(&rows, &mut scores).unwrap();
        checksum(&scores)
    });
    assert_eq!(
        checksums,
        [
            0x9a25_ce27_f137_1a32,
            0x3784_66d2_0aed_b7f9,
            0x0d90_f6b0_1fb8_06ad
        ]
    );
}

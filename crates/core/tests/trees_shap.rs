//! Exact attributions: against brute-force Shapley values, and against the libraries' own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use recsys_core::rng::SplitMix64 as Rng;
use recsys_core::trees::{Activation, BuildError, Builder, Model, NoCovers, Output, Split, Test, format};

const FEATURES: usize = 5;

/// A random tree, in a form that brute force can walk.
enum Tree {
    Leaf {
        value: f32,
        cover: f32,
    },
    Split {
        feature: usize,
        threshold: f32,
        missing_left: bool,
        children: Box<[Tree; 2]>,
    },
}

impl Tree {
    fn random(rng: &mut Rng, depth: usize) -> Self {
        let feature = rng.below(FEATURES);
        if depth == 0 || rng.below(6) == 0 {
            // Some leaves saw nothing.
            let cover = if rng.below(8) == 0 { 0 } else { rng.below(1000) } as f32;
            return Self::Leaf {
                value: rng.below(2001) as f32 / 1000.0 - 1.0,
                cover,
            };
        }
        Self::Split {
            feature,
            threshold: rng.below(8) as f32 + 0.5,
            missing_left: rng.below(2) == 0,
            children: Box::new([Self::random(rng, depth - 1), Self::random(rng, depth - 1)]),
        }
    }

    fn build(&self, builder: &mut Builder) -> Result<(), BuildError> {
        match self {
            Self::Leaf { value, cover } => builder.covered_leaf(*value, *cover),
            Self::Split {
                feature,
                threshold,
                missing_left,
                children,
            } => {
                let test = Test::AtMost {
                    threshold: *threshold,
                    zero_is_missing: false,
                };
                let (feature, missing_left) = (*feature, *missing_left);
                builder.split(Split {
                    feature,
                    test,
                    missing_left,
                })?;
                children.iter().try_for_each(|child| child.build(builder))
            }
        }
    }

    fn cover(&self) -> f64 {
        match self {
            Self::Leaf { cover, .. } => f64::from(*cover),
            Self::Split { children, .. } => children.iter().map(Self::cover).sum(),
        }
    }

    /// The tree's value where only the features of `known`, a set of bits, are.
    fn value(&self, row: &[f32], known: usize) -> f64 {
        match self {
            Self::Leaf { value, .. } => f64::from(*value),
            Self::Split {
                feature,
                threshold,
                missing_left,
                children,
            } => {
                let [left, right] = children.as_ref().each_ref().map(|child| child.value(row, known));
                let x = row[*feature];
                if known >> feature & 1 == 1 {
                    let goes_left = x <= *threshold || x.is_nan() && *missing_left;
                    return if goes_left { left } else { right };
                }
                let [l, r] = children.as_ref().each_ref().map(Self::cover);
                let share = if l + r > 0.0 { l / (l + r) } else { 0.5 };
                share * left + (1.0 - share) * right
            }
        }
    }
}

/// Shapley's definition: over all coalitions.
fn shapley(value: impl Fn(usize) -> f64, feature: usize) -> f64 {
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let n = FEATURES as u32;
    (0..1 << FEATURES)
        .filter(|known| known >> feature & 1 == 0)
        .map(|known: usize| {
            let size = known.count_ones();
            let weight = factorial(size) * factorial(n - size - 1) / factorial(n);
            weight * (value(known | 1 << feature) - value(known))
        })
        .sum()
}

fn contributions(model: &Model, row: &[f32]) -> Vec<f64> {
    let mut out = vec![f64::NAN; model.class_count() * (model.feature_count() + 1)];
    model.explainer().unwrap().contributions(row, &mut out).unwrap();
    out
}

#[test]
fn contributions_are_the_shapley_values_of_brute_force() {
    let mut rng = Rng::new(7);
    for round in 0..60 {
        // Two classes of some trees each, in one model.
        let classes: Vec<Vec<Tree>> = (0..2)
            .map(|_| {
                (0..1 + rng.below(3))
                    .map(|_| Tree::random(&mut rng, 1 + round % 7))
                    .collect()
            })
            .collect();
        let mut builder =
            Builder::new(FEATURES, Vec::new(), Activation::Softmax.into(), vec![0.5, -2.0]).unwrap();
        for trees in &classes {
            trees.iter().for_each(|tree| tree.build(&mut builder).unwrap());
            builder.end_class().unwrap();
        }
        let model = builder.finish().unwrap();
        for _ in 0..10 {
            let row: Vec<f32> = (0..FEATURES)
                .map(|_| {
                    if rng.below(5) == 0 {
                        f32::NAN
                    } else {
                        rng.below(9) as f32
                    }
                })
                .collect();
            let found = contributions(&model, &row);
            let mut scores = [0.0; 2];
            model.score(&row, &mut scores).unwrap();
            for (class, trees) in classes.iter().enumerate() {
                let value = |known| trees.iter().map(|tree| tree.value(&row, known)).sum::<f64>();
                let own = &found[class * (FEATURES + 1)..][..=FEATURES];
                for (feature, found) in own[..FEATURES].iter().enumerate() {
                    let expected = shapley(value, feature);
                    assert!(
                        (found - expected).abs() < 1e-12,
                        "round {round}: {found} is not {expected}"
                    );
                }
                let base = [0.5, -2.0][class];
                assert!((own[FEATURES] - base - value(0)).abs() < 1e-12);
                let sum: f64 = own.iter().sum();
                assert!(
                    (sum - f64::from(scores[class])).abs() < 1e-6,
                    "{sum} is not {}",
                    scores[class]
                );
            }
        }
    }
}

/// One leaf at the end of a path through every feature: values have a closed form for equal shares.
#[test]
fn long_paths_and_paths_over_one_feature_stay_exact() {
    const DEPTH: usize = 90;
    let mut builder = Builder::new(DEPTH, Vec::new(), Output::IDENTITY, vec![0.0]).unwrap();
    let split = |feature, threshold| Split {
        feature,
        test: Test::AtMost {
            threshold,
            zero_is_missing: false,
        },
        missing_left: false,
    };
    // Left goes on, right ends, and half of the data takes each side.
    for feature in 0..DEPTH {
        builder.split(split(feature, 0.0)).unwrap();
    }
    builder.covered_leaf(1.0, 1.0).unwrap();
    for end in 0..DEPTH {
        builder.covered_leaf(0.0, 2f32.powi(end as i32)).unwrap();
    }
    // And a chain over one feature, longer than any call stack would bear.
    for step in 0..100_000 {
        builder.split(split(3, -(step as f32))).unwrap();
    }
    (0..=100_000).for_each(|_| builder.covered_leaf(2.0, 1.0).unwrap());
    builder.end_class().unwrap();
    let model = builder.finish().unwrap();
    let out = contributions(&model, &[0.0; DEPTH]);
    // The features are symmetric: each gets its part of 1 less the mean, 2^-90.
    for found in &out[..DEPTH] {
        assert!((found - 1.0 / DEPTH as f64).abs() < 1e-10, "{found}");
    }
    assert!((out[DEPTH] - 2.0).abs() < 1e-9);
}

#[test]
fn covers_are_all_or_none_and_never_negative() {
    let build = |covers: [Option<f32>; 2]| -> Result<Model, BuildError> {
        let mut builder = Builder::new(1, Vec::new(), Output::IDENTITY, vec![0.0])?;
        for cover in covers {
            match cover {
                Some(cover) => builder.covered_leaf(1.0, cover)?,
                None => builder.leaf(1.0)?,
            }
        }
        builder.end_class()?;
        builder.finish()
    };
    assert!(build([Some(1.0), Some(0.0)]).unwrap().has_covers());
    for none in [[None, None], [Some(1.0), None]] {
        let model = build(none).unwrap();
        assert!(!model.has_covers());
        let error = model.explainer().unwrap_err();
        assert_eq!(error, NoCovers);
        assert!(error.to_string().contains("import it again"), "{error}");
    }
    for bad in [-1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(build([Some(bad), Some(1.0)]).unwrap_err().what, "cover of a leaf");
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let mut builder = Builder::new(2, Vec::new(), Output::IDENTITY, vec![0.0]).unwrap();
    builder.covered_leaf(1.5, 3.0).unwrap();
    builder.end_class().unwrap();
    let model = builder.finish().unwrap();
    let explainer = model.explainer().unwrap();
    assert_eq!(explainer.expected(), [1.5]);
    for (row, out) in [(1, 3), (4, 3), (2, 2), (2, 6)] {
        assert!(
            explainer
                .contributions(&vec![0.0; row], &mut vec![0.0; out])
                .is_err()
        );
    }
    assert_eq!(contributions(&model, &[0.0, 0.0]), [0.0, 0.0, 1.5]);
}

/// Each form of the covers in the file holds them as they are.
#[test]
fn covers_come_back_from_the_file_in_the_smallest_form() {
    for (covers, kind) in [
        ([0.0, 255.0], 1),
        ([256.0, 1.0], 2),
        ([65_536.0, 1.0], 3),
        ([4_294_967_040.0, 1.0], 4),
        ([4_294_967_296.0, 1.0], 5),
        ([0.25, 1.0], 5),
    ] {
        let mut builder = Builder::new(1, Vec::new(), Output::IDENTITY, vec![0.0]).unwrap();
        covers
            .iter()
            .for_each(|cover| builder.covered_leaf(1.0, *cover).unwrap());
        builder.end_class().unwrap();
        let model = builder.finish().unwrap();
        let bytes = format::to_bytes(&model);
        assert_eq!(bytes[60], kind, "{covers:?}");
        assert_eq!(format::from_bytes(&bytes).unwrap(), model, "{covers:?}");
    }
}

use super::*;
use crate::rng::SplitMix64;

fn sample(logged: f64, target: f64, reward: f64) -> Sample {
    Sample {
        viewer: 0,
        logged: Some(logged),
        target,
        reward,
        predicted: 0.0,
        predicted_target: 0.0,
    }
}

/// A world of five items with known click rates, a logger that likes the last and a target that likes the first.
struct World {
    rates: [f64; 5],
    logger: [f64; 5],
    target: [f64; 5],
    predicted: [f64; 5],
}

const WORLD: World = World {
    rates: [0.6, 0.3, 0.2, 0.1, 0.05],
    logger: [0.05, 0.1, 0.15, 0.3, 0.4],
    target: [0.7, 0.2, 0.1, 0.0, 0.0],
    // Wrong on purpose.
    predicted: [0.5, 0.1, 0.3, 0.2, 0.0],
};

impl World {
    fn value(&self) -> f64 {
        self.rates
            .iter()
            .zip(self.target)
            .map(|(rate, target)| rate * target)
            .sum()
    }

    fn log(&self, n: usize, rng: &mut SplitMix64) -> Vec<Sample> {
        let unit = |rng: &mut SplitMix64| rng.below(1 << 30) as f64 / f64::from(1u32 << 30);
        let predicted_target = self.predicted.iter().zip(self.target).map(|(q, t)| q * t).sum();
        let draw = |viewer| {
            let mut point = unit(rng);
            let item = self.logger.iter().position(|p| {
                point -= p;
                point < 0.0
            });
            let item = item.unwrap_or(4);
            Sample {
                viewer,
                logged: Some(self.logger[item]),
                target: self.target[item],
                reward: f64::from(u8::from(unit(rng) < self.rates[item])),
                predicted: self.predicted[item],
                predicted_target,
            }
        };
        (0..n).map(draw).collect()
    }
}

#[test]
fn agrees_with_the_open_bandit_pipeline() {
    let samples: Vec<Sample> = GOLDEN_SAMPLES
        .iter()
        .map(|&[logged, target, reward, predicted, predicted_target]| Sample {
            predicted,
            predicted_target,
            ..sample(logged, target, reward)
        })
        .collect();
    let found = estimate(&samples, f64::INFINITY, 10, 1).unwrap();
    let values = [found.ips.value, found.snips.unwrap().value, found.dr.value];
    for (value, expected) in values.iter().zip(GOLDEN) {
        assert!((value - expected).abs() < 1e-12, "{values:?} {GOLDEN:?}");
    }
}

/// Propensity, probability under the new policy, reward, predicted reward and that of the new policy, of 12 rounds with
/// three actions.
const GOLDEN_SAMPLES: [[f64; 5]; 12] = [
    [0.565, 0.606, 0.0, 0.195, 0.128316],
    [0.292, 0.656, 1.0, 0.342, 0.542672],
    [0.242, 0.13, 1.0, 0.667, 0.48958],
    [0.337, 0.215, 0.0, 0.337, 0.71362],
    [0.332, 0.0, 1.0, 0.737, 0.466275],
    [0.251, 0.091, 1.0, 0.691, 0.65647],
    [0.352, 0.288, 0.0, 0.006, 0.069096],
    [0.436, 0.063, 0.0, 0.203, 0.172552],
    [0.423, 0.022, 1.0, 0.217, 0.796327],
    [0.305, 0.138, 1.0, 0.35, 0.385722],
    [0.537, 0.674, 0.0, 0.785, 0.808712],
    [0.268, 0.217, 1.0, 0.707, 0.430113],
];
/// obp 0.4.1: InverseProbabilityWeighting, SelfNormalizedInverseProbabilityWeighting, DoublyRobust.
const GOLDEN: [f64; 3] = [
    0.371_707_099_258_560_5,
    0.531_717_070_246_399_1,
    0.546_417_995_226_462_6,
];

#[test]
fn estimates_by_hand() {
    // Weights 2, 0, 1, 4: Σwr = 6, Σw = 7, Σw² = 21.
    let samples = [
        sample(0.5, 1.0, 1.0),
        sample(0.5, 0.0, 1.0),
        sample(0.2, 0.2, 0.0),
        sample(0.25, 1.0, 1.0),
    ];
    let found = estimate(&samples, f64::INFINITY, 5, 1).unwrap();
    assert_eq!(found.ips.value, 1.5);
    assert_eq!(found.snips.unwrap().value, 6.0 / 7.0);
    assert_eq!(
        found.dr.value, 1.5,
        "with no prediction it is the inverse propensity score"
    );
    assert_eq!((found.samples, found.matched, found.largest_weight), (4, 3, 4.0));
    assert_eq!((found.effective_samples, found.mean_weight), (49.0 / 21.0, 1.75));
    let capped = estimate(&samples, 2.0, 5, 1).unwrap();
    assert_eq!((capped.ips.value, capped.largest_weight), (1.0, 2.0));
}

#[test]
fn unbiased_on_a_simulated_log() {
    let mut rng = SplitMix64::new(3);
    let (rounds, n) = (300, 400);
    let (mut ips, mut dr, mut snips) = (0.0, 0.0, 0.0);
    let (mut ips_squares, mut dr_squares) = (0.0, 0.0);
    for _ in 0..rounds {
        let found = estimate(&WORLD.log(n, &mut rng), f64::INFINITY, 1, 1).unwrap();
        ips += found.ips.value / f64::from(rounds);
        dr += found.dr.value / f64::from(rounds);
        snips += found.snips.unwrap().value / f64::from(rounds);
        ips_squares += (found.ips.value - WORLD.value()).powi(2);
        dr_squares += (found.dr.value - WORLD.value()).powi(2);
    }
    // Standard error of the mean of the rounds: about .006.
    for (name, mean) in [("ips", ips), ("dr", dr), ("snips", snips)] {
        assert!(
            (mean - WORLD.value()).abs() < 0.02,
            "{name}: {mean}, true {}",
            WORLD.value()
        );
    }
    assert!(
        dr_squares < ips_squares,
        "a prediction takes variance away: {dr_squares} {ips_squares}"
    );
    // What the log itself earned is something else.
    let logged: f64 = WORLD
        .rates
        .iter()
        .zip(WORLD.logger)
        .map(|(rate, p)| rate * p)
        .sum();
    assert!((logged - WORLD.value()).abs() > 0.2);
}

#[test]
fn intervals_cover_the_truth() {
    let mut rng = SplitMix64::new(8);
    let covered = (0..100).filter(|_| {
        let found = estimate(&WORLD.log(1_500, &mut rng), f64::INFINITY, 200, 1).unwrap();
        (found.dr.low..=found.dr.high).contains(&WORLD.value())
    });
    assert!(covered.count() >= 88);
}

#[test]
fn what_was_not_logged_is_said() {
    let good = sample(0.5, 1.0, 1.0);
    let of = |bad: Sample| estimate(&[good, bad], f64::INFINITY, 5, 1);
    assert_eq!(
        of(Sample { logged: None, ..good }),
        Err(OffPolicyError::Missing(1))
    );
    for found in [0.0, -0.1, 1.5] {
        let bad = Sample {
            logged: Some(found),
            ..good
        };
        assert_eq!(of(bad), Err(OffPolicyError::Propensity { index: 1, found }));
    }
    assert!(matches!(
        of(Sample {
            logged: Some(f64::NAN),
            ..good
        }),
        Err(OffPolicyError::Propensity { index: 1, .. })
    ));
    for bad in [
        Sample { target: 1.1, ..good },
        Sample {
            reward: f64::NAN,
            ..good
        },
        Sample {
            predicted: f64::INFINITY,
            ..good
        },
        Sample {
            predicted_target: f64::NAN,
            ..good
        },
    ] {
        assert!(
            matches!(of(bad), Err(OffPolicyError::Field { index: 1, .. })),
            "{bad:?}"
        );
    }
    assert_eq!(estimate(&[], 1.0, 5, 1), Err(OffPolicyError::Empty));
    assert_eq!(estimate(&[good], 1.0, 0, 1), Err(OffPolicyError::Resamples));
}

#[test]
fn a_ranking_that_the_log_never_showed_has_no_evidence() {
    let found = estimate(&[sample(0.5, 0.0, 1.0)], f64::INFINITY, 5, 1).unwrap();
    assert_eq!(
        (found.snips, found.matched, found.effective_samples),
        (None, 0, 0.0)
    );
}

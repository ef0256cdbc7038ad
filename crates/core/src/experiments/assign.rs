//! A viewer's arm by a salted hash of a key that only the viewer's browser has.
//!
//! Hashing a unit's id with the experiment's name makes arms stable, spread as the weights say, and independent between
//! experiments (Kohavi, Tang & Xu, *Trustworthy Online Controlled Experiments*, 2020, chapter 4). The id here is a random
//! key in the browser's store. Nobody else needs it: the manifest has names, salts and weights for everybody alike.

use crate::aggregates::{MAX_NAME_BYTES, is_name};
use crate::json::{FromJson, Json, JsonError, Shown};
use crate::policy::{PolicyError, Settings};
use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The most arms of an experiment.
const MAX_ARMS: usize = 16;
/// The largest weight of an arm.
const MAX_WEIGHT: u32 = 1_000_000;

/// Parts viewers into arms; as it stands in the manifest.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Experiment {
    /// 1 to 64 letters, digits, `-`, `_` or `.`.
    pub name: String,
    /// Part of the hash, as `name` is, or empty. Another salt deals the viewers anew.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub salt: String,
    /// The arms, 2 to 16, of different names.
    pub arms: Vec<Arm>,
    /// Whether everybody gets both arms' lists interleaved, instead of one of them. Then there are two arms, their
    /// weights count for nothing, and the clicks on each one's picks say which is better.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interleave: bool,
}

impl<'a> FromJson<'a> for Experiment {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &["name", "salt", "arms", "interleave"];
        json.strict_object(names, |fields| {
            Ok(Self {
                name: fields.get("name")?,
                salt: fields.get_or("salt", String::new())?,
                arms: fields.get("arms")?,
                interleave: fields.get_or("interleave", false)?,
            })
        })
    }
}

/// One of the alternatives.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Arm {
    /// As an experiment's name.
    pub name: String,
    /// Share of the viewers, relative to the other arms' weights, 0 to 1,000,000.
    pub weight: u32,
    /// The rules of this arm, in place of the bundle's policy; absent where the arm keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Settings>,
}

impl<'a> FromJson<'a> for Arm {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &["name", "weight", "policy"];
        json.strict_object(names, |fields| {
            Ok(Self {
                name: fields.get("name")?,
                weight: fields.get_or("weight", 1)?,
                policy: fields.get("policy")?,
            })
        })
    }
}

/// Why an experiment was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ExperimentError {
    /// A name or a salt that is none.
    #[error("{what} is {}; expected 1 to 64 letters, digits, '-', '_' or '.'", Shown::from(.found))]
    Name {
        /// Which one.
        what: &'static str,
        /// What was found.
        found: String,
    },
    /// Too few or too many arms.
    #[error("experiment {experiment} has {found} arms; expected 2 to {MAX_ARMS}")]
    Arms {
        /// The experiment.
        experiment: String,
        /// Its arms.
        found: usize,
    },
    /// Weights out of range, or all 0.
    #[error("experiment {experiment}: expected weights from 0 to {MAX_WEIGHT}, not all of them 0")]
    Weights {
        /// The experiment.
        experiment: String,
    },
    /// Rules that cannot be kept.
    #[error("experiment {experiment}: {source}")]
    Policy {
        /// The experiment.
        experiment: String,
        /// Why.
        source: PolicyError,
    },
    /// Two experiments that both change the rules.
    #[error(
        "experiments {0} and {1} both change the policy; run them one after the other, or as arms of one"
    )]
    TwoPolicies(String, String),
    /// More or fewer than two lists to interleave.
    #[error("experiment {0} interleaves; expected two arms, of which at least one has a policy")]
    Interleave(String),
    /// One name for two.
    #[error("the name {0} is used twice; give every experiment, and every arm of one, a name of its own")]
    Repeated(String),
}

impl Experiment {
    /// Checks names, number of arms and weights.
    ///
    /// # Errors
    /// One of them is out of its range, or two arms have one name.
    pub fn check(&self) -> Result<(), ExperimentError> {
        name("the name of an experiment", &self.name)?;
        if !self.salt.is_empty() {
            name("the salt of an experiment", &self.salt)?;
        }
        if !(2..=MAX_ARMS).contains(&self.arms.len()) {
            return Err(ExperimentError::Arms {
                experiment: self.name.clone(),
                found: self.arms.len(),
            });
        }
        self.arms
            .iter()
            .try_for_each(|arm| name("the name of an arm", &arm.name))?;
        unique(self.arms.iter().map(|arm| arm.name.as_str()))?;
        let in_range = self.arms.iter().all(|arm| arm.weight <= MAX_WEIGHT);
        if !in_range || self.total_weight() == 0 {
            return Err(ExperimentError::Weights {
                experiment: self.name.clone(),
            });
        }
        if self.interleave && !(self.arms.len() == 2 && self.changes_policy()) {
            return Err(ExperimentError::Interleave(self.name.clone()));
        }
        let mut policies = self.arms.iter().filter_map(|arm| arm.policy.as_ref());
        policies
            .try_for_each(Settings::check)
            .map_err(|source| ExperimentError::Policy {
                experiment: self.name.clone(),
                source,
            })
    }

    fn changes_policy(&self) -> bool {
        self.arms.iter().any(|arm| arm.policy.is_some())
    }

    /// The arm of the browser with this key; `None` only for an experiment that [`Experiment::check`] refuses.
    ///
    /// Raising one arm's weight moves viewers between neighbouring arms; change the salt with the weights, so that no
    /// viewer's earlier arm carries over.
    #[must_use]
    pub fn arm(&self, key: &LocalKey) -> Option<&Arm> {
        let mut point = (u128::from(self.hash(key)) * u128::from(self.total_weight())) >> 64;
        self.arms.iter().find(|arm| {
            let inside = point < u128::from(arm.weight);
            point = point.saturating_sub(u128::from(arm.weight));
            inside
        })
    }

    /// The first 64 bits of SHA-256 over name, salt and key. Lengths stand before the texts, so that no two pairs of
    /// name and salt give one text.
    fn hash(&self, key: &LocalKey) -> u64 {
        let mut hash = Sha256::new_with_prefix("recsys experiment");
        for text in [&self.name, &self.salt] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.update(key.0);
        let digest: [u8; 32] = hash.finalize().into();
        let first = digest.first_chunk().copied().unwrap_or_default();
        u64::from_le_bytes(first)
    }

    fn total_weight(&self) -> u64 {
        self.arms.iter().map(|arm| u64::from(arm.weight)).sum()
    }
}

/// Checks every experiment, that their names differ, and that at most one of them changes the policy.
///
/// # Errors
/// As [`Experiment::check`], two experiments of one name, or two with policies.
pub fn check_all(experiments: &[Experiment]) -> Result<(), ExperimentError> {
    experiments.iter().try_for_each(Experiment::check)?;
    let mut changing = experiments
        .iter()
        .filter(|experiment| experiment.changes_policy());
    if let (Some(first), Some(second)) = (changing.next(), changing.next()) {
        return Err(ExperimentError::TwoPolicies(
            first.name.clone(),
            second.name.clone(),
        ));
    }
    unique(experiments.iter().map(|experiment| experiment.name.as_str()))
}

fn name(what: &'static str, found: &str) -> Result<(), ExperimentError> {
    if is_name(found) {
        return Ok(());
    }
    let found = found.chars().take(MAX_NAME_BYTES).collect();
    Err(ExperimentError::Name { what, found })
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), ExperimentError> {
    let mut known: Vec<&str> = Vec::new();
    for name in names {
        if known.contains(&name) {
            return Err(ExperimentError::Repeated(name.to_owned()));
        }
        known.push(name);
    }
    Ok(())
}

/// 128 random bits that a browser draws once and keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LocalKey([u8; 16]);

impl LocalKey {
    /// A key of bytes that the caller drew at random.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The key as 32 hexadecimal digits, for the store.
    #[must_use]
    pub fn to_hex(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    /// Reads what [`LocalKey::to_hex`] wrote; `None` for any other text.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = digits.then(|| u128::from_str_radix(text, 16).ok())??;
        Some(Self(value.to_be_bytes()))
    }
}

/// Without the key: a log must not hold it.
impl std::fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix64;

    fn experiment(name: &str, weights: &[u32]) -> Experiment {
        let arm = |(i, &weight): (usize, &u32)| Arm {
            name: format!("arm{i}"),
            weight,
            policy: None,
        };
        Experiment {
            name: name.to_owned(),
            salt: String::new(),
            arms: weights.iter().enumerate().map(arm).collect(),
            interleave: false,
        }
    }

    fn keys(n: usize) -> impl Iterator<Item = LocalKey> {
        let mut rng = SplitMix64::new(7);
        (0..n).map(move |_| {
            let bits = (u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64());
            LocalKey::new(bits.to_le_bytes())
        })
    }

    fn index(experiment: &Experiment, key: &LocalKey) -> usize {
        let arm = experiment.arm(key).unwrap();
        experiment.arms.iter().position(|other| other == arm).unwrap()
    }

    /// Pearson's statistic of counts against shares.
    fn chi_square(counts: &[usize], shares: &[f64]) -> f64 {
        let n: usize = counts.iter().sum();
        let cell = |(&count, share): (&usize, &f64)| {
            let expected = n as f64 * share;
            (count as f64 - expected).powi(2) / expected
        };
        counts.iter().zip(shares).map(cell).sum()
    }

    #[test]
    fn a_key_keeps_its_arm_for_ever() {
        // Fixed for good: another hash would deal the viewers of running experiments anew.
        let test = experiment("ranking-2", &[1, 1, 2]);
        let arms: Vec<usize> = keys(12).map(|key| index(&test, &key)).collect();
        // From Python's hashlib over the same bytes.
        assert_eq!(arms, [2, 0, 2, 2, 2, 0, 0, 1, 0, 0, 2, 2]);
    }

    #[test]
    fn arms_fill_as_their_weights_say() {
        let test = experiment("weights", &[1, 0, 3, 4]);
        let mut counts = [0; 4];
        for key in keys(40_000) {
            counts[index(&test, &key)] += 1;
        }
        assert_eq!(counts[1], 0);
        // The 99.9 % point of chi-square with 2 degrees of freedom is 13.8.
        let statistic = chi_square(&[counts[0], counts[2], counts[3]], &[0.125, 0.375, 0.5]);
        assert!(statistic < 13.8, "{counts:?}: {statistic}");
    }

    #[test]
    fn experiments_and_salts_are_independent_of_each_other() {
        let first = experiment("first", &[1, 1, 1]);
        let second = experiment("second", &[1, 1, 1]);
        let salted = Experiment {
            salt: "2026".to_owned(),
            ..first.clone()
        };
        for other in [&second, &salted] {
            let mut counts = [0; 9];
            for key in keys(45_000) {
                counts[3 * index(&first, &key) + index(other, &key)] += 1;
            }
            // The 99.9 % point with 8 degrees of freedom is 26.1.
            let statistic = chi_square(&counts, &[1.0 / 9.0; 9]);
            assert!(statistic < 26.1, "{counts:?}: {statistic}");
        }
    }

    #[test]
    fn name_and_salt_do_not_run_together() {
        let with = |name: &str, salt: &str| Experiment {
            salt: salt.to_owned(),
            ..experiment(name, &[1, 1])
        };
        let key = LocalKey::new([3; 16]);
        assert_ne!(with("ab", "c").hash(&key), with("a", "bc").hash(&key));
        assert_ne!(with("ab", "").hash(&key), with("a", "b").hash(&key));
    }

    #[test]
    fn a_key_reads_back_and_hides_itself() {
        for key in keys(50).chain([LocalKey::new([0; 16])]) {
            assert_eq!(LocalKey::from_hex(&key.to_hex()), Some(key));
            assert_eq!(format!("{key:?}"), "LocalKey(…)");
        }
        for bad in [
            "",
            "12",
            "+1234567890123456789012345678901",
            &"g".repeat(32),
            &"1".repeat(33),
        ] {
            assert_eq!(LocalKey::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_experiment_is_refused() {
        let good = experiment("good", &[1, 1]);
        assert_eq!(good.check(), Ok(()));
        let named = |name: &str| experiment(name, &[1, 1]).check();
        for bad in ["", "white space", "ü", &"x".repeat(65)] {
            assert!(matches!(named(bad), Err(ExperimentError::Name { .. })), "{bad}");
        }
        let weights = |weights: &[u32]| experiment("w", weights).check();
        assert!(matches!(
            weights(&[1]),
            Err(ExperimentError::Arms { found: 1, .. })
        ));
        assert!(matches!(weights(&[1; 17]), Err(ExperimentError::Arms { .. })));
        assert!(matches!(weights(&[0, 0]), Err(ExperimentError::Weights { .. })));
        assert!(matches!(
            weights(&[1, MAX_WEIGHT + 1]),
            Err(ExperimentError::Weights { .. })
        ));
        let mut twins = good.clone();
        twins.arms[1].name = "arm0".to_owned();
        assert_eq!(twins.check(), Err(ExperimentError::Repeated("arm0".to_owned())));
        let twice = check_all(&[good.clone(), good]);
        assert_eq!(twice, Err(ExperimentError::Repeated("good".to_owned())));
        let mut changing = experiment("changing", &[1, 1]);
        changing.arms[1].policy = Some(Settings::default());
        let also = Experiment {
            name: "also".to_owned(),
            ..changing.clone()
        };
        assert!(matches!(
            check_all(&[changing.clone(), also]),
            Err(ExperimentError::TwoPolicies(..))
        ));
        let interleaved = |mut experiment: Experiment| {
            experiment.interleave = true;
            experiment.check()
        };
        assert_eq!(interleaved(changing), Ok(()));
        let same = interleaved(experiment("same", &[1, 1]));
        assert!(matches!(same, Err(ExperimentError::Interleave(_))));
        let unknown = r#"{"name":"a","arms":[{"name":"x"},{"name":"y","wieght":2}]}"#;
        assert!(crate::json::read::<Experiment>(unknown).is_err());
    }
}

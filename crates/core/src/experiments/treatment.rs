//! What one browser shows: the rules that follow from the bundle's policy and from the viewer's arms.

use super::{Experiment, LocalKey};
use crate::policy::{Codes, Policy, Settings};

/// What one browser shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Treatment {
    /// The rules.
    pub policy: Policy,
    /// The rules of the second list, and what both are called, where two lists are interleaved.
    pub contest: Option<Contest>,
    /// Experiment and arm, in the manifest's order. Interleaving experiments have no arm: everybody gets both.
    pub arms: Vec<(String, String)>,
    /// Names of the rules that the bundle does not know.
    pub unknown: Vec<String>,
}

/// Two lists in one.
#[derive(Clone, Debug, PartialEq)]
pub struct Contest {
    /// The experiment.
    pub experiment: String,
    /// The arms: of [`Treatment::policy`], and of `against`.
    pub arms: [String; 2],
    /// The second list's rules.
    pub against: Policy,
}

impl Treatment {
    /// From a manifest's policy (if there is one), experiments and codes, and the browser's key. An experiment that
    /// [`Experiment::check`] refuses changes nothing.
    #[must_use]
    pub fn of(policy: Option<&Settings>, experiments: &[Experiment], codes: &Codes, key: &LocalKey) -> Self {
        let default = Settings::default();
        let base = policy.unwrap_or(&default);
        let mut arms = Vec::new();
        let (mut chosen, mut contest) = (base, None);
        for experiment in experiments {
            match (experiment.interleave, experiment.arms.as_slice()) {
                (true, [first, second]) => {
                    chosen = first.policy.as_ref().unwrap_or(base);
                    contest = Some((experiment, first, second));
                }
                (true, _) => {}
                (false, _) => {
                    let Some(arm) = experiment.arm(key) else { continue };
                    chosen = arm.policy.as_ref().unwrap_or(chosen);
                    arms.push((experiment.name.clone(), arm.name.clone()));
                }
            }
        }
        let (policy, mut unknown) = chosen.resolve(codes);
        let contest = contest.map(|(experiment, first, second)| {
            let (against, more) = second.policy.as_ref().unwrap_or(base).resolve(codes);
            unknown.extend(more);
            Contest {
                experiment: experiment.name.clone(),
                arms: [first.name.clone(), second.name.clone()],
                against,
            }
        });
        Self {
            policy,
            contest,
            arms,
            unknown,
        }
    }

    /// The viewer's arm of an experiment.
    #[must_use]
    pub fn arm(&self, experiment: &str) -> Option<&str> {
        let found = self.arms.iter().find(|(name, _)| name == experiment);
        found.map(|(_, arm)| arm.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiments(json: &str) -> Vec<Experiment> {
        let experiments: Vec<Experiment> = crate::json::read(json).unwrap();
        super::super::assign::check_all(&experiments).unwrap();
        experiments
    }

    fn of(policy: Option<&Settings>, experiments: &[Experiment], key: u8) -> Treatment {
        Treatment::of(policy, experiments, &Codes::default(), &LocalKey::new([key; 16]))
    }

    #[test]
    fn an_arm_brings_its_rules_and_the_other_keeps_the_bundles() {
        let base = Settings {
            lambda: 0.8,
            ..Settings::default()
        };
        let running = experiments(
            r#"[{"name":"page","arms":[{"name":"old"},{"name":"new"}]},
                {"name":"variety","arms":[{"name":"control"},{"name":"varied","policy":{"lambda":0.5}}]}]"#,
        );
        let mut lambdas = Vec::new();
        for key in 0..40 {
            let treatment = of(Some(&base), &running, key);
            let arm = treatment.arm("variety").unwrap();
            let lambda = treatment.policy.lambda.get();
            assert_eq!(lambda, if arm == "varied" { 0.5 } else { 0.8 });
            assert!(treatment.arm("page").is_some() && treatment.arm("other").is_none());
            lambdas.push(lambda);
        }
        assert!(lambdas.contains(&0.5) && lambdas.contains(&0.8));
    }

    #[test]
    fn an_interleaving_experiment_gives_everybody_both_lists() {
        let running = experiments(
            r#"[{"name":"duel","interleave":true,"arms":[{"name":"a"},{"name":"b","policy":{"lambda":0.5}}]}]"#,
        );
        for key in 0..10 {
            let treatment = of(None, &running, key);
            let contest = treatment.contest.unwrap();
            assert_eq!(treatment.policy, Policy::default());
            assert_eq!(
                (contest.against.lambda.get(), contest.arms[1].as_str()),
                (0.5, "b")
            );
            assert!(treatment.arms.is_empty());
        }
    }

    #[test]
    fn without_experiments_the_policy_holds_and_unknown_names_are_told() {
        let policy = Settings::parse(br#"{"boosts":[{"category":"gone","add":0.5}],"pool":7}"#).unwrap();
        let treatment = of(Some(&policy), &[], 1);
        assert_eq!(
            (treatment.policy.pool, treatment.unknown),
            (7, vec!["gone".to_owned()])
        );
        assert_eq!(of(None, &[], 1), Treatment::default());
    }
}

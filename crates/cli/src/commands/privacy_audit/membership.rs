//! Was this video clicked by this viewer? Scores of clicked and of other videos, and how well they are told apart.

use super::attacks::{Observed, Suspicion};
use recsys_core::metrics::Interval;
use recsys_core::rng::SplitMix64;

/// Videos of each kind that are asked about of a viewer.
const ASKED: usize = 5;
/// False accusations that are put up with.
const FALSE_POSITIVES: f64 = 0.01;
/// The others come from clicks of other viewers, so that popularity alone tells nothing; so many draws are tried.
const TRIES: usize = 200;

/// The scores of a viewer's videos.
pub(super) struct Scores {
    clicked: Vec<f64>,
    others: Vec<f64>,
}

/// Asks about clicked videos and about others, which where `within` is set lie in the cluster of the clicked one.
pub(super) fn scores(observed: &Observed<'_>, within: bool, random: &mut SplitMix64) -> Vec<Scores> {
    let suspicion = observed.suspicion();
    let clicked: Vec<Vec<usize>> = observed
        .viewers
        .iter()
        .map(|viewer| viewer.clicked(observed.session, observed.requests))
        .collect();
    let cluster = |row: usize| observed.world.cluster_of[row];
    let one = |(number, suspicion): (usize, Suspicion<'_>)| {
        let (own, all) = (&clicked[number], &observed.viewers[number].clicks);
        let mut scores = Scores {
            clicked: Vec::new(),
            others: Vec::new(),
        };
        for _ in 0..ASKED {
            let row = own[random.below(own.len())];
            let other = (0..TRIES).find_map(|_| {
                let theirs = &clicked[random.below(clicked.len())];
                let other = theirs[random.below(theirs.len())];
                let fits = !within || cluster(other) == cluster(row);
                (fits && !all.contains(&other)).then_some(other)
            });
            if let Some(other) = other {
                scores.clicked.push(suspicion(row));
                scores.others.push(suspicion(other));
            }
        }
        scores
    };
    suspicion.into_iter().enumerate().map(one).collect()
}

/// Area under the ROC curve, with its 95 % interval over viewers.
pub(super) fn auc(scores: &[Scores], resamples: usize, seed: u64) -> Option<Interval> {
    resampled(scores, resamples, seed, area)
}

/// The share of clicked videos that are found where one other in a hundred is accused, with its 95 % interval over viewers.
pub(super) fn true_positives(scores: &[Scores], resamples: usize, seed: u64) -> Option<Interval> {
    resampled(scores, resamples, seed, |labelled| {
        let negatives = labelled.iter().filter(|(_, clicked)| !clicked).count() as f64;
        let positives = labelled.len() as f64 - negatives;
        // From the highest score down; videos of one score are accused together, or by lot where that would be too many.
        let (mut found, mut accused) = (0.0, 0.0);
        for group in labelled.chunk_by(|a, b| a.0 == b.0).rev() {
            let hits = group.iter().filter(|(_, clicked)| *clicked).count() as f64;
            let misses = group.len() as f64 - hits;
            let allowed = (FALSE_POSITIVES * negatives - accused).max(0.0);
            let share = if misses > allowed { allowed / misses } else { 1.0 };
            found += share * hits;
            accused += share * misses;
            if share < 1.0 {
                break;
            }
        }
        found / positives
    })
}

/// The probability that a clicked video has the higher score, equal scores counting a half (Mann and Whitney).
fn area(labelled: &[(f64, bool)]) -> f64 {
    let (mut below, mut wins) = (0.0, 0.0);
    for group in labelled.chunk_by(|a, b| a.0 == b.0) {
        let clicked = group.iter().filter(|(_, clicked)| *clicked).count() as f64;
        let others = group.len() as f64 - clicked;
        wins += clicked * (below + others / 2.0);
        below += others;
    }
    wins / (below * (labelled.len() as f64 - below))
}

/// A statistic of all scores, ascending, with its percentile interval when viewers are drawn with replacement.
fn resampled(
    scores: &[Scores],
    resamples: usize,
    seed: u64,
    statistic: impl Fn(&[(f64, bool)]) -> f64,
) -> Option<Interval> {
    let labelled = |scores: &mut dyn Iterator<Item = &Scores>| -> Vec<(f64, bool)> {
        let mut all = Vec::new();
        for scores in scores {
            all.extend(scores.clicked.iter().map(|score| (*score, true)));
            all.extend(scores.others.iter().map(|score| (*score, false)));
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all
    };
    let value = statistic(&labelled(&mut scores.iter()));
    let mut random = SplitMix64::new(seed);
    let mut drawn: Vec<f64> = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        let mut viewers = (0..scores.len()).map(|_| &scores[random.below(scores.len())]);
        drawn.push(statistic(&labelled(&mut viewers)));
    }
    drawn.retain(|value| value.is_finite());
    drawn.sort_by(f64::total_cmp);
    let at = |share: f64| {
        drawn
            .get((share * (drawn.len().max(1) - 1) as f64).round() as usize)
            .copied()
    };
    Some(Interval {
        value: Some(value).filter(|value| value.is_finite())?,
        low: at(0.025)?,
        high: at(0.975)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(clicked: &[f64], others: &[f64]) -> Scores {
        Scores {
            clicked: clicked.to_vec(),
            others: others.to_vec(),
        }
    }

    #[test]
    fn area_counts_pairs() {
        let brute = |list: &[(f64, bool)]| {
            let (mut wins, mut pairs) = (0.0, 0.0);
            for (a, _) in list.iter().filter(|(_, clicked)| *clicked) {
                for (b, _) in list.iter().filter(|(_, clicked)| !clicked) {
                    wins += if a > b {
                        1.0
                    } else if a == b {
                        0.5
                    } else {
                        0.0
                    };
                    pairs += 1.0;
                }
            }
            wins / pairs
        };
        let mut random = SplitMix64::new(4);
        for _ in 0..20 {
            let mut list: Vec<(f64, bool)> = (0..30)
                .map(|_| (random.below(9) as f64, random.below(2) == 0))
                .collect();
            list.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!((area(&list) - brute(&list)).abs() < 1e-12);
        }
    }

    #[test]
    fn scores_that_say_nothing_find_as_many_as_they_accuse_wrongly() {
        let same: Vec<Scores> = (0..50).map(|_| scores(&[1.0; 5], &[1.0; 5])).collect();
        let area = auc(&same, 50, 1).unwrap();
        assert_eq!((area.value, area.low, area.high), (0.5, 0.5, 0.5));
        assert!((true_positives(&same, 50, 1).unwrap().value - FALSE_POSITIVES).abs() < 1e-12);
    }

    #[test]
    fn scores_that_say_all_find_all() {
        let told: Vec<Scores> = (0..50).map(|_| scores(&[2.0, 3.0], &[0.0, 1.0])).collect();
        assert_eq!(auc(&told, 50, 1).unwrap().low, 1.0);
        assert_eq!(true_positives(&told, 50, 1).unwrap().low, 1.0);
    }
}

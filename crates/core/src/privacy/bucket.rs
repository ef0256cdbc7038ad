//! Bucket mode: the server sees whole clusters fetched, the true one among dummies, and nothing finer.
//!
//! Dummies that look like anybody's wishes hide the true query as long as the server cannot tell them apart (Howe and
//! Nissenbaum's TrackMeNot, 2009, and what Peddinti and Saxena, S&P 2010, did to it): so they are drawn from the public
//! distribution of clusters, and a set is kept for an epoch, for fresh dummies around one truth would be seen through by
//! intersection (Kedogan, Agrawal and Penz, IH 2002). A set is fetched in ascending order, so that no place in it says more.
//!
//! What stays: the server learns a set, and over several epochs the clusters that come again. `recsys privacy-audit` measures
//! both.

use super::clusters::Clusters;
use super::memo::Memo;
use super::random::{Random, weighted};

/// What bucket mode promises.
pub const CLAIM: &str = "The server is asked for a few whole groups of videos, yours among others drawn by chance. It learns \
    the set and your address, never which group you wanted nor a place inside one. Over weeks, groups that come again stand \
    out.";

/// Clusters of a set, the true one included, where the page says nothing.
pub const DEFAULT_SIZE: usize = 4;

/// Adds the set of a true cluster to what was asked for in the epoch, unless it is among that already; gives all of this
/// epoch, ascending. A set has `size` clusters that were not asked for before, or all of them where they are fewer.
pub fn ask<'m>(
    memo: &'m mut Memo,
    clusters: &Clusters,
    time: (i64, i64),
    truth: u32,
    size: usize,
    random: &mut impl Random,
) -> &'m [u32] {
    let mut asked = memo.asked(clusters, time).to_vec();
    if !asked.contains(&truth) {
        for cluster in draw(clusters, &asked, truth, size, random) {
            // A sort of its own for a handful of numbers would cost the browser kilobytes.
            let at = asked.partition_point(|other| *other < cluster);
            asked.insert(at, cluster);
        }
    }
    *memo = Memo::new(clusters, time, asked);
    memo.newest(clusters)
}

/// A true cluster and dummies drawn from the public distribution, without those that were `asked` for.
fn draw(clusters: &Clusters, asked: &[u32], truth: u32, size: usize, random: &mut impl Random) -> Vec<u32> {
    let mut set = vec![truth];
    let mut left: Vec<u32> = (0..).take(clusters.len()).collect();
    left.retain(|cluster| *cluster != truth && !asked.contains(cluster));
    while set.len() < size && !left.is_empty() {
        let weight = |cluster: &u32| clusters.weights.get(*cluster as usize).copied().unwrap_or(1);
        let weights: Vec<u64> = left.iter().map(weight).collect();
        set.push(left.remove(weighted(&weights, random)));
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use crate::rng::SplitMix64;

    fn clusters(weights: &[u64]) -> Clusters {
        Clusters {
            partition: "p".to_owned(),
            segments: (0..weights.len()).collect(),
            weights: weights.to_vec(),
        }
    }

    fn is_set(set: &[u32], truth: u32, size: usize) -> bool {
        set.len() == size && set.contains(&truth) && set.windows(2).all(|pair| pair[0] < pair[1])
    }

    #[test]
    fn a_set_holds_the_truth_and_is_kept_for_the_epoch() {
        let clusters = clusters(&[1; 16]);
        let mut random = SplitMix64::new(2);
        for truth in 0..16 {
            let mut kept = Memo::default();
            let first = ask(&mut kept, &clusters, (100, 5), truth, 4, &mut random).to_vec();
            assert!(is_set(&first, truth, 4), "{first:?}");
            for other in first.clone() {
                assert_eq!(ask(&mut kept, &clusters, (100, 99), other, 4, &mut random), first);
            }
        }
    }

    #[test]
    fn a_truth_outside_brings_a_whole_new_set_until_all_are_there() {
        let clusters = clusters(&[1; 10]);
        let mut random = SplitMix64::new(2);
        let mut kept = Memo::default();
        let first = ask(&mut kept, &clusters, (100, 5), 0, 4, &mut random).to_vec();
        let outside = (0..10).find(|cluster| !first.contains(cluster)).unwrap();
        let both = ask(&mut kept, &clusters, (100, 6), outside, 4, &mut random).to_vec();
        assert!(is_set(&both, outside, 8) && first.iter().all(|cluster| both.contains(cluster)));
        let outside = (0..10).find(|cluster| !both.contains(cluster)).unwrap();
        assert_eq!(
            ask(&mut kept, &clusters, (100, 7), outside, 4, &mut random),
            (0..10).collect::<Vec<_>>()
        );
    }

    #[test]
    fn another_epoch_or_partition_begins_anew() {
        let mut random = SplitMix64::new(2);
        let mut kept = Memo::default();
        let mut clusters = clusters(&[1; 16]);
        ask(&mut kept, &clusters, (100, 5), 3, 4, &mut random);
        assert_eq!(kept.asked(&clusters, (100, 99)).len(), 4);
        assert!(kept.asked(&clusters, (100, 100)).is_empty());
        assert!(is_set(
            ask(&mut kept, &clusters, (100, 100), 3, 4, &mut random),
            3,
            4
        ));
        clusters.partition = "q".to_owned();
        assert!(kept.asked(&clusters, (100, 100)).is_empty());
    }

    #[test]
    fn dummies_follow_the_public_distribution() {
        let clusters = clusters(&[1, 1, 1, 5, 2]);
        let mut random = SplitMix64::new(8);
        let mut counts = [0f64; 5];
        let draws = 90_000;
        for _ in 0..draws {
            let set = draw(&clusters, &[], 0, 2, &mut random);
            counts[set[1] as usize] += 1.0;
        }
        assert_eq!(counts[0], 0.0);
        for (count, weight) in counts.iter().zip([0.0, 1.0, 1.0, 5.0, 2.0]) {
            let mean = f64::from(draws) * weight / 9.0;
            assert!((count - mean).abs() < 5.0 * (mean + 1.0).sqrt(), "{counts:?}");
        }
    }

    #[test]
    fn few_clusters_or_large_weights_are_no_trouble() {
        let mut random = SplitMix64::new(8);
        let set = draw(&clusters(&[u64::MAX, u64::MAX, u64::MAX]), &[], 1, 9, &mut random);
        assert_eq!(set.len(), 3);
        assert_eq!(draw(&clusters(&[1, 1]), &[], 1, 0, &mut random), [1]);
    }

    #[test]
    fn the_stored_text_reads_back_and_what_the_partition_lacks_leaves() {
        let mut random = SplitMix64::new(2);
        let mut kept = Memo::default();
        ask(&mut kept, &clusters(&[1; 16]), (100, 5), 3, 4, &mut random);
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(json::read::<Memo>(&text).unwrap(), kept);
        let mut kept: Memo = json::read(r#"{"epoch":0,"partition":"p","clusters":[3,77]}"#).unwrap();
        assert!(is_set(
            ask(&mut kept, &clusters(&[1; 16]), (100, 5), 9, 4, &mut random),
            9,
            4
        ));
    }
}

//! Two rankings in one list: team-draft interleaving (Radlinski, Kurup & Joachims, *How does clickthrough data reflect
//! retrieval quality?*, CIKM 2008, algorithm 2).
//!
//! Each round the side with fewer picks, or a coin where they are equal, adds its best item that is not yet in the list.
//! A click counts for the side that picked the item. Both sides get the same places in expectation, so clicks that depend
//! on the place alone favour neither.

use crate::rng::SplitMix64;

/// Whose pick an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Team {
    /// The first ranking.
    A,
    /// The second ranking.
    B,
}

/// Drafts a list of at most `k` items, none twice, each with the side that picked it. The rankings are best first; where
/// one has no item left, the other goes on. `rng` throws the coins.
pub fn team_draft<T: Copy + PartialEq>(a: &[T], b: &[T], k: usize, rng: &mut SplitMix64) -> Vec<(T, Team)> {
    let mut list: Vec<(T, Team)> = Vec::with_capacity(k.min(a.len() + b.len()));
    let (mut picks_a, mut picks_b) = (0usize, 0usize);
    let next = |ranking: &[T], list: &[(T, Team)]| {
        let free = |item: &&T| list.iter().all(|(other, _)| other != *item);
        ranking.iter().find(free).copied()
    };
    while list.len() < k {
        let a_first = picks_a < picks_b || (picks_a == picks_b && rng.below(2) == 0);
        let (from_a, from_b) = (next(a, &list), next(b, &list));
        let (item, team) = match (from_a, from_b) {
            (Some(item), None) => (item, Team::A),
            (None, Some(item)) => (item, Team::B),
            (Some(item), Some(_)) if a_first => (item, Team::A),
            (Some(_), Some(item)) => (item, Team::B),
            (None, None) => break,
        };
        match team {
            Team::A => picks_a += 1,
            Team::B => picks_b += 1,
        }
        list.push((item, team));
    }
    list
}

/// Clicks on A's picks less clicks on B's: above 0 the list speaks for A. Clicks on other items count for neither.
#[must_use]
pub fn credit<T: PartialEq>(list: &[(T, Team)], clicked: &[T]) -> i64 {
    let of = |item: &T| match list.iter().find(|(other, _)| other == item) {
        Some((_, Team::A)) => 1,
        Some((_, Team::B)) => -1,
        None => 0,
    };
    clicked.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUNDS: usize = 40_000;

    /// Mean credit of A over many lists with clicks that `clicks` chooses.
    fn mean_credit(
        a: &[u32],
        b: &[u32],
        mut clicks: impl FnMut(&[(u32, Team)], &mut SplitMix64) -> Vec<u32>,
    ) -> f64 {
        let mut rng = SplitMix64::new(11);
        let mut sum = 0;
        for _ in 0..ROUNDS {
            let list = team_draft(a, b, 10, &mut rng);
            let clicked = clicks(&list, &mut rng);
            sum += credit(&list, &clicked);
        }
        sum as f64 / ROUNDS as f64
    }

    #[test]
    fn every_list_is_a_draft() {
        let mut rng = SplitMix64::new(1);
        for round in 0..500u32 {
            let mut a: Vec<u32> = (0..12).collect();
            let mut b: Vec<u32> = (6..18).collect();
            rng.shuffle(&mut a);
            rng.shuffle(&mut b);
            let list = team_draft(&a, &b, 10, &mut rng);
            assert_eq!(list.len(), 10, "round {round}");
            for (place, (item, team)) in list.iter().enumerate() {
                let before = &list[..place];
                assert!(before.iter().all(|(other, _)| other != item));
                let ranking = if *team == Team::A { &a } else { &b };
                let best = ranking.iter().find(|x| before.iter().all(|(y, _)| y != *x));
                assert_eq!(best, Some(item), "each side picks its best free item");
                let of = |team| before.iter().filter(|(_, t)| *t == team).count();
                let (own, other) = match team {
                    Team::A => (of(Team::A), of(Team::B)),
                    Team::B => (of(Team::B), of(Team::A)),
                };
                assert!(own <= other, "no side is ever two picks ahead");
            }
        }
    }

    #[test]
    fn clicks_that_depend_on_the_place_alone_favour_neither() {
        let (a, b): (Vec<u32>, Vec<u32>) = ((0..10).collect(), (5..15).rev().collect());
        let by_place = |list: &[(u32, Team)], rng: &mut SplitMix64| {
            let looked_at = |&(place, _): &(usize, &(u32, Team))| rng.below(place + 1) == 0;
            list.iter()
                .enumerate()
                .filter(looked_at)
                .map(|(_, (item, _))| *item)
                .collect()
        };
        let mean = mean_credit(&a, &b, by_place);
        // About three clicks a list, each ±1: a standard error of about .009.
        assert!(mean.abs() < 0.04, "{mean}");
    }

    #[test]
    fn rankings_that_are_the_same_draw() {
        let a: Vec<u32> = (0..10).collect();
        let mean = mean_credit(&a, &a, |_, _| vec![0, 3]);
        assert!(mean.abs() < 0.03, "{mean}");
    }

    #[test]
    fn the_ranking_that_has_what_is_clicked_wins_and_swapping_them_swaps_the_sign() {
        let (good, bad): (Vec<u32>, Vec<u32>) = ((0..10).collect(), (0..20).rev().collect());
        let likes_small = |list: &[(u32, Team)], _: &mut SplitMix64| {
            list.iter()
                .map(|(item, _)| *item)
                .filter(|item| *item < 4)
                .collect()
        };
        let (won, lost) = (
            mean_credit(&good, &bad, likes_small),
            mean_credit(&bad, &good, likes_small),
        );
        assert!(won > 0.5 && (won + lost).abs() < 0.05, "{won} {lost}");
    }

    #[test]
    fn a_short_ranking_leaves_the_rest_to_the_other() {
        let mut rng = SplitMix64::new(2);
        let list = team_draft(&[1], &[1, 2, 3], 9, &mut rng);
        let items: Vec<i32> = list.iter().map(|(item, _)| *item).collect();
        assert_eq!(items, [1, 2, 3]);
        assert!(team_draft::<u32>(&[], &[], 5, &mut rng).is_empty());
        assert!(team_draft(&[1], &[2], 0, &mut rng).is_empty());
    }

    #[test]
    fn a_click_elsewhere_counts_for_neither() {
        let list = [(1, Team::A), (2, Team::B), (3, Team::B)];
        assert_eq!(credit(&list, &[1, 9]), 1);
        assert_eq!(credit(&list, &[2, 3]), -2);
    }
}

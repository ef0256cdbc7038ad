//! One sort for every list of scores. Each generic sort of the standard library costs the browser some 10 KB; this heap
//! costs one, whatever is sorted by it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Indices by falling value; of equal values the earlier one first. NaN comes last.
#[must_use]
pub fn descending(values: &[f32]) -> Vec<usize> {
    sort(values.iter().copied().zip(0..).collect())
}

/// Indices by falling score; of equal scores the lower row first. NaN comes last.
#[must_use]
pub fn by_score_and_row(scored: impl Iterator<Item = (f32, u32)>) -> Vec<usize> {
    sort(scored.collect())
}

/// The best `k` of a list in which a video may stand more than once, each video once: by falling score, of equal scores the
/// lower tie first, of equal ties the earlier one. All that have one id must have one score.
pub fn best_once<T: Copy>(
    list: &[T],
    k: usize,
    key: impl Fn(&T) -> (f32, u32),
    id: impl Fn(&T) -> &str,
) -> Vec<T> {
    let order = sort(list.iter().map(&key).collect());
    let mut best: Vec<T> = Vec::with_capacity(k.min(list.len()));
    for one in order.into_iter().filter_map(|index| list.get(index)) {
        if best.len() == k {
            break;
        }
        let mut equals = best.iter().rev().take_while(|kept| key(kept).0 == key(one).0);
        if equals.all(|kept| id(kept) != id(one)) {
            best.push(*one);
        }
    }
    best
}

fn sort(keys: Vec<(f32, u32)>) -> Vec<usize> {
    let keyed = |(index, (value, tie)): (usize, (f32, u32))| (rising(value), Reverse(tie), Reverse(index));
    let heap: BinaryHeap<(i32, Reverse<u32>, Reverse<usize>)> =
        keys.into_iter().enumerate().map(keyed).collect();
    let mut order = heap.into_sorted_vec();
    order.reverse();
    order.into_iter().map(|(_, _, Reverse(index))| index).collect()
}

/// Sorts numbers, none of them NaN, by rising value; −0 comes before 0.
pub fn ascend(values: &mut [f32]) {
    let order = descending(values);
    let sorted: Vec<f32> = order
        .iter()
        .rev()
        .filter_map(|&index| values.get(index).copied())
        .collect();
    values.copy_from_slice(&sorted);
}

/// An integer that rises with the number, as `f32::total_cmp` has it, but for NaN, which is below all.
fn rising(value: f32) -> i32 {
    if value.is_nan() {
        return i32::MIN;
    }
    let bits = value.to_bits().cast_signed();
    bits ^ ((bits >> 31).cast_unsigned() >> 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix64;

    #[test]
    fn equal_scores_go_by_row() {
        let scored = [(1.0, 7), (2.0, 9), (1.0, 3), (2.0, 1), (f32::NAN, 0)];
        assert_eq!(by_score_and_row(scored.into_iter()), [3, 1, 2, 0, 4]);
    }

    #[test]
    fn copies_are_kept_once() {
        let list = [
            ("a", 1.0, 5),
            ("b", 2.0, 4),
            ("c", 1.0, 1),
            ("a", 1.0, 0),
            ("b", 2.0, 4),
            ("d", 0.5, 0),
        ];
        let ids = |k| -> Vec<&str> {
            let best = best_once(&list, k, |(_, score, tie)| (*score, *tie), |(id, ..)| id);
            best.into_iter().map(|(id, ..)| id).collect()
        };
        assert_eq!(ids(9), ["b", "a", "c", "d"]);
        assert_eq!(ids(2), ["b", "a"]);
        assert_eq!(ids(0), [""; 0]);
    }

    #[test]
    fn it_orders_as_a_stable_sort_does() {
        let mut rng = SplitMix64::new(3);
        let odd = [
            f32::NAN,
            0.0,
            -0.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MIN_POSITIVE,
            -1e-40,
        ];
        for n in 0..200usize {
            let value = |_| match rng.below(3) {
                0 => odd[rng.below(odd.len())],
                _ => rng.below(9) as f32 - 4.0,
            };
            let values: Vec<f32> = (0..n).map(value).collect();
            let mut expected: Vec<usize> = (0..n).collect();
            expected.sort_by(|&a, &b| match (values[a].is_nan(), values[b].is_nan()) {
                (false, false) => values[b].total_cmp(&values[a]),
                (a, b) => a.cmp(&b),
            });
            assert_eq!(descending(&values), expected, "{values:?}");
            let mut numbers: Vec<f32> = values.into_iter().filter(|value| !value.is_nan()).collect();
            let mut rising = numbers.clone();
            rising.sort_by(f32::total_cmp);
            ascend(&mut numbers);
            let bits = |list: &[f32]| list.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&numbers), bits(&rising));
        }
    }
}

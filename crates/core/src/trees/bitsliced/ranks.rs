//! Ranks of numbers among thresholds, for all rows of a block. Two versions of the steps, as in [`rows`](super::rows).

use super::{LANES, Lanes};

/// Thresholds that are compared at once.
const GROUP: usize = 16;

/// Fewer than this many thresholds fit a [`Table`].
pub(super) const TABLE: usize = GROUP * GROUP;

/// Ascending thresholds, filled up with infinity.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    groups: Box<[[f32; GROUP]; GROUP]>,
    /// The last of each group.
    last: [f32; GROUP],
}

impl Table {
    /// For fewer than [`TABLE`] thresholds, ascending.
    pub(super) fn new(thresholds: &[f32]) -> Self {
        let mut groups = Box::new([[f32::INFINITY; GROUP]; GROUP]);
        groups.as_flattened_mut()[..thresholds.len()].copy_from_slice(thresholds);
        let mut last = [f32::INFINITY; GROUP];
        for (last, group) in last.iter_mut().zip(groups.iter()) {
            *last = group[GROUP - 1];
        }
        Self { groups, last }
    }

    /// How many thresholds lie below each of the first `n` values, and of some behind; 0 for NaN.
    pub(super) fn ranks(&self, values: &Lanes<f32>, n: usize) -> Lanes<u32> {
        let mut ranks = [[0; 4]; LANES / 4];
        let (values, _) = values.as_chunks();
        for (ranks, values) in ranks.iter_mut().zip(values).take(n.div_ceil(4)) {
            *ranks = self.four(*values);
        }
        bytemuck::cast(ranks)
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(super) use plain::with_missing;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use simd::with_missing;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod plain {
    use super::{GROUP, Lanes, Table};

    impl Table {
        #[inline]
        pub(super) fn four(&self, values: [f32; 4]) -> [u32; 4] {
            values.map(|x| {
                // The last group ends with infinity, so no value lies above all.
                let group = below(&self.last, x) as usize % GROUP;
                (GROUP * group) as u32 + below(&self.groups[group], x)
            })
        }
    }

    /// How many of the thresholds lie below a value.
    #[inline]
    fn below(thresholds: &[f32; GROUP], x: f32) -> u32 {
        thresholds.iter().map(|threshold| u32::from(*threshold < x)).sum()
    }

    /// The ranks; `missing` where the value is NaN or its magnitude at most `missing_up_to`.
    pub(in super::super) fn with_missing(
        ranks: &Lanes<u32>,
        values: &Lanes<f32>,
        missing: u32,
        missing_up_to: f32,
    ) -> Lanes<u32> {
        let mut all = *ranks;
        for (rank, x) in all.iter_mut().zip(values) {
            if x.is_nan() || x.abs() <= missing_up_to {
                *rank = missing;
            }
        }
        all
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd {
    use super::{GROUP, LANES, Lanes, Table};
    use bytemuck::cast;
    use core::arch::wasm32::{
        f32x4_abs, f32x4_le, f32x4_lt, f32x4_ne, f32x4_splat, i32x4_add, i32x4_mul, i32x4_neg, i32x4_shuffle,
        i32x4_splat, i64x2_shuffle, u32x4_splat, v128, v128_bitselect, v128_or,
    };

    impl Table {
        #[inline(always)]
        pub(super) fn four(&self, values: [f32; 4]) -> [u32; 4] {
            let [a, b, c, d] = values;
            let [a, b, c, d] = [f32x4_splat(a), f32x4_splat(b), f32x4_splat(c), f32x4_splat(d)];
            let last = cast(self.last);
            let group = totals([below(last, a), below(last, b), below(last, c), below(last, d)]);
            // The last group ends with infinity, so no value lies above all.
            let [e, f, g, h]: [u32; 4] = cast(group);
            let thresholds = |group: u32| cast(self.groups[group as usize % GROUP]);
            let within = totals([
                below(thresholds(e), a),
                below(thresholds(f), b),
                below(thresholds(g), c),
                below(thresholds(h), d),
            ]);
            cast(i32x4_add(i32x4_mul(group, i32x4_splat(GROUP as i32)), within))
        }
    }

    /// Four numbers whose sum is minus the number of thresholds below a value.
    #[inline(always)]
    fn below([a, b, c, d]: [v128; 4], x: v128) -> v128 {
        let (ab, cd) = (
            i32x4_add(f32x4_lt(a, x), f32x4_lt(b, x)),
            i32x4_add(f32x4_lt(c, x), f32x4_lt(d, x)),
        );
        i32x4_add(ab, cd)
    }

    /// Minus the sum of each.
    #[inline(always)]
    fn totals([a, b, c, d]: [v128; 4]) -> v128 {
        let ab = i32x4_add(
            i32x4_shuffle::<0, 4, 1, 5>(a, b),
            i32x4_shuffle::<2, 6, 3, 7>(a, b),
        );
        let cd = i32x4_add(
            i32x4_shuffle::<0, 4, 1, 5>(c, d),
            i32x4_shuffle::<2, 6, 3, 7>(c, d),
        );
        let sums = i32x4_add(i64x2_shuffle::<0, 2>(ab, cd), i64x2_shuffle::<1, 3>(ab, cd));
        i32x4_neg(sums)
    }

    /// The ranks; `missing` where the value is NaN or its magnitude at most `missing_up_to`.
    pub(in super::super) fn with_missing(
        ranks: &Lanes<u32>,
        values: &Lanes<f32>,
        missing: u32,
        missing_up_to: f32,
    ) -> Lanes<u32> {
        let (missing, missing_up_to) = (u32x4_splat(missing), f32x4_splat(missing_up_to));
        let mut all: [v128; LANES / 4] = cast(*ranks);
        let (values, _) = values.as_chunks::<4>();
        for (rank, x) in all.iter_mut().zip(values) {
            let x = cast(*x);
            let is_missing = v128_or(f32x4_ne(x, x), f32x4_le(f32x4_abs(x), missing_up_to));
            *rank = v128_bitselect(missing, *rank, is_missing);
        }
        cast(all)
    }
}

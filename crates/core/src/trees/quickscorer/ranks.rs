//! Numbers to one-byte codes, for all rows of a block at once. Two versions of the steps, as in [`lanes`](super::lanes).

use super::columns::{NumericalColumn, OFFSET, RUN};
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
pub(super) use plain::codes;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use simd::codes;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod plain {
    use super::{GROUP, LANES, Lanes, NumericalColumn, OFFSET, RUN, Table};

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

    /// The codes of a column.
    pub(in super::super) fn codes(
        column: &NumericalColumn,
        values: &Lanes<f32>,
        ranks: &Lanes<u32>,
    ) -> Lanes<i8> {
        let mut codes = [0; LANES];
        for ((code, x), rank) in codes.iter_mut().zip(values).zip(ranks) {
            let in_run = rank.saturating_sub(column.start).min(RUN as u32) as i32;
            let missing = x.is_nan() || x.abs() <= column.missing_up_to;
            *code = if missing {
                column.missing
            } else {
                (in_run + OFFSET) as i8
            };
        }
        codes
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd {
    use super::{GROUP, LANES, Lanes, NumericalColumn, OFFSET, RUN, Table};
    use bytemuck::cast;
    use core::arch::wasm32::{
        f32x4_abs, f32x4_le, f32x4_lt, f32x4_ne, f32x4_splat, i8x16_shuffle, i8x16_splat, i32x4_add,
        i32x4_max, i32x4_min, i32x4_mul, i32x4_neg, i32x4_shuffle, i32x4_splat, i32x4_sub, i64x2_shuffle,
        v128, v128_bitselect, v128_or,
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

    /// The codes of a column.
    pub(in super::super) fn codes(
        column: &NumericalColumn,
        values: &Lanes<f32>,
        ranks: &Lanes<u32>,
    ) -> Lanes<i8> {
        let missing = i8x16_splat(column.missing);
        let missing_up_to = f32x4_splat(column.missing_up_to);
        // Ranks and starts count thresholds, of which there are fewer than 2^31.
        let start = i32x4_splat(column.start as i32);
        let mut codes = [[0i8; 16]; LANES / 16];
        let (values, _) = values.as_chunks::<16>();
        let (ranks, _) = ranks.as_chunks::<16>();
        for ((codes, values), ranks) in codes.iter_mut().zip(values).zip(ranks) {
            let [a, b, c, d]: [v128; 4] = cast(*ranks);
            let known = bytes([code(a, start), code(b, start), code(c, start), code(d, start)]);
            let [a, b, c, d]: [v128; 4] = cast(*values);
            let where_missing = bytes([
                is_missing(a, missing_up_to),
                is_missing(b, missing_up_to),
                is_missing(c, missing_up_to),
                is_missing(d, missing_up_to),
            ]);
            *codes = cast(v128_bitselect(missing, known, where_missing));
        }
        cast(codes)
    }

    #[inline(always)]
    fn code(rank: v128, start: v128) -> v128 {
        let in_run = i32x4_min(i32x4_sub(i32x4_max(rank, start), start), i32x4_splat(RUN as i32));
        i32x4_add(in_run, i32x4_splat(OFFSET))
    }

    #[inline(always)]
    fn is_missing(x: v128, missing_up_to: v128) -> v128 {
        v128_or(f32x4_ne(x, x), f32x4_le(f32x4_abs(x), missing_up_to))
    }

    /// The low bytes of sixteen numbers. Not by narrowing, which LLVM replaces with twice the instructions.
    #[inline(always)]
    fn bytes([a, b, c, d]: [v128; 4]) -> v128 {
        i64x2_shuffle::<0, 2>(low_bytes(a, b), low_bytes(c, d))
    }

    #[inline(always)]
    fn low_bytes(a: v128, b: v128) -> v128 {
        i8x16_shuffle::<0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28>(a, b)
    }
}

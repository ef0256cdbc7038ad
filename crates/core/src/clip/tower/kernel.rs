//! The inner loops: exact products of matrices of whole numbers, in tiles of some rows and some panels of columns.

use crate::simd::Code;

/// Columns of a panel.
pub const COLUMNS: usize = 8;
/// Rows that are multiplied at once.
pub const ROWS: usize = if cfg!(target_arch = "x86_64") { 8 } else { 4 };
/// Panels that are multiplied at once.
pub const PANELS: usize = if cfg!(target_arch = "x86_64") { 4 } else { 1 };

/// For a pair of inputs the codes of a panel's columns: the first column's two, the second's, and so on.
pub type Block<C> = [C; 2 * COLUMNS];
/// Pairs of 16-bit values, row by row.
pub type Rows<'a> = &'a [[i16; 2]];
/// Sums of one row with the columns of some panels.
pub type Sums = [i32; PANELS * COLUMNS];
/// Of some panels the blocks, side by side.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct Group(pub [Block<i16>; PANELS]);

/// Memory in which panels are laid side by side, where that pays.
#[derive(Default)]
pub struct Groups {
    #[cfg(target_arch = "x86_64")]
    group: Vec<Group>,
}

impl Groups {
    /// The panels from `first` on, of `pairs` blocks each; where they end, the last one again.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn of<C: Code>(&mut self, panels: &[Block<C>], pairs: usize, first: usize) -> &[Group] {
        self.group.resize(pairs, Group::default());
        let [a, b, c, d] = some::<PANELS, _>(panels, pairs, first);
        for ((((group, a), b), c), d) in self.group.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            group.0 = [wide(a), wide(b), wide(c), wide(d)];
        }
        &self.group
    }

    /// The panel `first`, of `pairs` blocks.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    fn of<'a, C>(&mut self, panels: &'a [Block<C>], pairs: usize, first: usize) -> &'a [Block<C>] {
        panels.get(first * pairs..(first + 1) * pairs).unwrap_or_default()
    }
}

/// Values of the columns that are multiplied at once.
pub type Values = [f32; PANELS * COLUMNS];

/// Those from `first` on; zeros where there are none.
#[inline(always)]
pub fn values(all: &[f32], first: usize) -> Values {
    let mut values = Values::default();
    for (value, own) in values.iter_mut().zip(all.get(first..).unwrap_or_default()) {
        *value = *own;
    }
    values
}

/// The codes as 16-bit numbers.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn wide<C: Code>(block: &Block<C>) -> Block<i16> {
    let mut wide = Block::default();
    for (wide, code) in wide.iter_mut().zip(block) {
        *wide = (*code).into();
    }
    wide
}

/// What is done with sums.
pub trait Take {
    /// The sums that follow are those of the columns from `first` on. What stands for columns that are not there is to be left.
    fn columns(&mut self, first: usize);

    /// Those of a row.
    fn take(&mut self, row: usize, sums: &Sums);
}

/// Multiplies rows with the columns of panels, of `pairs` pairs each, and gives each sum to `to`. Exact: the caller bounds the
/// values so that no sum overflows.
#[inline(always)]
pub fn multiply<C: Code>(
    rows: Rows,
    panels: &[Block<C>],
    pairs: usize,
    groups: &mut Groups,
    to: &mut impl Take,
) {
    let pairs = pairs.max(1);
    let count = rows.len() / pairs;
    let mut sums = [[0; PANELS * COLUMNS]; ROWS];
    for panel in (0..panels.len() / pairs).step_by(PANELS) {
        let group = groups.of(panels, pairs, panel);
        to.columns(panel * COLUMNS);
        // No closures: on x86-64 they would be compiled for any machine, and called.
        for (tile, rows) in rows.chunks(ROWS * pairs).enumerate() {
            products(rows, pairs, group, &mut sums);
            for (row, sums) in (tile * ROWS..count).zip(&sums) {
                to.take(row, sums);
            }
        }
    }
}

#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "wasm32", target_feature = "simd128")
))]
/// Rows or panels of a matrix from `first` on; where it ends, its last one again.
#[inline(always)]
fn some<const N: usize, T>(matrix: &[T], length: usize, first: usize) -> [&[T]; N] {
    let last = (matrix.len() / length).saturating_sub(1);
    let mut parts = [&[] as &[T]; N];
    for (more, part) in parts.iter_mut().enumerate() {
        let start = (first + more).min(last) * length;
        *part = matrix.get(start..start + length).unwrap_or_default();
    }
    parts
}

/// Sums of at most [`ROWS`] rows, of `pairs` pairs each, with the columns of panels.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn products(rows: Rows, pairs: usize, group: &[Group], out: &mut [Sums; ROWS]) {
    if !crate::simd::products(rows, pairs, group, out) {
        plain_products(rows, pairs, group, out);
    }
}

/// [`products`] in plain loops.
#[cfg(target_arch = "x86_64")]
fn plain_products(rows: Rows, pairs: usize, group: &[Group], out: &mut [Sums; ROWS]) {
    for (sums, row) in out.iter_mut().zip(rows.chunks(pairs)) {
        *sums = [0; PANELS * COLUMNS];
        for (pair, blocks) in row.iter().zip(group) {
            add(sums, *pair, blocks.0.as_flattened());
        }
    }
}

/// Sums of at most [`ROWS`] rows, of `pairs` pairs each, with the columns of a panel.
#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
fn products<C: Code>(rows: Rows, pairs: usize, panel: &[Block<C>], out: &mut [Sums; ROWS]) {
    for (sums, row) in out.iter_mut().zip(rows.chunks(pairs)) {
        *sums = [0; COLUMNS];
        for (pair, block) in row.iter().zip(panel) {
            add(sums, *pair, block);
        }
    }
}

/// Adds the products of one pair.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn add<C: Code>(sums: &mut Sums, [a, b]: [i16; 2], codes: &[C]) {
    let (pairs, _) = codes.as_chunks::<2>();
    for (sum, [c, d]) in sums.iter_mut().zip(pairs) {
        // Wraps as instructions do where what is not finite has become codes.
        *sum = sum
            .wrapping_add(i32::from(a) * i32::from((*c).into()))
            .wrapping_add(i32::from(b) * i32::from((*d).into()));
    }
}

/// Sums of at most [`ROWS`] rows, of `pairs` pairs each, with the columns of a panel.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
fn products<C: Code>(rows: Rows, pairs: usize, panel: &[Block<C>], out: &mut [Sums; ROWS]) {
    use crate::simd::repeat;
    use core::arch::wasm32::{i32x4_add, i32x4_dot_i16x8, i32x4_splat, v128};
    let zero = [i32x4_splat(0); 2];
    let (mut e, mut f, mut g, mut h) = (zero, zero, zero, zero);
    let add = |sums: &mut [v128; 2], pair: &[i16; 2], (low, high): (v128, v128)| {
        let pair = repeat(pair);
        let [a, b] = *sums;
        *sums = [
            i32x4_add(a, i32x4_dot_i16x8(pair, low)),
            i32x4_add(b, i32x4_dot_i16x8(pair, high)),
        ];
    };
    let [a, b, c, d] = some(rows, pairs, 0);
    for ((((codes, a), b), c), d) in panel.iter().zip(a).zip(b).zip(c).zip(d) {
        let codes = C::widen(codes);
        add(&mut e, a, codes);
        add(&mut f, b, codes);
        add(&mut g, c, codes);
        add(&mut h, d, codes);
    }
    *out = [e, f, g, h].map(bytemuck::cast);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix64;

    /// What was taken, by row and column; of columns that are not there, nothing.
    struct Taken(Vec<Vec<Option<i32>>>, usize);

    impl Take for Taken {
        fn columns(&mut self, first: usize) {
            self.1 = first;
        }

        fn take(&mut self, row: usize, sums: &Sums) {
            for (slot, sum) in self.0[row].iter_mut().skip(self.1).zip(sums) {
                assert_eq!(slot.replace(*sum), None);
            }
        }
    }

    /// Values as great as sums of so many products with codes of at most `code` have room for.
    fn value(rng: &mut SplitMix64, limit: i32) -> i32 {
        match rng.below(3) {
            0 => limit,
            1 => -limit,
            _ => rng.below(2 * limit as usize + 1) as i32 - limit,
        }
    }

    fn check<C: Code + std::fmt::Debug>(greatest: i32, code: impl Fn(i32) -> C) {
        let mut rng = SplitMix64::new(5);
        for (count, panels, pairs) in [
            (1, 1, 1),
            (3, 2, 7),
            (4, 3, 64),
            (5, 4, 2),
            (6, 1, 9),
            (7, 2, 3),
            (8, 5, 33),
            (10, 6, 5),
            (13, 9, 20),
            (2, 1, 2048),
        ] {
            let limit = (i32::MAX / greatest / (2 * pairs as i32)).min(32_767);
            let rows: Vec<[i16; 2]> = (0..count * pairs)
                .map(|_| [0; 2].map(|_| value(&mut rng, limit) as i16))
                .collect();
            let codes: Vec<Block<C>> = (0..panels * pairs)
                .map(|_| [0; 16].map(|_| code(value(&mut rng, greatest))))
                .collect();
            let mut taken = Taken(vec![vec![None; panels * COLUMNS]; count], 0);
            multiply(&rows, &codes, pairs, &mut Groups::default(), &mut taken);
            for (row, columns) in taken.0.iter().enumerate() {
                for (column, sum) in columns.iter().enumerate() {
                    let blocks = codes.iter().skip(column / COLUMNS * pairs);
                    let products = rows[row * pairs..][..pairs]
                        .iter()
                        .zip(blocks)
                        .map(|([a, b], block)| {
                            let [c, d] = [0, 1].map(|i| block[column % COLUMNS * 2 + i].into());
                            let [c, d]: [i16; 2] = [c, d];
                            i64::from(*a) * i64::from(c) + i64::from(*b) * i64::from(d)
                        });
                    let expected: i64 = products.sum();
                    assert_eq!(
                        sum.map(i64::from),
                        Some(expected),
                        "{count} {panels} {pairs}: {row} {column}"
                    );
                }
            }
            #[cfg(target_arch = "x86_64")]
            {
                let mut groups = Groups::default();
                let group = groups.of(&codes, pairs, 0);
                let rows = &rows[..count.min(ROWS) * pairs];
                let [mut found, mut plain] = [[[7; PANELS * COLUMNS]; ROWS]; 2];
                products(rows, pairs, group, &mut found);
                plain_products(rows, pairs, group, &mut plain);
                assert_eq!(found[..count.min(ROWS)], plain[..count.min(ROWS)]);
            }
        }
    }

    #[test]
    fn products_are_those_of_a_naive_loop() {
        check::<i8>(127, |code| code as i8);
        check::<i16>(5_000, |code| code as i16);
    }

    #[cfg(any(
        target_arch = "x86_64",
        all(target_arch = "wasm32", target_feature = "simd128")
    ))]
    #[test]
    fn where_a_matrix_ends_its_last_row_comes_again() {
        let expected: [&[u8]; 4] = [&[3, 4], &[5, 6], &[5, 6], &[5, 6]];
        assert_eq!(some(&[1, 2, 3, 4, 5, 6], 2, 1), expected);
        assert_eq!(some::<2, u8>(&[], 3, 0), [&[] as &[u8]; 2]);
    }
}

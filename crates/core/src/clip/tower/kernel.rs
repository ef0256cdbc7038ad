//! The inner loops: four rows times eight columns.

/// Columns of a panel.
pub const COLUMNS: usize = 8;
/// Rows that are multiplied at once.
pub const ROWS: usize = 4;

/// Sums of four rows with the eight columns of a panel; rows and panel have one length, in pairs of values. Exact: the caller
/// bounds the values so that no sum overflows.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
pub fn products(rows: [&[[i16; 2]]; ROWS], panel: &[[i8; 2 * COLUMNS]]) -> [[i32; COLUMNS]; ROWS] {
    #[cfg(target_arch = "x86_64")]
    if let Some(sums) = crate::simd::products(rows, panel) {
        return sums;
    }
    plain_products(rows, panel)
}

/// [`products`] in plain loops.
#[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
fn plain_products(rows: [&[[i16; 2]]; ROWS], panel: &[[i8; 2 * COLUMNS]]) -> [[i32; COLUMNS]; ROWS] {
    rows.map(|row| {
        let mut sums = [0i32; COLUMNS];
        for ([a, b], codes) in row.iter().zip(panel) {
            let (pairs, _) = codes.as_chunks::<2>();
            for (sum, [c, d]) in sums.iter_mut().zip(pairs) {
                *sum += i32::from(*a) * i32::from(*c) + i32::from(*b) * i32::from(*d);
            }
        }
        sums
    })
}

/// Sums of four rows with the eight columns of a panel; rows and panel have one length, in pairs of values. Exact: the caller
/// bounds the values so that no sum overflows.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
pub fn products(rows: [&[[i16; 2]]; ROWS], panel: &[[i8; 2 * COLUMNS]]) -> [[i32; COLUMNS]; ROWS] {
    use crate::simd::{repeat, widen};
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
    let [a, b, c, d] = rows;
    for ((((codes, a), b), c), d) in panel.iter().zip(a).zip(b).zip(c).zip(d) {
        let codes = widen(codes);
        add(&mut e, a, codes);
        add(&mut f, b, codes);
        add(&mut g, c, codes);
        add(&mut h, d, codes);
    }
    [e, f, g, h].map(bytemuck::cast)
}

/// [`products`] of floats, added in the order of the rows.
#[inline]
pub fn float_products(rows: [&[f32]; ROWS], panel: &[[f32; COLUMNS]]) -> [[f32; COLUMNS]; ROWS] {
    #[cfg(target_arch = "x86_64")]
    if let Some(sums) = crate::simd::float_products(rows, panel) {
        return sums;
    }
    plain_float_products(rows, panel)
}

/// [`float_products`] in loops that the compiler vectorises for where it stands.
#[inline(always)]
pub fn plain_float_products(rows: [&[f32]; ROWS], panel: &[[f32; COLUMNS]]) -> [[f32; COLUMNS]; ROWS] {
    let zero = [0f32; COLUMNS];
    let (mut e, mut f, mut g, mut h) = (zero, zero, zero, zero);
    let add = |sums: &mut [f32; COLUMNS], value: &f32, column: &[f32; COLUMNS]| {
        for (sum, c) in sums.iter_mut().zip(column) {
            *sum += value * c;
        }
    };
    let [a, b, c, d] = rows;
    for ((((column, a), b), c), d) in panel.iter().zip(a).zip(b).zip(c).zip(d) {
        add(&mut e, a, column);
        add(&mut f, b, column);
        add(&mut g, c, column);
        add(&mut h, d, column);
    }
    [e, f, g, h]
}

/// The four rows of a matrix from `first` on; where it ends, its last row again.
#[inline]
pub fn four<T>(matrix: &[T], length: usize, first: usize) -> [&[T]; ROWS] {
    let last = (matrix.len() / length.max(1)).saturating_sub(1);
    [0, 1, 2, 3].map(|more| {
        let start = (first + more).min(last) * length;
        matrix.get(start..start + length).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix64;

    #[test]
    fn float_products_have_the_bits_of_plain_loops() {
        for rows in [0usize, 1, 5, 64, 197] {
            let matrix: Vec<f32> = (0..4 * rows)
                .map(|i| (i * 37 % 101) as f32 * 0.013 - 0.6)
                .collect();
            let panel: Vec<[f32; COLUMNS]> = (0..rows)
                .map(|row| [0, 1, 2, 3, 4, 5, 6, 7].map(|i| (row * 8 + i) as f32 * 0.017 - 3.0))
                .collect();
            let found = float_products(four(&matrix, rows, 0), &panel);
            assert_eq!(found, plain_float_products(four(&matrix, rows, 0), &panel));
        }
    }

    #[test]
    fn products_are_those_of_a_naive_loop() {
        let mut rng = SplitMix64::new(5);
        for pairs in [0usize, 1, 2, 7, 64, 2048] {
            let limit = (i32::MAX / 127 / (2 * pairs.max(1) as i32)).min(32_767);
            let mut value = |limit: i32| match rng.below(3) {
                0 => limit,
                1 => -limit,
                _ => rng.below(2 * limit as usize + 1) as i32 - limit,
            };
            let matrix: Vec<[i16; 2]> = (0..3 * pairs)
                .map(|_| [value(limit) as i16, value(limit) as i16])
                .collect();
            let panel: Vec<[i8; 16]> = (0..pairs)
                .map(|_| [0; 16].map(|_: i8| value(127) as i8))
                .collect();
            let found = products(four(&matrix, pairs, 0), &panel);
            assert_eq!(found, plain_products(four(&matrix, pairs, 0), &panel));
            for (row, sums) in found.iter().enumerate() {
                let values = &matrix[row.min(2) * pairs..][..pairs];
                for (column, sum) in sums.iter().enumerate() {
                    let expected: i64 = values
                        .iter()
                        .zip(&panel)
                        .map(|([a, b], codes)| {
                            i64::from(*a) * i64::from(codes[2 * column])
                                + i64::from(*b) * i64::from(codes[2 * column + 1])
                        })
                        .sum();
                    assert_eq!(i64::from(*sum), expected, "{pairs} {row} {column}");
                }
            }
        }
    }
}

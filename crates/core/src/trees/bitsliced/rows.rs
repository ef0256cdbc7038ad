//! What is done to a bit of every row of a block at once.
//!
//! The browser's module is compiled for size, where a compiler leaves loops scalar. So WebAssembly has its own versions,
//! instruction by instruction, with the same results.

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(super) use plain::{ALL, Bits, NONE, and, numbers, or, xor};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use simd::{ALL, Bits, NONE, and, numbers, or, xor};

/// Adds a row.
#[inline]
pub(super) fn insert(bits: &mut Bits, row: usize) {
    bytemuck::bytes_of_mut(bits)[row / 8 % size_of::<Bits>()] |= 1 << (row % 8);
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod plain {
    use crate::trees::bitsliced::{LANES, Lanes};

    /// A bit of every row: that of row r is bit r % 8 of byte r / 8.
    pub(in super::super) type Bits = u128;

    pub(in super::super) const NONE: Bits = 0;
    pub(in super::super) const ALL: Bits = !0;

    #[inline]
    pub(in super::super) fn and(a: Bits, b: Bits) -> Bits {
        a & b
    }

    #[inline]
    pub(in super::super) fn or(a: Bits, b: Bits) -> Bits {
        a | b
    }

    #[inline]
    pub(in super::super) fn xor(a: Bits, b: Bits) -> Bits {
        a ^ b
    }

    /// A number of every row, of whose binary digits `digits` has the lowest first, at most eight.
    #[inline]
    pub(in super::super) fn numbers(digits: &[Bits]) -> Lanes<u8> {
        let mut eights = [0u64; LANES / 8];
        for (digit, place) in digits.iter().zip(0..8) {
            for (numbers, byte) in eights.iter_mut().zip(bytemuck::bytes_of(digit)) {
                let own = (u64::from(*byte) * 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
                // Nothing is carried to the next byte, for each is at most 0x80.
                let digits = ((own + 0x7f7f_7f7f_7f7f_7f7f) >> 7) & 0x0101_0101_0101_0101;
                *numbers |= digits << place;
            }
        }
        bytemuck::cast(eights.map(u64::to_le_bytes))
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd {
    use crate::trees::bitsliced::Lanes;
    use bytemuck::cast;
    use core::arch::wasm32::{
        i8x16_add, i8x16_eq, i8x16_shuffle, i8x16_splat, u64x2, u64x2_splat, v128, v128_and, v128_andnot,
        v128_or,
    };
    pub(in super::super) use core::arch::wasm32::{v128_and as and, v128_or as or, v128_xor as xor};

    /// A bit of every row: that of row r is bit r % 8 of byte r / 8.
    pub(in super::super) type Bits = v128;

    pub(in super::super) const NONE: Bits = u64x2(0, 0);
    pub(in super::super) const ALL: Bits = u64x2(!0, !0);

    /// A number of every row, of whose binary digits `digits` has the lowest first, at most eight.
    #[inline(always)]
    pub(in super::super) fn numbers(digits: &[Bits]) -> Lanes<u8> {
        let (mut a, mut b, mut c, mut d) = (NONE, NONE, NONE, NONE);
        let (mut e, mut f, mut g, mut h) = (NONE, NONE, NONE, NONE);
        let mut place = i8x16_splat(1);
        for digit in digits {
            a = insert::<0, 1>(a, *digit, place);
            b = insert::<2, 3>(b, *digit, place);
            c = insert::<4, 5>(c, *digit, place);
            d = insert::<6, 7>(d, *digit, place);
            e = insert::<8, 9>(e, *digit, place);
            f = insert::<10, 11>(f, *digit, place);
            g = insert::<12, 13>(g, *digit, place);
            h = insert::<14, 15>(h, *digit, place);
            place = i8x16_add(place, place);
        }
        cast([a, b, c, d, e, f, g, h])
    }

    /// Sixteen numbers with a digit more, whose bits two bytes hold. (Compared with zero, because LLVM turns any other
    /// comparison into a negated one, which takes more instructions.)
    #[inline(always)]
    fn insert<const A: usize, const B: usize>(numbers: v128, digit: v128, place: v128) -> v128 {
        let digit = i8x16_shuffle::<A, A, A, A, A, A, A, A, B, B, B, B, B, B, B, B>(digit, digit);
        let without = i8x16_eq(v128_and(digit, u64x2_splat(0x8040_2010_0804_0201)), NONE);
        v128_or(numbers, v128_andnot(place, without))
    }
}

//! Whether categories are in a set, for all rows of a block at once: the category's code picks a byte of the set's bit
//! table, and a bit of that byte, which is set where the code is in the set.
//!
//! Sixteen table look-ups are one SIMD instruction that no compiler finds by itself, so WebAssembly has its own version.

use super::{LANES, Lanes};

/// Bytes of a piece of a set's bit table, of which SIMD looks up any in one instruction.
pub(super) const PIECE: usize = 16;

/// Codes that one piece tells apart.
pub(super) const PIECE_CODES: usize = 8 * PIECE;

/// Pieces of the longest table: bytes of it are counted by a byte.
pub(super) const PIECES: usize = 16;

/// The codes of a block's categories, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The byte of a table that the code picks.
    bytes: Lanes<u8>,
    /// The bit of that byte, alone.
    bits: Lanes<u8>,
}

impl Places {
    pub(super) const EMPTY: Self = Self {
        bytes: [0; LANES],
        bits: [1; LANES],
    };

    /// Takes apart codes below [`PIECES`] × [`PIECE_CODES`].
    pub(super) fn set(&mut self, codes: impl Iterator<Item = usize>) {
        for ((byte, bit), code) in self.bytes.iter_mut().zip(&mut self.bits).zip(codes) {
            (*byte, *bit) = place(code);
        }
    }
}

/// The byte and bit of a code.
pub(super) fn place(code: usize) -> (u8, u8) {
    ((code / 8) as u8, 1 << (code % 8))
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(super) use plain::inside;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use simd::inside;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod plain {
    use super::{PIECE, Places};
    use crate::trees::bitsliced::rows::{self, Bits};

    /// The rows whose code is in the set; `pieces` make up its table, which covers every code.
    pub(in super::super) fn inside(places: &Places, pieces: &[[u8; PIECE]]) -> Bits {
        let table = pieces.as_flattened();
        let mut inside = rows::NONE;
        let eights = places
            .bytes
            .as_chunks::<8>()
            .0
            .iter()
            .zip(places.bits.as_chunks::<8>().0);
        for (inside, (bytes, bits)) in bytemuck::bytes_of_mut(&mut inside).iter_mut().zip(eights) {
            for (row, (byte, bit)) in bytes.iter().zip(bits).enumerate() {
                let found = table.get(usize::from(*byte)).copied().unwrap_or_default();
                *inside |= u8::from(found & bit != 0) << row;
            }
        }
        inside
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd {
    use super::{PIECE, Places};
    use crate::trees::bitsliced::rows::{Bits, NONE};
    use bytemuck::cast;
    use core::arch::wasm32::{
        i8x16_add, i8x16_bitmask, i8x16_eq, i8x16_splat, i8x16_sub, i8x16_swizzle, v128, v128_and, v128_or,
    };

    /// The rows whose code is in the set; `pieces` make up its table, which covers every code.
    pub(in super::super) fn inside(places: &Places, pieces: &[[u8; PIECE]]) -> Bits {
        let [a, b, c, d, e, f, g, h]: [v128; 8] = cast(places.bytes);
        let (mut i, mut j, mut k, mut l) = (NONE, NONE, NONE, NONE);
        let (mut m, mut n, mut o, mut p) = (NONE, NONE, NONE, NONE);
        let mut start = NONE;
        for piece in pieces {
            let piece = cast(*piece);
            i = look_up(i, piece, i8x16_sub(a, start));
            j = look_up(j, piece, i8x16_sub(b, start));
            k = look_up(k, piece, i8x16_sub(c, start));
            l = look_up(l, piece, i8x16_sub(d, start));
            m = look_up(m, piece, i8x16_sub(e, start));
            n = look_up(n, piece, i8x16_sub(f, start));
            o = look_up(o, piece, i8x16_sub(g, start));
            p = look_up(p, piece, i8x16_sub(h, start));
            start = i8x16_add(start, i8x16_splat(PIECE as i8));
        }
        let [a, b, c, d, e, f, g, h]: [v128; 8] = cast(places.bits);
        cast([
            common(i, a),
            common(j, b),
            common(k, c),
            common(l, d),
            common(m, e),
            common(n, f),
            common(o, g),
            common(p, h),
        ])
    }

    /// Adds what the piece has at these indices: nothing where they are not below 16.
    #[inline(always)]
    fn look_up(found: v128, piece: v128, indices: v128) -> v128 {
        v128_or(found, i8x16_swizzle(piece, indices))
    }

    /// A bit for each of sixteen bytes: whether both have a bit in common.
    #[inline(always)]
    fn common(a: v128, b: v128) -> u16 {
        !i8x16_bitmask(i8x16_eq(v128_and(a, b), NONE))
    }
}

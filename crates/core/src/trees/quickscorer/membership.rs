//! Whether categories are in a set, for all rows of a block at once: the category's code picks a byte of the set's bit
//! table, and a bit of that byte.
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

/// 0xff for each row whose code is not in the set; `pieces` make up its table.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
pub(super) fn outside(places: &Places, pieces: &[[u8; PIECE]]) -> Lanes<u8> {
    let table = pieces.as_flattened();
    let mut outside = [0; LANES];
    for ((outside, byte), bit) in outside.iter_mut().zip(&places.bytes).zip(&places.bits) {
        let found = table.get(usize::from(*byte)).copied().unwrap_or_default();
        *outside = if found & bit == 0 { 0xff } else { 0 };
    }
    outside
}

/// 0xff for each row whose code is not in the set; `pieces` make up its table.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
pub(super) fn outside(places: &Places, pieces: &[[u8; PIECE]]) -> Lanes<u8> {
    use bytemuck::cast;
    use core::arch::wasm32::{i8x16_eq, i8x16_splat, i8x16_sub, i8x16_swizzle, v128, v128_and, v128_or};

    let mut outside = [0; LANES];
    let (lanes, _) = outside.as_chunks_mut::<16>();
    let (bytes, _) = places.bytes.as_chunks::<16>();
    let (bits, _) = places.bits.as_chunks::<16>();
    for ((lanes, bytes), bits) in lanes.iter_mut().zip(bytes).zip(bits) {
        let mut in_piece: v128 = cast(*bytes);
        let mut found = i8x16_splat(0);
        for piece in pieces {
            // Gives 0 where the index is not below 16.
            found = v128_or(found, i8x16_swizzle(cast(*piece), in_piece));
            in_piece = i8x16_sub(in_piece, i8x16_splat(PIECE as i8));
        }
        *lanes = cast(i8x16_eq(v128_and(found, cast(*bits)), i8x16_splat(0)));
    }
    outside
}

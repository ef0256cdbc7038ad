//! The token table outside the graph: int8 rows for the token ids that the model knows, version 1, little-endian.
//!
//! | offset | type | what |
//! | --- | --- | --- |
//! | 0 | 4 bytes | magic `RTOK` |
//! | 4 | u32 | version, 1 |
//! | 8 | u32 | rows, 1 to 65,536 |
//! | 12 | u32 | width, 1 to 4,096 |
//! | 16 | u32 × rows | token ids, rising |
//! | | f32 × rows | scale of each row |
//! | | i8 × rows × width | rows; a value is its code times the row's scale |

use crate::bytes::{Cursor, FormatError};

/// A token table, read whole.
#[derive(Clone, Debug)]
pub struct TokenTable {
    ids: Vec<u32>,
    scales: Vec<f32>,
    rows: Vec<i8>,
    width: usize,
}

impl TokenTable {
    /// Checks the bytes and reads them.
    ///
    /// # Errors
    /// A length, id or scale that the format does not allow.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut c = Cursor::new("token table", bytes);
        c.magic(*b"RTOK", 1)?;
        let n = c.count("rows", 1..=65_536)?;
        let width = c.count("width", 1..=4096)?;
        let words = |b: &[u8]| {
            b.as_chunks::<4>()
                .0
                .iter()
                .map(|w| u32::from_le_bytes(*w))
                .collect::<Vec<u32>>()
        };
        let ids = words(c.take("token ids", n * 4)?);
        if !ids.is_sorted_by(|a, b| a < b) {
            return Err(c.error("token ids", "rising ids", "others"));
        }
        let scales: Vec<f32> = words(c.take("scales", n * 4)?)
            .into_iter()
            .map(f32::from_bits)
            .collect();
        if scales.iter().any(|s| !s.is_finite()) {
            return Err(c.error("scales", "finite numbers", "another"));
        }
        let rows = bytemuck::cast_slice::<u8, i8>(c.take("rows", n * width)?).to_vec();
        c.end()?;
        Ok(Self {
            ids,
            scales,
            rows,
            width,
        })
    }

    /// Values in a row.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Appends the row of a token id to `out`; false where the table has none.
    pub fn append(&self, id: u32, out: &mut Vec<f32>) -> bool {
        let Ok(row) = self.ids.binary_search(&id) else {
            return false;
        };
        let scale = self.scales.get(row).copied().unwrap_or(0.0);
        let codes = self
            .rows
            .get(row * self.width..(row + 1) * self.width)
            .unwrap_or_default();
        out.extend(codes.iter().map(|&c| f32::from(c) * scale));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rows_and_refuses_damage() {
        let mut good = b"RTOK".to_vec();
        for word in [1u32, 2, 3, 7, 9, 0.5f32.to_bits(), 2f32.to_bits()] {
            good.extend(word.to_le_bytes());
        }
        good.extend([1i8, -2, 3, 4, 5, 6].map(|v| v as u8));
        let table = TokenTable::parse(&good).unwrap();
        let mut out = Vec::new();
        assert!(table.append(9, &mut out) && table.append(7, &mut out) && !table.append(8, &mut out));
        assert_eq!(out, [8.0, 10.0, 12.0, 0.5, -1.0, 1.5]);
        for cut in 0..good.len() {
            assert!(TokenTable::parse(&good[..cut]).is_err());
        }
        good.push(0);
        assert!(TokenTable::parse(&good).is_err());
    }
}

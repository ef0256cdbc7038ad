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

use crate::bytes::{AlignedBytes, Cursor, FormatError};
use std::ops::Range;

/// A token table over the bytes of its file.
#[derive(Clone, Debug)]
pub struct TokenTable {
    bytes: AlignedBytes,
    ids: Range<usize>,
    scales: Range<usize>,
    rows: Range<usize>,
    width: usize,
}

impl TokenTable {
    /// Checks the bytes; rows are read where they stand.
    ///
    /// # Errors
    /// A length, id or scale that the format does not allow.
    pub fn open(bytes: AlignedBytes) -> Result<Self, FormatError> {
        let mut c = Cursor::new("token table", bytes.as_slice());
        c.magic(*b"RTOK", 1)?;
        let n = c.count("rows", 1..=65_536)?;
        let width = c.count("width", 1..=4096)?;
        let mut range = |what, length| {
            let start = c.position();
            c.take(what, length).map(|_| start..start + length)
        };
        let ids = range("token ids", n * 4)?;
        let scales = range("scales", n * 4)?;
        let rows = range("rows", n * width)?;
        let known: &[u32] = bytes.view(&ids);
        if !known.is_sorted_by(|a, b| a < b) {
            return Err(c.error("token ids", "rising ids", "others"));
        }
        let values: &[f32] = bytes.view(&scales);
        if values.iter().any(|s| !s.is_finite()) {
            return Err(c.error("scales", "finite numbers", "another"));
        }
        c.end()?;
        Ok(Self {
            ids,
            scales,
            rows,
            width,
            bytes,
        })
    }

    /// Values in a row.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Whether there is a row for a token id.
    #[must_use]
    pub fn contains(&self, id: u32) -> bool {
        self.bytes.view::<u32>(&self.ids).binary_search(&id).is_ok()
    }

    /// Appends the row of a token id to `out`; false where the table has none.
    pub fn append(&self, id: u32, out: &mut Vec<f32>) -> bool {
        let ids: &[u32] = self.bytes.view(&self.ids);
        let Ok(row) = ids.binary_search(&id) else {
            return false;
        };
        let scales: &[f32] = self.bytes.view(&self.scales);
        let rows: &[i8] = self.bytes.view(&self.rows);
        let scale = scales.get(row).copied().unwrap_or(0.0);
        let codes = rows
            .get(row * self.width..(row + 1) * self.width)
            .unwrap_or_default();
        out.extend(codes.iter().map(|&c| f32::from(c) * scale));
        true
    }
}

/// The file of some rows with their token ids, which rise; the rows have one length.
#[cfg(any(test, feature = "import"))]
#[must_use]
pub fn to_bytes<'a>(rows: impl Iterator<Item = (u32, &'a [f32])>) -> Vec<u8> {
    let (mut ids, mut scales, mut codes, mut width) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for (id, row) in rows {
        let greatest = row.iter().fold(0f32, |greatest, x| greatest.max(x.abs()));
        let scale = greatest / 127.0;
        ids.push(id);
        scales.push(scale);
        width = row.len();
        codes.extend(
            row.iter()
                .map(|x| (x / scale.max(f32::MIN_POSITIVE)).round_ties_even() as i8),
        );
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let head = [1, count(ids.len()), count(width)].into_iter().chain(ids);
    let words = head.chain(scales.iter().map(|scale: &f32| scale.to_bits()));
    let words = words.flat_map(u32::to_le_bytes);
    let codes = codes.iter().map(|code: &i8| code.cast_unsigned());
    b"RTOK".iter().copied().chain(words).chain(codes).collect()
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
        let open = |bytes: &[u8]| TokenTable::open(AlignedBytes::copy_of(bytes));
        let table = open(&good).unwrap();
        let mut out = Vec::new();
        assert!(table.append(9, &mut out) && table.append(7, &mut out) && !table.append(8, &mut out));
        assert_eq!(out, [8.0, 10.0, 12.0, 0.5, -1.0, 1.5]);
        for cut in 0..good.len() {
            assert!(open(&good[..cut]).is_err());
        }
        assert_eq!(
            to_bytes([(7, &[0.5, -1.0, 1.5][..]), (9, &[8.0, 10.0, 12.0])].into_iter()).len(),
            good.len()
        );
        let again = open(&to_bytes(
            [(7, &[127.0, -2.0, 3.0][..]), (9, &[0.0; 3])].into_iter(),
        ))
        .unwrap();
        out.clear();
        assert!(again.append(7, &mut out) && again.append(9, &mut out));
        assert_eq!(out, [127.0, -2.0, 3.0, 0.0, 0.0, 0.0]);
        good.push(0);
        assert!(open(&good).is_err());
    }
}

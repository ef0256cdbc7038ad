//! Tombstones: the rows of segments that no longer count. One file of a bundle, version 1. Little-endian; each section
//! starts at a multiple of 16 bytes, the gap before it filled with zeros.
//!
//! | offset | type | what |
//! | --- | --- | --- |
//! | 0 | 4 bytes | magic `RDEL` |
//! | 4 | u32 | version, 1 |
//! | 8 | u64 | length of the file in bytes |
//! | 16 | u32 | number of segments, 1 to 4,096, as in the manifest |
//! | 20 | u32 | number of rows, of all segments together |
//! | section | u32 × (segments + 1) | where each segment's rows start and the last one's end: from 0, never decreasing |
//! | section | u32 × rows | rows of the segment's item table, rising within a segment |
//!
//! Segments never change; what is removed or replaced is named here until the segments are written anew.

use crate::bytes::{AlignedBytes, Cursor, FormatError, Sink};
use crate::manifest::MAX_SEGMENTS;
use std::ops::Range;

const MAGIC: [u8; 4] = *b"RDEL";
const VERSION: u32 = 1;

/// The file for these rows of each segment, each list rising.
#[must_use]
pub fn to_bytes(rows: &[Vec<u32>]) -> Vec<u8> {
    let mut starts = vec![0u32];
    let mut all: Vec<u32> = Vec::new();
    for list in rows {
        all.extend(list);
        starts.push(u32::try_from(all.len()).unwrap_or(u32::MAX));
    }
    let mut sink = Sink::new(MAGIC, VERSION);
    sink.u32(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    sink.u32(u32::try_from(all.len()).unwrap_or(u32::MAX));
    sink.section(&starts);
    sink.section(&all);
    sink.finish()
}

/// The tombstones over the bytes of their file, nothing copied; everything but the lengths of the segments was checked on
/// opening.
#[derive(Clone, Debug)]
pub struct Removed {
    file: AlignedBytes,
    starts: Range<usize>,
    rows: Range<usize>,
}

impl Removed {
    /// Checks the bytes and takes them; the bundle has so many segments.
    ///
    /// # Errors
    /// A length, offset or order that the format does not allow, or another number of segments.
    pub fn open(file: AlignedBytes, segments: usize) -> Result<Self, FormatError> {
        let mut c = Cursor::new("tombstones", file.as_slice());
        c.magic(MAGIC, VERSION)?;
        c.own_length()?;
        let n = c.count("number of segments", 1..=MAX_SEGMENTS)?;
        if n != segments {
            let expected = format!("{segments}, as in the manifest");
            return Err(c.error("number of segments", expected, n));
        }
        let total = c.count("number of rows", 0..=u32::MAX - 1)?;
        let starts = c.section::<u32>("starts", n + 1)?;
        let rows = c.section::<u32>("rows", total)?;
        c.end()?;
        let bounds = file.view::<u32>(&starts);
        let ends = bounds.last().map(|&end| end as usize);
        if bounds.first() != Some(&0) || ends != Some(total) || !bounds.is_sorted() {
            return Err(c.error("starts", format!("0 to {total}, never decreasing"), "others"));
        }
        let all = Self { file, starts, rows };
        match (0..n).find(|&segment| !all.rows(segment).is_sorted_by(|a, b| a < b)) {
            None => Ok(all),
            Some(segment) => {
                let c = Cursor::new("tombstones", all.file.as_slice());
                Err(c.error("rows", "rising rows", format!("others of segment {segment}")))
            }
        }
    }

    /// The rows of a segment that no longer count, rising; none where there is no such segment.
    #[must_use]
    pub fn rows(&self, segment: usize) -> &[u32] {
        let bounds = self.file.view::<u32>(&self.starts);
        let (Some(&from), Some(&to)) = (bounds.get(segment), bounds.get(segment + 1)) else {
            return &[];
        };
        let rows = self.file.view::<u32>(&self.rows);
        rows.get(from as usize..to as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Vec<u8> {
        to_bytes(&[vec![1, 4], vec![], vec![0, 2, 3]])
    }

    fn open(bytes: &[u8]) -> Result<Removed, FormatError> {
        Removed::open(AlignedBytes::copy_of(bytes), 3)
    }

    #[test]
    fn reads_back_what_was_written() {
        let removed = open(&bytes()).unwrap();
        assert_eq!((removed.rows(0), removed.rows(1)), (&[1u32, 4][..], &[][..]));
        assert_eq!((removed.rows(2), removed.rows(3)), (&[0u32, 2, 3][..], &[][..]));
    }

    #[test]
    fn every_truncation_is_refused_and_every_flip_too_or_reads_as_rising_rows() {
        let good = bytes();
        for cut in 0..good.len() {
            assert!(open(&good[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(removed) = open(&bad) {
                let lists: Vec<Vec<u32>> = (0..3).map(|segment| removed.rows(segment).to_vec()).collect();
                assert!(lists.iter().all(|list| list.is_sorted_by(|a, b| a < b)));
                assert_eq!(to_bytes(&lists), bad, "bit {bit}");
            }
        }
    }

    #[test]
    fn what_the_format_forbids_is_named() {
        let refused = |at: usize, byte: u8| {
            let mut bad = bytes();
            bad[at] = byte;
            open(&bad).unwrap_err().what
        };
        // Header 24 bytes, padding to 32; four starts from 32, five rows from 48.
        assert_eq!((refused(4, 2), refused(16, 2)), ("version", "number of segments"));
        assert_eq!((refused(32, 1), refused(48, 4)), ("starts", "rows"));
    }
}

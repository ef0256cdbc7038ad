//! Co-watch: which videos the same viewers chose, as a list of neighbours for each video. One file of a segment,
//! version 2. Little-endian; each section starts at a multiple of 16 bytes, the gap before it filled with zeros.
//!
//! | offset | type | what |
//! | --- | --- | --- |
//! | 0 | 4 bytes | magic `RCOW` |
//! | 4 | u32 | version, 2 |
//! | 8 | u64 | length of the file in bytes |
//! | 16 | u32 | n, number of videos, 1 to 2^24 |
//! | 20 | u32 | number of neighbours, of all videos together |
//! | section | u32 × (n + 1) | where each video's neighbours start and the last one's end: from 0, never decreasing, at most 64 apart |
//! | section | u32 × neighbours | hashes of their ids ([`id_hash`](crate::catalogue::id_hash)), rising within a video |
//! | section | u16 × neighbours | their weights in 1/65,535, above 0 |
//!
//! A weight is `c / (√(a · b) + 5)`: `c` viewers chose both, `a` and `b` chose the one and the other. It is the cosine
//! of two item columns of the viewer-by-item matrix (Sarwar et al., WWW 2001), damped where counts are small.

use crate::bytes::{AlignedBytes, Cursor, FormatError, Sink};
use std::collections::HashMap;
use std::ops::Range;

/// Neighbours of a video at most.
pub const MAX_NEIGHBOURS: usize = 64;

const MAGIC: [u8; 4] = *b"RCOW";
const VERSION: u32 = 2;
/// Added to the denominator of a weight, so that two viewers do not make a certainty.
const DAMPING: f64 = 5.0;

/// A video that the viewers of another chose too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// [`id_hash`](crate::catalogue::id_hash) of the video, the same in every bundle.
    pub item: u32,
    /// Weight in 1/65,535, above 0.
    pub weight: u16,
}

impl Neighbour {
    /// The weight, above 0 and at most 1.
    #[must_use]
    pub fn weight(self) -> f32 {
        f32::from(self.weight) / f32::from(u16::MAX)
    }
}

/// The weight of `both` viewers in common of videos with `a` and `b` viewers, in 1/65,535; 0 where it rounds to nothing.
#[must_use]
pub fn weight(both: f64, a: f64, b: f64) -> u16 {
    let share = both / ((a * b).sqrt() + DAMPING);
    (share.clamp(0.0, 1.0) * f64::from(u16::MAX)).round() as u16
}

/// Who was chosen together with whom, counted over a stream of events.
#[derive(Clone, Debug)]
pub struct CoWatchCounts {
    chosen: Vec<u32>,
    together: Vec<HashMap<u32, u32>>,
}

impl CoWatchCounts {
    /// For videos of rows 0 to `n` − 1.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self {
            chosen: vec![0; n],
            together: vec![HashMap::new(); n],
        }
    }

    /// Counts one viewer's choice of `row` after `earlier` choices, each of another row. Rows past the last are
    /// passed over.
    pub fn choose(&mut self, row: usize, earlier: impl Iterator<Item = usize>) {
        self.add_chosen(row, 1);
        for other in earlier {
            self.add_together(row, other, 1);
        }
    }

    /// Adds `count` viewers who chose `row`.
    pub fn add_chosen(&mut self, row: usize, count: u32) {
        if let Some(chosen) = self.chosen.get_mut(row) {
            *chosen = chosen.saturating_add(count);
        }
    }

    /// Adds `count` viewers who chose both rows.
    pub fn add_together(&mut self, a: usize, b: usize, count: u32) {
        if a == b || a.max(b) >= self.together.len() {
            return;
        }
        for (a, b) in [(a, b), (b, a)] {
            if let (Some(counts), Ok(b)) = (self.together.get_mut(a), u32::try_from(b)) {
                let sum = counts.entry(b).or_insert(0);
                *sum = sum.saturating_add(count);
            }
        }
    }

    /// The row's neighbours of the greatest weights, at most [`MAX_NEIGHBOURS`]: row and weight, by rising row. Of equal
    /// weights the lower row stays.
    #[must_use]
    pub fn neighbours(&self, row: usize) -> Vec<(u32, u16)> {
        let (Some(counts), Some(&own)) = (self.together.get(row), self.chosen.get(row)) else {
            return Vec::new();
        };
        let weigh = |(&other, &both): (&u32, &u32)| {
            let theirs = self.chosen.get(other as usize).copied().unwrap_or(0);
            (other, weight(both.into(), own.into(), theirs.into()))
        };
        let mut list: Vec<(u32, u16)> = counts.iter().map(weigh).filter(|&(_, w)| w > 0).collect();
        let heavier = |a: &(u32, u16), b: &(u32, u16)| b.1.cmp(&a.1).then(a.0.cmp(&b.0));
        if list.len() > MAX_NEIGHBOURS {
            list.select_nth_unstable_by(MAX_NEIGHBOURS, heavier);
            list.truncate(MAX_NEIGHBOURS);
        }
        list.sort_unstable_by_key(|&(row, _)| row);
        list
    }
}

/// The file for the videos of a segment, in the order of their rows: at most [`MAX_NEIGHBOURS`] of each, as [`named`]
/// gives them.
#[must_use]
pub fn to_bytes(lists: impl Iterator<Item = Vec<Neighbour>>) -> Vec<u8> {
    let (mut starts, mut hashes, mut weights) = (vec![0u32], Vec::<u32>::new(), Vec::<u16>::new());
    for list in lists {
        hashes.extend(list.iter().map(|neighbour| neighbour.item));
        weights.extend(list.iter().map(|neighbour| neighbour.weight));
        starts.push(u32::try_from(hashes.len()).unwrap_or(u32::MAX));
    }
    let mut sink = Sink::new(MAGIC, VERSION);
    sink.u32(u32::try_from(starts.len() - 1).unwrap_or(u32::MAX));
    sink.u32(u32::try_from(hashes.len()).unwrap_or(u32::MAX));
    sink.section(&starts);
    sink.section(&hashes);
    sink.section(&weights);
    sink.finish()
}

/// The neighbours of every video over the bytes of their file, nothing copied; everything was checked on opening.
#[derive(Clone, Debug)]
pub struct CoWatch {
    file: AlignedBytes,
    starts: Range<usize>,
    hashes: Range<usize>,
    weights: Range<usize>,
}

impl CoWatch {
    /// Checks the bytes and takes them; the item table has `items` rows.
    ///
    /// # Errors
    /// A length, offset, weight or order that the format does not allow, or another number of videos.
    pub fn open(file: AlignedBytes, items: usize) -> Result<Self, FormatError> {
        let mut c = Cursor::new("co-watch", file.as_slice());
        c.magic(MAGIC, VERSION)?;
        c.own_length()?;
        let n = c.count("number of videos", 1..=1 << 24)?;
        if n != items {
            return Err(c.error("number of videos", format!("{items}, as in the item table"), n));
        }
        let total = c.count("number of neighbours", 0..=u32::MAX - 1)?;
        let starts = c.section::<u32>("starts", n + 1)?;
        let hashes = c.section::<u32>("hashes", total)?;
        let weights = c.section::<u16>("weights", total)?;
        c.end()?;
        check_starts(&c, file.view(&starts), total)?;
        let all = Self {
            starts,
            hashes,
            weights,
            file,
        };
        let row_ok = |row: usize| {
            let (hashes, weights) = all.lists(row);
            hashes.is_sorted_by(|a, b| a < b) && weights.iter().all(|&weight| weight > 0)
        };
        match (0..n).find(|&row| !row_ok(row)) {
            None => Ok(all),
            Some(row) => {
                let c = Cursor::new("co-watch", all.file.as_slice());
                let expected = "rising hashes with weights above 0";
                Err(c.error("neighbours", expected, format!("others at row {row}")))
            }
        }
    }

    /// Size of the file, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.file.len()
    }

    fn lists(&self, row: usize) -> (&[u32], &[u16]) {
        let bounds = self.file.view::<u32>(&self.starts);
        let (Some(&from), Some(&to)) = (bounds.get(row), bounds.get(row + 1)) else {
            return (&[], &[]);
        };
        let range = from as usize..to as usize;
        let hashes = self.file.view::<u32>(&self.hashes).get(range.clone());
        let weights = self.file.view::<u16>(&self.weights).get(range);
        (hashes.unwrap_or_default(), weights.unwrap_or_default())
    }

    /// A row's neighbours, by rising hash; none where there is no such row.
    #[must_use]
    pub fn neighbours(&self, row: usize) -> Vec<Neighbour> {
        let (hashes, weights) = self.lists(row);
        let both = hashes.iter().zip(weights);
        both.map(|(&item, &weight)| Neighbour { item, weight }).collect()
    }
}

/// Refuses other starts than from 0 to `total`, never decreasing, at most [`MAX_NEIGHBOURS`] apart.
pub(crate) fn check_starts(c: &Cursor<'_>, starts: &[u32], total: usize) -> Result<(), FormatError> {
    let steps_ok = starts.windows(2).all(|pair| match pair {
        [from, to] => from <= to && (to - from) as usize <= MAX_NEIGHBOURS,
        _ => false,
    });
    if starts.first() == Some(&0) && starts.last().map(|&end| end as usize) == Some(total) && steps_ok {
        return Ok(());
    }
    let expected = format!("0 to {total}, never decreasing, at most {MAX_NEIGHBOURS} apart");
    Err(c.error("starts of neighbours", expected, "others"))
}

/// Neighbours by name instead of by row; `hash_of` gives the name of a row's id. By rising hash; of two that share one by
/// chance the heavier stays.
pub fn named(list: impl IntoIterator<Item = (u32, u16)>, hash_of: impl Fn(usize) -> u32) -> Vec<Neighbour> {
    let name = |(row, weight)| Neighbour {
        item: hash_of(row as usize),
        weight,
    };
    let mut list: Vec<Neighbour> = list.into_iter().map(name).collect();
    list.sort_unstable_by_key(|neighbour| (neighbour.item, u16::MAX - neighbour.weight));
    list.dedup_by_key(|neighbour| neighbour.item);
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::ItemId;

    /// Four viewers of five videos; row 4 is chosen by nobody.
    fn counts() -> CoWatchCounts {
        let mut counts = CoWatchCounts::new(5);
        for viewer in [&[0usize, 1][..], &[1, 0, 2], &[2, 1], &[3]] {
            for (i, &row) in viewer.iter().enumerate() {
                counts.choose(row, viewer[..i].iter().copied());
            }
        }
        counts
    }

    fn bytes() -> Vec<u8> {
        let counts = counts();
        to_bytes((0..5).map(|row| named(counts.neighbours(row), |row| 100 - row as u32)))
    }

    fn open(bytes: &[u8]) -> Result<CoWatch, FormatError> {
        CoWatch::open(AlignedBytes::copy_of(bytes), 5)
    }

    #[test]
    fn weights_are_damped_cosines_whatever_the_order() {
        let counts = counts();
        let w = |both: f64, a: f64, b: f64| (both / ((a * b).sqrt() + 5.0) * 65_535.0).round() as u16;
        assert_eq!(
            counts.neighbours(0),
            [(1, w(2.0, 2.0, 3.0)), (2, w(1.0, 2.0, 2.0))]
        );
        assert_eq!(
            counts.neighbours(2),
            [(0, w(1.0, 2.0, 2.0)), (1, w(2.0, 2.0, 3.0))]
        );
        assert!(counts.neighbours(3).is_empty() && counts.neighbours(9).is_empty());
    }

    #[test]
    fn the_heaviest_stay() {
        let mut counts = CoWatchCounts::new(200);
        for other in 1..200usize {
            counts.add_together(0, other, other as u32 % 100);
            counts.add_chosen(other, 10);
        }
        counts.add_chosen(0, 300);
        let kept = counts.neighbours(0);
        assert_eq!(kept.len(), MAX_NEIGHBOURS);
        assert!(kept.is_sorted());
        let lightest = kept.iter().map(|&(_, weight)| weight).min().unwrap();
        let heavier = (1..200u32).filter(|other| weight(f64::from(other % 100), 300.0, 10.0) > lightest);
        assert!(
            heavier
                .clone()
                .all(|other| kept.iter().any(|&(row, _)| row == other))
        );
    }

    #[test]
    fn the_file_reads_back() {
        let (counts, file) = (counts(), open(&bytes()).unwrap());
        for row in 0..6 {
            let mut read: Vec<(u32, u16)> = file
                .neighbours(row)
                .iter()
                .map(|neighbour| (100 - neighbour.item, neighbour.weight))
                .collect();
            read.reverse();
            assert_eq!(read, counts.neighbours(row), "row {row}");
        }
        let weight = file.neighbours(0)[1].weight();
        assert!((weight - 2.0 / (6f32.sqrt() + 5.0)).abs() < 1e-4, "{weight}");
    }

    #[test]
    fn every_truncation_is_refused_and_no_flip_panics() {
        let good = bytes();
        for cut in 0..good.len() {
            assert!(open(&good[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(file) = open(&bad) {
                for row in 0..6 {
                    let list = file.neighbours(row);
                    assert!(list.iter().all(|neighbour| neighbour.weight > 0));
                }
            }
        }
    }

    #[test]
    fn what_the_format_forbids_is_named() {
        let good = bytes();
        // Header 24 bytes, padding to 32; six starts from 32, padding to 64; six hashes from 64, 98 and 99 the first.
        let refused = |at: usize, byte: u8| {
            let mut bad = good.clone();
            bad[at] = byte;
            open(&bad).unwrap_err().what
        };
        assert_eq!(refused(4, 1), "version");
        assert_eq!(refused(32, 1), "starts of neighbours");
        assert_eq!(refused(64, 99), "neighbours", "one twice");
        assert_eq!(refused(64, 100), "neighbours", "out of order");
        assert_eq!(
            CoWatch::open(AlignedBytes::copy_of(&good), 4).unwrap_err().what,
            "number of videos"
        );
    }

    #[test]
    fn a_name_comes_from_the_id() {
        let id = ItemId::new("a").unwrap();
        assert_eq!(named([(0, 7)], |_| id.hash32())[0].item, 0xe40c_292c);
        let shared = named([(0, 3), (1, 9), (2, 5)], |row| u32::from(row < 2));
        let pairs: Vec<_> = shared.iter().map(|n| (n.item, n.weight)).collect();
        assert_eq!(pairs, [(0, 5), (1, 9)]);
    }
}

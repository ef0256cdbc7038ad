//! The item table: id, facts and card of every video of a segment, version 3. Little-endian; each section starts at a
//! multiple of 16 bytes, the gap before it filled with zeros.
//!
//! | offset | type | what |
//! | --- | --- | --- |
//! | 0 | 4 bytes | magic `RITM` |
//! | 4 | u32 | version, 3 |
//! | 8 | u64 | length of the file in bytes |
//! | 16 | u32 | n, number of videos, 1 to 2^24 |
//! | 20 | u32 | the categories that a code may name, at most 65,534 |
//! | 24 | u32 | the same of languages, at most 65,534 |
//! | 28 | u32 | the same of creators, at most 2^24 |
//! | 32 | u32 | the same of tags, at most 64 |
//! | section pair | strings | ids, n: u32 offsets (n + 1), then UTF-8 |
//! | section pair | strings | cards, n: JSON objects with what a page shows |
//! | section | u32 × n | rows sorted by id, for look-up |
//! | section | u16 × n | category, 65,535 where missing |
//! | section | u16 × n | language, 65,535 where missing |
//! | section | u32 × n | creator, 2^32 − 1 where missing |
//! | section | u64 × n | tags: bit t is tag t |
//! | section | u32 × n | still, as a cell among those of all the bundle's sheets, 2^32 − 1 where there is none |
//! | section | u8 × n | age from which a video is rated fit, in years, 255 where missing |
//! | 5 sections | f32 × n | duration (s), upload day, impressions, clicks, popularity; NaN where missing |
//!
//! What the codes name stands in the bundle's [`dictionaries`], of which a table knows the lengths alone: those of a
//! bundle only ever grow, so that a table of before keeps its meaning.

pub mod dictionaries;

use self::dictionaries::Counts;
use crate::bytes::{AlignedBytes, Cursor, FormatError, Sink, Strings};
use crate::catalogue::{ItemFacts, ItemId};
use crate::json::Shown;
use crate::order::descending;
use std::ops::Range;

const MAGIC: [u8; 4] = *b"RITM";
const VERSION: u32 = 3;
/// The age of a video without a rating.
const NO_AGE: u8 = u8::MAX;
/// The cell of a video without a still.
pub const NO_CELL: u32 = u32::MAX;

/// One video as it is written into the table.
#[derive(Clone, Debug)]
pub struct ItemRecord {
    /// Its id.
    pub id: ItemId,
    /// What ranking reads. Codes index the bundle's dictionaries.
    pub facts: ItemFacts,
    /// The age from which it is rated fit, in years, below 255.
    pub min_age: Option<u8>,
    /// Its still, as a cell among those of all the bundle's sheets; [`NO_CELL`] where it has none.
    pub cell: u32,
    /// A JSON object with what a page shows of the video.
    pub card: String,
}

/// The file of an item table whose codes index lists of these lengths. Rows are in the order of `records`.
#[must_use]
pub fn to_bytes(records: &[ItemRecord], counts: Counts) -> Vec<u8> {
    let mut sink = Sink::new(MAGIC, VERSION);
    sink.u32(u32::try_from(records.len()).unwrap_or(u32::MAX));
    counts.write(&mut sink);
    sink.strings(records.iter().map(|r| r.id.as_str().as_bytes()));
    sink.strings(records.iter().map(|r| r.card.as_bytes()));
    let mut order: Vec<u32> = (0u32..).take(records.len()).collect();
    order.sort_by_key(|&row| records.get(row as usize).map(|r| &r.id));
    sink.section(&order);
    let column = |f: fn(&ItemFacts) -> f32| records.iter().map(|r| f(&r.facts)).collect::<Vec<f32>>();
    sink.section(&records.iter().map(|r| r.facts.category).collect::<Vec<u16>>());
    sink.section(&records.iter().map(|r| r.facts.language).collect::<Vec<u16>>());
    sink.section(&records.iter().map(|r| r.facts.creator).collect::<Vec<u32>>());
    sink.section(&records.iter().map(|r| r.facts.tags).collect::<Vec<u64>>());
    sink.section(&records.iter().map(|r| r.cell).collect::<Vec<u32>>());
    let age = |r: &ItemRecord| r.min_age.filter(|age| *age < NO_AGE).unwrap_or(NO_AGE);
    sink.section(&records.iter().map(age).collect::<Vec<u8>>());
    sink.section(&column(|f| f.duration_s));
    sink.section(&column(|f| f.uploaded_day));
    sink.section(&column(|f| f.impressions));
    sink.section(&column(|f| f.clicks));
    sink.section(&column(|f| f.popularity));
    sink.finish()
}

/// An item table over the bytes of its file, nothing copied; everything was checked on opening.
#[derive(Clone, Debug)]
pub struct ItemTable {
    file: AlignedBytes,
    n: usize,
    counts: Counts,
    ids: Strings,
    cards: Strings,
    order: Range<usize>,
    category: Range<usize>,
    language: Range<usize>,
    creator: Range<usize>,
    tags: Range<usize>,
    cell: Range<usize>,
    age: Range<usize>,
    floats: [Range<usize>; 5],
}

impl ItemTable {
    /// Checks the bytes and takes them.
    ///
    /// # Errors
    /// A length, offset, code, id or order that the format does not allow.
    pub fn open(file: AlignedBytes) -> Result<Self, FormatError> {
        let mut c = Cursor::new("item table", file.as_slice());
        c.magic(MAGIC, VERSION)?;
        c.own_length()?;
        let n = c.count("number of videos", 1..=1 << 24)?;
        let counts = Counts::read(&mut c)?;
        let ids = Strings::read(&mut c, &file, "ids", n)?;
        if let Some(bad) = (0..n)
            .map(|i| ids.get(&file, i))
            .find(|id| ItemId::new(*id).is_err())
        {
            return Err(c.error(
                "ids",
                "1 to 256 bytes without control characters",
                Shown::from(bad),
            ));
        }
        let cards = Strings::read(&mut c, &file, "cards", n)?;
        let order = c.section::<u32>("order of ids", n)?;
        let sorted = file.view::<u32>(&order);
        let id_at = |row: &u32| ids.get(&file, *row as usize);
        if sorted.iter().any(|&r| r as usize >= n) || !sorted.is_sorted_by(|a, b| id_at(a) < id_at(b)) {
            return Err(c.error(
                "order of ids",
                "every row once, by rising id",
                "another order or an id twice",
            ));
        }
        let category = c.section::<u16>("category", n)?;
        let language = c.section::<u16>("language", n)?;
        let creator = c.section::<u32>("creator", n)?;
        let codes = [(&category, counts.categories), (&language, counts.languages)];
        for ((range, count), what) in codes.into_iter().zip(["category", "language"]) {
            let code_ok = |code: u16| code == ItemFacts::NO_CODE || u32::from(code) < count;
            if !file.view::<u16>(range).iter().all(|&code| code_ok(code)) {
                return Err(c.error(what, format!("codes below {count}"), "a larger one"));
            }
        }
        let creator_ok = |code: u32| code == ItemFacts::NO_CREATOR || code < counts.creators;
        if !file.view::<u32>(&creator).iter().all(|&code| creator_ok(code)) {
            let expected = format!("codes below {}", counts.creators);
            return Err(c.error("creator", expected, "a larger one"));
        }
        let tags = c.section::<u64>("tags of videos", n)?;
        let unknown_tags = u64::MAX.checked_shl(counts.tags).unwrap_or(0);
        if file
            .view::<u64>(&tags)
            .iter()
            .any(|&bits| bits & unknown_tags != 0)
        {
            let expected = format!("bits below {}", counts.tags);
            return Err(c.error("tags of videos", expected, "a higher one"));
        }
        let cell = c.section::<u32>("cells", n)?;
        let age = c.section::<u8>("ages", n)?;
        let mut floats: [Range<usize>; 5] = Default::default();
        for range in &mut floats {
            *range = c.section::<f32>("facts", n)?;
            if file.view::<f32>(range).iter().any(|v| v.is_infinite()) {
                return Err(c.error("facts", "finite numbers or NaN", "an infinite one"));
            }
        }
        c.end()?;
        Ok(Self {
            n,
            counts,
            ids,
            cards,
            order,
            category,
            language,
            creator,
            tags,
            cell,
            age,
            floats,
            file,
        })
    }

    /// Number of videos.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.n
    }

    /// Never true: a table has at least one video.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Size of the file, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.file.len()
    }

    /// The id at a row; empty where there is no such row.
    #[must_use]
    pub fn id(&self, row: usize) -> &str {
        self.ids.get(&self.file, row)
    }

    /// The card at a row, a JSON object; empty where there is no such row.
    #[must_use]
    pub fn card(&self, row: usize) -> &str {
        self.cards.get(&self.file, row)
    }

    /// The row of an id, by binary search.
    #[must_use]
    pub fn row(&self, id: &str) -> Option<usize> {
        let order = self.file.view::<u32>(&self.order);
        let found = order
            .binary_search_by(|&row| self.id(row as usize).cmp(id))
            .ok()?;
        order.get(found).map(|&row| row as usize)
    }

    /// What ranking reads of the video at a row; unknown where there is no such row.
    #[must_use]
    pub fn facts(&self, row: usize) -> ItemFacts {
        let [duration, uploaded, impressions, clicks, popularity] = self
            .floats
            .each_ref()
            .map(|r| self.file.view::<f32>(r).get(row).copied().unwrap_or(f32::NAN));
        let u16_at = |r| {
            self.file
                .view::<u16>(r)
                .get(row)
                .copied()
                .unwrap_or(ItemFacts::NO_CODE)
        };
        ItemFacts {
            category: u16_at(&self.category),
            language: u16_at(&self.language),
            creator: self
                .file
                .view::<u32>(&self.creator)
                .get(row)
                .copied()
                .unwrap_or(ItemFacts::NO_CREATOR),
            tags: self.file.view::<u64>(&self.tags).get(row).copied().unwrap_or(0),
            duration_s: duration,
            uploaded_day: uploaded,
            impressions,
            clicks,
            popularity,
        }
    }

    /// The age from which the video at a row is rated fit, in years; `None` where it has no rating.
    #[must_use]
    pub fn min_age(&self, row: usize) -> Option<u8> {
        let age = self.file.view::<u8>(&self.age).get(row).copied();
        age.filter(|age| *age != NO_AGE)
    }

    /// The still of the video at a row, as a cell among those of all the bundle's sheets; [`NO_CELL`] where it has none.
    #[must_use]
    pub fn cell(&self, row: usize) -> u32 {
        let cell = self.file.view::<u32>(&self.cell).get(row).copied();
        cell.unwrap_or(NO_CELL)
    }

    /// How many entries of each dictionary its codes may name.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Popularity of every row where it is known, else impressions, else 0: what "popular" means with no history.
    #[must_use]
    pub fn popularity(&self, row: usize) -> f32 {
        let facts = self.facts(row);
        [facts.popularity, facts.impressions]
            .into_iter()
            .find(|v| !v.is_nan())
            .unwrap_or(0.0)
    }

    /// The `k` most popular rows that `accept` allows, most popular first, ties by row; −0 is below 0.
    pub fn popular(&self, k: usize, accept: impl Fn(usize) -> bool) -> Vec<usize> {
        let rows: Vec<usize> = (0..self.n).filter(|&r| accept(r)).collect();
        let popularity: Vec<f32> = rows.iter().map(|&row| self.popularity(row)).collect();
        let best = descending(&popularity).into_iter().take(k);
        best.filter_map(|place| rows.get(place).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<u8> {
        let record = |id: &str, category, creator, popularity| ItemRecord {
            id: ItemId::new(id).unwrap(),
            min_age: (category == 1).then_some(16),
            cell: if category == 1 { 7 } else { NO_CELL },
            facts: ItemFacts {
                category,
                creator,
                popularity,
                tags: u64::from(category == 1) << 1,
                duration_s: 30.5,
                ..ItemFacts::unknown()
            },
            card: format!("{{\"name\":\"{id}\"}}"),
        };
        let counts = Counts {
            categories: 2,
            languages: 1,
            creators: 1,
            tags: 2,
        };
        let records = [
            record("b", 1, 0, 3.0),
            record("a", ItemFacts::NO_CODE, ItemFacts::NO_CREATOR, 9.0),
            record("ü", 0, 0, 5.0),
        ];
        to_bytes(&records, counts)
    }

    #[test]
    fn reads_back_what_was_written() {
        let table = ItemTable::open(AlignedBytes::copy_of(&table())).unwrap();
        assert_eq!(
            (table.row("b"), table.row("a"), table.row("ü"), table.row("c")),
            (Some(0), Some(1), Some(2), None)
        );
        assert_eq!(table.card(2), "{\"name\":\"ü\"}");
        assert_eq!(
            (table.cell(0), table.cell(1), table.cell(9)),
            (7, NO_CELL, NO_CELL)
        );
        assert_eq!(
            (table.min_age(0), table.min_age(1), table.min_age(3)),
            (Some(16), None, None)
        );
        assert_eq!((table.facts(0).tags, table.facts(2).tags), (0b10, 0));
        assert_eq!(table.popular(2, |r| r != 1), [2, 0]);
        assert!(table.facts(0).impressions.is_nan());
    }

    #[test]
    fn every_truncation_is_refused_and_no_flip_panics() {
        let good = table();
        for cut in 0..good.len() {
            assert!(
                ItemTable::open(AlignedBytes::copy_of(&good[..cut])).is_err(),
                "cut at {cut}"
            );
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(table) = ItemTable::open(AlignedBytes::copy_of(&bad)) {
                for row in 0..table.len() + 1 {
                    let _ = (table.id(row), table.card(row), table.facts(row), table.row("a"));
                }
            }
        }
    }

    #[test]
    fn refuses_other_versions_and_tags_without_a_name() {
        let refused = |at: usize, byte: u8| {
            let mut bytes = table();
            bytes[at] = byte;
            ItemTable::open(AlignedBytes::copy_of(&bytes)).unwrap_err().what
        };
        assert_eq!((refused(4, 2), refused(4, 4)), ("version", "version"));
        let records = [ItemRecord {
            id: ItemId::new("a").unwrap(),
            facts: ItemFacts {
                tags: 0b100,
                ..ItemFacts::unknown()
            },
            min_age: None,
            cell: NO_CELL,
            card: "{}".into(),
        }];
        let open = |tags| {
            let counts = Counts {
                tags,
                ..Counts::default()
            };
            ItemTable::open(AlignedBytes::copy_of(&to_bytes(&records, counts)))
        };
        assert_eq!(open(2).unwrap_err().what, "tags of videos");
        assert_eq!(open(64).unwrap().facts(0).tags, 0b100);
    }

    #[test]
    fn refuses_an_id_twice() {
        let record = |id: &str| ItemRecord {
            id: ItemId::new(id).unwrap(),
            facts: ItemFacts::unknown(),
            min_age: None,
            cell: NO_CELL,
            card: "{}".into(),
        };
        let bytes = to_bytes(&[record("a"), record("a")], Counts::default());
        assert_eq!(
            ItemTable::open(AlignedBytes::copy_of(&bytes)).unwrap_err().what,
            "order of ids"
        );
    }
}

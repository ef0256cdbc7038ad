//! The item table: id, facts and card of every video of a bundle, version 2. Little-endian; each section starts at a
//! multiple of 16 bytes, the gap before it filled with zeros.
//!
//! | offset | type | what |
//! | --- | --- | --- |
//! | 0 | 4 bytes | magic `RITM` |
//! | 4 | u32 | version, 2 |
//! | 8 | u64 | length of the file in bytes |
//! | 16 | u32 | n, number of videos, 1 to 2^24 |
//! | 20 | u32 | number of categories, at most 65,534 |
//! | 24 | u32 | number of languages, at most 65,534 |
//! | 28 | u32 | number of creators, at most 2^24 |
//! | 32 | u32 | number of tags, at most 64 |
//! | section pair | strings | categories: u32 offsets (count + 1), then UTF-8 |
//! | section pair | strings | languages |
//! | section pair | strings | creators |
//! | section pair | strings | tags: the most frequent `genre`s and `keywords` |
//! | section pair | strings | ids, n |
//! | section pair | strings | cards, n: JSON objects with what a page shows |
//! | section | u32 × n | rows sorted by id, for look-up |
//! | section | u16 × n | category, 65,535 where missing |
//! | section | u16 × n | language, 65,535 where missing |
//! | section | u32 × n | creator, 2^32 − 1 where missing |
//! | section | u64 × n | tags: bit t is tag t |
//! | 5 sections | f32 × n | duration (s), upload day, impressions, clicks, popularity; NaN where missing |

use crate::bytes::{AlignedBytes, Cursor, FormatError, Sink, Strings};
use crate::catalogue::{ItemFacts, ItemId};
use crate::json::Shown;
use crate::order::descending;
use std::ops::Range;

const MAGIC: [u8; 4] = *b"RITM";
const VERSION: u32 = 2;

/// One video as it is written into the table.
#[derive(Clone, Debug)]
pub struct ItemRecord {
    /// Its id.
    pub id: ItemId,
    /// What ranking reads. Codes index the table's lists.
    pub facts: ItemFacts,
    /// A JSON object with what a page shows of the video.
    pub card: String,
}

/// The lists that the codes in [`ItemFacts`] index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionaries {
    /// Categories (`genre`).
    pub categories: Vec<String>,
    /// Languages (`inLanguage`).
    pub languages: Vec<String>,
    /// Creators.
    pub creators: Vec<String>,
    /// Tags (`genre`, `keywords`), at most [`ItemFacts::MAX_TAGS`].
    pub tags: Vec<String>,
}

/// The file of an item table. Rows are in the order of `records`.
#[must_use]
pub fn to_bytes(records: &[ItemRecord], dictionaries: &Dictionaries) -> Vec<u8> {
    let mut sink = Sink::new(MAGIC, VERSION);
    let lists = [
        &dictionaries.categories,
        &dictionaries.languages,
        &dictionaries.creators,
        &dictionaries.tags,
    ];
    for count in std::iter::once(records.len()).chain(lists.map(Vec::len)) {
        sink.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }
    for list in lists {
        sink.strings(list.iter().map(String::as_bytes));
    }
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
    categories: Strings,
    languages: Strings,
    creators: Strings,
    tag_names: Strings,
    ids: Strings,
    cards: Strings,
    order: Range<usize>,
    category: Range<usize>,
    language: Range<usize>,
    creator: Range<usize>,
    tags: Range<usize>,
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
        let n_categories = c.count("number of categories", 0..=65_534)?;
        let n_languages = c.count("number of languages", 0..=65_534)?;
        let n_creators = c.count("number of creators", 0..=1 << 24)?;
        let n_tags = c.count("number of tags", 0..=ItemFacts::MAX_TAGS as u32)?;
        let categories = Strings::read(&mut c, &file, "categories", n_categories)?;
        let languages = Strings::read(&mut c, &file, "languages", n_languages)?;
        let creators = Strings::read(&mut c, &file, "creators", n_creators)?;
        let tag_names = Strings::read(&mut c, &file, "tags", n_tags)?;
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
        let code_ok = |code: u16, count: usize| code == ItemFacts::NO_CODE || usize::from(code) < count;
        if file
            .view::<u16>(&category)
            .iter()
            .any(|&v| !code_ok(v, n_categories))
        {
            return Err(c.error("category", format!("codes below {n_categories}"), "a larger one"));
        }
        if file
            .view::<u16>(&language)
            .iter()
            .any(|&v| !code_ok(v, n_languages))
        {
            return Err(c.error("language", format!("codes below {n_languages}"), "a larger one"));
        }
        let creator_ok = |v: u32| v == ItemFacts::NO_CREATOR || (v as usize) < n_creators;
        if file.view::<u32>(&creator).iter().any(|&v| !creator_ok(v)) {
            return Err(c.error("creator", format!("codes below {n_creators}"), "a larger one"));
        }
        let tags = c.section::<u64>("tags of videos", n)?;
        let unknown_tags = u64::MAX.checked_shl(n_tags as u32).unwrap_or(0);
        if file
            .view::<u64>(&tags)
            .iter()
            .any(|&bits| bits & unknown_tags != 0)
        {
            return Err(c.error("tags of videos", format!("bits below {n_tags}"), "a higher one"));
        }
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
            categories,
            languages,
            creators,
            tag_names,
            ids,
            cards,
            order,
            category,
            language,
            creator,
            tags,
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

    /// A category's name.
    #[must_use]
    pub fn category_name(&self, code: u16) -> Option<&str> {
        (usize::from(code) < self.categories.len()).then(|| self.categories.get(&self.file, code.into()))
    }

    /// A language's name.
    #[must_use]
    pub fn language_name(&self, code: u16) -> Option<&str> {
        (usize::from(code) < self.languages.len()).then(|| self.languages.get(&self.file, code.into()))
    }

    /// A creator's name.
    #[must_use]
    pub fn creator_name(&self, code: u32) -> Option<&str> {
        ((code as usize) < self.creators.len()).then(|| self.creators.get(&self.file, code as usize))
    }

    /// A tag's name.
    #[must_use]
    pub fn tag_name(&self, bit: u32) -> Option<&str> {
        ((bit as usize) < self.tag_names.len()).then(|| self.tag_names.get(&self.file, bit as usize))
    }

    /// The lists that the codes index, copied out for writing a changed table.
    #[must_use]
    pub fn dictionaries(&self) -> Dictionaries {
        let all = |s: &Strings| (0..s.len()).map(|i| s.get(&self.file, i).to_owned()).collect();
        Dictionaries {
            categories: all(&self.categories),
            languages: all(&self.languages),
            creators: all(&self.creators),
            tags: all(&self.tag_names),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<u8> {
        let record = |id: &str, category, creator, popularity| ItemRecord {
            id: ItemId::new(id).unwrap(),
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
        let dictionaries = Dictionaries {
            categories: vec!["Animals".into(), "Space".into()],
            languages: vec!["en".into()],
            creators: vec!["Ada".into()],
            tags: vec!["calm".into(), "night".into()],
        };
        let records = [
            record("b", 1, 0, 3.0),
            record("a", ItemFacts::NO_CODE, ItemFacts::NO_CREATOR, 9.0),
            record("ü", 0, 0, 5.0),
        ];
        to_bytes(&records, &dictionaries)
    }

    #[test]
    fn reads_back_what_was_written() {
        let table = ItemTable::open(AlignedBytes::copy_of(&table())).unwrap();
        assert_eq!(
            (table.row("b"), table.row("a"), table.row("ü"), table.row("c")),
            (Some(0), Some(1), Some(2), None)
        );
        assert_eq!(table.card(2), "{\"name\":\"ü\"}");
        assert_eq!(table.category_name(table.facts(0).category), Some("Space"));
        assert_eq!(table.category_name(table.facts(1).category), None);
        assert_eq!((table.facts(0).tags, table.facts(2).tags), (0b10, 0));
        assert_eq!((table.tag_name(1), table.tag_name(2)), (Some("night"), None));
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
        assert_eq!((refused(4, 1), refused(4, 3)), ("version", "version"));
        let records = [ItemRecord {
            id: ItemId::new("a").unwrap(),
            facts: ItemFacts {
                tags: 0b100,
                ..ItemFacts::unknown()
            },
            card: "{}".into(),
        }];
        let two = Dictionaries {
            tags: vec!["x".into(), "y".into()],
            ..Dictionaries::default()
        };
        let open = |lists: &Dictionaries| ItemTable::open(AlignedBytes::copy_of(&to_bytes(&records, lists)));
        assert_eq!(open(&two).unwrap_err().what, "tags of videos");
        let all = Dictionaries {
            tags: (0..64).map(|i| i.to_string()).collect(),
            ..Dictionaries::default()
        };
        assert_eq!(open(&all).unwrap().facts(0).tags, 0b100);
    }

    #[test]
    fn refuses_an_id_twice() {
        let record = |id: &str| ItemRecord {
            id: ItemId::new(id).unwrap(),
            facts: ItemFacts::unknown(),
            card: "{}".into(),
        };
        let bytes = to_bytes(&[record("a"), record("a")], &Dictionaries::default());
        assert_eq!(
            ItemTable::open(AlignedBytes::copy_of(&bytes)).unwrap_err().what,
            "order of ids"
        );
    }
}

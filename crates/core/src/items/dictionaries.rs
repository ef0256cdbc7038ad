//! What the codes of item tables name: one file of a bundle, version 1. Little-endian; each section starts at a multiple
//! of 16 bytes, the gap before it filled with zeros.
//!
//! | offset | type | what |
//! | --- | --- | --- |
//! | 0 | 4 bytes | magic `RDIC` |
//! | 4 | u32 | version, 1 |
//! | 8 | u64 | length of the file in bytes |
//! | 16 | u32 | number of categories, at most 65,534 |
//! | 20 | u32 | number of languages, at most 65,534 |
//! | 24 | u32 | number of creators, at most 2^24 |
//! | 28 | u32 | number of tags, at most 64 |
//! | section pair | strings | categories: u32 offsets (count + 1), then UTF-8 |
//! | section pair | strings | languages |
//! | section pair | strings | creators |
//! | section pair | strings | tags: the most frequent `genre`s and `keywords` |

use crate::bytes::{AlignedBytes, Cursor, FormatError, Sink, Strings};
use crate::catalogue::ItemFacts;

const MAGIC: [u8; 4] = *b"RDIC";
const VERSION: u32 = 1;

/// How many entries each list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// At most 65,534.
    pub categories: u32,
    /// At most 65,534.
    pub languages: u32,
    /// At most 2^24.
    pub creators: u32,
    /// At most [`ItemFacts::MAX_TAGS`].
    pub tags: u32,
}

impl Counts {
    pub(super) fn read(c: &mut Cursor<'_>) -> Result<Self, FormatError> {
        // Each is below 2^32: it was read from as many bits.
        Ok(Self {
            categories: c.count("number of categories", 0..=65_534)? as u32,
            languages: c.count("number of languages", 0..=65_534)? as u32,
            creators: c.count("number of creators", 0..=1 << 24)? as u32,
            tags: c.count("number of tags", 0..=ItemFacts::MAX_TAGS as u32)? as u32,
        })
    }

    pub(super) fn write(self, sink: &mut Sink) {
        [self.categories, self.languages, self.creators, self.tags]
            .into_iter()
            .for_each(|count| sink.u32(count));
    }

    /// Whether codes that index lists of these lengths also index `longer` ones.
    #[must_use]
    pub const fn fit(self, longer: Self) -> bool {
        self.categories <= longer.categories
            && self.languages <= longer.languages
            && self.creators <= longer.creators
            && self.tags <= longer.tags
    }
}

/// One of the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Categories (`genre`).
    Categories,
    /// Languages (`inLanguage`).
    Languages,
    /// Creators.
    Creators,
    /// Tags (`genre`, `keywords`).
    Tags,
}

/// The lists as they are written.
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

impl Dictionaries {
    /// The lengths of the lists.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let count = |list: &[String]| u32::try_from(list.len()).unwrap_or(u32::MAX);
        Counts {
            categories: count(&self.categories),
            languages: count(&self.languages),
            creators: count(&self.creators),
            tags: count(&self.tags),
        }
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut sink = Sink::new(MAGIC, VERSION);
        self.counts().write(&mut sink);
        for list in [&self.categories, &self.languages, &self.creators, &self.tags] {
            sink.strings(list.iter().map(String::as_bytes));
        }
        sink.finish()
    }
}

/// The lists over the bytes of their file, nothing copied; everything was checked on opening.
#[derive(Clone, Debug)]
pub struct DictionaryFile {
    file: AlignedBytes,
    counts: Counts,
    lists: [Strings; 4],
}

impl DictionaryFile {
    /// Checks the bytes and takes them.
    ///
    /// # Errors
    /// A length, count or offset that the format does not allow.
    pub fn open(file: AlignedBytes) -> Result<Self, FormatError> {
        let mut c = Cursor::new("dictionaries", file.as_slice());
        c.magic(MAGIC, VERSION)?;
        c.own_length()?;
        let counts = Counts::read(&mut c)?;
        let lists = [
            Strings::read(&mut c, &file, "categories", counts.categories as usize)?,
            Strings::read(&mut c, &file, "languages", counts.languages as usize)?,
            Strings::read(&mut c, &file, "creators", counts.creators as usize)?,
            Strings::read(&mut c, &file, "tags", counts.tags as usize)?,
        ];
        c.end()?;
        Ok(Self { file, counts, lists })
    }

    /// The lengths of the lists.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The name of a code; `None` where there is no such code.
    #[must_use]
    pub fn name(&self, list: List, code: u32) -> Option<&str> {
        let [categories, languages, creators, tags] = &self.lists;
        let strings = match list {
            List::Categories => categories,
            List::Languages => languages,
            List::Creators => creators,
            List::Tags => tags,
        };
        let code = code as usize;
        (code < strings.len()).then(|| strings.get(&self.file, code))
    }

    /// The names of a list, in the order of their codes.
    pub fn names(&self, list: List) -> impl Iterator<Item = &str> {
        (0..).map_while(move |code| self.name(list, code))
    }

    /// The code of a name, the first where it is there twice.
    #[must_use]
    pub fn code(&self, list: List, name: &str) -> Option<u32> {
        (0u32..)
            .zip(self.names(list))
            .find(|(_, other)| *other == name)
            .map(|(code, _)| code)
    }

    /// The lists copied out, for writing longer ones.
    #[must_use]
    pub fn to_lists(&self) -> Dictionaries {
        let all = |list| self.names(list).map(str::to_owned).collect();
        Dictionaries {
            categories: all(List::Categories),
            languages: all(List::Languages),
            creators: all(List::Creators),
            tags: all(List::Tags),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> Dictionaries {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Dictionaries {
            categories: names(&["Animals", "Space"]),
            languages: names(&["en"]),
            creators: names(&["Ada", "Ünal", "Ada"]),
            tags: Vec::new(),
        }
    }

    #[test]
    fn reads_back_what_was_written() {
        let file = DictionaryFile::open(AlignedBytes::copy_of(&lists().to_bytes())).unwrap();
        assert_eq!(file.to_lists(), lists());
        assert_eq!(file.counts(), lists().counts());
        assert_eq!(
            (file.name(List::Categories, 1), file.name(List::Categories, 2)),
            (Some("Space"), None)
        );
        assert_eq!(
            (file.code(List::Creators, "Ada"), file.code(List::Tags, "Ada")),
            (Some(0), None)
        );
        let shorter = Counts {
            creators: 2,
            ..file.counts()
        };
        assert!(shorter.fit(file.counts()) && !file.counts().fit(shorter));
    }

    #[test]
    fn every_truncation_is_refused_and_no_flip_panics() {
        let good = lists().to_bytes();
        for cut in 0..good.len() {
            assert!(
                DictionaryFile::open(AlignedBytes::copy_of(&good[..cut])).is_err(),
                "cut at {cut}"
            );
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(file) = DictionaryFile::open(AlignedBytes::copy_of(&bad)) {
                assert_eq!(file.to_lists().to_bytes(), bad, "bit {bit}");
            }
        }
    }
}

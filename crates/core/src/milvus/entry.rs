//! What an entity holds beside its vector and what filters compare. Two layouts, little-endian, each section at a multiple
//! of 16 bytes.
//!
//! A video's `entry`, version 1:
//!
//! | type | what |
//! | --- | --- |
//! | 16 bytes | magic `RMVE`, version, length |
//! | u32 × 2 | dim; cell of its still, 2^32 − 1 where it has none |
//! | f32 | scale of the codes, 0 to 1 |
//! | u32 × 3, u64 | category, language and creator codes, tags |
//! | f32 × 5 | duration, upload day, impressions, clicks, popularity; NaN is not known |
//! | u32 | number of neighbours, at most 64 |
//! | section | i8 × dim: codes |
//! | section | u32 × neighbours: hashes of ids |
//! | section | u16 × neighbours: weights, above 0 |
//! | section pair | strings: the card |
//!
//! The head's, version 1:
//!
//! | type | what |
//! | --- | --- |
//! | 16 bytes | magic `RMVH`, version, length |
//! | u32 × 2, u64 | dim; number of videos; the bundle's sequence |
//! | section | f32 × dim: mean of the codes, within ±16 |
//! | section pair | strings: the name of the videos |

use super::{HEAD_ID, UNKNOWN};
use crate::bytes::{AlignedBytes, Cursor, FormatError, Sink, Strings};
use crate::candidates::Entry;
use crate::catalogue::{ItemFacts, ItemId};
use crate::cowatch::{MAX_NEIGHBOURS, Neighbour};
use crate::shard::{MAX_DIM, check_mean, check_scales, dequantise};
use crate::vector::UnitVector;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::ops::Range;
use thiserror::Error;

const VIDEO: [u8; 4] = *b"RMVE";
const HEAD: [u8; 4] = *b"RMVH";
pub(super) const VERSION: u32 = 1;
/// The longest text that Milvus takes for a field; API v1 takes as much for all fields of an entity but the vector.
const MAX_TEXT: usize = 65_000;
/// An age that nobody has.
const NO_AGE: i32 = 256;

/// Why a video cannot be loaded, or what came is none.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EntityError {
    /// It has no vector to be found by.
    #[error("it has no vector")]
    NoVector,
    /// Its card is too long.
    #[error("its entry has {0} characters, Milvus takes at most {MAX_TEXT}; shorten its description")]
    TooLong(usize),
    /// No base64.
    #[error("its entry is no base64")]
    Base64,
    /// Its bytes are not as they should be.
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// An entity as it is loaded.
#[derive(Clone, Debug, Serialize)]
pub struct Entity {
    video: String,
    vector: Vec<f32>,
    category: i32,
    language: i32,
    age: i32,
    duration: f64,
    uploaded: f64,
    entry: String,
}

impl Entity {
    /// A video that is fit from `min_age`, where that is known.
    ///
    /// # Errors
    /// It has no vector, or too long a card.
    pub fn of(item: &impl Entry, min_age: Option<u8>) -> Result<Self, EntityError> {
        let (facts, (scale, codes)) = (item.facts(), item.vector());
        let mean = item.mean().ok_or(EntityError::NoVector)?;
        let codes = codes.get(..mean.len()).ok_or(EntityError::NoVector)?;
        let mut vector = vec![0f32; mean.len()];
        dequantise(mean, scale, codes, &mut vector);
        let vector = UnitVector::new(vector).map_err(|_| EntityError::NoVector)?;
        let entry = STANDARD.encode(video_bytes(item, &facts, scale, codes));
        if entry.len() > MAX_TEXT {
            return Err(EntityError::TooLong(entry.len()));
        }
        let number = |value: f32| f64::from(if value.is_finite() { value } else { UNKNOWN });
        Ok(Self {
            video: item.id().to_owned(),
            vector: vector.into_vec(),
            category: facts.category.into(),
            language: facts.language.into(),
            age: min_age.map_or(NO_AGE, i32::from),
            duration: number(facts.duration_s),
            uploaded: number(facts.uploaded_day),
            entry,
        })
    }

    /// Its id.
    #[must_use]
    pub fn video(&self) -> &str {
        &self.video
    }

    /// What it holds beside its vector and what filters compare.
    #[must_use]
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// Its vector, of unit length.
    #[must_use]
    pub fn vector(&self) -> &[f32] {
        &self.vector
    }
}

fn video_bytes(item: &impl Entry, facts: &ItemFacts, scale: f32, codes: &[i8]) -> Vec<u8> {
    let mut neighbours = item.neighbours();
    neighbours.truncate(MAX_NEIGHBOURS);
    let mut sink = Sink::new(VIDEO, VERSION);
    sink.u32(u32::try_from(codes.len()).unwrap_or(u32::MAX));
    sink.u32(item.cell());
    sink.u32(scale.to_bits());
    for code in [facts.category.into(), facts.language.into(), facts.creator] {
        sink.u32(code);
    }
    sink.u64(facts.tags);
    for value in columns(facts) {
        sink.u32(value.to_bits());
    }
    sink.u32(u32::try_from(neighbours.len()).unwrap_or(u32::MAX));
    sink.section(codes);
    sink.section(&neighbours.iter().map(|n| n.item).collect::<Vec<u32>>());
    sink.section(&neighbours.iter().map(|n| n.weight).collect::<Vec<u16>>());
    sink.strings([item.card().as_bytes()].into_iter());
    sink.finish()
}

const fn columns(facts: &ItemFacts) -> [f32; 5] {
    [
        facts.duration_s,
        facts.uploaded_day,
        facts.impressions,
        facts.clicks,
        facts.popularity,
    ]
}

/// What all entities of a collection share.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// The name of the videos, as [`contents`](super::contents) has it.
    pub contents: String,
    /// How many videos there are.
    pub items: u32,
    /// The sequence of the bundle that they were loaded from: that of a newer one is higher.
    pub sequence: u64,
    /// What was subtracted before the vectors were quantised.
    pub mean: Vec<f32>,
}

impl Head {
    /// It as an entity. Its vector points away from all videos, and it fits no filter.
    #[must_use]
    pub fn entity(&self) -> Entity {
        let mut away: Vec<f32> = self.mean.iter().map(|m| -m).collect();
        if UnitVector::new(away.clone()).is_err() {
            away.fill(1.0);
        }
        let vector = UnitVector::new(away).map(UnitVector::into_vec);
        let mut sink = Sink::new(HEAD, VERSION);
        sink.u32(u32::try_from(self.mean.len()).unwrap_or(u32::MAX));
        sink.u32(self.items);
        sink.u64(self.sequence);
        sink.section(&self.mean);
        sink.strings([self.contents.as_bytes()].into_iter());
        Entity {
            video: HEAD_ID.to_owned(),
            vector: vector.unwrap_or_default(),
            category: -2,
            language: -2,
            age: NO_AGE,
            duration: UNKNOWN.into(),
            uploaded: UNKNOWN.into(),
            entry: STANDARD.encode(sink.finish()),
        }
    }

    /// Reads the head's `entry`.
    ///
    /// # Errors
    /// It is none.
    pub fn read(entry: &str) -> Result<Self, EntityError> {
        let bytes = STANDARD.decode(entry).map_err(|_| EntityError::Base64)?;
        let file = AlignedBytes::copy_of(&bytes);
        let mut c = Cursor::new("head", file.as_slice());
        c.magic(HEAD, VERSION)?;
        c.own_length()?;
        let dim = c.count("dimensions", 8..=MAX_DIM)?;
        let items = c.u32("number of videos")?;
        let sequence = c.u64("sequence")?;
        let mean = c.section::<f32>("mean", dim)?;
        check_mean(&c, file.view(&mean))?;
        let contents = Strings::read(&mut c, &file, "contents", 1)?;
        c.end()?;
        Ok(Self {
            contents: contents.get(&file, 0).to_owned(),
            items,
            sequence,
            mean: file.view(&mean).to_vec(),
        })
    }
}

/// A video as it came back; everything was checked.
#[derive(Clone, Debug)]
pub struct Stored<'h> {
    head: &'h Head,
    id: ItemId,
    score: f32,
    file: AlignedBytes,
    facts: ItemFacts,
    cell: u32,
    scale: f32,
    codes: Range<usize>,
    hashes: Range<usize>,
    weights: Range<usize>,
    card: Strings,
}

impl<'h> Stored<'h> {
    /// Reads a video's `entry`. Its score is what the shard's would be: the inner product of the query, of unit length, with the
    /// vector as it is stored; 0 without a query.
    ///
    /// # Errors
    /// It is none, or one of another dimension than the head's.
    pub fn read(head: &'h Head, id: ItemId, query: Option<&[f32]>, entry: &str) -> Result<Self, EntityError> {
        let bytes = STANDARD.decode(entry).map_err(|_| EntityError::Base64)?;
        let file = AlignedBytes::copy_of(&bytes);
        let mut c = Cursor::new("entry", file.as_slice());
        c.magic(VIDEO, VERSION)?;
        c.own_length()?;
        let dim = head.mean.len();
        let own = u32::try_from(dim).unwrap_or(u32::MAX);
        c.count("dimensions", own..=own)?;
        let cell = c.u32("cell")?;
        let scale = f32::from_bits(c.u32("scale")?);
        check_scales(&c, &[scale])?;
        let facts = read_facts(&mut c)?;
        let neighbours = c.count("number of neighbours", 0..=MAX_NEIGHBOURS as u32)?;
        let codes = c.section::<i8>("codes", dim)?;
        let hashes = c.section::<u32>("neighbours", neighbours)?;
        let weights = c.section::<u16>("weights of neighbours", neighbours)?;
        if file.view::<u16>(&weights).contains(&0) {
            return Err(c.error("weights of neighbours", "weights above 0", "0").into());
        }
        let card = Strings::read(&mut c, &file, "card", 1)?;
        c.end()?;
        let score = query.map_or(0.0, |query| {
            let mut vector = vec![0f32; dim];
            dequantise(&head.mean, scale, file.view(&codes), &mut vector);
            query.iter().zip(&vector).map(|(q, v)| q * v).sum()
        });
        Ok(Self {
            head,
            id,
            score,
            facts,
            cell,
            scale,
            codes,
            hashes,
            weights,
            card,
            file,
        })
    }
}

fn read_facts(c: &mut Cursor<'_>) -> Result<ItemFacts, FormatError> {
    let code = |c: &mut Cursor<'_>, what| c.count(what, 0..=u16::MAX.into());
    let category = code(c, "category")?;
    let language = code(c, "language")?;
    let creator = c.u32("creator")?;
    let tags = c.u64("tags")?;
    let mut numbers = [0f32; 5];
    for number in &mut numbers {
        *number = f32::from_bits(c.u32("facts")?);
        if number.is_infinite() {
            return Err(c.error("facts", "finite numbers or NaN", "an infinite one"));
        }
    }
    let [duration_s, uploaded_day, impressions, clicks, popularity] = numbers;
    Ok(ItemFacts {
        category: category as u16,
        language: language as u16,
        creator,
        tags,
        duration_s,
        uploaded_day,
        impressions,
        clicks,
        popularity,
    })
}

impl Entry for Stored<'_> {
    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn card(&self) -> &str {
        self.card.get(&self.file, 0)
    }

    fn facts(&self) -> ItemFacts {
        self.facts
    }

    fn cell(&self) -> u32 {
        self.cell
    }

    fn score(&self) -> f32 {
        self.score
    }

    fn vector(&self) -> (f32, &[i8]) {
        (self.scale, self.file.view(&self.codes))
    }

    fn mean(&self) -> Option<&[f32]> {
        Some(&self.head.mean)
    }

    fn neighbours(&self) -> Vec<Neighbour> {
        let hashes = self.file.view::<u32>(&self.hashes).iter();
        let both = hashes.zip(self.file.view::<u16>(&self.weights));
        both.map(|(&item, &weight)| Neighbour { item, weight }).collect()
    }
}

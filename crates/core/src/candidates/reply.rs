//! Reading candidates from the wire.

use super::{Answer, COLUMNS, Candidates, Entry, MAGIC, MAX_CANDIDATES, Source, VERSION};
use crate::bytes::{AlignedBytes, Cursor, FormatError, Strings};
use crate::catalogue::{ItemFacts, ItemId};
use crate::cowatch::{MAX_NEIGHBOURS, Neighbour, check_starts};
use crate::items::NO_CELL;
use crate::shard::{check_mean, check_scales};
use std::ops::Range;

/// An answer over the bytes of the wire; everything was checked on opening.
#[derive(Clone, Debug)]
pub struct Reply {
    file: AlignedBytes,
    n: usize,
    dim: usize,
    source: Source,
    notes: Strings,
    mean: Range<usize>,
    cells: Range<usize>,
    scores: Range<usize>,
    scales: Range<usize>,
    codes: Range<usize>,
    category: Range<usize>,
    language: Range<usize>,
    creator: Range<usize>,
    tags: Range<usize>,
    columns: [Range<usize>; COLUMNS.len()],
    starts: Range<usize>,
    hashes: Range<usize>,
    weights: Range<usize>,
    ids: Strings,
    cards: Strings,
}

impl Reply {
    /// Checks an answer's bytes and copies them.
    ///
    /// # Errors
    /// A length, count, id or number that the layout does not allow.
    pub fn open(bytes: &[u8]) -> Result<Self, FormatError> {
        let file = AlignedBytes::copy_of(bytes);
        let mut c = Cursor::new("candidates", file.as_slice());
        c.magic(MAGIC, VERSION)?;
        c.own_length()?;
        let n = c.count("number of candidates", 0..=MAX_CANDIDATES)?;
        let dim = c.count("dimensions", 8..=crate::shard::MAX_DIM)?;
        let source = match c.count("source", 0..=2)? {
            0 => Source::Personal,
            1 => Source::Popular,
            _ => Source::Search,
        };
        let n_notes = c.count("number of notes", 1..=2)?;
        let n_neighbours = c.count("number of neighbours", 0..=(n * MAX_NEIGHBOURS) as u32)?;
        let notes = Strings::read(&mut c, &file, "notes", n_notes)?;
        let mean = c.section::<f32>("mean", dim)?;
        let cells = c.section::<u32>("cells", n)?;
        let scores = c.section::<f32>("scores", n)?;
        let scales = c.section::<f32>("scales", n)?;
        check_mean(&c, file.view(&mean))?;
        check_scales(&c, file.view(&scales))?;
        if file.view::<f32>(&scores).iter().any(|v| !v.is_finite()) {
            return Err(c.error("scores", "finite numbers", "another"));
        }
        let codes = c.section::<i8>("codes", n * dim)?;
        let category = c.section::<u16>("category", n)?;
        let language = c.section::<u16>("language", n)?;
        let creator = c.section::<u32>("creator", n)?;
        let tags = c.section::<u64>("tags", n)?;
        let mut columns: [Range<usize>; COLUMNS.len()] = Default::default();
        for column in &mut columns {
            *column = c.section::<f32>("facts", n)?;
            if file.view::<f32>(column).iter().any(|v| v.is_infinite()) {
                return Err(c.error("facts", "finite numbers or NaN", "an infinite one"));
            }
        }
        let starts = c.section::<u32>("starts of neighbours", n + 1)?;
        check_starts(&c, file.view::<u32>(&starts), n_neighbours)?;
        let hashes = c.section::<u32>("neighbours", n_neighbours)?;
        let weights = c.section::<u16>("weights of neighbours", n_neighbours)?;
        if file.view::<u16>(&weights).contains(&0) {
            return Err(c.error("weights of neighbours", "weights above 0", "0"));
        }
        let ids = Strings::read(&mut c, &file, "ids", n)?;
        for id in (0..n).map(|i| ids.get(&file, i)) {
            ItemId::new(id).map_err(|e| c.error("ids", "an item id", e))?;
        }
        let cards = Strings::read(&mut c, &file, "cards", n)?;
        c.end()?;
        Ok(Self {
            n,
            dim,
            source,
            notes,
            mean,
            cells,
            scores,
            scales,
            codes,
            category,
            language,
            creator,
            tags,
            columns,
            starts,
            hashes,
            weights,
            ids,
            cards,
            file,
        })
    }

    /// Number of candidates.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.n
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Dimensions of the vectors.
    #[must_use]
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// Where the candidates come from.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// The bundle that they come from.
    #[must_use]
    pub fn bundle(&self) -> &str {
        self.notes.get(&self.file, 0)
    }

    /// Why the answer is less than was asked for, where it is.
    #[must_use]
    pub fn degraded(&self) -> Option<&str> {
        (self.notes.len() > 1).then(|| self.notes.get(&self.file, 1))
    }

    /// The candidates, best first.
    pub fn entries(&self) -> impl Iterator<Item = ReplyEntry<'_>> {
        (0..self.n).map(|i| ReplyEntry { reply: self, i })
    }

    /// The candidates as owned values.
    #[must_use]
    pub fn collect(&self) -> Candidates {
        let entries: Vec<ReplyEntry<'_>> = self.entries().collect();
        let answer = Answer {
            dim: self.dim,
            entries: &entries,
            source: self.source,
            bundle: self.bundle(),
            degraded: self.degraded(),
        };
        answer.collect()
    }

    fn at<T: bytemuck::Pod>(&self, range: &Range<usize>, i: usize) -> Option<T> {
        self.file.view::<T>(range).get(i).copied()
    }
}

/// One candidate of a [`Reply`].
#[derive(Clone, Copy, Debug)]
pub struct ReplyEntry<'a> {
    reply: &'a Reply,
    i: usize,
}

impl Entry for ReplyEntry<'_> {
    fn id(&self) -> &str {
        self.reply.ids.get(&self.reply.file, self.i)
    }

    fn card(&self) -> &str {
        self.reply.cards.get(&self.reply.file, self.i)
    }

    fn facts(&self) -> ItemFacts {
        let (reply, i) = (self.reply, self.i);
        let [duration, uploaded, impressions, clicks, popularity] = reply
            .columns
            .each_ref()
            .map(|column| reply.at(column, i).unwrap_or(f32::NAN));
        ItemFacts {
            category: reply.at(&reply.category, i).unwrap_or(ItemFacts::NO_CODE),
            language: reply.at(&reply.language, i).unwrap_or(ItemFacts::NO_CODE),
            creator: reply.at(&reply.creator, i).unwrap_or(ItemFacts::NO_CREATOR),
            tags: reply.at(&reply.tags, i).unwrap_or(0),
            duration_s: duration,
            uploaded_day: uploaded,
            impressions,
            clicks,
            popularity,
        }
    }

    fn cell(&self) -> u32 {
        self.reply.at(&self.reply.cells, self.i).unwrap_or(NO_CELL)
    }

    fn score(&self) -> f32 {
        self.reply.at(&self.reply.scores, self.i).unwrap_or(f32::NAN)
    }

    fn vector(&self) -> (f32, &[i8]) {
        let (reply, from) = (self.reply, self.i * self.reply.dim);
        let codes = reply.file.view::<i8>(&reply.codes).get(from..from + reply.dim);
        (
            reply.at(&reply.scales, self.i).unwrap_or(0.0),
            codes.unwrap_or_default(),
        )
    }

    fn mean(&self) -> Option<&[f32]> {
        Some(self.reply.file.view::<f32>(&self.reply.mean))
    }

    fn neighbours(&self) -> Vec<Neighbour> {
        let (reply, i) = (self.reply, self.i);
        let at = |i: usize| reply.at::<u32>(&reply.starts, i).unwrap_or(0) as usize;
        let range = at(i)..at(i + 1);
        let hashes = reply.file.view::<u32>(&reply.hashes).get(range.clone());
        let weights = reply.file.view::<u16>(&reply.weights).get(range);
        let both = hashes.unwrap_or_default().iter().zip(weights.unwrap_or_default());
        both.map(|(&item, &weight)| Neighbour { item, weight }).collect()
    }
}

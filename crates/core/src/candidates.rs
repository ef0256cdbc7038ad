//! Candidates on their way from the index to the re-ranker: one binary layout, version 2. Little-endian; each
//! section starts at a multiple of 16 bytes, the gap before it filled with zeros.
//!
//! | offset | type | what |
//! | --- | --- | --- |
//! | 0 | 4 bytes | magic `RCND` |
//! | 4 | u32 | version, 2 |
//! | 8 | u64 | length in bytes |
//! | 16 | u32 | n, number of candidates, 0 to 10,000 |
//! | 20 | u32 | dim, 8 to 2,048 |
//! | 24 | u32 | source: 0 personal, 1 popular, 2 search |
//! | 28 | u32 | number of notes: 1, or 2 where the answer is degraded |
//! | 32 | u32 | number of neighbours, of all candidates together, at most 64 a candidate |
//! | section pair | strings | notes: the bundle's name, then why the answer is degraded |
//! | section | f32 × dim | mean of the codes, within ±16 |
//! | section | u32 × n | cells of their stills among all sheets of the bundle, 2^32 − 1 where there is none |
//! | section | f32 × n | retrieval scores |
//! | section | f32 × n | scales of the codes, 0 to 1 |
//! | section | i8 × n × dim | codes |
//! | section | u16 × n, u16 × n, u32 × n | category, language, creator codes |
//! | section | u64 × n | tags |
//! | 5 sections | f32 × n | duration, upload day, impressions, clicks, popularity |
//! | section | u32 × (n + 1) | where each candidate's neighbours start and the last one's end: from 0, never decreasing, at most 64 apart |
//! | section | u32 × neighbours | hashes of the ids of the videos that are watched along with it |
//! | section | u16 × neighbours | their weights in 1/65,535, above 0 |
//! | section pair | strings | ids |
//! | section pair | strings | cards |

use crate::bytes::{AlignedBytes, Cursor, FormatError, Sink, Strings};
use crate::catalogue::{ItemFacts, ItemId};
use crate::cowatch::{MAX_NEIGHBOURS, Neighbour, check_starts};
use crate::items::NO_CELL;
use crate::segment::Located;
use crate::shard::{Shard, check_mean, check_scales, dequantise};
use serde::{Deserialize, Serialize};

/// The media type of the binary layout.
pub const MEDIA_TYPE: &str = "application/vnd.recsys.candidates";
/// The most candidates of one answer.
pub const MAX_CANDIDATES: u32 = 10_000;

const MAGIC: [u8; 4] = *b"RCND";
const VERSION: u32 = 2;

/// Where candidates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Near to a vector of the viewer's clicks.
    Personal,
    /// The most popular, for want of a vector.
    Popular,
    /// Near to words or a picture.
    Search,
}

/// One candidate.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its id.
    pub id: ItemId,
    /// Its still among the cells of all sheets of the bundle; [`NO_CELL`] where it has none.
    pub cell: u32,
    /// Retrieval score: inner product with the unit query; popularity where there was no query.
    pub score: f32,
    /// What ranking reads.
    pub facts: ItemFacts,
    /// `dim` values, of about unit length, as the shard stores it.
    pub vector: Vec<f32>,
    /// What is watched along with it, at most [`MAX_NEIGHBOURS`]; a session keeps them with a click.
    pub neighbours: Vec<Neighbour>,
    /// A JSON object with what a page shows.
    pub card: String,
}

/// An answer of the retrieval stage.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// Where they come from.
    pub source: Source,
    /// The bundle that they come from, 16 hexadecimal digits.
    pub bundle: String,
    /// Why the answer is less than was asked for, where it is.
    pub degraded: Option<String>,
    /// The candidates, best first.
    pub list: Vec<Candidate>,
}

/// Candidates as references into segments: what is written to the wire, or collected in place.
#[derive(Debug)]
pub struct Slice<'a> {
    /// Dimensions of the vectors.
    pub dim: usize,
    /// The hits, best first, in segments whose shards have one mean. Without a shard a vector is zeros, and a re-ranker has
    /// popularity alone to go by.
    pub hits: &'a [Located<'a>],
    /// Where they come from.
    pub source: Source,
    /// The bundle's name.
    pub bundle: &'a str,
    /// Why the answer is less than was asked for, where it is.
    pub degraded: Option<&'a str>,
}

impl Slice<'_> {
    /// The binary layout.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let hits = self.hits.get(..MAX_CANDIDATES as usize).unwrap_or(self.hits);
        let dim = self.dim;
        let row = |h: &Located<'_>| h.hit.row as usize;
        let facts: Vec<ItemFacts> = hits.iter().map(|h| h.segment.items().facts(row(h))).collect();
        let source = match self.source {
            Source::Personal => 0,
            Source::Popular => 1,
            Source::Search => 2,
        };
        let mut sink = Sink::new(MAGIC, VERSION);
        sink.u32(u32::try_from(hits.len()).unwrap_or(u32::MAX));
        sink.u32(u32::try_from(dim).unwrap_or(u32::MAX));
        sink.u32(source);
        sink.u32(1 + u32::from(self.degraded.is_some()));
        let (mut starts, mut neighbours) = (vec![0u32], Vec::new());
        for h in hits {
            neighbours.extend(h.segment.neighbours(row(h)));
            starts.push(u32::try_from(neighbours.len()).unwrap_or(u32::MAX));
        }
        sink.u32(starts.last().copied().unwrap_or(0));
        sink.strings([self.bundle].into_iter().chain(self.degraded).map(str::as_bytes));
        let zeros = vec![0f32; dim];
        let first = hits.iter().find_map(Located::shard).map(Shard::mean);
        sink.section(first.filter(|mean| mean.len() == dim).unwrap_or(&zeros));
        sink.section(&hits.iter().map(|h| h.cell()).collect::<Vec<u32>>());
        sink.section(&hits.iter().map(|h| h.hit.score).collect::<Vec<f32>>());
        let scale = |h: &Located<'_>| {
            let scales = h.shard().map(Shard::scales).unwrap_or_default();
            scales.get(h.hit.node as usize).copied().unwrap_or(0.0)
        };
        sink.section(&hits.iter().map(scale).collect::<Vec<f32>>());
        let mut codes = vec![0i8; hits.len() * dim];
        for (out, h) in codes.chunks_exact_mut(dim.max(1)).zip(hits) {
            let stored = h
                .shard()
                .map(|s| s.codes(h.hit.node as usize))
                .unwrap_or_default();
            out.iter_mut().zip(stored).for_each(|(o, &c)| *o = c);
        }
        sink.section(&codes);
        sink.section(&facts.iter().map(|f| f.category).collect::<Vec<u16>>());
        sink.section(&facts.iter().map(|f| f.language).collect::<Vec<u16>>());
        sink.section(&facts.iter().map(|f| f.creator).collect::<Vec<u32>>());
        sink.section(&facts.iter().map(|f| f.tags).collect::<Vec<u64>>());
        for column in COLUMNS {
            sink.section(&facts.iter().map(column).collect::<Vec<f32>>());
        }
        sink.section(&starts);
        sink.section(&neighbours.iter().map(|n| n.item).collect::<Vec<u32>>());
        sink.section(&neighbours.iter().map(|n| n.weight).collect::<Vec<u16>>());
        sink.strings(hits.iter().map(|h| h.id().as_bytes()));
        sink.strings(hits.iter().map(|h| h.segment.items().card(row(h)).as_bytes()));
        sink.finish()
    }

    /// The same candidates as owned values, without a detour over bytes.
    #[must_use]
    pub fn collect(&self) -> Candidates {
        let candidate = |located: &Located<'_>| {
            let (row, items) = (located.hit.row as usize, located.segment.items());
            let mut vector = vec![0f32; self.dim];
            if let Some(shard) = located.shard() {
                shard.vector(located.hit.node as usize, &mut vector);
            }
            Some(Candidate {
                id: ItemId::new(located.id()).ok()?,
                cell: located.cell(),
                score: located.hit.score,
                facts: items.facts(row),
                vector,
                neighbours: located.segment.neighbours(row),
                card: items.card(row).to_owned(),
            })
        };
        Candidates {
            source: self.source,
            bundle: self.bundle.to_owned(),
            degraded: self.degraded.map(str::to_owned),
            list: self.hits.iter().filter_map(candidate).collect(),
        }
    }
}

/// The float columns, in the order of the layout.
const COLUMNS: [fn(&ItemFacts) -> f32; 5] = [
    |f| f.duration_s,
    |f| f.uploaded_day,
    |f| f.impressions,
    |f| f.clicks,
    |f| f.popularity,
];

impl Candidates {
    /// Checks an answer's bytes and turns them into values.
    ///
    /// # Errors
    /// A length, count, id or number that the layout does not allow.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
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
        let mut columns = Vec::with_capacity(COLUMNS.len());
        for _ in COLUMNS {
            let column = c.section::<f32>("facts", n)?;
            if file.view::<f32>(&column).iter().any(|v| v.is_infinite()) {
                return Err(c.error("facts", "finite numbers or NaN", "an infinite one"));
            }
            columns.push(column);
        }
        let starts = c.section::<u32>("starts of neighbours", n + 1)?;
        let bounds = file.view::<u32>(&starts);
        check_starts(&c, bounds, n_neighbours)?;
        let hashes = c.section::<u32>("neighbours", n_neighbours)?;
        let weights = c.section::<u16>("weights of neighbours", n_neighbours)?;
        if file.view::<u16>(&weights).contains(&0) {
            return Err(c.error("weights of neighbours", "weights above 0", "0"));
        }
        let ids = Strings::read(&mut c, &file, "ids", n)?;
        let cards = Strings::read(&mut c, &file, "cards", n)?;
        c.end()?;

        let neighbours = |i: usize| {
            let at = |i: usize| bounds.get(i).map_or(0, |&at| at as usize);
            let range = at(i)..at(i + 1);
            let hashes = file.view::<u32>(&hashes).get(range.clone()).unwrap_or_default();
            let weights = file.view::<u16>(&weights).get(range).unwrap_or_default();
            let both = hashes.iter().zip(weights);
            both.map(|(&item, &weight)| Neighbour { item, weight }).collect()
        };
        let mean = file.view::<f32>(&mean);
        let float = |range, i: usize| file.view::<f32>(range).get(i).copied().unwrap_or(f32::NAN);
        let mut list = Vec::with_capacity(n);
        for (i, codes) in file.view::<i8>(&codes).chunks_exact(dim).enumerate() {
            let id = ItemId::new(ids.get(&file, i)).map_err(|e| c.error("ids", "an item id", e))?;
            let mut vector = vec![0f32; dim];
            dequantise(mean, float(&scales, i), codes, &mut vector);
            let mut values = columns.iter().map(|r| float(r, i));
            let mut next = || values.next().unwrap_or(f32::NAN);
            let facts = ItemFacts {
                category: file
                    .view::<u16>(&category)
                    .get(i)
                    .copied()
                    .unwrap_or(ItemFacts::NO_CODE),
                language: file
                    .view::<u16>(&language)
                    .get(i)
                    .copied()
                    .unwrap_or(ItemFacts::NO_CODE),
                creator: file
                    .view::<u32>(&creator)
                    .get(i)
                    .copied()
                    .unwrap_or(ItemFacts::NO_CREATOR),
                tags: file.view::<u64>(&tags).get(i).copied().unwrap_or(0),
                duration_s: next(),
                uploaded_day: next(),
                impressions: next(),
                clicks: next(),
                popularity: next(),
            };
            let cell = file.view::<u32>(&cells).get(i).copied().unwrap_or(NO_CELL);
            let card = cards.get(&file, i).to_owned();
            list.push(Candidate {
                id,
                cell,
                score: float(&scores, i),
                facts,
                vector,
                neighbours: neighbours(i),
                card,
            });
        }
        let bundle = notes.get(&file, 0).to_owned();
        let degraded = (n_notes == 2).then(|| notes.get(&file, 1).to_owned());
        Ok(Self {
            source,
            bundle,
            degraded,
            list,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::id_hash;
    use crate::segment::fixture::{self, Video};
    use crate::segment::{Filter, Segments, Wanted};
    use crate::shard::Scratch;

    /// Two segments; "c" is a neighbour of "b".
    fn segments() -> Segments {
        let video = |id: &'static str, duration_s: f32| Video {
            id,
            facts: ItemFacts {
                duration_s,
                category: 0,
                tags: 1,
                ..ItemFacts::unknown()
            },
            neighbours: if id == "c" { vec!["b"] } else { Vec::new() },
            ..Video::default()
        };
        let (first, second) = ([video("a", 1.0), video("b", 2.0)], [video("c", 3.0)]);
        fixture::bundle(8, &[&first, &second], true).segments
    }

    fn slice<'a>(segments: &'a Segments, degraded: Option<&'a str>) -> (Vec<Located<'a>>, Option<&'a str>) {
        let wanted = Wanted {
            k: 2,
            filter: &Filter::default(),
            exclude: &["a"],
        };
        let search = fixture::SEARCH;
        let query = fixture::vector(8, "c");
        let nearest = segments
            .nearest(&query, &search, &wanted, &mut Scratch::default())
            .unwrap();
        (nearest.found, degraded)
    }

    fn bytes() -> Vec<u8> {
        let segments = segments();
        let (hits, degraded) = slice(&segments, Some("no ranker"));
        Slice {
            dim: 8,
            hits: &hits,
            source: Source::Search,
            bundle: "abc",
            degraded,
        }
        .to_bytes()
    }

    #[test]
    fn the_wire_and_the_direct_way_give_the_same() {
        let segments = segments();
        let (hits, degraded) = slice(&segments, None);
        let slice = Slice {
            dim: 8,
            hits: &hits,
            source: Source::Personal,
            bundle: "b",
            degraded,
        };
        let (wire, direct) = (Candidates::parse(&slice.to_bytes()).unwrap(), slice.collect());
        assert_eq!(format!("{wire:?}"), format!("{direct:?}"));
        let ids: Vec<&str> = wire.list.iter().map(|candidate| candidate.id.as_str()).collect();
        assert_eq!(ids, ["c", "b"]);
        assert_eq!(wire.list[0].cell, fixture::cell("c"));
        assert_eq!(wire.list[1].facts.duration_s, 2.0);
        assert_eq!(
            (wire.list[0].neighbours[0].item, wire.list[0].facts.tags),
            (id_hash("b"), 1)
        );
    }

    #[test]
    fn what_no_shard_or_co_watch_file_has_is_refused() {
        let refused = |at: usize, value: &[u8]| {
            let mut bad = bytes();
            bad[at..at + value.len()].copy_from_slice(value);
            Candidates::parse(&bad).unwrap_err().what
        };
        let good = bytes();
        let place = |field: &[u8]| good.windows(field.len()).position(|w| w == field).unwrap();
        let mean = place(&fixture::MEAN.to_le_bytes());
        assert_eq!(refused(mean, &17f32.to_le_bytes()), "mean");
        // Eight means, two cells and two scores, each section from a multiple of 16.
        let scores = mean + 48;
        assert_eq!(refused(scores, &f32::INFINITY.to_le_bytes()), "scores");
        assert_eq!(refused(scores + 16, &1.5f32.to_le_bytes()), "scales");
        let weight = place(&fixture::WEIGHT.to_le_bytes());
        assert_eq!(refused(weight, &[0, 0]), "weights of neighbours");
    }

    #[test]
    fn more_neighbours_of_one_candidate_than_allowed_are_refused() {
        let starts = |starts: &[u32]| {
            let c = Cursor::new("candidates", &[]);
            check_starts(&c, starts, 100).is_ok()
        };
        assert!(starts(&[0, 50, 100]) && starts(&[0, 64, 64, 100]));
        assert!(
            !starts(&[0, 65, 100])
                && !starts(&[0, 50, 99])
                && !starts(&[1, 50, 100])
                && !starts(&[0, 60, 50, 100])
        );
    }

    #[test]
    fn every_truncation_is_refused_and_no_flip_panics() {
        let good = bytes();
        assert_eq!(
            Candidates::parse(&good).unwrap().degraded.as_deref(),
            Some("no ranker")
        );
        for cut in 0..good.len() {
            assert!(Candidates::parse(&good[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let _ = Candidates::parse(&bad);
        }
    }
}

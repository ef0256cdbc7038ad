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
//! | section | u32 × n | rows in the item table |
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
use crate::catalogue::{ItemFacts, ItemId, id_hash};
use crate::cowatch::{CoWatch, MAX_NEIGHBOURS, Neighbour, check_starts};
use crate::items::ItemTable;
use crate::shard::{Located, Shard, check_mean, check_scales, dequantise};
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
    /// Its row in the bundle's item table.
    pub row: u32,
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

/// Candidates as references into shards and an item table: what is written to the wire, or collected in place.
#[derive(Debug)]
pub struct Slice<'a> {
    /// Dimensions of the vectors.
    pub dim: usize,
    /// The item table.
    pub items: &'a ItemTable,
    /// What is watched along with what; `None` where the bundle has no such file.
    pub co_watch: Option<&'a CoWatch>,
    /// The hits, best first, in shards of one mean. Without a shard a vector is zeros, and a re-ranker has popularity alone
    /// to go by.
    pub hits: &'a [Located<'a>],
    /// Where they come from.
    pub source: Source,
    /// The bundle's name.
    pub bundle: &'a str,
    /// Why the answer is less than was asked for, where it is.
    pub degraded: Option<&'a str>,
}

impl Slice<'_> {
    fn neighbours(&self, row: usize) -> Vec<Neighbour> {
        let name = |row| id_hash(self.items.id(row));
        self.co_watch
            .map_or_else(Vec::new, |file| file.neighbours(row, name))
    }

    /// The binary layout.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let hits = self.hits.get(..MAX_CANDIDATES as usize).unwrap_or(self.hits);
        let dim = self.dim;
        let rows: Vec<u32> = hits.iter().map(|h| h.hit.row).collect();
        let facts: Vec<ItemFacts> = rows.iter().map(|row| self.items.facts(*row as usize)).collect();
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
        for row in &rows {
            neighbours.extend(self.neighbours(*row as usize));
            starts.push(u32::try_from(neighbours.len()).unwrap_or(u32::MAX));
        }
        sink.u32(starts.last().copied().unwrap_or(0));
        sink.strings([self.bundle].into_iter().chain(self.degraded).map(str::as_bytes));
        let zeros = vec![0f32; dim];
        let first = hits.iter().find_map(|h| h.shard).map(Shard::mean);
        sink.section(first.filter(|mean| mean.len() == dim).unwrap_or(&zeros));
        sink.section(&rows);
        sink.section(&hits.iter().map(|h| h.hit.score).collect::<Vec<f32>>());
        let scale = |h: &Located<'_>| {
            let scales = h.shard.map(Shard::scales).unwrap_or_default();
            scales.get(h.hit.node as usize).copied().unwrap_or(0.0)
        };
        sink.section(&hits.iter().map(scale).collect::<Vec<f32>>());
        let mut codes = vec![0i8; hits.len() * dim];
        for (out, h) in codes.chunks_exact_mut(dim.max(1)).zip(hits) {
            let stored = h.shard.map(|s| s.codes(h.hit.node as usize)).unwrap_or_default();
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
        sink.strings(rows.iter().map(|row| self.items.id(*row as usize).as_bytes()));
        sink.strings(rows.iter().map(|row| self.items.card(*row as usize).as_bytes()));
        sink.finish()
    }

    /// The same candidates as owned values, without a detour over bytes.
    #[must_use]
    pub fn collect(&self) -> Candidates {
        let candidate = |Located { shard, hit }: &Located<'_>| {
            let row = hit.row as usize;
            let mut vector = vec![0f32; self.dim];
            if let Some(shard) = shard {
                shard.vector(hit.node as usize, &mut vector);
            }
            let card = self.items.card(row).to_owned();
            let id = ItemId::new(self.items.id(row)).ok()?;
            Some(Candidate {
                id,
                row: hit.row,
                score: hit.score,
                facts: self.items.facts(row),
                vector,
                neighbours: self.neighbours(row),
                card,
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
        let rows = c.section::<u32>("rows", n)?;
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
            let row = file.view::<u32>(&rows).get(i).copied().unwrap_or(u32::MAX);
            let card = cards.get(&file, i).to_owned();
            list.push(Candidate {
                id,
                row,
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
    use crate::cowatch::CoWatchCounts;
    use crate::items::{Dictionaries, ItemRecord, to_bytes};
    use crate::shard::{Hit, ShardParts};

    fn bundle() -> (Shard, ItemTable) {
        let parts = ShardParts {
            dim: 8,
            mean: vec![0.1; 8],
            vectors: (0..24).map(|i| i as f32 / 24.0).collect(),
            rows: vec![2, 0, 1],
            ..ShardParts::default()
        };
        let record = |id: &str, duration_s| ItemRecord {
            id: ItemId::new(id).unwrap(),
            facts: ItemFacts {
                duration_s,
                category: 0,
                tags: 1,
                ..ItemFacts::unknown()
            },
            card: format!("{{\"name\":\"{id}\"}}"),
        };
        let lists = Dictionaries {
            categories: vec!["x".into()],
            tags: vec!["t".into()],
            ..Dictionaries::default()
        };
        let items = to_bytes(&[record("a", 1.0), record("b", 2.0), record("c", 3.0)], &lists);
        let open = |bytes: Vec<u8>| AlignedBytes::copy_of(&bytes);
        (
            Shard::open(open(parts.to_bytes())).unwrap(),
            ItemTable::open(open(items)).unwrap(),
        )
    }

    /// Row 2 was chosen along with row 1.
    fn co_watch() -> CoWatch {
        let mut counts = CoWatchCounts::new(3);
        counts.choose(1, std::iter::empty());
        counts.choose(2, std::iter::once(1));
        CoWatch::open(AlignedBytes::copy_of(&counts.to_bytes()), 3).unwrap()
    }

    fn hits(shard: &Shard) -> [Located<'_>; 2] {
        [(0, 2, 0.9), (2, 1, 0.5)].map(|(node, row, score)| Located {
            shard: Some(shard),
            hit: Hit { node, row, score },
        })
    }

    fn bytes() -> Vec<u8> {
        let (shard, items) = bundle();
        let hits = hits(&shard);
        let degraded = Some("no ranker");
        Slice {
            dim: 8,
            items: &items,
            co_watch: Some(&co_watch()),
            hits: &hits,
            source: Source::Search,
            bundle: "abc",
            degraded,
        }
        .to_bytes()
    }

    #[test]
    fn the_wire_and_the_direct_way_give_the_same() {
        let (shard, items) = bundle();
        let hits = hits(&shard);
        let slice = Slice {
            dim: 8,
            items: &items,
            co_watch: Some(&co_watch()),
            hits: &hits,
            source: Source::Personal,
            bundle: "b",
            degraded: None,
        };
        let (wire, direct) = (Candidates::parse(&slice.to_bytes()).unwrap(), slice.collect());
        assert_eq!(format!("{wire:?}"), format!("{direct:?}"));
        assert_eq!(wire.list[0].id.as_str(), "c");
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
        let mean = place(&0.1f32.to_le_bytes());
        assert_eq!(refused(mean, &17f32.to_le_bytes()), "mean");
        // Eight means, two rows and two scores, each section from a multiple of 16.
        let scores = place(&0.9f32.to_le_bytes());
        assert_eq!(scores, mean + 48);
        assert_eq!(refused(scores, &f32::INFINITY.to_le_bytes()), "scores");
        assert_eq!(refused(scores + 16, &1.5f32.to_le_bytes()), "scales");
        let weight = co_watch().rows(1).1[0].to_le_bytes();
        assert_eq!(refused(place(&weight), &[0, 0]), "weights of neighbours");
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

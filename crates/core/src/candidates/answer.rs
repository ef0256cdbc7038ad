//! Writing candidates, or collecting them in place.

use super::{COLUMNS, Candidate, Candidates, MAGIC, MAX_CANDIDATES, Source, VERSION};
use crate::bytes::Sink;
use crate::catalogue::{ItemFacts, ItemId};
use crate::cowatch::Neighbour;
use crate::segment::Located;
use crate::shard::{Shard, dequantise};

/// One candidate, wherever it stands.
pub trait Entry {
    /// Its id.
    fn id(&self) -> &str;
    /// Its card, a JSON object.
    fn card(&self) -> &str;
    /// What ranking reads.
    fn facts(&self) -> ItemFacts;
    /// Its still among the cells of all sheets of the bundle.
    fn cell(&self) -> u32;
    /// Retrieval score, or popularity.
    fn score(&self) -> f32;
    /// Scale and codes of its vector, at least as many as there are dimensions; 0 and none where it has none.
    fn vector(&self) -> (f32, &[i8]);
    /// What was subtracted before its vector was quantised; none where it has no vector.
    fn mean(&self) -> Option<&[f32]>;
    /// What is watched along with it.
    fn neighbours(&self) -> Vec<Neighbour>;
}

impl Entry for Located<'_> {
    fn id(&self) -> &str {
        Located::id(self)
    }

    fn card(&self) -> &str {
        self.segment.items().card(self.hit.row as usize)
    }

    fn facts(&self) -> ItemFacts {
        self.segment.items().facts(self.hit.row as usize)
    }

    fn cell(&self) -> u32 {
        Located::cell(self)
    }

    fn score(&self) -> f32 {
        self.hit.score
    }

    fn vector(&self) -> (f32, &[i8]) {
        let node = self.hit.node as usize;
        self.shard().map_or((0.0, &[]), |shard| {
            let scale = shard.scales().get(node).copied();
            (scale.unwrap_or(0.0), shard.codes(node))
        })
    }

    fn mean(&self) -> Option<&[f32]> {
        self.shard().map(Shard::mean)
    }

    fn neighbours(&self) -> Vec<Neighbour> {
        self.segment.neighbours(self.hit.row as usize)
    }
}

/// Candidates as references to where they stand: what is written to the wire, or collected in place.
#[derive(Debug)]
pub struct Answer<'a, E> {
    /// Dimensions of the vectors.
    pub dim: usize,
    /// The candidates, best first, with vectors of one mean. One without a vector gets zeros, and a re-ranker has
    /// popularity alone to go by.
    pub entries: &'a [E],
    /// Where they come from.
    pub source: Source,
    /// The bundle's name.
    pub bundle: &'a str,
    /// Why the answer is less than was asked for, where it is.
    pub degraded: Option<&'a str>,
}

impl<E: Entry> Answer<'_, E> {
    /// The binary layout.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let entries = self.entries;
        let entries = entries.get(..MAX_CANDIDATES as usize).unwrap_or(entries);
        let dim = self.dim;
        let facts: Vec<ItemFacts> = entries.iter().map(Entry::facts).collect();
        let source = match self.source {
            Source::Personal => 0,
            Source::Popular => 1,
            Source::Search => 2,
        };
        let mut sink = Sink::new(MAGIC, VERSION);
        sink.u32(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        sink.u32(u32::try_from(dim).unwrap_or(u32::MAX));
        sink.u32(source);
        sink.u32(1 + u32::from(self.degraded.is_some()));
        let (mut starts, mut neighbours) = (vec![0u32], Vec::new());
        for entry in entries {
            neighbours.extend(entry.neighbours());
            starts.push(u32::try_from(neighbours.len()).unwrap_or(u32::MAX));
        }
        sink.u32(starts.last().copied().unwrap_or(0));
        sink.strings([self.bundle].into_iter().chain(self.degraded).map(str::as_bytes));
        let zeros = vec![0f32; dim];
        let mean = entries.iter().find_map(Entry::mean);
        sink.section(mean.filter(|mean| mean.len() == dim).unwrap_or(&zeros));
        sink.section(&entries.iter().map(Entry::cell).collect::<Vec<u32>>());
        sink.section(&entries.iter().map(Entry::score).collect::<Vec<f32>>());
        sink.section(&entries.iter().map(|entry| entry.vector().0).collect::<Vec<f32>>());
        let mut codes = vec![0i8; entries.len() * dim];
        for (out, entry) in codes.chunks_exact_mut(dim.max(1)).zip(entries) {
            out.iter_mut().zip(entry.vector().1).for_each(|(o, &c)| *o = c);
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
        sink.strings(entries.iter().map(|entry| entry.id().as_bytes()));
        sink.strings(entries.iter().map(|entry| entry.card().as_bytes()));
        sink.finish()
    }

    /// The same candidates as owned values, without a detour over bytes.
    #[must_use]
    pub fn collect(&self) -> Candidates {
        let candidate = |entry: &E| {
            let mut vector = vec![0f32; self.dim];
            if let Some(mean) = entry.mean() {
                let (scale, codes) = entry.vector();
                dequantise(mean, scale, codes, &mut vector);
            }
            Some(Candidate {
                id: ItemId::new(entry.id()).ok()?,
                cell: entry.cell(),
                score: entry.score(),
                facts: entry.facts(),
                vector,
                neighbours: entry.neighbours(),
                card: entry.card().to_owned(),
            })
        };
        Candidates {
            source: self.source,
            bundle: self.bundle.to_owned(),
            degraded: self.degraded.map(str::to_owned),
            list: self.entries.iter().filter_map(candidate).collect(),
        }
    }
}

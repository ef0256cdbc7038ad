//! A candidate, found here or by another worker.

use recsys_core::candidates::{Entry, ReplyEntry};
use recsys_core::catalogue::ItemFacts;
use recsys_core::cowatch::Neighbour;
use recsys_core::order::best_once;
use recsys_core::segment::{Filter, Located};

/// A candidate.
#[derive(Clone, Copy)]
pub enum Hit<'a> {
    /// It stands in a segment of this worker.
    Here(Located<'a>),
    /// It came from another worker.
    There(ReplyEntry<'a>),
}

impl Hit<'_> {
    /// Whether a filter lets it through; another worker has seen to that already.
    pub fn fits(&self, filter: &Filter) -> bool {
        match self {
            Self::Here(located) => located.fits(filter),
            Self::There(_) => true,
        }
    }

    fn entry(&self) -> &dyn Entry {
        match self {
            Self::Here(located) => located,
            Self::There(entry) => entry,
        }
    }
}

impl Entry for Hit<'_> {
    fn id(&self) -> &str {
        self.entry().id()
    }

    fn card(&self) -> &str {
        self.entry().card()
    }

    fn facts(&self) -> ItemFacts {
        self.entry().facts()
    }

    fn cell(&self) -> u32 {
        self.entry().cell()
    }

    fn score(&self) -> f32 {
        self.entry().score()
    }

    fn vector(&self) -> (f32, &[i8]) {
        self.entry().vector()
    }

    fn mean(&self) -> Option<&[f32]> {
        self.entry().mean()
    }

    fn neighbours(&self) -> Vec<Neighbour> {
        self.entry().neighbours()
    }
}

/// The best `k` of several lists, best first, equals in the order of the lists; each video once.
pub fn best<'a>(hits: &[Hit<'a>], k: usize) -> Vec<Hit<'a>> {
    best_once(hits, k, |hit| (hit.score(), 0), Entry::id)
}

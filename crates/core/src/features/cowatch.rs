//! What is watched along with a viewer's clicks, looked up by candidate.

use crate::cowatch::Neighbour;
use crate::session::{Click, WINDOW};
use std::collections::BinaryHeap;

/// Co-watch of one item with the viewer's clicks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct CoWatched {
    /// Greatest weight with any click kept.
    pub(super) max: f32,
    /// Mean weight with the newest [`WINDOW`] clicks.
    pub(super) recent: f32,
    /// Mean weight with all clicks kept.
    pub(super) all: f32,
    /// Weight with the last click.
    pub(super) last: f32,
}

/// Neighbours of all clicks together.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    /// By rising hash of the item.
    items: Vec<(u32, CoWatched)>,
    /// What holds for an item that is no neighbour: 0, or NaN where none of the clicks in question has neighbours.
    none: CoWatched,
}

impl Watched {
    /// Clicks are oldest first. A mean is taken over the clicks that have neighbours.
    pub(super) fn by(clicks: &[Click]) -> Self {
        let has = |click: &&Click| !click.neighbours.is_empty();
        let recent = &clicks[clicks.len().saturating_sub(WINDOW)..];
        let (n_all, n_recent) = (
            clicks.iter().filter(has).count() as f32,
            recent.iter().filter(has).count() as f32,
        );
        let last_known = clicks.last().is_some_and(|click| has(&click));
        let zero_if = |known: bool| if known { 0.0 } else { f32::NAN };
        let none = CoWatched {
            max: zero_if(n_all > 0.0),
            recent: zero_if(n_recent > 0.0),
            all: zero_if(n_all > 0.0),
            last: zero_if(last_known),
        };
        // Item, place of the click from the newest, weight: sorted, sums have one order.
        let mut pairs: BinaryHeap<(u32, usize, u16)> = BinaryHeap::new();
        for (place, click) in clicks.iter().rev().enumerate() {
            let of = |n: &Neighbour| (n.item, place, n.weight);
            pairs.extend(click.neighbours.iter().map(of));
        }
        let mut items: Vec<(u32, CoWatched)> = Vec::new();
        for (item, place, weight) in pairs.into_sorted_vec() {
            let weight = Neighbour { item, weight }.weight();
            if items.last().is_none_or(|&(before, _)| before != item) {
                items.push((item, none));
            }
            let Some((_, sums)) = items.last_mut() else {
                continue;
            };
            sums.max = sums.max.max(weight);
            // Rounding may pass 1.
            sums.all = (sums.all + weight / n_all).min(1.0);
            if place < WINDOW {
                sums.recent = (sums.recent + weight / n_recent).min(1.0);
            }
            if place == 0 {
                sums.last = weight;
            }
        }
        Self { items, none }
    }

    /// Of the item with this hash.
    pub(super) fn with(&self, item: u32) -> CoWatched {
        let found = self.items.binary_search_by_key(&item, |&(hash, _)| hash);
        found
            .ok()
            .and_then(|at| self.items.get(at))
            .map_or(self.none, |&(_, sums)| sums)
    }
}

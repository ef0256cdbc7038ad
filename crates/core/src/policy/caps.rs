//! The most items of one creator or one category.

use crate::catalogue::ItemFacts;

/// Limits for one list; `None` is no limit. Items whose creator or category is unknown belong to no group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// The most items of one creator, at least 1.
    pub per_creator: Option<usize>,
    /// The most items of one category, at least 1.
    pub per_category: Option<usize>,
}

/// What the caps still allow in a list that grows.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    caps: Caps,
    /// Of the items taken, one entry an item.
    creators: Vec<u32>,
    categories: Vec<u16>,
}

impl Room {
    pub(super) fn new(caps: Caps) -> Self {
        Self {
            caps,
            ..Self::default()
        }
    }

    /// Whether one more item with these facts stays within the caps.
    pub(super) fn fits(&self, facts: &ItemFacts) -> bool {
        below(
            self.caps.per_creator,
            &self.creators,
            facts.creator,
            ItemFacts::NO_CREATOR,
        ) && below(
            self.caps.per_category,
            &self.categories,
            facts.category,
            ItemFacts::NO_CODE,
        )
    }

    /// Takes an item into the list, whether it fits or not. Tells whether there are caps that may now be reached.
    pub(super) fn take(&mut self, facts: &ItemFacts) -> bool {
        if self.caps.per_creator.is_some() {
            self.creators.push(facts.creator);
        }
        if self.caps.per_category.is_some() {
            self.categories.push(facts.category);
        }
        self.caps != Caps::default()
    }
}

fn below<T: PartialEq>(cap: Option<usize>, taken: &[T], group: T, none: T) -> bool {
    cap.is_none_or(|cap| group == none || taken.iter().filter(|other| **other == group).count() < cap)
}

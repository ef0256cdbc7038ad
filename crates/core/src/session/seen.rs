//! The items that a viewer has had, newest last, bounded.

use crate::catalogue::ItemId;
use std::collections::VecDeque;

/// Item ids in the order of their last sight; the oldest leave first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenSet {
    order: VecDeque<ItemId>,
    /// The same, ascending: looked up by halves, which for so few ids needs no hash table in the browser's module.
    members: Vec<ItemId>,
}

impl SeenSet {
    /// Ids kept.
    pub const MAX: usize = 2_000;

    /// Adds an id as the newest, or moves it there.
    pub fn insert(&mut self, item: ItemId) {
        match self.members.binary_search(&item) {
            Ok(_) => self.order.retain(|old| *old != item),
            Err(place) => self.members.insert(place, item.clone()),
        }
        self.order.push_back(item);
        if self.order.len() > Self::MAX
            && let Some(oldest) = self.order.pop_front()
            && let Ok(place) = self.members.binary_search(&oldest)
        {
            self.members.remove(place);
        }
    }

    /// Whether the id is in the set.
    #[must_use]
    pub fn contains(&self, item: &ItemId) -> bool {
        self.members.binary_search(item).is_ok()
    }

    /// Ids, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ItemId> {
        self.order.iter()
    }

    /// Number of ids, at most [`Self::MAX`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

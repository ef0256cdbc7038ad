//! What happens to a ranking before a viewer sees it: the owner's rules, and relevance traded against variety.
//!
//! The rules act in this order, whatever their order in the file:
//!
//! 1. **Seen** items leave, also where they are pinned or boosted.
//! 2. **Boosts** and **freshness** add to the scores.
//! 3. **Pins** take their places. They count for the caps and for variety, and no cap stops them.
//! 4. **Variety** ([`mmr`]) fills the other places one by one, each time among the items that the **caps** allow.
//! 5. **Exploration** gives its places to items drawn at random from what comes next, again within the caps.
//!
//! A list is shorter than asked for only where candidates, or the caps' room, run out.
//!
//! [`Settings`] are the rules as the owner writes them, in the bundle's manifest; a [`Policy`] is the same in the codes of
//! one bundle.

mod arrange;
mod boosts;
mod caps;
mod exploration;
mod mmr;
mod settings;

use crate::catalogue::ItemId;
pub use arrange::{Placed, Slot};
pub(crate) use arrange::{Pool, arrange};
pub use boosts::{Freshness, Rule};
pub use caps::Caps;
pub use exploration::Exploration;
pub use mmr::{Lambda, LambdaError, by_score, mmr};
pub use settings::{
    Boost, CapSettings, Codes, ExplorationSettings, FreshnessSettings, Pin, PolicyError, Settings,
};

/// Rules for one page of recommendations, in the codes of one bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Drop items that the viewer has had.
    pub exclude_seen: bool,
    /// Relevance against variety.
    pub lambda: Lambda,
    /// The best this many candidates take part in [`mmr`], or k where that is more; others only where the caps leave too
    /// few of them.
    pub pool: usize,
    /// The most items of one creator or category.
    pub caps: Caps,
    /// What is added to scores.
    pub boosts: Vec<Rule>,
    /// What new uploads gain.
    pub freshness: Option<Freshness>,
    /// Items with a place of their own, from 0.
    pub pins: Vec<(ItemId, usize)>,
    /// Places for chance.
    pub exploration: Option<Exploration>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            exclude_seen: true,
            lambda: Lambda::default(),
            pool: 100,
            caps: Caps::default(),
            boosts: Vec::new(),
            freshness: None,
            pins: Vec::new(),
            exploration: None,
        }
    }
}

impl Policy {
    /// The scores' order alone: nothing but seen items changes it.
    #[must_use]
    pub fn relevance() -> Self {
        Self {
            lambda: Lambda::RELEVANCE,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests;

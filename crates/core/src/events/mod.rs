//! What viewers saw and did: JSON Lines in, typed events and labelled slates out. The format is docs/events.md.

mod dump;
mod handed;
mod join;
mod parse;
mod settle;
mod write;

use crate::catalogue::ItemId;
use crate::features::{AgeBand, Device, Gender};
pub use dump::{DumpError, parse_dump_line};
pub use handed::{Handed, MAX_ID_CHARACTERS, MAX_REQUEST_BYTES, Record};
pub use join::{JoinError, Label, Shown, Slate, join};
pub use parse::{EventError, parse_line};
pub use settle::{LeftOut, settle};
pub use write::{Entry, EntryUser, NamedFeatures};

/// The [`Event::arm`] of slates drawn uniformly at random, in random order.
pub const UNIFORM_ARM: &str = "uniform";

/// Seconds of watching that count as a positive under [`Label::Watch`].
pub const LONG_WATCH_SECONDS: f32 = 30.0;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub ts_ms: i64,
    /// Names it among those of its viewer, where it is a record of an event sink.
    pub id: Option<String>,
    /// The viewer: `user.id`, else the session's id.
    pub viewer: String,
    /// The visit, where it is named.
    pub session: Option<String>,
    /// Declared age band.
    pub age_band: Option<AgeBand>,
    /// Declared gender.
    pub gender: Option<Gender>,
    /// Declared group of the site's own.
    pub segment: Option<u8>,
    /// Declared class of device.
    pub device: Option<Device>,
    /// Declared language, as in the catalogue.
    pub language: Option<String>,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// An item was shown.
    Impression {
        /// The reply that showed it.
        request: String,
        /// The item.
        item: ItemId,
        /// Place in the slate, 0 is the first.
        position: u32,
        /// Which policy chose the slate.
        arm: Option<String>,
        /// Probability with which the policy showed the item, above 0 and at most 1.
        propensity: Option<f64>,
    },
    /// An item was clicked.
    Click {
        /// The reply that showed it, where known.
        request: Option<String>,
        /// The item.
        item: ItemId,
    },
    /// An item was watched.
    Watch {
        /// The reply that showed it, where known.
        request: Option<String>,
        /// The item.
        item: ItemId,
        /// Seconds, finite and 0 or more.
        seconds: f32,
    },
    /// A search.
    Search {
        /// What was typed.
        query: String,
    },
    /// The viewer asked to be forgotten: earlier events of the viewer are to be erased.
    Forget,
}

#[cfg(test)]
mod tests;

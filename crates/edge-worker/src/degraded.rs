//! Why an answer is less than was asked for.

use crate::engines::Fault;

/// What of it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A part of the bundle is damaged or cannot be had.
    Bundle,
    /// A segment that should have been asked is not at hand.
    Segments,
    /// A worker that holds segments for this one fails.
    Group,
    /// The viewer's history is not at hand.
    History,
    /// None of the ids that were sent is known.
    UnknownIds,
    /// The engine that finds candidates fails, and the shard answers.
    Candidates,
    /// The engine that holds features fails, and the item table answers.
    Features,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Bundle,
        Self::Segments,
        Self::Group,
        Self::History,
        Self::UnknownIds,
        Self::Candidates,
        Self::Features,
    ];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Segments => "segments",
            Self::Group => "group",
            Self::History => "history",
            Self::UnknownIds => "unknown_ids",
            Self::Candidates => "candidates",
            Self::Features => "features",
        }
    }
}

/// One thing that is missing, and how that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is counted.
    pub reason: Reason,
    /// What is said; it quotes nothing of a request.
    pub text: String,
}

impl Note {
    /// A note.
    pub fn new(reason: Reason, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { reason, text }
    }

    /// A note of an engine that fails.
    pub fn of(reason: Reason, fault: Fault) -> Self {
        Self::new(reason, fault.to_string())
    }
}

/// What an answer says; `None` where nothing is missing.
pub fn text(notes: &[Note]) -> Option<String> {
    let texts: Vec<&str> = notes.iter().map(|note| note.text.as_str()).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

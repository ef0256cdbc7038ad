//! What is wrong with a JSON text: in words that quote it, or in words that do not.

use super::Json;
use std::fmt;

/// A text that is no JSON, or JSON of another form.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonError(Box<Parts>);

#[derive(Clone, PartialEq, Eq)]
struct Parts {
    /// Such as `shards[2].bytes`; empty where the whole is meant.
    path: String,
    problem: Problem,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// Words that quote nothing of the text.
    Plain(String),
    /// A value of another kind, or out of its range.
    Found {
        expected: String,
        /// The value as it is written.
        shown: String,
        kind: Kind,
    },
    /// A field that there is none of.
    Unknown { name: String, known: String },
}

/// What a value is, without what it says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Flag,
    Number,
    /// Its length in bytes.
    Text(usize),
    /// Its length.
    List(usize),
    Object,
}

impl JsonError {
    /// An error that says what is wrong with a value. Its words must quote nothing of the text: [`Self::without_values`].
    #[cold]
    #[inline(never)]
    pub(crate) fn new(problem: String) -> Self {
        Self::of(Problem::Plain(problem))
    }

    pub(super) fn of(problem: Problem) -> Self {
        let path = String::new();
        Self(Box::new(Parts { path, problem }))
    }

    /// An error that quotes a value.
    #[cold]
    #[inline(never)]
    pub(crate) fn found(expected: &str, found: &Json<'_>) -> Self {
        Self::of(Problem::Found {
            expected: expected.to_owned(),
            shown: found.shown(),
            kind: found.kind(),
        })
    }

    /// The error in words that quote nothing of the text: paths of known fields, kinds and lengths. For texts that must
    /// not come back in an answer or stand in a log.
    #[must_use]
    pub fn without_values(&self) -> String {
        let Parts { path, problem } = &*self.0;
        let words = match problem {
            Problem::Plain(words) => words.clone(),
            Problem::Found { expected, kind, .. } => format!("expected {expected}, found {kind}"),
            Problem::Unknown { name, known } => {
                let bytes = name.len();
                format!("unknown field with a name of {bytes} bytes, expected one of `{known}`")
            }
        };
        let colon = if path.is_empty() { "" } else { ": " };
        [path, colon, &words].concat()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn missing(field: &str) -> Self {
        Self::new(format!("missing field `{field}`"))
    }

    /// The same error, seen from a value that holds the one it is about.
    #[cold]
    #[inline(never)]
    pub(super) fn within(mut self, outer: &str) -> Self {
        let inner = &self.0.path;
        let dot = if inner.is_empty() || inner.starts_with('[') {
            ""
        } else {
            "."
        };
        self.0.path = [outer, dot, inner].concat();
        self
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { path, problem } = &*self.0;
        let colon = if path.is_empty() { "" } else { ": " };
        let words: [&str; 5] = match problem {
            Problem::Plain(words) => [words, "", "", "", ""],
            Problem::Found { expected, shown, .. } => ["expected ", expected, ", found ", shown, ""],
            Problem::Unknown { name, known } => ["unknown field `", name, "`, expected one of `", known, "`"],
        };
        [path, colon]
            .into_iter()
            .chain(words)
            .try_for_each(|part| f.write_str(part))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Flag => f.write_str("true or false"),
            Self::Number => f.write_str("another number"),
            Self::Text(bytes) => write!(f, "a text of {bytes} bytes"),
            Self::List(length) => write!(f, "a list of {length}"),
            Self::Object => f.write_str("an object"),
        }
    }
}

impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for JsonError {}

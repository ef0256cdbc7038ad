//! A bundle's videos in a Milvus collection, one entity a video: what the command loads, and what the edge worker reads.
//!
//! A bundle has a collection of its own, named after it, so that the two can never be of different catalogues. Every entity
//! has these fields:
//!
//! | field | type | what |
//! | --- | --- | --- |
//! | `video` | VarChar | the video's id; the primary key where the API can say so |
//! | `vector` | FloatVector | as the shard stores it, at unit length |
//! | `category`, `language` | Int32 | codes of the bundle's dictionaries; 65,535 is not known |
//! | `age` | Int32 | fit from this age in years; 256 is not known |
//! | `duration`, `uploaded` | Float | seconds; days since 1970-01-01 UTC; [`UNKNOWN`] is not known |
//! | `entry` | VarChar | all else of an answer, in base64 (`entry`) |
//!
//! One more entity, [`HEAD_ID`], holds what is the same for all of them. `entry` has the bytes of both, `expression` the
//! conditions of a search, `rest` requests and answers; who sends them is the callers' business.

mod entry;
mod expression;
mod rest;
#[cfg(test)]
mod tests;

pub use entry::{Entity, EntityError, Head, Stored};
pub use expression::{NOTHING, all_of, among};
pub use rest::{
    Api, Ask, Collection, MAX_HITS, Metric, Problem, Refusal, Row, collections, count, described, done, rows,
};

/// The id of the entity that is no video: no item id may have a control character.
pub const HEAD_ID: &str = "\n";
/// What stands for a number that is not known.
pub const UNKNOWN: f32 = f32::MIN;
/// The most bytes of the name of a site's collections, to which a bundle's name is added.
const MAX_NAME: usize = 200;

/// The collection of a bundle.
#[must_use]
pub fn collection(name: &str, bundle: &str) -> String {
    [name, "_", bundle].concat()
}

/// The bundle of a collection that has this name before it; `None` where it is no such collection.
#[must_use]
pub fn bundle_of<'a>(name: &str, collection: &'a str) -> Option<&'a str> {
    let bundle = collection.strip_prefix(name)?.strip_prefix('_')?;
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (bundle.len() == 16 && bundle.bytes().all(hexadecimal)).then_some(bundle)
}

/// Whether Milvus takes a name for collections.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.len() <= MAX_NAME && name.bytes().next().is_some_and(first) && name.bytes().all(plain)
}

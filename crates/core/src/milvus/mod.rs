//! A bundle's videos in a Milvus collection, one entity a video: what the command loads, and what the edge worker reads.
//!
//! A collection belongs to the videos of one bundle, and is named after their files ([`contents`]), so that vectors and codes can
//! never be of different catalogues. A bundle of the same videos has the same: one with another ranker, or an older one that is
//! published again. Every entity has these fields:
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

use crate::manifest::{Manifest, bundle_id};

/// The id of the entity that is no video: no item id may have a control character.
pub const HEAD_ID: &str = "\n";
/// What stands for a number that is not known.
pub const UNKNOWN: f32 = f32::MIN;
/// The most bytes of the name of a site's collections, to which a bundle's name is added.
const MAX_NAME: usize = 200;

/// The name of a bundle's videos and of all that is loaded of them, 16 hexadecimal digits: of the files that they come from, and
/// of the layout.
#[must_use]
pub fn contents(manifest: &Manifest) -> String {
    let mut text = format!(
        "entities of version {}, {} dimensions",
        entry::VERSION,
        manifest.dim
    );
    let common = [&manifest.dictionaries].into_iter().chain(&manifest.removed);
    let lists = manifest
        .segments
        .iter()
        .map(|segment| (segment.home, segment.files().collect()));
    for (home, files) in lists.chain([(0, common.collect::<Vec<_>>())]) {
        text.push_str(&format!("\n{home}"));
        for file in files {
            text.extend([" ", &file.sha256]);
        }
    }
    bundle_id(text.as_bytes())
}

/// The collection of some videos.
#[must_use]
pub fn collection(name: &str, contents: &str) -> String {
    [name, "_", contents].concat()
}

/// The videos of a collection that has this name before it; `None` where it is no such collection.
#[must_use]
pub fn contents_of<'a>(name: &str, collection: &'a str) -> Option<&'a str> {
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

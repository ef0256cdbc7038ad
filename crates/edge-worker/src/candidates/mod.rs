//! Where candidates for a query are found: the port [`Candidates`], and what stands behind it. `shards` are the segments of
//! this worker and of the workers of `groups`, which need nothing else; `milvus` is the engine of that name.

mod milvus;
mod shards;

pub use milvus::{Milvus, Settings};
pub use shards::Shards;

use crate::degraded::Note;
use crate::groups;
use recsys_core::candidates::Reply;
use recsys_core::segment::{Conditions, Matching};
use serde_json::Value;

/// What a caller wants.
pub struct Wish {
    /// How many videos.
    pub k: usize,
    /// Conditions on every video, as they were written and as they were read.
    pub filter: (Option<Value>, Conditions),
    /// Ids that must not come.
    pub exclude: Vec<String>,
}

/// What has come from elsewhere, and what is to be asked here.
#[derive(Default)]
pub struct Gathered {
    /// Segments of this worker that are to be asked.
    pub own: Vec<usize>,
    /// What others found.
    pub replies: Vec<(Reply, groups::Found)>,
    /// What is missing.
    pub faults: Vec<Note>,
    /// Segments that nobody answers for.
    pub lost: usize,
    /// Whether there are segments that were not asked.
    pub partial: bool,
    /// Whether the replies are the whole answer, so that no segment is asked.
    pub whole: bool,
    /// How many videos fit the filter, where the one who gave the whole answer says so.
    pub matching: Option<Matching>,
}

/// What finds candidates.
pub trait Candidates {
    /// Why it does not.
    type Fault;

    /// Waits for what is near to a vector that fits the bundle, by the caller's wish.
    ///
    /// # Errors
    /// It fails.
    async fn near(&self, vector: &[f32]) -> Result<Gathered, Self::Fault>;

    /// Waits for these videos, those alone that fit the filter where `fitting` holds; the caller looks at that too.
    ///
    /// # Errors
    /// It fails.
    async fn find(&self, ids: &[String], fitting: bool) -> Result<Gathered, Self::Fault>;
}

//! Candidates for a query: from the segments of this worker, from the workers that hold the others, or from an engine, which the
//! segments stand in for where it fails.
//!
//! First comes what has to be waited for (segments that are read, groups that are asked), then the search itself, which
//! does not wait.

use crate::bundle::{Call, Loaded};
use crate::candidates::{Candidates, Gathered, Milvus, Shards, Wish};
use crate::degraded::{Note, Reason};
use crate::engines::Fault;
use crate::hit::{Hit, best};
use crate::problem::Problem;
use crate::reply::Found;
use recsys_core::candidates::Entry;
use recsys_core::segment::{Filter, Matching, Nearest, Segments, Wanted};
use recsys_core::shard::{QueryError, dequantise};
use recsys_core::vector::UnitVector;
use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;

/// A bundle that is asked something.
pub struct Retrieval<'a> {
    /// The request's means.
    pub call: &'a Call<'a>,
    /// The bundle.
    pub bundle: Rc<Loaded>,
    /// What is wanted.
    pub wish: Wish,
    /// How Milvus failed this request.
    fault: Cell<Option<Fault>>,
}

impl<'a> Retrieval<'a> {
    /// Asks a bundle for what is wanted.
    pub const fn new(call: &'a Call<'a>, bundle: Rc<Loaded>, wish: Wish) -> Self {
        Self {
            call,
            bundle,
            wish,
            fault: Cell::new(None),
        }
    }

    /// The segments, here and elsewhere.
    const fn shards(&self) -> Shards<'_> {
        Shards {
            call: self.call,
            bundle: &self.bundle,
            wish: &self.wish,
        }
    }

    /// Milvus, where the owner put it before the segments and it has not failed this request yet.
    fn milvus(&self) -> Option<Milvus<'_>> {
        let settings = self.call.config.milvus.as_ref()?;
        self.fault.get().is_none().then(|| Milvus {
            env: self.call.env,
            settings,
            bundle: &self.bundle,
            wish: &self.wish,
        })
    }

    /// Remembers that Milvus fails, so that the segments are asked from now on.
    fn failed(&self, fault: Fault) {
        self.fault.set(Some(fault));
    }

    /// Adds that Milvus fails to what segments found.
    fn noted(&self, mut gathered: Gathered) -> Gathered {
        let note = self.fault.get().map(|fault| Note::of(Reason::Candidates, fault));
        gathered.faults.extend(note);
        gathered
    }

    fn filter(&self) -> Filter {
        self.wish.filter.1.resolve(&self.bundle.dictionaries)
    }

    /// Waits for what is near to a vector: what Milvus finds, or what is in the segments of its nearest cells.
    ///
    /// # Errors
    /// The vector does not fit the bundle.
    pub async fn near(&self, vector: &[f32]) -> Result<Gathered, Problem> {
        let refused = |error: QueryError| Problem::refused(error.to_string());
        if let Some(milvus) = self.milvus() {
            let unit = fitting(vector, self.bundle.manifest.dim as usize).map_err(refused)?;
            match milvus.near(unit.as_slice()).await {
                Ok(gathered) => return Ok(gathered),
                Err(fault) => self.failed(fault),
            }
        }
        let gathered = self.shards().near(vector).await.map_err(refused)?;
        Ok(self.noted(gathered))
    }

    /// Waits for what is near to a vector in all segments, where those of the nearest cells had too little.
    pub async fn wider(&self, narrow: Gathered, vector: &[f32]) -> Gathered {
        let mut gathered = self.shards().everywhere(Some(vector)).await;
        gathered.faults.extend(narrow.faults);
        gathered.faults.dedup();
        gathered
    }

    /// Waits for what is popular.
    pub async fn popular(&self) -> Gathered {
        self.shards().everywhere(None).await
    }

    /// Waits for these segments of this worker alone.
    pub async fn only(&self, segments: &[usize]) -> Gathered {
        self.shards().only(segments).await
    }

    /// Waits for the videos that the page's rules pin: a page can only pin what it has.
    pub async fn pinned(&self) -> (Vec<String>, Gathered) {
        let mut ids: Vec<String> = self.bundle.manifest.pinned().map(str::to_owned).collect();
        ids.sort_unstable();
        ids.dedup();
        let gathered = match ids.is_empty() {
            true => Gathered::default(),
            false => self.find(&ids, true).await,
        };
        (ids, gathered)
    }

    async fn find(&self, ids: &[String], fitting: bool) -> Gathered {
        if let Some(milvus) = self.milvus() {
            match milvus.find(ids, fitting).await {
                Ok(gathered) => return gathered,
                Err(fault) => self.failed(fault),
            }
        }
        // Segments are looked for ids without a query that could be refused.
        let gathered = self.shards().find(ids, fitting).await;
        self.noted(gathered.unwrap_or_default())
    }

    /// The vectors of some videos, in the order of their ids, with what is wrong where they could not all be looked for.
    pub async fn vectors(&self, ids: Vec<String>) -> (Vec<UnitVector>, Vec<Note>) {
        let gathered = self.find(&ids, false).await;
        let segments = self.bundle.segments.borrow();
        let vector = |hit: &Hit<'_>| {
            let (scale, codes) = hit.vector();
            let mean = hit.mean().filter(|_| !codes.is_empty())?;
            let mut values = vec![0f32; mean.len()];
            dequantise(mean, scale, codes, &mut values);
            UnitVector::new(values).ok()
        };
        let hits = located(&segments, &ids, &gathered);
        (hits.iter().filter_map(vector).collect(), self.fault(&gathered))
    }

    /// These videos, as far as they fit the filter, for `read`.
    pub fn found<T>(&self, gathered: &Gathered, ids: &[String], read: impl FnOnce(&Found<'_>) -> T) -> T {
        let (segments, filter) = (self.bundle.segments.borrow(), self.filter());
        let mut hits = located(&segments, ids, gathered);
        hits.retain(|hit| hit.fits(&filter));
        read(&Found {
            hits,
            degraded: self.fault(gathered),
            ..Found::default()
        })
    }

    /// Whether no segment is at hand, here or elsewhere.
    pub fn has_nothing(&self, gathered: &Gathered) -> bool {
        gathered.replies.is_empty() && self.bundle.segments.borrow().at_hand().next().is_none()
    }

    fn fault(&self, gathered: &Gathered) -> Vec<Note> {
        let replies = gathered
            .replies
            .iter()
            .filter_map(|(reply, _)| reply.degraded())
            .map(|text| Note::new(Reason::Group, text));
        // Where no segment was asked, none is missed.
        let fault = if gathered.whole { None } else { self.bundle.fault() };
        let own = fault.map(|text| Note::new(Reason::Bundle, text));
        own.into_iter()
            .chain(gathered.faults.iter().cloned())
            .chain(replies)
            .collect()
    }

    /// The answer, near to a vector or else popular, with the pinned videos behind it, for `read`.
    ///
    /// # Errors
    /// The vector does not fit the bundle.
    pub fn finish<T>(
        &self,
        gathered: &Gathered,
        vector: Option<&[f32]>,
        pins: Option<&(Vec<String>, Gathered)>,
        read: impl FnOnce(&Found<'_>) -> T,
    ) -> Result<T, Problem> {
        let filter = self.filter();
        let exclude: Vec<&str> = self.wish.exclude.iter().map(String::as_str).collect();
        let wanted = Wanted {
            k: self.wish.k,
            filter: &filter,
            exclude: &exclude,
        };
        let segments = self.bundle.segments.borrow();
        let here = match vector {
            _ if gathered.whole => Nearest::default(),
            Some(vector) => {
                let mut scratch = self.bundle.scratch.borrow_mut();
                let settings = &self.bundle.manifest.search;
                let nearest = segments.nearest_in(&gathered.own, vector, settings, &wanted, &mut scratch);
                nearest.map_err(|e| Problem::refused(e.to_string()))?
            }
            None => segments.popular(&wanted),
        };
        let there = gathered.replies.iter().flat_map(|(reply, _)| reply.entries());
        let hits: Vec<Hit<'_>> = here
            .found
            .iter()
            .copied()
            .map(Hit::Here)
            .chain(there.map(Hit::There))
            .collect();
        let mut stats = here.stats;
        for (_, found) in &gathered.replies {
            stats.distances += found.distances;
            stats.graph |= found.graph;
        }
        let remote = gathered
            .replies
            .iter()
            .map(|(_, found)| found.missing)
            .sum::<usize>();
        let missing = here.missing + remote + gathered.lost;
        let mut hits = best(&hits, self.wish.k);
        let short = gathered.partial && hits.len() < self.wish.k;
        if let Some((ids, gathered)) = pins {
            let pinned = located(&segments, ids, gathered).into_iter();
            let new = |hit: &Hit<'_>| hits.iter().all(|other| other.id() != hit.id());
            let pinned: Vec<Hit<'_>> = pinned.filter(|hit| hit.fits(&filter) && new(hit)).collect();
            hits.extend(pinned);
        }
        let found = Found {
            hits,
            degraded: match self.fault(gathered) {
                faults if faults.is_empty() => missing_note(missing).into_iter().collect(),
                faults => faults,
            },
            stats: (vector.is_some() && !gathered.whole).then_some(stats),
            matching: here
                .matching
                .map(|here| self.matching(gathered, &segments, here.videos))
                .or(gathered.matching),
            missing,
            short,
        };
        Ok(read(&found))
    }

    /// The videos that fit in all, of which `videos` are here.
    fn matching(&self, gathered: &Gathered, segments: &Segments, mut videos: usize) -> Matching {
        let own = self.call.config.own(self.bundle.manifest.segments.len());
        let mut complete = own.iter().all(|number| segments.get(*number).is_some());
        for (_, found) in &gathered.replies {
            let there = found.matching();
            videos += there.map_or(0, |matching| matching.videos);
            complete &= there.is_some_and(|matching| matching.complete);
        }
        let groups = self.call.config.groups.len();
        complete &= gathered.replies.len() == groups;
        Matching { videos, complete }
    }
}

/// Those of some ids that the bundle has.
pub async fn known(call: &Call<'_>, bundle: Rc<Loaded>, ids: Vec<String>) -> HashSet<String> {
    let wish = Wish {
        k: ids.len(),
        filter: Default::default(),
        exclude: Vec::new(),
    };
    let retrieval = Retrieval::new(call, bundle, wish);
    let gathered = retrieval.find(&ids, false).await;
    let segments = retrieval.bundle.segments.borrow();
    let hits = located(&segments, &ids, &gathered);
    hits.iter().map(|hit| hit.id().to_owned()).collect()
}

/// The videos of these ids, in their order, as far as they were found.
fn located<'a>(segments: &'a Segments, ids: &[String], gathered: &'a Gathered) -> Vec<Hit<'a>> {
    // A video that came from elsewhere need not come from here too.
    let asked = if gathered.whole { &[] } else { ids };
    let here = segments
        .find(asked.iter().map(String::as_str))
        .into_iter()
        .map(Hit::Here);
    let there = gathered.replies.iter().flat_map(|(reply, _)| reply.entries());
    let mut hits: Vec<Hit<'a>> = here.chain(there.map(Hit::There)).collect();
    hits.retain(|hit| ids.iter().any(|id| id == hit.id()));
    hits.sort_by_key(|hit| ids.iter().position(|id| id == hit.id()));
    hits.dedup_by(|one, other| one.id() == other.id());
    hits
}

fn missing_note(missing: usize) -> Option<Note> {
    let text = || format!("{missing} segment(s) that should have been asked are not at hand");
    (missing > 0).then(|| Note::new(Reason::Segments, text()))
}

/// A query at unit length, where it fits vectors of `dim` dimensions; refused in the words of a segment that it does not fit.
fn fitting(vector: &[f32], dim: usize) -> Result<UnitVector, QueryError> {
    if vector.len() != dim {
        let (expected, found) = (dim, vector.len());
        return Err(QueryError::Length { expected, found });
    }
    if let Some((index, value)) = vector
        .iter()
        .copied()
        .enumerate()
        .find(|(_, value)| !value.is_finite())
    {
        return Err(QueryError::NotFinite { index, value });
    }
    UnitVector::new(vector.to_vec()).map_err(|_| QueryError::Zero)
}

#[cfg(test)]
mod tests {
    use super::fitting;
    use recsys_core::shard::QueryError;

    #[test]
    fn what_no_segment_takes_is_refused_before_an_engine_is_asked() {
        let refused = |vector: &[f32]| fitting(vector, 2).unwrap_err();
        let length = |found| QueryError::Length { expected: 2, found };
        assert_eq!((refused(&[]), refused(&[1.0; 3])), (length(0), length(3)));
        assert!(matches!(
            refused(&[0.0, f32::NAN]),
            QueryError::NotFinite { index: 1, .. }
        ));
        assert_eq!(refused(&[0.0, -0.0]), QueryError::Zero);
        assert_eq!(fitting(&[3.0, 4.0], 2).unwrap().as_slice(), [0.6, 0.8]);
    }
}

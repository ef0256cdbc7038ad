//! Candidates for a query: from the segments of this worker, and from the workers that hold the others.
//!
//! First comes what has to be waited for (segments that are read, groups that are asked), then the search itself, which
//! does not wait.

use crate::bundle::{self, Call, Loaded};
use crate::degraded::{Note, Reason};
use crate::groups::{self, Question};
use crate::hit::{Hit, best};
use crate::problem::Problem;
use crate::reply::Found;
use futures_util::future::{join, join_all};
use recsys_core::candidates::{Entry, Reply};
use recsys_core::segment::{Conditions, Filter, Matching, Segments, Wanted};
use recsys_core::shard::dequantise;
use recsys_core::vector::UnitVector;
use serde_json::Value;
use std::collections::HashSet;
use std::rc::Rc;

/// What a caller wants.
pub struct Wish {
    /// How many videos.
    pub k: usize,
    /// Conditions on every video, as they were written and as they were read.
    pub filter: (Option<Value>, Conditions),
    /// Ids that must not come.
    pub exclude: Vec<String>,
}

/// A bundle that is asked something.
pub struct Retrieval<'a> {
    /// The request's means.
    pub call: &'a Call<'a>,
    /// The bundle.
    pub bundle: Rc<Loaded>,
    /// What is wanted.
    pub wish: Wish,
}

/// What has come from elsewhere.
#[derive(Default)]
pub struct Gathered {
    /// Segments of this worker that are to be asked.
    own: Vec<usize>,
    replies: Vec<(Reply, groups::Found)>,
    faults: Vec<Note>,
    /// Segments that nobody answers for.
    lost: usize,
    /// Whether there are segments that were not asked.
    partial: bool,
}

impl Retrieval<'_> {
    fn count(&self) -> usize {
        self.bundle.manifest.segments.len()
    }

    /// The segments that this worker answers for, by itself or through others.
    fn all(&self) -> Vec<usize> {
        match self.call.config.groups.is_empty() {
            true => self.call.config.own(self.count()),
            false => (0..self.count()).collect(),
        }
    }

    fn filter(&self) -> Filter {
        self.wish.filter.1.resolve(&self.bundle.dictionaries)
    }

    /// Waits for what is near to a vector in the segments of its nearest cells.
    ///
    /// # Errors
    /// The vector does not fit the bundle.
    pub async fn near(&self, vector: &[f32]) -> Result<Gathered, Problem> {
        let asked = {
            let mut scratch = self.bundle.scratch.borrow_mut();
            let routed = self.bundle.segments.borrow().route(vector, &mut scratch);
            routed.map_err(|e| Problem::refused(e.to_string()))?
        };
        // Every group counts what fits a filter.
        let counted = !self.wish.filter.1.is_empty();
        let mut gathered = self.gather(&asked, counted, Some(vector), None).await;
        gathered.partial = asked.len() < self.all().len();
        Ok(gathered)
    }

    /// Waits for what is near to a vector in all segments, where those of the nearest cells had too little.
    pub async fn wider(&self, narrow: Gathered, vector: &[f32]) -> Gathered {
        let all = self.all();
        let mut gathered = self.gather(&all, true, Some(vector), None).await;
        gathered.faults.extend(narrow.faults);
        gathered.faults.dedup();
        gathered
    }

    /// Waits for what is popular.
    pub async fn popular(&self) -> Gathered {
        let all = self.all();
        self.gather(&all, true, None, None).await
    }

    /// Waits for these segments of this worker alone.
    pub async fn only(&self, segments: &[usize]) -> Gathered {
        let holds = |number: &usize| self.call.config.holds(*number);
        let own: Vec<usize> = segments.iter().copied().filter(holds).collect();
        bundle::ensure(self.call, &self.bundle, &own, true).await;
        Gathered {
            lost: segments.len() - own.len(),
            own,
            ..Gathered::default()
        }
    }

    /// Waits for the videos that the page's rules pin: a page can only pin what it has.
    pub async fn pinned(&self) -> (Vec<String>, Gathered) {
        let mut ids: Vec<String> = self.bundle.manifest.pinned().map(str::to_owned).collect();
        ids.sort_unstable();
        ids.dedup();
        let gathered = match ids.is_empty() {
            true => Gathered::default(),
            false => self.gather_ids(&ids).await,
        };
        (ids, gathered)
    }

    async fn gather_ids(&self, ids: &[String]) -> Gathered {
        let all = self.all();
        self.gather(&all, true, None, Some(ids)).await
    }

    /// The vectors of some videos, in the order of their ids, with what is wrong where they could not all be looked for.
    pub async fn vectors(&self, ids: Vec<String>) -> (Vec<UnitVector>, Vec<Note>) {
        let gathered = self.gather_ids(&ids).await;
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

    /// Asks the groups of these segments, all groups where `everywhere` holds, and waits for the own ones.
    async fn gather(
        &self,
        asked: &[usize],
        everywhere: bool,
        vector: Option<&[f32]>,
        find: Option<&[String]>,
    ) -> Gathered {
        let config = &self.call.config;
        let own: Vec<usize> = asked
            .iter()
            .copied()
            .filter(|number| config.holds(*number))
            .collect();
        // Where all are asked, nothing leaves for what comes: they need not all fit.
        let evict = asked.len() < self.count() || self.count() == 1;
        let groups = config.groups.iter().filter_map(|group| {
            let numbers = asked
                .iter()
                .copied()
                .filter(|number| group.segments.contain(*number));
            let segments: Vec<usize> = numbers.collect();
            (everywhere || !segments.is_empty()).then_some((group, segments))
        });
        let question = |segments: &[usize]| Question {
            bundle: self.bundle.id.clone(),
            k: self.wish.k,
            vector: vector.map(<[f32]>::to_vec),
            segments: segments.to_vec(),
            find: find.map(<[String]>::to_vec),
            filter: self.wish.filter.0.clone(),
            exclude: self.wish.exclude.clone(),
        };
        let ask = groups.map(|(group, segments)| async move {
            let question = question(&segments);
            let answer = groups::ask(self.call.env, group, &question, self.call.round_ms()).await;
            (segments, answer)
        });
        let wait = bundle::ensure(self.call, &self.bundle, &own, evict);
        let ((), answers) = join(wait, join_all(ask)).await;
        let mut gathered = Gathered {
            own,
            ..Gathered::default()
        };
        let known = |number: &usize| {
            config.holds(*number) || config.groups.iter().any(|g| g.segments.contain(*number))
        };
        gathered.lost = asked.iter().filter(|number| !known(number)).count();
        for (segments, answer) in answers {
            match answer {
                Ok(answer) => gathered.replies.push(answer),
                Err(error) => {
                    gathered.lost += segments.len();
                    gathered.faults.push(Note::new(Reason::Group, error));
                }
            }
        }
        gathered
    }

    fn fault(&self, gathered: &Gathered) -> Vec<Note> {
        let replies = gathered
            .replies
            .iter()
            .filter_map(|(reply, _)| reply.degraded())
            .map(|text| Note::new(Reason::Group, text));
        let own = self.bundle.fault().map(|text| Note::new(Reason::Bundle, text));
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
            stats: vector.is_some().then_some(stats),
            matching: here
                .matching
                .map(|here| self.matching(gathered, &segments, here.videos)),
            missing,
            short,
        };
        Ok(read(&found))
    }

    /// The videos that fit in all, of which `videos` are here.
    fn matching(&self, gathered: &Gathered, segments: &Segments, mut videos: usize) -> Matching {
        let own = self.call.config.own(self.count());
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
    let retrieval = Retrieval { call, bundle, wish };
    let gathered = retrieval.gather_ids(&ids).await;
    let segments = retrieval.bundle.segments.borrow();
    let hits = located(&segments, &ids, &gathered);
    hits.iter().map(|hit| hit.id().to_owned()).collect()
}

/// The videos of these ids, in their order, as far as they were found.
fn located<'a>(segments: &'a Segments, ids: &[String], gathered: &'a Gathered) -> Vec<Hit<'a>> {
    let here = segments
        .find(ids.iter().map(String::as_str))
        .into_iter()
        .map(Hit::Here);
    let there = gathered.replies.iter().flat_map(|(reply, _)| reply.entries());
    let mut hits: Vec<Hit<'a>> = here.chain(there.map(Hit::There)).collect();
    hits.sort_by_key(|hit| ids.iter().position(|id| id == hit.id()));
    hits
}

fn missing_note(missing: usize) -> Option<Note> {
    let text = || format!("{missing} segment(s) that should have been asked are not at hand");
    (missing > 0).then(|| Note::new(Reason::Segments, text()))
}

//! The segments of this worker, and of the workers that hold the others.

use super::{Candidates, Gathered, Wish};
use crate::bundle::{self, Call, Loaded};
use crate::degraded::{Note, Reason};
use crate::groups::{self, Question};
use futures_util::future::{join, join_all};
use recsys_core::shard::QueryError;
use std::rc::Rc;

/// The segments of a bundle, wherever they are.
pub struct Shards<'a> {
    /// The request's means.
    pub call: &'a Call<'a>,
    /// The bundle.
    pub bundle: &'a Rc<Loaded>,
    /// What is wanted.
    pub wish: &'a Wish,
}

impl Candidates for Shards<'_> {
    type Fault = QueryError;

    /// In the segments of its nearest cells.
    async fn near(&self, vector: &[f32]) -> Result<Gathered, QueryError> {
        let asked = {
            let mut scratch = self.bundle.scratch.borrow_mut();
            self.bundle.segments.borrow().route(vector, &mut scratch)?
        };
        // Every group counts what fits a filter.
        let counted = !self.wish.filter.1.is_empty();
        let mut gathered = self.gather(&asked, counted, Some(vector), None).await;
        gathered.partial = asked.len() < self.all().len();
        Ok(gathered)
    }

    async fn find(&self, ids: &[String], fitting: bool) -> Result<Gathered, QueryError> {
        let all = self.all();
        Ok(self.gather(&all, true, None, Some((ids, fitting))).await)
    }
}

impl Shards<'_> {
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

    /// Waits for all of them, whatever is asked.
    pub async fn everywhere(&self, vector: Option<&[f32]>) -> Gathered {
        let all = self.all();
        self.gather(&all, true, vector, None).await
    }

    /// Waits for these segments of this worker alone.
    pub async fn only(&self, segments: &[usize]) -> Gathered {
        let holds = |number: &usize| self.call.config.holds(*number);
        let own: Vec<usize> = segments.iter().copied().filter(holds).collect();
        bundle::ensure(self.call, self.bundle, &own, true).await;
        Gathered {
            lost: segments.len() - own.len(),
            own,
            ..Gathered::default()
        }
    }

    /// Asks the groups of these segments, all groups where `everywhere` holds, and waits for the own ones. `find` has ids, and
    /// whether they have to fit the filter: clicks count whatever is wished for next.
    async fn gather(
        &self,
        asked: &[usize],
        everywhere: bool,
        vector: Option<&[f32]>,
        find: Option<(&[String], bool)>,
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
        let filtered = find.is_none_or(|(_, fitting)| fitting);
        let question = |segments: &[usize]| Question {
            bundle: self.bundle.id.clone(),
            k: self.wish.k,
            vector: vector.map(<[f32]>::to_vec),
            segments: segments.to_vec(),
            find: find.map(|(ids, _)| ids.to_vec()),
            filter: self.wish.filter.0.clone().filter(|_| filtered),
            exclude: self.wish.exclude.clone(),
        };
        let ask = groups.map(|(group, segments)| async move {
            let question = question(&segments);
            let answer = groups::ask(self.call.env, group, &question, self.call.round_ms()).await;
            (segments, answer)
        });
        let wait = bundle::ensure(self.call, self.bundle, &own, evict);
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
}

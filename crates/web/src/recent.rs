//! The newest replies of the retrieval stage: what a click, a second ranking or an explanation can refer to.

use recsys_core::candidates::{Candidate, Candidates};
use std::collections::VecDeque;

/// Replies kept, newest to stay. At 200 candidates of 512 dimensions one takes half a megabyte.
const MAX: usize = 6;

/// What a reply was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A slate of recommendations; with the exact request where the server gave it.
    Recommend(Option<String>),
    /// A search.
    Search,
}

/// Candidates, and what they were asked for.
#[derive(Debug)]
struct Reply {
    purpose: Purpose,
    candidates: Candidates,
}

/// The newest replies, all of one bundle, oldest first.
#[derive(Debug, Default)]
pub struct Recent {
    replies: VecDeque<Reply>,
}

impl Recent {
    /// Takes in a reply. Replies of another bundle leave: their cells and codes mean something else.
    pub fn push(&mut self, purpose: Purpose, candidates: Candidates) {
        self.replies
            .retain(|reply| reply.candidates.bundle == candidates.bundle);
        if self.replies.len() == MAX {
            self.replies.pop_front();
        }
        self.replies.push_back(Reply { purpose, candidates });
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.replies.clear();
    }

    /// The bundle of the replies.
    pub fn bundle(&self) -> Option<&str> {
        self.replies.back().map(|reply| reply.candidates.bundle.as_str())
    }

    /// The newest candidates for recommendations.
    pub fn recommended(&self) -> Option<&Candidates> {
        self.recommendations().next().map(|reply| &reply.candidates)
    }

    /// The newest results of a search.
    pub fn found(&self) -> Option<&Candidates> {
        let mut searches = self
            .replies
            .iter()
            .rev()
            .filter(|reply| reply.purpose == Purpose::Search);
        searches.next().map(|reply| &reply.candidates)
    }

    /// Whether the newest candidates for recommendations answer this very request.
    pub fn answers(&self, request: &str) -> bool {
        self.recommendations().next().is_some_and(
            |reply| matches!(&reply.purpose, Purpose::Recommend(Some(asked)) if asked == request),
        )
    }

    /// The candidate of an id, and the reply that it stands in: the newest recommendations that hold it, else the
    /// newest search.
    pub fn holding(&self, id: &str) -> Option<(&Candidates, usize)> {
        let searches = self
            .replies
            .iter()
            .rev()
            .filter(|reply| reply.purpose == Purpose::Search);
        self.recommendations().chain(searches).find_map(|reply| {
            let list = &reply.candidates.list;
            let index = list.iter().position(|candidate| candidate.id.as_str() == id)?;
            Some((&reply.candidates, index))
        })
    }

    /// The candidate of an id.
    pub fn candidate(&self, id: &str) -> Option<&Candidate> {
        let (candidates, index) = self.holding(id)?;
        candidates.list.get(index)
    }

    /// Newest first.
    fn recommendations(&self) -> impl Iterator<Item = &Reply> {
        self.replies
            .iter()
            .rev()
            .filter(|reply| reply.purpose != Purpose::Search)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recsys_core::candidates::Source;
    use recsys_core::catalogue::{ItemFacts, ItemId};

    fn reply(bundle: &str, ids: &[&str]) -> Candidates {
        let candidate = |id: &&str| Candidate {
            id: ItemId::new(*id).unwrap(),
            cell: 0,
            score: 0.0,
            facts: ItemFacts::unknown(),
            vector: vec![1.0],
            neighbours: Vec::new(),
            card: String::new(),
        };
        Candidates {
            source: Source::Personal,
            bundle: bundle.to_owned(),
            degraded: None,
            list: ids.iter().map(candidate).collect(),
        }
    }

    fn asked(body: &str) -> Purpose {
        Purpose::Recommend(Some(body.to_owned()))
    }

    #[test]
    fn only_the_newest_recommendations_answer_a_request_and_a_search_does_not_hide_them() {
        let mut recent = Recent::default();
        recent.push(asked("one"), reply("b", &["a"]));
        recent.push(asked("two"), reply("b", &["b"]));
        recent.push(Purpose::Search, reply("b", &["b", "c"]));
        assert!(recent.answers("two") && !recent.answers("one"));
        recent.push(Purpose::Recommend(None), reply("b", &["b"]));
        assert!(!recent.answers("two"), "a local slate answers no request");
    }

    #[test]
    fn an_id_is_found_among_recommendations_first() {
        let mut recent = Recent::default();
        recent.push(asked("one"), reply("b", &["a", "b"]));
        recent.push(Purpose::Search, reply("b", &["b", "c"]));
        assert_eq!(recent.holding("b").map(|(_, index)| index), Some(1));
        assert_eq!(recent.holding("c").map(|(_, index)| index), Some(1));
        assert!(recent.holding("d").is_none());
    }

    #[test]
    fn replies_are_bounded_and_of_one_bundle() {
        let mut recent = Recent::default();
        for id in ["a", "b", "c", "d", "e", "f", "g"] {
            recent.push(asked(id), reply("one", &[id]));
        }
        assert!(recent.candidate("a").is_none() && recent.candidate("b").is_some());
        recent.push(asked("h"), reply("two", &["h"]));
        assert_eq!(recent.bundle(), Some("two"));
        assert!(recent.candidate("g").is_none());
    }
}

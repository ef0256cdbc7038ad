//! What every reader of an event sink's records owes: viewers who asked for it are forgotten, and what was sent twice counts
//! once.

use super::{Event, EventKind};
use std::collections::{HashMap, HashSet};

/// What was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Events of viewers who asked to be forgotten after them.
    pub forgotten: usize,
    /// Records that came more than once.
    pub duplicates: usize,
    /// Impressions of records that repeat an item within their request.
    pub repeated: usize,
}

/// Settles events in order of time; the order stays.
///
/// An event is left out where its viewer asked to be forgotten at its time or later, whichever of the two stands first in the
/// file. Of records of one viewer with one id the first counts.
///
/// Records, which have ids, come from anybody's browser: their requests are told apart by viewer, and an item that a request
/// repeats counts once, so that nobody can make a log unreadable. Events without ids are the owner's own and stay as they are.
#[must_use]
pub fn settle(mut events: Vec<Event>) -> (Vec<Event>, LeftOut) {
    let mut out = LeftOut::default();
    let forgotten = forgotten(&events);
    let is_forgotten = |name: &str, ts_ms: i64| forgotten.get(name).is_some_and(|until| ts_ms <= *until);
    let (mut ids, mut places) = (HashSet::new(), HashSet::new());
    events.retain(|event| {
        if event.kind == EventKind::Forget {
            return false;
        }
        let session = event.session.as_deref().unwrap_or(&event.viewer);
        if is_forgotten(&event.viewer, event.ts_ms) || is_forgotten(session, event.ts_ms) {
            out.forgotten += 1;
            return false;
        }
        let Some(id) = &event.id else {
            return true;
        };
        if !ids.insert((event.viewer.clone(), id.clone())) {
            out.duplicates += 1;
            return false;
        }
        if let EventKind::Impression { request, item, .. } = &event.kind
            && !places.insert((event.viewer.clone(), request.clone(), item.clone()))
        {
            out.repeated += 1;
            return false;
        }
        true
    });
    for event in events.iter_mut().filter(|event| event.id.is_some()) {
        let viewer = &event.viewer;
        match &mut event.kind {
            EventKind::Impression { request, .. }
            | EventKind::Click {
                request: Some(request),
                ..
            }
            | EventKind::Watch {
                request: Some(request),
                ..
            } => *request = [viewer.as_str(), "/", request.as_str()].concat(),
            _ => {}
        }
    }
    (events, out)
}

/// When viewers asked to be forgotten, the last time.
fn forgotten(events: &[Event]) -> HashMap<String, i64> {
    let mut forgotten = HashMap::new();
    for event in events.iter().filter(|event| event.kind == EventKind::Forget) {
        let until = forgotten.entry(event.viewer.clone()).or_insert(event.ts_ms);
        *until = event.ts_ms.max(*until);
    }
    forgotten
}

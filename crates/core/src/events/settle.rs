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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Label, join, parse_line};

    fn event(event: &str, at: i64, session: &str, more: &str) -> Event {
        let ts = 1_760_000_000_000 + at;
        let item = match event {
            "forget" => "",
            _ => ",\"item\":\"a\"",
        };
        let line = format!("{{\"event\":\"{event}\",\"ts\":{ts},\"session\":\"{session}\"{item}{more}}}");
        parse_line(&line).unwrap()
    }

    fn times(events: Vec<Event>) -> (Vec<i64>, LeftOut) {
        let (events, out) = settle(events);
        let times = events.iter().map(|event| event.ts_ms - 1_760_000_000_000);
        (times.collect(), out)
    }

    #[test]
    fn what_came_before_a_wish_to_be_forgotten_is_left_out_wherever_it_stands() {
        let user = ",\"user\":{\"id\":\"u\"}";
        let events = vec![
            event("forget", 5, "v", ""),
            event("click", 1, "v", ",\"id\":\"1\""),
            event("click", 2, "w", ""),
            event("click", 3, "v", user),
            event("click", 5, "v", ""),
            event("click", 6, "v", ""),
            event("forget", 3, "v", ""),
            event("forget", 9, "nobody", ""),
        ];
        let (left, out) = times(events);
        assert_eq!(left, [2, 6]);
        assert_eq!((out.forgotten, out.duplicates, out.repeated), (3, 0, 0));
    }

    #[test]
    fn a_record_counts_once_and_ids_of_other_viewers_are_others() {
        let id = ",\"id\":\"1\"";
        let events = vec![
            event("click", 1, "v", id),
            event("click", 2, "v", id),
            event("click", 3, "w", id),
            event("click", 4, "v", ""),
            event("click", 4, "v", ""),
        ];
        let (left, out) = times(events);
        assert_eq!(left, [1, 3, 4, 4]);
        assert_eq!((out.forgotten, out.duplicates, out.repeated), (0, 1, 0));
    }

    #[test]
    fn records_of_strangers_cannot_make_a_log_unreadable() {
        let shown = |at, viewer, id: u32| {
            let more = format!(",\"request\":\"r\",\"position\":0,\"id\":\"{id}\"");
            event("impression", at, viewer, &more)
        };
        let click = event("click", 5, "w", ",\"request\":\"r\",\"id\":\"9\"");
        let (events, out) = settle(vec![shown(1, "v", 1), shown(2, "v", 2), shown(3, "w", 3), click]);
        assert_eq!((out.duplicates, out.repeated), (0, 1));
        let slates = join(&events, Label::Click).unwrap();
        let answered: Vec<bool> = slates.iter().map(super::super::Slate::answered).collect();
        assert_eq!(answered, [false, true]);
    }
}

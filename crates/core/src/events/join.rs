//! Impressions, clicks and watches joined by request into labelled slates.

use super::{Event, EventKind, LONG_WATCH_SECONDS};
use crate::catalogue::ItemId;
use std::collections::HashMap;
use thiserror::Error;

/// What makes an impression a positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// It was clicked.
    Click,
    /// It was watched for at least [`LONG_WATCH_SECONDS`] at a stretch.
    Watch,
}

/// One item of a slate.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The item.
    pub item: ItemId,
    /// Place in the slate, 0 is the first.
    pub position: u32,
    /// Probability with which the policy showed it, where logged.
    pub propensity: Option<f64>,
    /// Whether it is a positive.
    pub positive: bool,
}

/// Everything that one request showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Slate {
    /// The request's id.
    pub request: String,
    /// Time of the first impression, in milliseconds since 1970-01-01 UTC.
    pub ts_ms: i64,
    /// Index into the events: the first impression.
    pub first_event: usize,
    /// Which policy chose the slate, where logged.
    pub arm: Option<String>,
    /// Items by position; equal positions in the order of the events.
    pub shown: Vec<Shown>,
}

impl Slate {
    /// Whether any item is a positive.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.shown.iter().any(|shown| shown.positive)
    }
}

/// Impressions that cannot be joined.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum JoinError {
    /// Twice the same item.
    #[error("request {request} shows item {item} twice; give every reply a request id of its own")]
    Repeated {
        /// The request.
        request: String,
        /// The item.
        item: ItemId,
    },
    /// Two viewers.
    #[error(
        "request {request} was shown to both {first} and {second}; give every reply a request id of its own"
    )]
    Viewers {
        /// The request.
        request: String,
        /// Viewer of the first impression.
        first: String,
        /// Another viewer.
        second: String,
    },
}

/// Joins events, in order of time, into slates in order of their first impression.
///
/// # Errors
/// A request that shows an item twice, or to two viewers.
pub fn join(events: &[Event], label: Label) -> Result<Vec<Slate>, JoinError> {
    let mut slates: Vec<Slate> = Vec::new();
    let mut by_request: HashMap<&str, usize> = HashMap::new();
    let mut places: HashMap<(&str, &ItemId), (usize, usize)> = HashMap::new();
    for (index, event) in events.iter().enumerate() {
        let EventKind::Impression {
            request,
            item,
            position,
            arm,
            propensity,
        } = &event.kind
        else {
            continue;
        };
        let at = *by_request.entry(request).or_insert_with(|| {
            let (request, arm) = (request.clone(), arm.clone());
            slates.push(Slate {
                request,
                ts_ms: event.ts_ms,
                first_event: index,
                arm,
                shown: Vec::new(),
            });
            slates.len() - 1
        });
        let slate = &mut slates[at];
        let first = &events[slate.first_event].viewer;
        if *first != event.viewer {
            let (request, first, second) = (request.clone(), first.clone(), event.viewer.clone());
            return Err(JoinError::Viewers {
                request,
                first,
                second,
            });
        }
        if places.insert((request, item), (at, slate.shown.len())).is_some() {
            return Err(JoinError::Repeated {
                request: request.clone(),
                item: item.clone(),
            });
        }
        let (item, position, propensity) = (item.clone(), *position, *propensity);
        slate.shown.push(Shown {
            item,
            position,
            propensity,
            positive: false,
        });
    }
    for event in events {
        if let Some((slate, place)) = positive(event, label).and_then(|key| places.get(&key)) {
            slates[*slate].shown[*place].positive = true;
        }
    }
    for slate in &mut slates {
        slate.shown.sort_by_key(|shown| shown.position);
    }
    Ok(slates)
}

/// The request and item that an event makes a positive.
fn positive(event: &Event, label: Label) -> Option<(&str, &ItemId)> {
    match (&event.kind, label) {
        (
            EventKind::Click {
                request: Some(request),
                item,
            },
            Label::Click,
        ) => Some((request, item)),
        (
            EventKind::Watch {
                request: Some(request),
                item,
                seconds,
            },
            Label::Watch,
        ) if *seconds >= LONG_WATCH_SECONDS => Some((request, item)),
        _ => None,
    }
}

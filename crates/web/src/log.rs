//! The viewer's own event log (docs/events.md): kept in this browser, bounded, with the features of what was shown.

use crate::failure::Failure;
use recsys_core::catalogue::ItemId;
use recsys_core::events::{Entry, EntryUser, NamedFeatures};
use recsys_core::json::{FromJson, Json, JsonError};
use recsys_core::session::VISIT_GAP_MS;
use serde::Serialize;
use std::collections::VecDeque;

/// Slates that impressions and clicks can still refer to.
const MAX_SLATES: usize = 6;

/// Who the log is of: a random name that never leaves the browser by itself, and the visit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(into = "(String, u32, i64)")]
pub struct Identity {
    /// Empty before the first event.
    name: String,
    visit: u32,
    last_ms: i64,
}

impl<'a> FromJson<'a> for Identity {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let (name, visit, last_ms) = FromJson::from_json(json)?;
        Ok(Self { name, visit, last_ms })
    }
}

impl From<Identity> for (String, u32, i64) {
    fn from(identity: Identity) -> Self {
        (identity.name, identity.visit, identity.last_ms)
    }
}

impl Identity {
    /// The identity at an event; `random` names one that has no name yet. A pause of [`VISIT_GAP_MS`] starts a visit.
    pub fn at(&mut self, ts_ms: i64, random: impl FnOnce() -> String) -> &Self {
        if self.name.is_empty() {
            self.name = random();
        }
        if ts_ms.saturating_sub(self.last_ms) > VISIT_GAP_MS {
            self.visit = self.visit.saturating_add(1);
        }
        self.last_ms = self.last_ms.max(ts_ms);
        self
    }

    /// The line of an event; its session and viewer are filled in, with what the viewer declared.
    pub fn line(&self, entry: Entry<'_>, declared: EntryUser<'_>) -> String {
        let session = format!("{}-{}", self.name, self.visit);
        let user = EntryUser {
            id: &self.name,
            ..declared
        };
        let entry = Entry {
            session: &session,
            user,
            ..entry
        };
        entry.to_line()
    }
}

/// One place of a slate.
#[derive(Debug)]
pub struct Place {
    /// The video.
    pub item: ItemId,
    /// What the ranker read of it.
    pub features: Vec<f32>,
    /// Experiments and arms that it counts for.
    pub arms: Vec<(String, String)>,
    /// Probability with which the policy showed it, where known.
    pub propensity: Option<f64>,
    /// Its impression was reported.
    pub shown: bool,
}

/// A slate as it was made.
#[derive(Debug)]
pub struct ShownSlate {
    /// Its name.
    pub request: String,
    /// When it was made: the moment that its features are of.
    pub ts_ms: i64,
    /// Best first.
    pub places: Vec<Place>,
}

/// The newest slates, oldest first.
#[derive(Debug, Default)]
pub struct ShownSlates(VecDeque<ShownSlate>);

/// An impression that was not reported before.
pub struct Impression<'a> {
    slate: &'a ShownSlate,
    place: &'a Place,
    position: u32,
}

impl ShownSlates {
    /// Takes in a slate.
    pub fn push(&mut self, slate: ShownSlate) {
        if self.0.len() == MAX_SLATES {
            self.0.pop_front();
        }
        self.0.push_back(slate);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The slate of an impression report: the named one, or the newest that has all the items. With no items, all of the
    /// slate.
    ///
    /// # Errors
    /// `UnknownItem`: no such slate.
    pub fn report(
        &mut self,
        request: Option<&str>,
        items: &[ItemId],
    ) -> Result<Vec<Impression<'_>>, Failure> {
        let holds = |slate: &ShownSlate| {
            let has = |item: &ItemId| slate.places.iter().any(|place| place.item == *item);
            request.is_none_or(|request| request == slate.request) && items.iter().all(has)
        };
        let Some(slate) = self.0.iter_mut().rev().find(|slate| holds(slate)) else {
            return Err(Failure::unknown_slate());
        };
        let wanted = |place: &Place| !place.shown && (items.is_empty() || items.contains(&place.item));
        let fresh: Vec<usize> = (0..)
            .zip(&slate.places)
            .filter(|(_, p)| wanted(p))
            .map(|(i, _)| i)
            .collect();
        for place in &fresh {
            if let Some(place) = slate.places.get_mut(*place) {
                place.shown = true;
            }
        }
        let slate = &*slate;
        let one = |position: usize| {
            Some(Impression {
                slate,
                place: slate.places.get(position)?,
                position: u32::try_from(position).ok()?,
            })
        };
        Ok(fresh.into_iter().filter_map(one).collect())
    }

    /// The slate, and the place in it, that a click or a watch belongs to: the named one, else the newest in which an
    /// impression of the item was reported.
    pub fn origin(&self, request: Option<&str>, item: &ItemId) -> Option<Impression<'_>> {
        self.0.iter().rev().find_map(|slate| {
            let named = request.map(|request| request == slate.request);
            let (position, place) = slate
                .places
                .iter()
                .enumerate()
                .find(|(_, place)| place.item == *item && named.unwrap_or(place.shown))?;
            Some(Impression {
                slate,
                place,
                position: u32::try_from(position).ok()?,
            })
        })
    }
}

impl Impression<'_> {
    /// The video.
    pub fn item(&self) -> &ItemId {
        &self.place.item
    }

    /// Experiments and arms that it counts for.
    pub fn arms(&self) -> &[(String, String)] {
        &self.place.arms
    }

    /// The same as events have them: `experiment=arm`, separated by commas.
    pub fn arms_text(&self) -> Option<String> {
        let texts: Vec<String> = self.arms().iter().map(|(e, a)| format!("{e}={a}")).collect();
        (!texts.is_empty()).then(|| texts.join(","))
    }

    /// Slate and place, for the events that follow.
    pub fn origin(&self) -> (&str, u32) {
        (&self.slate.request, self.position)
    }

    /// The event.
    pub fn entry(&self) -> Entry<'_> {
        Entry {
            ts: self.slate.ts_ms,
            event: "impression",
            request: Some(&self.slate.request),
            item: Some(self.place.item.as_str()),
            position: Some(self.position),
            propensity: self.place.propensity,
            features: Some(NamedFeatures(&self.place.features)),
            ..Entry::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: &str) -> ItemId {
        ItemId::new(id).unwrap()
    }

    fn slate(request: &str, items: &[&str]) -> ShownSlate {
        let place = |item: &&str| Place {
            item: id(item),
            features: Vec::new(),
            arms: vec![
                ("list".to_owned(), "new".to_owned()),
                ("e".to_owned(), "b".to_owned()),
            ],
            propensity: None,
            shown: false,
        };
        ShownSlate {
            request: request.to_owned(),
            ts_ms: 7,
            places: items.iter().map(place).collect(),
        }
    }

    #[test]
    fn an_impression_is_reported_once_and_belongs_to_the_newest_slate_that_has_it() {
        let mut slates = ShownSlates::default();
        slates.push(slate("r1", &["a", "b"]));
        slates.push(slate("r2", &["b", "c"]));
        let report = |slates: &mut ShownSlates, request: Option<&str>, items: &[&str]| {
            let items: Vec<ItemId> = items.iter().map(|item| id(item)).collect();
            let list = slates
                .report(request, &items)
                .map_err(|failure| failure.message)?;
            let named = |i: &Impression<'_>| (i.slate.request.clone(), i.position);
            Ok::<_, String>(list.iter().map(named).collect::<Vec<_>>())
        };
        let at = |request: &str, place: u32| (request.to_owned(), place);
        let origin = |slates: &ShownSlates, request: Option<&str>, item: &str| {
            let found = slates.origin(request, &id(item));
            found.map(|impression| at(impression.origin().0, impression.origin().1))
        };
        assert_eq!(origin(&slates, None, "b"), None, "not shown yet");
        assert_eq!(report(&mut slates, None, &["b"]), Ok(vec![at("r2", 0)]));
        assert_eq!(report(&mut slates, None, &["b"]), Ok(vec![]));
        assert_eq!(origin(&slates, None, "b"), Some(at("r2", 0)));
        assert_eq!(
            report(&mut slates, Some("r1"), &[]),
            Ok(vec![at("r1", 0), at("r1", 1)])
        );
        assert_eq!(origin(&slates, Some("r1"), "b"), Some(at("r1", 1)));
        assert_eq!(origin(&slates, Some("r1"), "c"), None);
        assert!(report(&mut slates, Some("r1"), &["c"]).is_err());
        assert!(report(&mut slates, None, &["d"]).is_err());
        let place = slates.origin(Some("r1"), &id("a")).unwrap();
        assert_eq!(place.arms_text().as_deref(), Some("list=new,e=b"));
    }

    #[test]
    fn a_pause_starts_a_visit_and_the_name_stays() {
        let mut identity = Identity::default();
        let line = |identity: &mut Identity, ts| {
            let entry = Entry {
                ts,
                event: "search",
                query: Some("q"),
                ..Entry::default()
            };
            identity
                .at(ts, || "n".to_owned())
                .line(entry, EntryUser::default())
        };
        assert!(line(&mut identity, 1_760_000_000_000).contains(r#""session":"n-1""#));
        assert!(line(&mut identity, 1_760_000_000_001).contains(r#""session":"n-1""#));
        let later = line(&mut identity, 1_760_000_000_001 + VISIT_GAP_MS + 1);
        assert!(
            later.contains(r#""session":"n-2""#) && later.contains(r#""user":{"id":"n"}"#),
            "{later}"
        );
    }
}

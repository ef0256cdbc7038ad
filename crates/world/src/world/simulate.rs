//! The log: viewers come back over sixty days, see slates, click, watch and search.

use std::collections::HashSet;

use super::catalogue::Item;
use super::clock::{DAY_MS, FIRST_LOG_DAY, LOG_DAYS};
use super::event::{Event, User};
use super::policy::{Slate, slate};
use super::viewer::{Mood, Viewer, weight};
use crate::rng::Rng;
use crate::scene::Scene;

/// Sessions of a viewer.
const SESSIONS: std::ops::RangeInclusive<usize> = 2..=4;
/// Requests of a session.
const REQUESTS: std::ops::RangeInclusive<usize> = 4..=8;
/// Chance that the mood moves to a neighbouring theme between two requests.
const DRIFT: f64 = 0.25;
/// Chance of a search before a request.
const SEARCH: f64 = 0.1;
/// Examination of position p: 1 / (1 + this × p).
const POSITION_BIAS: f64 = 0.12;

/// Everything that the viewers saw and did, in order of time.
pub(super) struct Simulation {
    pub(super) events: Vec<Event>,
    pub(super) impressions: usize,
    pub(super) clicks: usize,
}

impl Simulation {
    /// `items` are in order of upload.
    pub(super) fn run(items: &[Item], viewers: usize, seed: u64) -> Self {
        let mut out = Self {
            events: Vec::new(),
            impressions: 0,
            clicks: 0,
        };
        for index in 0..viewers {
            let mut rng = Rng::for_part(seed ^ 0x5649_4557, index as u64);
            let viewer = Viewer::random(index, &mut rng);
            Visitor {
                viewer,
                items,
                watched: HashSet::new(),
                last: None,
                log: &mut out,
            }
            .visit(&mut rng);
        }
        out.events.sort_by_key(|event| event.ts);
        out
    }
}

/// A viewer on the site.
struct Visitor<'a> {
    viewer: Viewer,
    items: &'a [Item],
    watched: HashSet<usize>,
    last: Option<Scene>,
    log: &'a mut Simulation,
}

/// One request within a session.
struct Moment<'a> {
    session: &'a str,
    request: String,
    ts: i64,
    mood: Mood,
}

fn pick(range: std::ops::RangeInclusive<usize>, rng: &mut Rng) -> usize {
    range.start() + rng.below(range.end() - range.start() + 1)
}

impl Visitor<'_> {
    fn visit(&mut self, rng: &mut Rng) {
        let mut starts: Vec<i64> = (0..pick(SESSIONS, rng)).map(|_| self.start_ms(rng)).collect();
        starts.sort_unstable();
        let mut free_from = 0;
        for (number, start) in starts.into_iter().enumerate() {
            // A session starts half an hour after the one before at the earliest.
            let start = start.max(free_from);
            free_from = self.session(number + 1, start, rng) + DAY_MS / 48;
        }
    }

    fn start_ms(&self, rng: &mut Rng) -> i64 {
        let day = FIRST_LOG_DAY + rng.below(LOG_DAYS as usize) as i64;
        let hour = self.viewer.hour + 1.5 * rng.normal();
        // Later ones are mirrored at 22 o'clock, so that a session ends on the day it starts or soon after.
        let hour = (22.0 - (22.0 - hour).abs()).max(0.0);
        day * DAY_MS + (hour * 3_600_000.0) as i64 + rng.below(60_000) as i64
    }

    /// One session; returns when it ended.
    fn session(&mut self, number: usize, start: i64, rng: &mut Rng) -> i64 {
        let session = format!("{}-{number}", self.viewer.id);
        let mut mood = self.viewer.mood(rng);
        let mut ts = start;
        for request in 1..=pick(REQUESTS, rng) {
            if request > 1 && rng.chance(DRIFT) {
                mood.drift(rng);
            }
            if rng.chance(SEARCH) {
                self.search(&session, ts, &mood, rng);
                ts += 3_000;
            }
            let moment = Moment {
                session: &session,
                request: format!("{session}-{request}"),
                ts,
                mood,
            };
            ts = self.request(&moment, rng) + 1_000 + rng.below(8_000) as i64;
        }
        ts
    }

    fn search(&mut self, session: &str, ts: i64, mood: &Mood, rng: &mut Rng) {
        let query = Some(mood.query(rng));
        let user = User {
            id: self.viewer.id.clone(),
            ..User::default()
        };
        self.log.events.push(Event {
            event: "search",
            ts,
            session: session.to_owned(),
            query,
            user,
            ..Event::default()
        });
    }

    /// A slate and what the viewer does with it; returns when it ended.
    fn request(&mut self, moment: &Moment<'_>, rng: &mut Rng) -> i64 {
        let day = moment.ts.div_euclid(DAY_MS);
        let uploaded = self.items.partition_point(|item| item.uploaded_day < day);
        // A small world may have no upload before the log starts.
        let items = &self.items[..uploaded.max(super::policy::SLATE.min(self.items.len()))];
        let slate = slate(items, self.last.as_ref(), rng);
        self.show(moment, &slate);
        let mut ts = moment.ts;
        for (position, (index, _)) in slate.shown.iter().enumerate() {
            ts += 400 + rng.below(1_200) as i64;
            let item = &items[*index];
            let watched = self.watched.contains(index);
            let utility = self.viewer.utility(item, &moment.mood, day, watched, rng);
            let examined = 1.0 / (1.0 + POSITION_BIAS * position as f64);
            if rng.chance(examined * logistic(weight::BASE + utility)) {
                ts = self.watch(moment, item, position, ts, utility, rng);
                self.watched.insert(*index);
                self.last = Some(item.scene);
            }
        }
        ts
    }

    fn show(&mut self, moment: &Moment<'_>, slate: &Slate) {
        for (position, (index, propensity)) in slate.shown.iter().enumerate() {
            let first = position == 0;
            self.log.events.push(Event {
                position: Some(position),
                arm: Some(slate.arm.name()),
                propensity: Some(four_digits(*propensity)),
                user: User {
                    id: self.viewer.id.clone(),
                    age_band: first.then(|| self.viewer.age_band()),
                    language: first.then(|| self.viewer.language()),
                },
                ..self.event("impression", moment, &self.items[*index], moment.ts)
            });
            self.log.impressions += 1;
        }
    }

    /// A click and the watch that follows; returns when the watch ended.
    fn watch(
        &mut self,
        moment: &Moment<'_>,
        item: &Item,
        position: usize,
        ts: i64,
        utility: f64,
        rng: &mut Rng,
    ) -> i64 {
        let click = Event {
            position: Some(position),
            ..self.event("click", moment, item, ts)
        };
        self.log.events.push(click);
        self.log.clicks += 1;
        let length = f64::from(item.duration_s);
        let share = logistic(0.9 * utility - 0.35 * libm::log2(length / 60.0) + 0.8 * rng.normal());
        // Nobody watches for less than a second, or longer than the video.
        let seconds = (share * length).clamp(1.0, length);
        let end = ts + (seconds * 1_000.0) as i64;
        let seconds = Some((seconds * 10.0).round() / 10.0);
        let watch = Event {
            watch_seconds: seconds,
            ..self.event("watch", moment, item, end)
        };
        self.log.events.push(watch);
        end
    }

    fn event(&self, event: &'static str, moment: &Moment<'_>, item: &Item, ts: i64) -> Event {
        Event {
            event,
            ts,
            session: moment.session.to_owned(),
            request: Some(moment.request.clone()),
            item: Some(item.id.clone()),
            user: User {
                id: self.viewer.id.clone(),
                ..User::default()
            },
            ..Event::default()
        }
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// Rounded to four significant digits, never to 0.
fn four_digits(p: f64) -> f64 {
    let scale = libm::pow(10.0, 4.0 - libm::ceil(libm::log10(p)));
    if scale.is_finite() && scale > 0.0 {
        ((p * scale).round() / scale).min(1.0)
    } else {
        p
    }
}

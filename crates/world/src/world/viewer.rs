//! Simulated viewers: lasting tastes, a mood that drifts within a session, and how much they like a video.

use super::catalogue::{CREATORS, Genre, Item, LANGUAGES};
use crate::rng::Rng;
use crate::scene::{Scene, draw};
use crate::vocab::{Attribute, Colour, Place, Thing, Time};

/// Age bands with their shares of viewers.
const AGE_BANDS: [(&str, f64); 6] = [
    ("<18", 0.12),
    ("18-24", 0.20),
    ("25-34", 0.26),
    ("35-49", 0.22),
    ("50-64", 0.13),
    ("65+", 0.07),
];

/// The model's weights, in logits of the click probability. docs/demo-world.md explains them.
pub(super) mod weight {
    pub(in super::super) const BASE: f64 = -2.5;
    pub(super) const MOOD_THING: f64 = 3.6;
    pub(super) const MOOD_KIND: f64 = 1.6;
    pub(super) const MOOD_PLACE: f64 = 2.1;
    pub(super) const MOOD_COLOUR: f64 = 1.2;
    pub(super) const MOOD_TIME: f64 = 1.2;
    pub(super) const TASTE_THING: f64 = 0.8;
    pub(super) const TASTE_PLACE: f64 = 0.5;
    pub(super) const TASTE_COLOUR: f64 = 0.35;
    pub(super) const TASTE_TIME: f64 = 0.35;
    pub(super) const TASTE_GENRE: f64 = 0.3;
    pub(super) const OWN_LANGUAGE: f64 = 0.6;
    pub(super) const FOREIGN_LANGUAGE: f64 = -1.0;
    pub(super) const DURATION: f64 = 0.14;
    pub(super) const QUALITY: f64 = 0.33;
    pub(super) const FOLLOWED: f64 = 1.4;
    pub(super) const AGE_GENRE: f64 = 0.4;
    pub(super) const FRESH: f64 = 0.3;
    pub(super) const NOISE: f64 = 0.3;
    pub(super) const SEEN: f64 = -2.0;
}

/// Channels that a viewer follows.
const FOLLOWS: usize = 5;
/// Days after which a video's novelty has fallen to 1/e.
const FRESH_DAYS: f64 = 21.0;

/// One simulated viewer.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    pub(super) id: String,
    /// Index into the age bands.
    age: usize,
    /// Index into [`LANGUAGES`].
    language: usize,
    taste_thing: Vec<f64>,
    taste_place: Vec<f64>,
    taste_colour: Vec<f64>,
    taste_time: Vec<f64>,
    taste_genre: Vec<f64>,
    follows: Vec<usize>,
    /// log2 of the seconds that suit this viewer best.
    log_duration: f64,
    /// Hour of day, UTC, around which sessions start.
    pub(super) hour: f64,
}

fn normals(count: usize, rng: &mut Rng) -> Vec<f64> {
    (0..count).map(|_| rng.normal()).collect()
}

fn at(values: &[f64], index: usize) -> f64 {
    values.get(index).copied().unwrap_or(0.0)
}

impl Viewer {
    pub(super) fn random(index: usize, rng: &mut Rng) -> Self {
        let age = rng.weighted(&AGE_BANDS.map(|(_, share)| share));
        Self {
            id: format!("u{:04}", index + 1),
            age,
            language: rng.weighted(&LANGUAGES.map(|(_, share)| share)),
            taste_thing: normals(Thing::ALL.len(), rng),
            taste_place: normals(Place::ALL.len(), rng),
            taste_colour: normals(Colour::ALL.len(), rng),
            taste_time: normals(Time::ALL.len(), rng),
            taste_genre: normals(Genre::COUNT, rng),
            follows: (0..FOLLOWS).map(|_| rng.below(CREATORS)).collect(),
            log_duration: 5.6 + 0.35 * age as f64 + 0.8 * rng.normal(),
            hour: 17.5 + 2.2 * rng.normal(),
        }
    }

    pub(super) fn age_band(&self) -> &'static str {
        AGE_BANDS[self.age].0
    }

    pub(super) fn language(&self) -> &'static str {
        LANGUAGES[self.language].0
    }

    /// What the viewer is after when a session starts: each attribute in proportion to exp(1.5 × taste).
    pub(super) fn mood(&self, rng: &mut Rng) -> Mood {
        Mood {
            thing: by_taste(&self.taste_thing, rng),
            place: by_taste(&self.taste_place, rng),
            colour: by_taste(&self.taste_colour, rng),
            time: by_taste(&self.taste_time, rng),
        }
    }

    /// How much the viewer likes `item` now, in logits without [`weight::BASE`], with fresh noise.
    pub(super) fn utility(&self, item: &Item, mood: &Mood, day: i64, watched: bool, rng: &mut Rng) -> f64 {
        let scene = &item.scene;
        let taste = weight::TASTE_THING * at(&self.taste_thing, scene.thing.index())
            + weight::TASTE_PLACE * at(&self.taste_place, scene.place.index())
            + weight::TASTE_COLOUR * at(&self.taste_colour, scene.colour.index())
            + weight::TASTE_TIME * at(&self.taste_time, scene.time.index())
            + weight::TASTE_GENRE * at(&self.taste_genre, item.genre as usize);
        let doublings = libm::log2(f64::from(item.duration_s)) - self.log_duration;
        let age_days = (day - item.uploaded_day).max(0) as f64;
        taste + mood.match_with(scene) + self.language_weight(item.language)
            - weight::DURATION * (doublings * doublings).min(9.0)
            + weight::QUALITY * item.quality
            + if self.follows.contains(&item.creator) {
                weight::FOLLOWED
            } else {
                0.0
            }
            + weight::AGE_GENRE * age_likes(self.age, item.genre)
            + weight::FRESH * libm::exp(-age_days / FRESH_DAYS)
            + if watched { weight::SEEN } else { 0.0 }
            + weight::NOISE * rng.normal()
    }

    /// The viewer's own language is welcome, English is understood by all, any other is not.
    fn language_weight(&self, language: usize) -> f64 {
        match language {
            own if own == self.language => weight::OWN_LANGUAGE,
            0 => 0.0,
            _ => weight::FOREIGN_LANGUAGE,
        }
    }
}

/// −1 to 1: what an age band makes of a category. The young lean to music, pets and technology; the old to
/// nature, travel and food; parents to family.
fn age_likes(age: usize, genre: Genre) -> f64 {
    let old = age as f64 / 2.5 - 1.0;
    match genre {
        Genre::Nature | Genre::Travel => old,
        Genre::Food => 0.5 * old,
        Genre::Technology | Genre::Music | Genre::Pets => -old,
        Genre::Family => {
            if (2..=3).contains(&age) {
                1.0
            } else {
                -0.4
            }
        }
        Genre::Transport => 0.0,
    }
}

fn by_taste<A: Attribute>(taste: &[f64], rng: &mut Rng) -> A {
    let weights: Vec<f64> = taste.iter().map(|taste| libm::exp(1.5 * *taste)).collect();
    let index = rng.weighted(&weights);
    A::ALL.get(index).copied().unwrap_or(A::ALL[0])
}

/// The theme that a viewer is after at one moment of a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mood {
    thing: Thing,
    place: Place,
    colour: Colour,
    time: Time,
}

impl Mood {
    fn match_with(&self, scene: &Scene) -> f64 {
        let thing = if self.thing == scene.thing {
            weight::MOOD_THING
        } else if self.thing.kind() == scene.thing.kind() {
            weight::MOOD_KIND
        } else {
            0.0
        };
        let hit = |same: bool, weight: f64| if same { weight } else { 0.0 };
        thing
            + hit(self.place == scene.place, weight::MOOD_PLACE)
            + hit(self.colour == scene.colour, weight::MOOD_COLOUR)
            + hit(self.time == scene.time, weight::MOOD_TIME)
    }

    /// A neighbouring theme: one attribute changes, the thing to another of its kind where there is one.
    pub(super) fn drift(&mut self, rng: &mut Rng) {
        match rng.below(4) {
            0 => {
                let kind = self.thing.kind();
                let near: Vec<Thing> = Thing::ALL
                    .iter()
                    .copied()
                    .filter(|t| t.kind() == kind && *t != self.thing)
                    .collect();
                self.thing = rng.pick(&near).copied().unwrap_or_else(|| draw(rng));
            }
            1 => self.place = draw(rng),
            2 => self.colour = draw(rng),
            _ => self.time = draw(rng),
        }
    }

    /// What the viewer would type into a search box.
    pub(super) fn query(&self, rng: &mut Rng) -> String {
        let (thing, colour, noun) = (self.thing.name(), self.colour.name(), self.place.noun());
        match rng.below(5) {
            0 => thing.to_owned(),
            1 => format!("{colour} {thing}"),
            2 => format!("{thing} {}", self.place.name()),
            3 => format!("{} {noun}", self.time.adjective()),
            _ => format!("{thing} {}", self.time.name()),
        }
    }
}

//! The items: scenes with the metadata that a video site would have.

use serde::Serialize;

use super::clock::{LAST_UPLOAD_DAY, UPLOAD_DAYS, iso_date, iso_duration};
use crate::caption::title;
use crate::rng::Rng;
use crate::scene::{Scene, draw};
use crate::vocab::{Attribute, Colour, Place, Thing, Time};

/// Number of creators.
pub(super) const CREATORS: usize = CREATOR_FIRST.len() * CREATOR_LAST.len();
const CREATOR_FIRST: [&str; 12] = [
    "Amber",
    "Northern",
    "Little",
    "Velvet",
    "Paper",
    "Sunday",
    "Wandering",
    "Copper",
    "Misty",
    "Lucky",
    "Hollow",
    "Silver",
];
const CREATOR_LAST: [&str; 10] = [
    "Studio", "Films", "Atlas", "Lantern", "Post", "Pictures", "Reel", "Diaries", "Workshop", "Notes",
];

/// Languages with their shares of creators and of viewers.
pub(super) const LANGUAGES: [(&str, f64); 5] = [
    ("en", 0.46),
    ("es", 0.19),
    ("de", 0.13),
    ("fr", 0.13),
    ("ja", 0.09),
];

/// The category of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Genre {
    Nature,
    Pets,
    Transport,
    Travel,
    Technology,
    Music,
    Food,
    Family,
}

impl Genre {
    pub(super) const COUNT: usize = 8;

    fn of(scene: &Scene) -> Self {
        match (scene.thing, scene.place) {
            (Thing::Guitar, _) => Self::Music,
            (_, Place::Funfair) => Self::Family,
            (Thing::Cake | Thing::Mushroom, _) => Self::Food,
            (Thing::Rocket | Thing::Robot, _) => Self::Technology,
            (Thing::Car | Thing::Train, _) => Self::Transport,
            (Thing::Boat | Thing::Balloon | Thing::Umbrella, _) => Self::Travel,
            (Thing::Cat, _) | (_, Place::City) => Self::Pets,
            _ => Self::Nature,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nature => "Nature",
            Self::Pets => "Pets",
            Self::Transport => "Transport",
            Self::Travel => "Travel",
            Self::Technology => "Technology",
            Self::Music => "Music",
            Self::Food => "Food",
            Self::Family => "Family",
        }
    }

    /// Mean of log2 of the seconds of this category's videos.
    fn usual_log_duration(self) -> f64 {
        match self {
            Self::Pets => 5.6,
            Self::Family => 6.2,
            Self::Music => 7.6,
            Self::Food => 7.2,
            Self::Technology => 7.8,
            Self::Transport | Self::Nature => 6.8,
            Self::Travel => 7.0,
        }
    }
}

/// One video.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Place in the order of upload, 1 is the first.
    pub(super) number: usize,
    /// `v` and the number in five digits.
    pub(super) id: String,
    pub(super) scene: Scene,
    pub(super) genre: Genre,
    /// 0 to [`CREATORS`] − 1.
    pub(super) creator: usize,
    /// Index into [`LANGUAGES`].
    pub(super) language: usize,
    pub(super) duration_s: u32,
    /// Days since 1970-01-01.
    pub(super) uploaded_day: i64,
    /// How well made it is: standard normal.
    pub(super) quality: f64,
    /// Impressions before the log starts.
    pub(super) impressions: u64,
    /// Watches before the log starts: heavy-tailed, and higher for better videos.
    pub(super) watches: u64,
}

/// Someone who uploads: a language, a liking, and a level.
struct Creator {
    language: usize,
    thing: Thing,
    place: Place,
    output: f64,
    quality: f64,
}

impl Creator {
    fn random(rng: &mut Rng) -> Self {
        Self {
            language: rng.weighted(&LANGUAGES.map(|(_, share)| share)),
            thing: draw(rng),
            place: draw(rng),
            output: libm::exp(0.7 * rng.normal()),
            quality: 0.5 * rng.normal(),
        }
    }

    /// How likely this creator made `scene`.
    fn weight(&self, scene: &Scene) -> f64 {
        let thing = if self.thing == scene.thing {
            14.0
        } else if self.thing.kind() == scene.thing.kind() {
            4.0
        } else {
            1.0
        };
        let place = if self.place == scene.place { 4.0 } else { 1.0 };
        self.output * thing * place
    }
}

/// The catalogue of a seed, in order of upload. Combinations of thing, colour, place and time do not repeat
/// before all of them are used.
pub(super) fn items(count: usize, seed: u64) -> Vec<Item> {
    let mut rng = Rng::for_part(seed, 101);
    let creators: Vec<Creator> = (0..CREATORS).map(|_| Creator::random(&mut rng)).collect();
    let combinations = Thing::ALL.len() * Colour::ALL.len() * Place::ALL.len() * Time::ALL.len();
    let mut order: Vec<usize> = (0..combinations).collect();
    rng.shuffle(&mut order);
    let mut days: Vec<i64> = (0..count)
        .map(|_| LAST_UPLOAD_DAY - rng.below(UPLOAD_DAYS as usize) as i64)
        .collect();
    days.sort_unstable();
    let scenes = order.iter().cycle();
    days.iter()
        .zip(scenes)
        .enumerate()
        .map(|(index, (day, combination))| item(index, *day, *combination, &creators, &mut rng))
        .collect()
}

fn item(index: usize, uploaded_day: i64, combination: usize, creators: &[Creator], rng: &mut Rng) -> Item {
    let scene = scene(combination, rng);
    let weights: Vec<f64> = creators.iter().map(|creator| creator.weight(&scene)).collect();
    let number = rng.weighted(&weights);
    let (language, level) = creators.get(number).map_or((0, 0.0), |c| (c.language, c.quality));
    let genre = Genre::of(&scene);
    let quality = level + 0.866 * rng.normal();
    let seconds = libm::exp2(genre.usual_log_duration() + 1.1 * rng.normal()).clamp(15.0, 900.0);
    let reach = libm::exp(6.2 + 1.3 * rng.normal() + 0.5 * quality);
    let rate = (0.15 * libm::exp(0.5 * quality)).min(0.6);
    Item {
        number: index + 1,
        id: format!("v{:05}", index + 1),
        scene,
        genre,
        creator: number,
        language,
        duration_s: seconds as u32,
        uploaded_day,
        quality,
        impressions: reach as u64 + 20,
        watches: ((reach + 20.0) * rate) as u64,
    }
}

fn scene(combination: usize, rng: &mut Rng) -> Scene {
    let mut rest = combination;
    let mut digit = |base: usize| {
        let digit = rest % base;
        rest /= base;
        digit
    };
    Scene {
        thing: Thing::ALL[digit(Thing::ALL.len())],
        colour: Colour::ALL[digit(Colour::ALL.len())],
        place: Place::ALL[digit(Place::ALL.len())],
        time: Time::ALL[digit(Time::ALL.len())],
        motion: draw(rng),
        seed: rng.bits(),
    }
}

fn creator_name(creator: usize) -> String {
    let first = CREATOR_FIRST[creator / CREATOR_LAST.len() % CREATOR_FIRST.len()];
    format!("{first} {}", CREATOR_LAST[creator % CREATOR_LAST.len()])
}

/// A line of `videos.jsonl`: a schema.org VideoObject.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VideoObject {
    #[serde(rename = "@context")]
    context: &'static str,
    #[serde(rename = "@type")]
    kind: &'static str,
    id: String,
    name: String,
    description: String,
    creator: Organization,
    duration: String,
    upload_date: String,
    in_language: &'static str,
    genre: &'static str,
    keywords: [&'static str; 4],
    content_rating: &'static str,
    interaction_statistic: [InteractionCounter; 2],
    thumbnail_url: String,
    content_url: String,
    preview_url: String,
}

#[derive(Debug, Serialize)]
struct Organization {
    #[serde(rename = "@type")]
    kind: &'static str,
    name: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InteractionCounter {
    #[serde(rename = "@type")]
    kind: &'static str,
    interaction_type: &'static str,
    user_interaction_count: u64,
}

impl InteractionCounter {
    fn new(interaction_type: &'static str, user_interaction_count: u64) -> Self {
        Self {
            kind: "InteractionCounter",
            interaction_type,
            user_interaction_count,
        }
    }
}

impl VideoObject {
    /// `media` is how `contentUrl` ends.
    pub(super) fn new(item: &Item, media: &str) -> Self {
        let Item { id, scene, .. } = item;
        let name = title(scene);
        Self {
            context: "https://schema.org",
            kind: "VideoObject",
            id: id.clone(),
            description: format!(
                "{name}, {}. Drawn by a program; the channel is invented.",
                scene.motion.name()
            ),
            name,
            creator: Organization {
                kind: "Organization",
                name: creator_name(item.creator),
            },
            duration: iso_duration(item.duration_s),
            upload_date: iso_date(item.uploaded_day),
            in_language: LANGUAGES[item.language].0,
            genre: item.genre.name(),
            keywords: [
                scene.thing.name(),
                scene.colour.name(),
                scene.place.noun(),
                scene.time.adjective(),
            ],
            content_rating: "0+",
            interaction_statistic: [
                InteractionCounter::new("https://schema.org/ViewAction", item.impressions),
                InteractionCounter::new("https://schema.org/WatchAction", item.watches),
            ],
            thumbnail_url: format!("thumbs/{id}.jpg"),
            content_url: format!("media/{id}{media}"),
            preview_url: format!("previews/{id}.jpg"),
        }
    }
}

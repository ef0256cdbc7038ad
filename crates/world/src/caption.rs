//! What people might call a scene: a title, and many other ways to say it.

use crate::rng::Rng;
use crate::scene::Scene;
use crate::vocab::Attribute;

/// The canonical title, such as "Red fox in the forest at night".
#[must_use]
pub fn title(scene: &Scene) -> String {
    let mut text = format!(
        "{} {} {} {}",
        scene.colour.name(),
        scene.thing.name(),
        scene.place.name(),
        scene.time.name()
    );
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// `count` captions of `scene`, lower case, plain words, at most 20 each. The first names thing, colour,
/// place and time in the title's words; the others vary the words, their order and what they leave out.
pub fn captions(scene: &Scene, count: usize, rng: &mut Rng) -> Vec<String> {
    (0..count)
        .map(|index| {
            if index == 0 {
                title(scene).to_lowercase()
            } else {
                caption(scene, rng)
            }
        })
        .collect()
}

/// One caption drawn from all templates and synonyms.
pub fn caption(scene: &Scene, rng: &mut Rng) -> String {
    let words = Words::draw(scene, rng);
    match rng.below(100) {
        0..55 => words.full(rng),
        55..80 => words.partial(rng),
        _ => words.query(rng),
    }
}

/// The chosen word for each attribute.
struct Words {
    thing: &'static str,
    kind: &'static str,
    colour: &'static str,
    place: &'static str,
    noun: &'static str,
    time: &'static str,
    adjective: &'static str,
    motion: &'static str,
}

/// The canonical word half of the time, otherwise any synonym.
fn word<A: Attribute>(attribute: A, rng: &mut Rng) -> &'static str {
    if rng.chance(0.5) {
        return attribute.name();
    }
    rng.pick(attribute.synonyms())
        .copied()
        .unwrap_or(attribute.name())
}

impl Words {
    fn draw(scene: &Scene, rng: &mut Rng) -> Self {
        Self {
            thing: word(scene.thing, rng),
            kind: scene.thing.kind(),
            colour: word(scene.colour, rng),
            place: word(scene.place, rng),
            noun: scene.place.noun(),
            time: word(scene.time, rng),
            adjective: scene.time.adjective(),
            motion: word(scene.motion, rng),
        }
    }

    /// Names thing, colour, place and time.
    fn full(&self, rng: &mut Rng) -> String {
        let Self {
            thing,
            colour,
            place,
            noun,
            time,
            adjective,
            motion,
            ..
        } = self;
        let a = article(colour);
        match rng.below(14) {
            0 => format!("{colour} {thing} {place} {time}"),
            1 => format!("{a} {colour} {thing} {place} {time}"),
            2 => format!("{a} {colour} {thing} {place}, {time}"),
            3 => format!("{time}, {a} {colour} {thing} {place}"),
            4 => format!("{place} {time}: {a} {colour} {thing}"),
            5 => format!("{a} {colour} {thing} {motion} {place} {time}"),
            6 => format!("{colour} {thing} {motion}, {place}, {time}"),
            7 => format!("a picture of {a} {colour} {thing} {place} {time}"),
            8 => format!("a short video of {a} {colour} {thing} {place} {time}"),
            9 => format!("the {thing} is {colour} and it is {place} {time}"),
            10 => format!("{adjective} {noun} with {a} {colour} {thing}"),
            11 => format!("{a} {thing} {place} {time}, it is {colour}"),
            12 => format!("{colour} {thing}, {noun}, {adjective}"),
            _ => format!("one {colour} {thing} {time} {place}"),
        }
    }

    /// Leaves one or two attributes out.
    fn partial(&self, rng: &mut Rng) -> String {
        let Self {
            thing,
            kind,
            colour,
            place,
            noun,
            time,
            adjective,
            motion,
        } = self;
        let (a, the_a) = (article(colour), article(thing));
        match rng.below(10) {
            0 => format!("{a} {colour} {thing} {place}"),
            1 => format!("{a} {colour} {thing} {time}"),
            2 => format!("{the_a} {thing} {place} {time}"),
            3 => format!("{colour} {thing} {place}"),
            4 => format!("{thing} {place} {time}"),
            5 => format!("{a} {colour} {thing} {motion}"),
            6 => format!("{a} {colour} {kind} {place} {time}"),
            7 => format!("something {colour} {place} {time}"),
            8 => format!("the {noun} {time}"),
            _ => format!("{the_a} {thing} in {adjective} weather"),
        }
        .replace("in sunset weather", "at sunset")
        .replace("in night weather", "at night")
    }

    /// As short as a search query.
    fn query(&self, rng: &mut Rng) -> String {
        let Self {
            thing,
            kind,
            colour,
            noun,
            time,
            adjective,
            place,
            ..
        } = self;
        match rng.below(14) {
            0 | 1 => (*thing).to_owned(),
            2 | 3 => format!("{colour} {thing}"),
            4 => format!("{adjective} {noun}"),
            5 => format!("{thing} {noun}"),
            6 => format!("{thing} {time}"),
            7 => format!("{thing} {place}"),
            8 => (*noun).to_owned(),
            9 => format!("{colour} {kind}"),
            10 => (*colour).to_owned(),
            11 => (*adjective).to_owned(),
            12 => (*time).to_owned(),
            _ => format!("{noun} {time}"),
        }
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

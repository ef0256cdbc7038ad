//! The evaluation sets: held-out combinations, and scenes that differ from them in one attribute.

use crate::rng::Rng;
use crate::scene::{Scene, draw, is_held_out};
use crate::vocab::{Attribute, Colour, Place, Thing, Time};

/// Number of held-out videos in the set.
pub const HELDOUT_VIDEOS: usize = 100;
/// Neighbours of each: 5 with another thing, 5 with another colour, 5 with another place, 4 at another time.
pub const NEIGHBOURS: usize = 19;

/// A held-out scene and the scenes that differ from it in exactly one attribute.
#[derive(Debug, Clone)]
pub struct HeldOut {
    /// Of a combination that training never shows.
    pub scene: Scene,
    /// [`NEIGHBOURS`] scenes; size, position and background details differ too.
    pub neighbours: Vec<Scene>,
}

impl HeldOut {
    /// The neighbours, by value.
    pub fn neighbour_scenes(&self) -> impl Iterator<Item = Scene> + '_ {
        self.neighbours.iter().copied()
    }
}

/// The held-out set of `seed`: [`HELDOUT_VIDEOS`] scenes whose (thing, colour, place, time) are all
/// distinct, spread over as many (thing, colour, place) as there are.
#[must_use]
pub fn heldout_set(seed: u64) -> Vec<HeldOut> {
    let mut rng = Rng::for_part(seed, 0x4845_4C44);
    let mut combinations = Vec::new();
    for &thing in Thing::ALL {
        for &colour in Colour::ALL {
            let places = Place::ALL
                .iter()
                .filter(|place| is_held_out(thing, colour, **place));
            combinations.extend(places.map(|&place| (thing, colour, place)));
        }
    }
    rng.shuffle(&mut combinations);
    let first_time = rng.below(Time::ALL.len());
    (0..Time::ALL.len())
        .flat_map(|round| {
            combinations
                .iter()
                .enumerate()
                .map(move |(index, combination)| (round + index, *combination))
        })
        .take(HELDOUT_VIDEOS)
        .map(|(turn, (thing, colour, place))| {
            let time = Time::ALL[(first_time + turn) % Time::ALL.len()];
            let scene = Scene {
                thing,
                colour,
                place,
                time,
                motion: draw(&mut rng),
                seed: rng.bits(),
            };
            HeldOut {
                scene,
                neighbours: neighbours(&scene, &mut rng),
            }
        })
        .collect()
}

fn neighbours(scene: &Scene, rng: &mut Rng) -> Vec<Scene> {
    let mut out = Vec::with_capacity(NEIGHBOURS);
    let mut push = |scene: Scene, rng: &mut Rng| {
        out.push(Scene {
            seed: rng.bits(),
            ..scene
        });
    };
    for thing in others(scene.thing, 5, rng) {
        push(Scene { thing, ..*scene }, rng);
    }
    for colour in others(scene.colour, 5, rng) {
        push(Scene { colour, ..*scene }, rng);
    }
    for place in others(scene.place, 5, rng) {
        push(Scene { place, ..*scene }, rng);
    }
    for time in others(scene.time, NEIGHBOURS - 15, rng) {
        push(Scene { time, ..*scene }, rng);
    }
    out
}

/// `count` distinct values other than `present`.
fn others<A: Attribute>(present: A, count: usize, rng: &mut Rng) -> Vec<A> {
    let mut values: Vec<A> = A::ALL.iter().copied().filter(|value| *value != present).collect();
    rng.shuffle(&mut values);
    values.truncate(count);
    values
}

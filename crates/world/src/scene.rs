//! What one video shows, and the rule that keeps some combinations out of training.

use serde::{Deserialize, Serialize};

use crate::rng::{Rng, mix64};
use crate::vocab::{Attribute, Colour, Motion, Place, Thing, Time};

/// One scene. Everything drawn follows from these values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scene {
    /// What it is about.
    pub thing: Thing,
    /// The thing's main colour.
    pub colour: Colour,
    /// Where it is.
    pub place: Place,
    /// Time of day or weather.
    pub time: Time,
    /// How the thing moves.
    pub motion: Motion,
    /// Decides size, position, flip, shade and background details.
    pub seed: u64,
}

impl Scene {
    /// A scene with every attribute drawn uniformly.
    pub fn random(rng: &mut Rng) -> Self {
        Self {
            thing: draw(rng),
            colour: draw(rng),
            place: draw(rng),
            time: draw(rng),
            motion: draw(rng),
            seed: rng.bits(),
        }
    }

    /// Whether the scene's combination is kept out of training; see [`is_held_out`].
    #[must_use]
    pub fn held_out(&self) -> bool {
        is_held_out(self.thing, self.colour, self.place)
    }
}

pub(crate) fn draw<A: Attribute>(rng: &mut Rng) -> A {
    A::ALL[rng.below(A::ALL.len())]
}

/// Marks about a tenth of all combinations of thing, colour and place. Training pairs contain none of
/// them, so that what is measured on them is whether a model composes what it knows.
#[must_use]
pub fn is_held_out(thing: Thing, colour: Colour, place: Place) -> bool {
    let combination = (thing.index() * Colour::ALL.len() + colour.index()) * Place::ALL.len() + place.index();
    mix64(combination as u64 ^ 0x4845_4C44).is_multiple_of(10)
}

/// The seeded small differences between two scenes with the same attributes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variation {
    /// The thing's height in parts of the frame's height.
    pub(crate) size: f32,
    /// Offset of the thing's centre from the middle, in parts of the frame's height.
    pub(crate) dx: f32,
    pub(crate) dy: f32,
    /// Drawn facing left.
    pub(crate) flip: bool,
    /// -1 (darker) to 1 (lighter).
    pub(crate) shade: f32,
    /// Start of the small idle movements, 0 to 1.
    pub(crate) phase: f32,
}

impl Variation {
    pub(crate) fn of(scene: &Scene) -> Self {
        let mut rng = Rng::for_part(scene.seed, 1);
        let flip = match scene.motion {
            Motion::DriftLeft => true,
            Motion::DriftRight => false,
            _ => rng.chance(0.5),
        };
        Self {
            size: rng.between(0.50, 0.60),
            dx: rng.between(-0.05, 0.05),
            dy: rng.between(-0.02, 0.02),
            flip,
            shade: rng.between(-1.0, 1.0),
            phase: rng.between(0.0, 1.0),
        }
    }
}

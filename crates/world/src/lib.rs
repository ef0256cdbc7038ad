//! The demo world: short videos that a program draws, what people might call them, and simulated viewers.
//!
//! Nothing here is footage or a real person's behaviour; `docs/demo-world.md` says how it is made.

mod canvas;
mod caption;
mod heldout;
mod light;
pub mod npy;
pub mod pairs;
mod parallel;
mod place;
mod render;
mod rng;
mod scene;
mod thing;
pub mod vectors;
mod vocab;
pub mod world;

pub use caption::{caption, captions, title};
pub use heldout::{HELDOUT_VIDEOS, HeldOut, NEIGHBOURS, heldout_set};
pub use render::{MAX_SIDE, Renderer, render_frame};
pub use rng::Rng;
pub use scene::{Scene, is_held_out};
pub use vocab::{Attribute, Colour, Motion, Place, Thing, Time};

/// Why a frame can't be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A side is 0 or too large.
    #[error("a frame of {width} × {height} pixels can't be drawn: each side must be 1 to {MAX_SIDE}")]
    Size {
        /// Asked for, in pixels.
        width: u32,
        /// Asked for, in pixels.
        height: u32,
    },
}

#[cfg(test)]
mod tests;

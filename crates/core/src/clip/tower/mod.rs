//! CLIP's towers without a graph runtime: plain transformers with int8 weights.
//!
//! Weights have a scale for each output, what comes in a scale for each row and as many bits as a sum of products has room for;
//! attention, normalisations and activations are f32. Of the last layer only the token that becomes the vector is computed.
//! `format` has the file, `run` the transformer, `linear`, `attention` and `math` its parts, `kernel` their inner loops, `memory`
//! what all of it takes.

mod attention;
mod format;
pub(crate) mod kernel;
mod linear;
mod math;
mod memory;
mod run;
#[cfg(test)]
mod tests;

pub use format::{Fault, Input, Shape, Tower, Writer};
pub use linear::{Linear, pack};
pub use math::Activation;
pub use memory::{MOST_IN_WASM, MOST_OF_BOTH};
pub use run::Scratch;

//! CLIP (Radford et al. 2021): text and pictures into one vector space.
//!
//! Tokenizer and towers sit behind the feature `clip`; preprocessing and the model's manifest need no dependency.

#[cfg(feature = "clip")]
mod encoder;
pub mod model;
pub mod preprocess;
#[cfg(feature = "clip")]
mod token_table;
#[cfg(feature = "clip")]
pub mod tokenizer;
pub mod tower;

#[cfg(feature = "clip")]
pub use encoder::{ClipError, ImageEncoder, TextEncoder};
#[cfg(feature = "clip")]
pub use token_table::TokenTable;

//! CLIP: text and pictures into one vector space.
//!
//! Tokenizer and towers sit behind the feature `clip`; preprocessing needs no dependency.

pub mod preprocess;

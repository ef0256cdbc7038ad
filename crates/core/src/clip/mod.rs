//! CLIP (Radford et al. 2021): text and pictures into one vector space.
//!
//! Tokenizer and encoders sit behind the feature `clip`, ONNX graphs behind `onnx`, the import of models behind `import`,
//! picture files behind `pictures`; preprocessing, towers and the model's manifest need none.

#[cfg(feature = "clip")]
mod encoder;
#[cfg(feature = "import")]
pub mod import;
pub mod model;
#[cfg(feature = "onnx")]
mod onnx;
#[cfg(feature = "clip")]
mod passages;
#[cfg(feature = "pictures")]
pub mod picture;
pub mod preprocess;
mod token_table;
#[cfg(feature = "clip")]
pub mod tokenizer;
pub mod tower;

#[cfg(feature = "clip")]
pub use encoder::{ClipError, ImageEncoder, TextEncoder, TowerName};
pub use token_table::TokenTable;

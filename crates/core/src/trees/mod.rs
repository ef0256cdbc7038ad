//! Boosted trees: the ranking model, its file and its kernel.
//!
//! - [`Model`] is the typed forest. It exists only in a valid state: [`Builder`] is the one way to make it.
//! - [`format`](mod@format) writes and reads the compact `ranker` file that goes over the wire.
//! - [`Model::score`] fills raw scores for a matrix of rows.
//! - [`Model::explainer`] splits a raw score into what each feature adds (TreeSHAP).
//! - `import` (feature of the same name, native only) reads LightGBM and XGBoost models.
//!
//! Everything but `import` goes into the browser's module, so it stays small.

mod bitsliced;
pub mod format;
#[cfg(feature = "import")]
pub mod import;
mod kernel;
mod model;
mod output;
mod shap;

pub use crate::bytes::FormatError;
pub use kernel::ShapeError;
pub use model::{BuildError, Builder, Model, Split, Test, limits};
pub use output::{Activation, Output};
pub use shap::{Explainer, NoCovers};

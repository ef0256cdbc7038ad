//! The table of features.

use super::candidate::Pair;
use super::columns::FEATURES;
use super::viewer::Viewer;
use crate::session::WINDOW;
use std::fmt::Write;

/// What a feature depends on, and so how early it can be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// On the item alone: known when the bundle is built.
    Item,
    /// On the viewer and the moment: one value for all candidates of a request.
    Request,
    /// On both: one value a candidate and request.
    Cross,
}

impl Stage {
    /// The name in documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::Request => "request",
            Self::Cross => "cross",
        }
    }
}

/// One column of the features matrix.
pub struct Feature {
    /// Name in the model file: unique, snake case.
    pub name: &'static str,
    /// What it measures.
    pub meaning: &'static str,
    /// Unit, or "share" for 0 to 1, "yes/no" for 0 or 1.
    pub unit: &'static str,
    /// Lowest and highest possible value; infinite where there is no bound.
    pub range: (f32, f32),
    /// When it is missing (NaN); empty if never, and in the browser's module, which does not show it.
    pub missing: &'static str,
    /// What it depends on.
    pub stage: Stage,
    /// Whether values are numbers of categories, which have no order.
    pub categorical: bool,
    /// In words for a viewer, where the value lifts a candidate by being high.
    pub high: &'static str,
    /// In words for a viewer, where the value lifts a candidate by being low.
    pub low: &'static str,
    pub(super) compute: fn(&Viewer<'_>, &Pair<'_>) -> f32,
}

impl Feature {
    pub(super) fn value(&self, viewer: &Viewer<'_>, pair: &Pair<'_>) -> f32 {
        (self.compute)(viewer, pair)
    }
}

impl std::fmt::Debug for Feature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feature")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

const _: () = assert!(WINDOW == 10, "the meanings above and in docs/ranking.md say 10");

/// The table in Markdown, for docs/ranking.md.
#[must_use]
pub fn markdown() -> String {
    let bound = |x: f32| match x {
        f32::INFINITY => "∞".to_owned(),
        f32::NEG_INFINITY => "−∞".to_owned(),
        x => x.to_string().replace('-', "−"),
    };
    let mut text = String::from(
        "| feature | meaning | unit | range | missing when | stage |\n|---|---|---|---|---|---|\n",
    );
    for f in &FEATURES {
        let missing = if f.missing.is_empty() { "never" } else { f.missing };
        let (low, high) = (bound(f.range.0), bound(f.range.1));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {low} … {high} | {missing} | {} |",
            f.name,
            f.meaning,
            f.unit,
            f.stage.name()
        );
    }
    text
}

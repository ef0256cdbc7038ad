//! What a tower takes of memory while it encodes.

use super::attention::QUERIES;
use super::format::{Input, Shape};
use super::kernel::COLUMNS;

/// What a worker or a browser's module may take: a worker's isolate has 128 MB, for JavaScript and requests too.
pub const MOST_IN_WASM: u64 = 96 << 20;
/// The most bytes of files of two towers that one worker holds: a picture wants room too.
pub const MOST_OF_BOTH: u64 = 72 << 20;
/// The module itself, its stack and what allocations leave between each other.
const MODULE: u64 = 4 << 20;

impl Shape {
    /// The most bytes that a module takes that has this tower, whose files have so many bytes, and encodes with it: at most
    /// half of them more than it does take, and never less. A picture comes on top while its file is decoded.
    #[must_use]
    pub fn peak_bytes(&self, files: u64) -> u64 {
        let (tokens, width, hidden) = (self.positions, self.width, self.hidden);
        let patch = 3 * self.patch().pow(2);
        let widest = width.max(hidden).max(patch);
        let scores = tokens.min(QUERIES) * tokens.next_multiple_of(COLUMNS);
        // Residual stream, rows, queries, keys and values, what a feed-forward layer makes, and of one head the scores; f32.
        let floats = tokens * (7 * width + widest + hidden) + scores;
        let codes = 2 * (tokens * widest + scores);
        let picture = match self.input {
            Input::Text => 0,
            // Pixels and planes.
            Input::Image { size, .. } => 15 * size * size,
        };
        // A vector that grows has room for twice as much.
        let scratch = 2 * (4 * floats + codes) + picture;
        MODULE + files + scratch as u64
    }
}

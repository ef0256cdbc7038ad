//! A shard and its item table by themselves, for pages that bring their own query vectors.

use crate::failure::{Failure, Kind};
use js_sys::{Array, Float32Array, Object, Reflect, Uint8Array};
use recsys_core::bytes::AlignedBytes;
use recsys_core::items::ItemTable;
use recsys_core::json::Shown;
use recsys_core::shard::{Query, Scratch, SearchOptions, Shard, Strategy};
use wasm_bindgen::prelude::*;

/// The most results of one search, and the widest walk.
const MAX: u32 = 10_000;

/// A searchable shard.
#[wasm_bindgen]
pub struct LocalIndex {
    shard: Shard,
    items: ItemTable,
    scratch: Scratch,
}

#[wasm_bindgen]
impl LocalIndex {
    /// Checks and copies the two files of a bundle.
    ///
    /// # Errors
    /// `BadReply`: a file is not what its format says, or they do not belong together.
    #[expect(clippy::needless_pass_by_value, reason = "what JavaScript passes is owned")]
    pub fn load(shard: Uint8Array, items: Uint8Array) -> Result<LocalIndex, JsValue> {
        let shard = Shard::open(copy_of(&shard)).map_err(Failure::bad_reply)?;
        let items = ItemTable::open(copy_of(&items)).map_err(Failure::bad_reply)?;
        if shard.rows().iter().any(|row| *row as usize >= items.len()) {
            let message = "the shard names rows that the item table has not; load both from one bundle";
            return Err(Failure::bad_reply(message).into());
        }
        let scratch = Scratch::default();
        Ok(Self {
            shard,
            items,
            scratch,
        })
    }

    /// The `k` videos nearest to a vector of any length above 0: `ids` nearest first, `scores` (inner products of the
    /// unit query with the stored vectors), how many `distances` were computed and whether the `graph` was walked. With
    /// `graph` the walk keeps `ef` (at least `k`) of the best open; without, every vector is compared.
    ///
    /// # Errors
    /// `BadOption`: the vector does not fit the shard, or `k` or `ef` is not in 1 to 10,000.
    pub fn search(&mut self, vector: &[f32], k: f64, ef: f64, graph: bool) -> Result<JsValue, JsValue> {
        let bad = |message: String| Failure::new(Kind::BadOption, message);
        let query = Query::new(&self.shard, vector).map_err(|error| bad(error.to_string()))?;
        let count = |name: &str, value: f64| {
            let fits = value.fract() == 0.0 && (1.0..=f64::from(MAX)).contains(&value);
            let message = || {
                bad(format!(
                    "{name} is {}; expected a whole number from 1 to {MAX}",
                    Shown::from(value)
                ))
            };
            fits.then_some(value as usize).ok_or_else(message)
        };
        let options = SearchOptions {
            k: count("k", k)?,
            ef: count("ef", ef)?,
            strategy: if graph { Strategy::Graph } else { Strategy::Flat },
        };
        let (hits, stats) = self.shard.search(
            &query,
            &options,
            &mut self.scratch,
            (&|_| true) as &dyn Fn(u32) -> bool,
        );
        let ids: Array = hits
            .iter()
            .map(|hit| JsValue::from_str(self.items.id(hit.row as usize)))
            .collect();
        let scores: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
        let found = Object::new();
        for (name, value) in [
            ("ids", ids.into()),
            ("scores", Float32Array::from(scores.as_slice()).into()),
            ("distances", JsValue::from_f64(stats.distances as f64)),
            ("graph", JsValue::from_bool(stats.graph)),
        ] {
            Reflect::set(&found, &JsValue::from_str(name), &value)?;
        }
        Ok(found.into())
    }

    /// Bytes of the two files.
    #[wasm_bindgen(js_name = memoryBytes)]
    pub fn memory_bytes(&self) -> usize {
        self.shard.bytes() + self.items.bytes()
    }
}

fn copy_of(array: &Uint8Array) -> AlignedBytes {
    let mut bytes = AlignedBytes::zeroed(array.length() as usize);
    array.copy_to(bytes.as_mut_slice());
    bytes
}

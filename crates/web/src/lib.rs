//! recsys.wasm: retrieval, ranking, policy and session in the viewer's browser.
//!
//! The page does not call this module: it runs inside a Web Worker behind the proxy in `js/`. Calls must not overlap;
//! the Web Worker makes them one after the other. Every exported function throws an `Error` whose `name` is one of
//! [`failure::Kind`].

mod aggregates;
mod api;
mod bundle;
mod failure;
mod fields;
mod host;
mod indexed_db;
mod local;
mod log;
mod memory;
mod net;
mod options;
mod recent;
mod recommender;
mod sent;
mod slate;
mod store;
mod trust;
mod types;

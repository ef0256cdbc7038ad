//! recsys.wasm.

//! Milvus, as the edge worker is to find it: `client` speaks its REST API, `load` fills a collection and checks it.

mod client;
mod load;

pub use client::{Client, Options};
pub use load::{Done, Load, load};

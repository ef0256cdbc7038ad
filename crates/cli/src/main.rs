//! The `recsys` command.
fn main() {}

//! `cargo run --release -p recsys-world --example pairs -- OUT COUNT SEED SIZE train|heldout`, until the
//! command line has it.

use std::path::Path;

use anyhow::{Context, Result, bail};
use recsys_world::pairs;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let arg = |index: usize| {
        args.get(index)
            .with_context(|| format!("argument {index} is missing"))
    };
    let (out, count, seed, size) = (
        Path::new(arg(1)?),
        arg(2)?.parse()?,
        arg(3)?.parse()?,
        arg(4)?.parse()?,
    );
    match arg(5)?.as_str() {
        "train" => pairs::write_training(out, count, seed, size, 2, &|_| ()),
        "heldout" => pairs::write_heldout(out, seed, size, 2, &|_| ()),
        other => bail!("split {other:?}: expected train or heldout"),
    }
}

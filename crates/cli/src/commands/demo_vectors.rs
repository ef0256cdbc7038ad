//! `recsys demo-vectors`.

use anyhow::{Context, Result};
use recsys_core::npy::Matrix;
use recsys_world::vectors::{Spec, make};
use std::path::PathBuf;

/// Clustered unit vectors and queries.
#[derive(clap::Args)]
pub struct Args {
    /// Folder for items.npy, ids.txt, queries.npy (means of clicks) and text.npy (as from words)
    #[arg(long)]
    out: PathBuf,
    /// Number of vectors
    #[arg(long, default_value_t = 20_000)]
    items: usize,
    /// Dimensions
    #[arg(long, default_value_t = 128)]
    dim: usize,
    /// Number of clusters
    #[arg(long, default_value_t = 200)]
    clusters: usize,
    /// Number of queries
    #[arg(long, default_value_t = 200)]
    queries: usize,
    /// Seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Writes the files.
pub fn run(args: Args) -> Result<()> {
    let Args {
        out,
        items,
        dim,
        clusters,
        queries,
        seed,
    } = args;
    let made = make(&Spec {
        items,
        dim,
        clusters,
        queries,
        seed,
    });
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("{}: cannot write", path.display()))
    };
    let matrices = [
        ("items.npy", items, made.items),
        ("queries.npy", queries, made.queries),
        ("text.npy", queries, made.text_queries),
    ];
    for (name, rows, values) in matrices {
        let columns = dim;
        let matrix = Matrix {
            rows,
            columns,
            values,
        };
        write(name, &matrix.to_bytes())?;
    }
    let ids: String = (0..items).map(|i| format!("item-{i:06}\n")).collect();
    write("ids.txt", ids.as_bytes())
}

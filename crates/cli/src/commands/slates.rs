//! `--save-slates`: slates as JSON Lines, so that another ranker can be measured on the very same ones.

use crate::replay::{Catalogue, Moment, Shown};
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// One slate.
#[derive(Serialize)]
struct Line<'a> {
    ts: i64,
    /// Number of the viewer in this replay.
    viewer: usize,
    user: &'a str,
    items: Vec<&'a str>,
    /// Places in `items`.
    positive: Vec<usize>,
    /// NDCG of each path's ranking, where it was measured.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ndcg: BTreeMap<&'static str, f64>,
}

/// A file of slates, or nothing where none is wanted.
pub struct SlateFile(Option<(PathBuf, BufWriter<File>)>);

impl SlateFile {
    /// Makes the file.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: Option<&Path>) -> Result<Self> {
        let open = |path: &Path| {
            let file = File::create(path).with_context(|| format!("{}: cannot make it", path.display()))?;
            Ok::<_, anyhow::Error>((path.to_owned(), BufWriter::new(file)))
        };
        Ok(Self(path.map(open).transpose()?))
    }

    /// Writes a slate.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(
        &mut self,
        moment: &Moment<'_>,
        shown: &[Shown],
        ndcg: BTreeMap<&'static str, f64>,
        catalogue: &Catalogue,
    ) -> Result<()> {
        let Some((path, file)) = &mut self.0 else {
            return Ok(());
        };
        let positive = (0..).zip(shown).filter(|(_, item)| item.positive);
        let line = Line {
            ts: moment.slate.ts_ms,
            viewer: moment.viewer,
            user: moment.name,
            items: shown.iter().map(|item| catalogue.id(item.row).as_str()).collect(),
            positive: positive.map(|(place, _)| place).collect(),
            ndcg,
        };
        let text = serde_json::to_string(&line)?;
        writeln!(file, "{text}").with_context(|| format!("{}: cannot write", path.display()))
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> Result<()> {
        match self.0 {
            Some((path, mut file)) => file
                .flush()
                .with_context(|| format!("{}: cannot write", path.display())),
            None => Ok(()),
        }
    }
}

//! Counts from before the first event: an export of `GET /v1/aggregates`.

use super::{Catalogue, Statistics};
use anyhow::{Context, Result};
use recsys_core::aggregates::{Line, parse_line};
use std::path::Path;

#[derive(Clone, Copy, Debug)]
enum Count {
    Item {
        row: usize,
        impressions: u32,
        clicks: u32,
    },
    Together(usize, usize, u32),
}

/// Counts of the catalogue's items; those of other items, and of experiments, are left out.
#[derive(Debug, Default)]
pub struct Aggregates(Vec<Count>);

impl Aggregates {
    /// Reads a file of JSON Lines. Empty lines are skipped.
    ///
    /// # Errors
    /// The file cannot be read, or has another kind of line: the error names it.
    pub fn read(path: &Path, catalogue: &Catalogue) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!(
                "{}: cannot read it; expected an export of /v1/aggregates",
                path.display()
            )
        })?;
        let mut counts = Vec::new();
        for (number, line) in (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let line = parse_line(line).with_context(|| format!("{}, line {number}", path.display()))?;
            counts.extend(known(&line, catalogue));
        }
        Ok(Self(counts))
    }

    pub(super) fn apply(&self, statistics: &mut Statistics) {
        for &count in &self.0 {
            match count {
                Count::Item {
                    row,
                    impressions,
                    clicks,
                } => statistics.add(row, impressions, clicks),
                Count::Together(a, b, count) => statistics.add_together(a, b, count),
            }
        }
    }
}

/// The line by rows; `None` where it is of no use here.
fn known(line: &Line, catalogue: &Catalogue) -> Option<Count> {
    let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    match line {
        Line::Item(counts) => Some(Count::Item {
            row: catalogue.row(&counts.item)?,
            impressions: count(counts.impressions),
            clicks: count(counts.clicks),
        }),
        Line::Pair(pair) => Some(Count::Together(
            catalogue.row(&pair.item)?,
            catalogue.row(&pair.with)?,
            count(pair.count),
        )),
        Line::Arm(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::catalogue;
    use super::*;

    fn read(text: &str) -> Result<Statistics> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("aggregates.jsonl");
        std::fs::write(&path, text)?;
        let catalogue = catalogue();
        let mut statistics = Statistics::new(catalogue.len(), false);
        Aggregates::read(&path, &catalogue)?.apply(&mut statistics);
        Ok(statistics)
    }

    #[test]
    fn counts_start_the_statistics() {
        let lines = [
            r#"{"item":"a","impressions":90,"clicks":9}"#,
            "",
            r#"{"item":"gone","impressions":1,"clicks":1}"#,
            r#"{"item":"b","impressions":50,"clicks":4}"#,
            r#"{"item":"b","with":"a","count":2}"#,
            r#"{"experiment":"e","arm":"x","exposures":1,"outcomes":1}"#,
        ];
        let (statistics, catalogue) = (read(&lines.join("\n")).unwrap(), catalogue());
        let facts = statistics.facts(&catalogue, 0, 0);
        assert_eq!(
            (facts.impressions, facts.clicks, facts.popularity),
            (90.0, 9.0, 0.0)
        );
        let neighbours = statistics.neighbours(&catalogue, 0);
        assert_eq!((neighbours.len(), neighbours[0].item), (1, catalogue.hash(1)));
        assert!((neighbours[0].weight() - 2.0 / 11.0).abs() < 1e-4);
    }

    #[test]
    fn without_aggregates_or_logged_impressions_they_are_unknown() {
        let facts = read("").unwrap().facts(&catalogue(), 0, 0);
        assert!(facts.impressions.is_nan());
        assert_eq!(facts.clicks, 0.0);
    }

    #[test]
    fn other_lines_are_named() {
        for bad in [
            r#"{"item":"a","clicks":-1}"#,
            r#"{"item":"","clicks":1}"#,
            "nonsense",
        ] {
            let error = format!("{:#}", read(&format!("\n{bad}")).map(drop).unwrap_err());
            assert!(error.contains("line 2"), "{bad}: {error}");
        }
    }
}

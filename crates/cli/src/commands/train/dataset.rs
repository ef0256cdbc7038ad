//! The rows that LightGBM learns from.

use super::bias::{Examination, PositionCounts};
use crate::replay::{Catalogue, Moment, Shown, candidates};
use anyhow::{Context, Result, ensure};
use recsys_core::catalogue::ItemFacts;
use recsys_core::features::{FEATURE_COUNT, Matrix};
use recsys_core::npy;
use std::path::Path;

/// Share of the training slates, the newest, that decide when to stop.
const VALIDATION_SHARE: f64 = 0.15;
/// Answered slates that training needs.
const MIN_SLATES: usize = 100;

/// Slates with at least one positive and one negative, shown to viewers with at least one click: the others teach a
/// pairwise ranker nothing, or are ranked by popularity at serving.
#[derive(Default)]
pub struct Dataset {
    /// rows × [`FEATURE_COUNT`].
    features: Vec<f32>,
    labels: Vec<f32>,
    slates: Vec<Vec<Shown>>,
    /// Of the first and the last slate.
    times_ms: (i64, i64),
    uniform_clicks: PositionCounts,
}

impl Dataset {
    /// Adds a slate that was shown before `split_ms`; says whether it teaches anything.
    pub fn add(&mut self, moment: &Moment<'_>, catalogue: &Catalogue, split_ms: i64) -> Result<bool> {
        if moment.slate.ts_ms >= split_ms {
            return Ok(false);
        }
        let shown = moment.unseen(catalogue);
        if moment.uniform() {
            shown
                .iter()
                .for_each(|item| self.uniform_clicks.add(item.position, item.positive));
        }
        let positives = shown.iter().filter(|item| item.positive).count();
        if positives == 0 || positives == shown.len() || moment.session.clicks().is_empty() {
            return Ok(false);
        }
        let rows: Vec<usize> = shown.iter().map(|item| item.row).collect();
        let facts: Vec<ItemFacts> = rows.iter().map(|&row| (moment.facts)(row)).collect();
        let list = candidates(catalogue, &rows, &facts);
        let matrix = Matrix::fill(moment.session, &moment.user, moment.slate.ts_ms, &list)?;
        self.features.extend_from_slice(matrix.values());
        self.labels
            .extend(shown.iter().map(|item| f32::from(u8::from(item.positive))));
        if self.slates.is_empty() {
            self.times_ms.0 = moment.slate.ts_ms;
        }
        self.times_ms.1 = moment.slate.ts_ms;
        self.slates.push(shown);
        Ok(true)
    }

    /// Whether there is enough to learn from.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.slates.len() >= MIN_SLATES,
            "only {} slates of the training share have a positive, a negative and a viewer with an earlier click; \
             training needs {MIN_SLATES}: log more, or raise --train-share",
            self.slates.len()
        );
        Ok(())
    }

    /// Writes what train.py reads; returns the number of slates before validation.
    pub fn write(&self, folder: &Path, examination: Option<&Examination>) -> Result<usize> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let mut slates: Vec<f32> = Vec::with_capacity(self.slates.len() * 2);
        for shown in &self.slates {
            slates.extend([shown.len() as f32, slate_weight(shown, examination) as f32]);
        }
        save(&folder.join("features.npy"), self.rows(), self.features.clone())?;
        save(&folder.join("labels.npy"), self.rows(), self.labels.clone())?;
        save(&folder.join("slates.npy"), self.slates.len(), slates)?;
        let validation = ((self.slates.len() as f64 * VALIDATION_SHARE).round() as usize).max(1);
        Ok(self.slates.len() - validation)
    }

    pub fn uniform_clicks(&self) -> &PositionCounts {
        &self.uniform_clicks
    }

    /// Times of the first and the last slate, in milliseconds since 1970-01-01 UTC.
    pub fn times_ms(&self) -> (i64, i64) {
        self.times_ms
    }

    pub fn slates(&self) -> usize {
        self.slates.len()
    }

    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    pub fn positives(&self) -> usize {
        self.labels.iter().filter(|&&label| label > 0.0).count()
    }

    /// Features of the first `rows` rows, or of all where there are fewer.
    pub fn first_rows(&self, rows: usize) -> &[f32] {
        &self.features[..self.features.len().min(rows * FEATURE_COUNT)]
    }
}

/// The mean weight of a slate's positives. A weight belongs to a slate and not to a row, because LightGBM weighs each
/// row's gradient alone: a heavier positive would not push the negatives below it any harder.
fn slate_weight(shown: &[Shown], examination: Option<&Examination>) -> f64 {
    let Some(examination) = examination else {
        return 1.0;
    };
    let weights = shown
        .iter()
        .filter(|item| item.positive)
        .map(|item| examination.weight(item.position));
    let (sum, count) = weights.fold((0.0, 0u32), |(sum, count), weight| (sum + weight, count + 1));
    if count == 0 { 1.0 } else { sum / f64::from(count) }
}

fn save(path: &Path, rows: usize, values: Vec<f32>) -> Result<()> {
    let columns = values.len().checked_div(rows).unwrap_or_default();
    let bytes = npy::Matrix {
        rows,
        columns,
        values,
    }
    .to_bytes();
    std::fs::write(path, bytes).with_context(|| format!("{}: cannot write", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::Replay;
    use crate::replay::fixtures::{START, catalogue, click, impression, parse};
    use recsys_core::events::Label;
    use recsys_core::features::FEATURES;

    /// One viewer: a first slate without history, two to learn from, one without a click.
    fn dataset(split_ms: i64) -> Dataset {
        let events = parse(&[
            impression(0, "r1", "u", "a", 0),
            impression(0, "r1", "u", "b", 1),
            click(1, "r1", "u", "a"),
            impression(10, "r2", "u", "c", 0),
            impression(10, "r2", "u", "d", 1),
            impression(10, "r2", "u", "a", 2),
            click(11, "r2", "u", "d"),
            impression(20, "r3", "u", "b", 0),
            impression(20, "r3", "u", "c", 1),
            impression(30, "r4", "u", "c", 0),
            impression(30, "r4", "u", "b", 1),
            click(31, "r4", "u", "c"),
        ]);
        let catalogue = catalogue();
        let replay = Replay::new(&catalogue, events, Label::Click).unwrap();
        let mut dataset = Dataset::default();
        replay
            .run(
                |moment| dataset.add(&moment, &catalogue, split_ms).map(drop),
                |_| {},
            )
            .unwrap();
        dataset
    }

    #[test]
    fn only_answered_slates_of_known_viewers_teach() {
        let dataset = dataset(i64::MAX);
        // r1 has no history, r3 no click; a is seen by the time of r2.
        assert_eq!((dataset.slates(), dataset.rows(), dataset.positives()), (2, 4, 2));
        assert_eq!(dataset.labels, [0.0, 1.0, 1.0, 0.0]);
        let column = FEATURES
            .iter()
            .position(|feature| feature.name == "sim_last")
            .unwrap();
        let last = |row: usize| dataset.features[row * FEATURE_COUNT + column];
        assert_eq!((last(0), last(1)), (-1.0, 0.0), "c and d against the click on a");
        assert!(dataset.check().is_err(), "two slates are too few");
    }

    #[test]
    fn slates_after_the_split_stay_out() {
        assert_eq!(dataset(START + 30_000).slates(), 1);
        assert_eq!(dataset(START).slates(), 0);
    }

    #[test]
    fn the_files_hold_every_row_and_weight() {
        let folder = tempfile::tempdir().unwrap();
        let mut clicks = PositionCounts::default();
        for i in 0..4_000 {
            clicks.add(0, i % 5 == 0);
            clicks.add(1, i % 10 == 0);
        }
        let examination = Examination::estimate(&clicks).unwrap();
        let fit = dataset(i64::MAX)
            .write(folder.path(), Some(&examination))
            .unwrap();
        assert_eq!(fit, 1, "at least one slate validates");
        let read =
            |name: &str| npy::Matrix::parse(&std::fs::read(folder.path().join(name)).unwrap()).unwrap();
        assert_eq!(
            (read("features.npy").rows, read("features.npy").columns),
            (4, FEATURE_COUNT)
        );
        assert_eq!(read("labels.npy").values, [0.0, 1.0, 1.0, 0.0]);
        let slates = read("slates.npy");
        assert_eq!(
            (slates.rows, slates.columns, slates.values[0], slates.values[2]),
            (2, 2, 2.0, 2.0)
        );
        assert!(
            (slates.values[1] - 2.0).abs() < 0.02,
            "r2 was answered at position 1: {}",
            slates.values[1]
        );
        assert_eq!(slates.values[3], 1.0, "r4 at position 0");
    }
}

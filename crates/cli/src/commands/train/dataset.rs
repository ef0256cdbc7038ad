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
pub(super) struct Dataset {
    /// rows × [`FEATURE_COUNT`].
    features: Vec<f32>,
    labels: Vec<f32>,
    slates: Vec<Vec<Shown>>,
    uniform_clicks: PositionCounts,
}

impl Dataset {
    /// Adds a slate that was shown before `split_ms`.
    pub(super) fn add(&mut self, moment: &Moment<'_>, catalogue: &Catalogue, split_ms: i64) -> Result<()> {
        if moment.slate.ts_ms >= split_ms {
            return Ok(());
        }
        let shown = moment.unseen(catalogue);
        if moment.uniform() {
            shown
                .iter()
                .for_each(|item| self.uniform_clicks.add(item.position, item.positive));
        }
        let positives = shown.iter().filter(|item| item.positive).count();
        if positives == 0 || positives == shown.len() || moment.session.clicks().is_empty() {
            return Ok(());
        }
        let rows: Vec<usize> = shown.iter().map(|item| item.row).collect();
        let facts: Vec<ItemFacts> = rows.iter().map(|&row| (moment.facts)(row)).collect();
        let list = candidates(catalogue, &rows, &facts);
        let matrix = Matrix::fill(moment.session, &moment.user, moment.slate.ts_ms, &list)?;
        self.features.extend_from_slice(matrix.values());
        self.labels
            .extend(shown.iter().map(|item| f32::from(u8::from(item.positive))));
        self.slates.push(shown);
        Ok(())
    }

    /// Whether there is enough to learn from.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(
            self.slates.len() >= MIN_SLATES,
            "only {} slates of the training share have a positive, a negative and a viewer with an earlier click; \
             training needs {MIN_SLATES}: log more, or raise --train-share",
            self.slates.len()
        );
        Ok(())
    }

    /// Writes what train.py reads; returns the number of slates before validation.
    pub(super) fn write(&self, folder: &Path, examination: Option<&Examination>) -> Result<usize> {
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

    pub(super) fn uniform_clicks(&self) -> &PositionCounts {
        &self.uniform_clicks
    }

    pub(super) fn slates(&self) -> usize {
        self.slates.len()
    }

    pub(super) fn rows(&self) -> usize {
        self.labels.len()
    }

    pub(super) fn positives(&self) -> usize {
        self.labels.iter().filter(|&&label| label > 0.0).count()
    }

    /// Features of the first `rows` rows, or of all where there are fewer.
    pub(super) fn first_rows(&self, rows: usize) -> &[f32] {
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

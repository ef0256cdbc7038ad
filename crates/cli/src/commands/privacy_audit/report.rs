//! The table: as JSON for machines, as Markdown for docs/privacy.md.

use recsys_core::metrics::{Interval, bootstrap_mean};
use serde::Serialize;

/// A figure with its 95 % interval; infinite where it has no bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl From<Interval> for Estimate {
    fn from(Interval { value, low, high }: Interval) -> Self {
        Self { value, low, high }
    }
}

impl Estimate {
    /// A figure without an interval.
    pub(super) const fn exact(value: f64) -> Self {
        Self {
            value,
            low: value,
            high: value,
        }
    }
}

/// One line.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    mode: String,
    attack: &'static str,
    /// Requests that were seen; epochs, where the attack's name says so.
    requests: usize,
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
}

/// All lines.
#[derive(Default)]
pub(super) struct Report {
    rows: Vec<Row>,
    resamples: usize,
    seed: u64,
}

impl Report {
    pub(super) fn new(resamples: usize, seed: u64) -> Self {
        Self {
            rows: Vec::new(),
            resamples,
            seed,
        }
    }

    /// Adds a figure.
    pub(super) fn add(&mut self, mode: &str, attack: &'static str, requests: usize, estimate: Estimate) {
        let bound = |bound: f64| Some(bound).filter(|bound| bound.is_finite());
        self.rows.push(Row {
            mode: mode.to_owned(),
            attack,
            requests,
            value: estimate.value,
            low: bound(estimate.low),
            high: bound(estimate.high),
        });
    }

    /// Adds the mean of values by viewer, with its interval over viewers; nothing where there are none.
    pub(super) fn add_mean(&mut self, mode: &str, attack: &'static str, requests: usize, values: &[f64]) {
        let samples: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
        if let Some(interval) = bootstrap_mean(&samples, self.resamples, self.seed) {
            self.add(mode, attack, requests, interval.into());
        }
    }

    /// The figure of an attack.
    pub(super) fn figure(&self, mode: &str, attack: &str, requests: usize) -> Option<Estimate> {
        let same = |row: &&Row| row.mode == mode && row.attack == attack && row.requests == requests;
        let row = self.rows.iter().find(same)?;
        Some(Estimate {
            value: row.value,
            low: row.low.unwrap_or(f64::NEG_INFINITY),
            high: row.high.unwrap_or(f64::INFINITY),
        })
    }

    /// One JSON array.
    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&self.rows)
    }

    /// A table: a line a mode and attack, the numbers of requests beside each other.
    pub(super) fn to_markdown(&self) -> String {
        let mut text = String::from(
            "| mode | attack | 1 request | 3 requests | 10 requests |\n| --- | --- | --- | --- | --- |\n",
        );
        let mut done: Vec<(&str, &str)> = Vec::new();
        for row in &self.rows {
            let name = (row.mode.as_str(), row.attack);
            if done.contains(&name) {
                continue;
            }
            done.push(name);
            let cell = |requests| {
                let figure = self.figure(&row.mode, row.attack, requests);
                figure.map_or_else(String::new, |figure| shown(&figure))
            };
            text.push_str(&format!(
                "| {} | {} | {} | {} | {} |\n",
                row.mode,
                row.attack,
                cell(1),
                cell(3),
                cell(10)
            ));
        }
        text
    }
}

fn shown(estimate: &Estimate) -> String {
    let value = number(estimate.value);
    match (estimate.low.is_finite(), estimate.high.is_finite()) {
        (true, true) if estimate.low == estimate.high => value,
        (true, true) => format!("{value} [{}, {}]", number(estimate.low), number(estimate.high)),
        (true, false) => format!("{value} [≥ {}]", number(estimate.low)),
        _ => value,
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_attack_and_a_column_for_each_number_of_requests() {
        let mut report = Report::new(10, 1);
        report.add("a", "recall", 1, Estimate::exact(0.5));
        report.add_mean("a", "recall", 10, &[1.0, 1.0]);
        report.add(
            "b",
            "ε",
            1,
            Estimate {
                value: 0.97,
                low: 0.9,
                high: f64::INFINITY,
            },
        );
        let table = report.to_markdown();
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| a | recall | 0.500 |  | 1.000 |",
                "| b | ε | 0.970 [≥ 0.900] |  |  |"
            ]
        );
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(json[2]["high"], serde_json::Value::Null);
        assert_eq!(json[1]["requests"], 10);
    }
}

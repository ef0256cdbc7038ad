//! The ranker's model card (Mitchell et al., FAT* 2019): what it was trained on and how, for people and for tools.

use recsys_core::features::FEATURES;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The card, as it stands in the bundle.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Card {
    pub(super) created: String,
    pub(super) recsys: &'static str,
    /// SHA-256 of the ranker's file.
    pub(super) ranker_sha256: String,
    pub(super) data: Data,
    pub(super) parameters: BTreeMap<String, Value>,
    pub(super) libraries: BTreeMap<String, String>,
    pub(super) rounds: u32,
    /// NDCG@10 on the newest 15 % of the training slates, which also chose the number of rounds: not a held-out figure.
    /// `recsys eval` measures on later slates, with intervals.
    pub(super) validation_ndcg_at_10: f64,
    pub(super) features: Vec<Input>,
}

/// What the ranker learnt from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Data {
    /// SHA-256 of the file of events.
    pub(super) events_sha256: String,
    pub(super) events: usize,
    /// First and last event that counts, in milliseconds since 1970-01-01 UTC.
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    pub(super) label: &'static str,
    /// Negatives drawn for each positive; null where slates were logged.
    pub(super) negatives: Option<u32>,
    pub(super) slates: usize,
    pub(super) rows: usize,
    pub(super) positives: usize,
}

/// One input, with its share of the trees' gain.
#[derive(Debug, Serialize)]
pub(super) struct Input {
    name: &'static str,
    unit: &'static str,
    categorical: bool,
    gain: f64,
}

/// Every feature of the table.
pub(super) fn inputs(gain: &BTreeMap<String, f64>) -> Vec<Input> {
    let input = |feature: &recsys_core::features::Feature| Input {
        name: feature.name,
        unit: feature.unit,
        categorical: feature.categorical,
        gain: gain.get(feature.name).copied().unwrap_or(0.0),
    };
    FEATURES.iter().map(input).collect()
}

impl Card {
    /// The card in Markdown.
    pub(super) fn markdown(&self) -> String {
        let data = &self.data;
        let negatives = data.negatives.map_or_else(
            || "as they were logged".to_owned(),
            |n| format!("drawn, {n} negatives for each positive"),
        );
        let mut text = format!(
            "# Model card: ranker\n\nMade {} by recsys {}. SHA-256 of the ranker: `{}`.\n\n## Data\n\n{} events, SHA-256 \
             `{}`. The training slates lie between {} and {}: {} slates, {negatives}; {} \
             rows, {} positives; a positive is a {}.\n\n## Training\n\n{} rounds. Validation NDCG@10 {:.4}, on the newest 15 % \
             of the training slates, which also chose the number of rounds; `recsys eval` measures on later ones.\n\n",
            self.created,
            self.recsys,
            self.ranker_sha256,
            data.events,
            data.events_sha256,
            date(data.from_ms),
            date(data.to_ms),
            data.slates,
            data.rows,
            data.positives,
            data.label,
            self.rounds,
            self.validation_ndcg_at_10
        );
        let versions = self
            .libraries
            .iter()
            .map(|(name, version)| format!("{name} {version}"));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "Libraries: {}.\n", versions.collect::<Vec<_>>().join(", "));
        for (name, value) in &self.parameters {
            let _ = writeln!(text, "- `{name}`: {value}");
        }
        text.push_str("\n## Features\n\n| feature | unit | share of gain |\n| --- | --- | --- |\n");
        let mut inputs: Vec<&Input> = self.features.iter().collect();
        inputs.sort_by(|a, b| b.gain.total_cmp(&a.gain));
        for input in inputs {
            let kind = if input.categorical { ", categorical" } else { "" };
            let _ = writeln!(
                text,
                "| `{}` | {}{kind} | {:.3} |",
                input.name, input.unit, input.gain
            );
        }
        text
    }
}

/// The day of a moment, in UTC; the number where it lies outside the calendar.
fn date(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms);
    moment.map_or_else(
        |_| ms.to_string(),
        |moment| moment.strftime("%Y-%m-%d").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_data_parameters_and_every_feature() {
        let gain = BTreeMap::from([("sim_last".to_owned(), 0.75)]);
        let card = Card {
            created: "2026-01-01T00:00:00Z".to_owned(),
            recsys: "1.2.3",
            ranker_sha256: "ab".to_owned(),
            data: Data {
                events_sha256: "cd".to_owned(),
                events: 9,
                from_ms: 1_782_000_000_000,
                to_ms: i64::MAX,
                label: "click",
                negatives: Some(99),
                slates: 3,
                rows: 300,
                positives: 3,
            },
            parameters: BTreeMap::from([("num_leaves".to_owned(), Value::from(15))]),
            libraries: BTreeMap::from([("lightgbm".to_owned(), "4.7.0".to_owned())]),
            rounds: 7,
            validation_ndcg_at_10: 0.25,
            features: inputs(&gain),
        };
        let text = card.markdown();
        for part in [
            "`ab`",
            "`cd`",
            "between 2026-06-21 and 9223372036854775807: 3 slates, drawn, 99 negatives",
            "lightgbm 4.7.0",
            "- `num_leaves`: 15",
            "NDCG@10 0.2500",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(
            FEATURES
                .iter()
                .all(|feature| text.contains(&format!("`{}`", feature.name)))
        );
        let first = text.split("| --- | --- | --- |\n").nth(1).unwrap();
        assert!(first.starts_with("| `sim_last` | cosine | 0.750 |"), "{first}");
        let json = serde_json::to_value(&card).unwrap();
        assert_eq!(
            (&json["rankerSha256"], &json["data"]["negatives"]),
            (&"ab".into(), &99.into())
        );
    }
}

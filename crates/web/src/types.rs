//! The plain objects that go to the page; `js/index.d.ts` is their contract.

use recsys_core::candidates::Source;
use recsys_core::json::{self, FromJson, Json, JsonError};
use recsys_core::manifest::Sprites;
use serde::Serialize;
use wasm_bindgen::JsValue;

/// One video: the card of the item table, and its id.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Its id; a card has none.
    pub id: String,
    /// Its title.
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    creator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    /// The language's name in the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preview_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
    /// Where its still is in the bundle at hand; not stored, because the next bundle may have it elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sprite: Option<Sprite>,
}

impl<'a> FromJson<'a> for Item {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                id: fields.get_or("id", String::new())?,
                name: fields.get_or("name", String::new())?,
                creator: fields.get("creator")?,
                category: fields.get("category")?,
                language: fields.get("language")?,
                upload_date: fields.get("uploadDate")?,
                thumbnail_url: fields.get("thumbnailUrl")?,
                preview_url: fields.get("previewUrl")?,
                content_url: fields.get("contentUrl")?,
                duration_seconds: fields.get("durationSeconds")?,
                sprite: fields.get("sprite")?,
            })
        })
    }
}

impl Item {
    /// Reads a card. One that is no card gives an item with its id for a name, so that a page can still show it.
    pub fn from_card(id: &str, card: &str) -> Self {
        let mut item: Self = json::read(card).unwrap_or_default();
        if item.name.is_empty() {
            id.clone_into(&mut item.name);
        }
        id.clone_into(&mut item.id);
        // A card is the same in every bundle, a still's place is not.
        item.sprite = None;
        item
    }
}

impl<'a> FromJson<'a> for Sprite {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                sheet: fields.get("sheet")?,
                x: fields.get("x")?,
                y: fields.get("y")?,
            })
        })
    }
}

/// A cell of the shared sheets of stills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sprite {
    sheet: u32,
    /// Column.
    x: u32,
    /// Row.
    y: u32,
}

impl Sprite {
    /// The cell of this number among those of all sheets.
    pub fn of(sprites: &Sprites, cell: u32) -> Option<Self> {
        let cells = sprites
            .columns
            .checked_mul(sprites.rows)
            .filter(|&cells| cells > 0)?;
        let (sheet, cell) = (cell / cells, cell % cells);
        let (x, y) = (cell % sprites.columns, cell / sprites.columns);
        ((sheet as usize) < sprites.sheets.len()).then_some(Self { sheet, x, y })
    }
}

/// A sheet of stills.
#[derive(Clone, Debug, Serialize)]
pub struct Sheet {
    /// Where to fetch it.
    pub url: String,
    /// Cells beside each other.
    pub columns: u32,
    /// Cells below each other.
    pub rows: u32,
    /// Of a cell, in pixels.
    pub width: u32,
    /// Of a cell, in pixels.
    pub height: u32,
}

/// One place of a slate.
#[derive(Clone, Debug, Serialize)]
pub struct Recommendation {
    /// The video.
    pub item: Item,
    /// 1 is first.
    pub rank: usize,
    /// Comparable within the slate.
    pub score: f32,
    /// `pinned` or `explored`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<&'static str>,
    /// Probability that a page of these candidates shows it, where that is below 1 and known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
}

/// A ranked page.
#[derive(Clone, Debug, Serialize)]
pub struct Slate {
    /// Best first.
    pub items: Vec<Recommendation>,
    /// Names the slate in `record` and in the log; never sent. A search has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Where the candidates come from.
    pub source: Source,
    /// The privacy mode's name.
    pub mode: &'static str,
    /// The candidates' bundle.
    pub bundle: String,
    /// Why it is less than was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degraded: Option<String>,
    /// What it cost.
    pub timings: Timings,
}

/// What a slate cost.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// Milliseconds, the network included.
    pub retrieve_ms: f64,
    /// Milliseconds.
    pub rank_ms: f64,
    /// Candidates ranked.
    pub candidates: usize,
}

/// Why a video stands where it stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The video.
    pub id: String,
    /// The nearest click.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because_of: Option<BecauseOf>,
    /// Strongest first.
    pub reasons: Vec<Reason>,
    /// Where a ranker with covers scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contributions: Option<Contributions>,
    /// The same for the viewer.
    pub sentence: String,
}

/// The click that a video is most like.
#[derive(Clone, Debug, Serialize)]
pub struct BecauseOf {
    /// The clicked video.
    pub id: String,
    /// Its title.
    pub name: String,
    /// Cosine.
    pub similarity: f32,
}

/// One of the ranker's inputs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Reason {
    /// Name in the model.
    pub feature: &'static str,
    /// In words.
    pub label: &'static str,
    /// `null` where it is missing.
    pub value: Option<f32>,
    /// Unit of the value.
    pub unit: &'static str,
}

/// A score, split exactly.
#[derive(Clone, Debug, Serialize)]
pub struct Contributions {
    /// The mean score over the ranker's training data.
    pub expected: f32,
    /// One a feature.
    pub features: Vec<Contribution>,
}

/// One feature's part of a score.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Contribution {
    /// Name in the model.
    pub feature: &'static str,
    /// In words.
    pub label: &'static str,
    /// `null` where it is missing.
    pub value: Option<f32>,
    /// Unit of the value.
    pub unit: &'static str,
    /// What it adds to the score.
    pub contribution: f32,
    /// What it adds to a candidate's score on average.
    pub typical: f32,
}

/// The JSON text of a value.
///
/// # Errors
/// None of the types here gives one: they have no maps, and a number that is not finite is `null`.
pub fn to_json(value: &impl Serialize) -> Result<String, JsValue> {
    serde_json::to_string(value).map_err(|error| js_sys::Error::new(&error.to_string()).into())
}

/// A value as a plain object of JavaScript.
///
/// # Errors
/// As [`to_json`].
pub fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    js_sys::JSON::parse(&to_json(value)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use recsys_core::manifest::FileEntry;

    #[test]
    fn a_card_gives_the_fields_of_the_contract_and_no_id_of_its_own() {
        let card =
            r#"{"id":"other","name":"A fox","uploadDate":"2026-01-01","durationSeconds":12.5,"more":[1]}"#;
        let json = to_json(&Item::from_card("v1", card)).unwrap();
        let expected = r#"{"id":"v1","name":"A fox","uploadDate":"2026-01-01","durationSeconds":12.5}"#;
        assert_eq!(json, expected);
    }

    #[test]
    fn a_broken_card_still_gives_something_to_show() {
        for card in ["", "[]", "{\"name\":7}", "{\"name\":\"\"}"] {
            let item = Item::from_card("v1", card);
            assert_eq!((item.id.as_str(), item.name.as_str()), ("v1", "v1"), "{card}");
        }
    }

    #[test]
    fn sprites_run_row_by_row_and_end_with_the_last_sheet() {
        let sprites = Sprites {
            columns: 3,
            rows: 2,
            width: 240,
            height: 135,
            sheets: vec![FileEntry::of("sheet", "jpg", b"x"); 2],
        };
        let at = |cell| Sprite::of(&sprites, cell).map(|s| (s.sheet, s.x, s.y));
        assert_eq!(at(0), Some((0, 0, 0)));
        assert_eq!(at(5), Some((0, 2, 1)));
        assert_eq!(at(7), Some((1, 1, 0)));
        assert_eq!(at(12), None);
        assert_eq!(at(u32::MAX), None);
    }
}

/// What the mode promises, and what of its budget is spent.
#[derive(Debug, Serialize)]
pub struct Privacy {
    /// Name of the mode.
    pub mode: &'static str,
    /// What it promises, and what it does not.
    pub claim: &'static str,
    /// The budget of noised mode.
    pub epsilon: Epsilon,
}

/// The budget of noised mode.
#[derive(Debug, Serialize)]
pub struct Epsilon {
    /// Of one report.
    pub report: f64,
    /// Of all reports so far.
    pub spent: f64,
    /// Of all reports at most.
    pub budget: f64,
}

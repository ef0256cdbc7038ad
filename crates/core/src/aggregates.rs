//! Counts that may leave the browser where the site's owner and the page turned them on: no viewer, no time, no order.
//!
//! A [`Batch`] is the body of `POST /v1/aggregates`. A line of the owner's export, `GET /v1/aggregates`, is one row of
//! a batch, summed over all of them: [`parse_line`].

use crate::catalogue::ItemId;
use crate::json::{FromJson, Json, JsonError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most rows of a batch, all lists together.
pub const MAX_ROWS: usize = 500;
/// The largest count of a row of a batch.
pub const MAX_COUNT: u64 = 1_000;
/// The largest sum of squares of a row of a batch.
pub const MAX_SQUARES: u64 = MAX_COUNT * MAX_COUNT;
/// The longest name of an experiment or an arm, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// How often a video was shown and clicked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemCounts {
    /// The video.
    pub item: ItemId,
    /// Times shown.
    #[serde(default)]
    pub impressions: u64,
    /// Times clicked.
    #[serde(default)]
    pub clicks: u64,
}

/// How often a video was the next one clicked after another within a visit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairCount {
    /// Clicked first.
    pub item: ItemId,
    /// Clicked next; another video than `item`.
    pub with: ItemId,
    /// Times.
    pub count: u64,
}

/// What an arm of an experiment brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ArmCounts {
    /// Name of the experiment.
    pub experiment: String,
    /// Name of the arm.
    pub arm: String,
    /// Browsers that entered the arm.
    #[serde(default)]
    pub exposures: u64,
    /// Sum of their outcomes (clicks).
    #[serde(default)]
    pub outcomes: u64,
    /// Sum of the squares of one browser's outcomes; absent where an outcome is 0 or 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum_squares: Option<u64>,
}

/// Counts of one browser since it last sent some.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// One row a video.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemCounts>,
    /// One row an ordered pair.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<PairCount>,
    /// One row an arm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<ArmCounts>,
}

impl<'a> FromJson<'a> for ItemCounts {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.strict_object(&["item", "impressions", "clicks"], |fields| {
            Ok(Self {
                item: fields.get("item")?,
                impressions: fields.get_or("impressions", 0)?,
                clicks: fields.get_or("clicks", 0)?,
            })
        })
    }
}

impl<'a> FromJson<'a> for PairCount {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.strict_object(&["item", "with", "count"], |fields| {
            Ok(Self {
                item: fields.get("item")?,
                with: fields.get("with")?,
                count: fields.get("count")?,
            })
        })
    }
}

impl<'a> FromJson<'a> for ArmCounts {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &["experiment", "arm", "exposures", "outcomes", "sumSquares"];
        json.strict_object(names, |fields| {
            Ok(Self {
                experiment: fields.get("experiment")?,
                arm: fields.get("arm")?,
                exposures: fields.get_or("exposures", 0)?,
                outcomes: fields.get_or("outcomes", 0)?,
                sum_squares: fields.get("sumSquares")?,
            })
        })
    }
}

impl<'a> FromJson<'a> for Batch {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.strict_object(&["items", "pairs", "arms"], |fields| {
            Ok(Self {
                items: fields.get_or("items", Vec::new())?,
                pairs: fields.get_or("pairs", Vec::new())?,
                arms: fields.get_or("arms", Vec::new())?,
            })
        })
    }
}

/// Why a batch is refused. Nothing that stands in the batch is quoted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BatchError {
    /// More than [`MAX_ROWS`].
    #[error("a batch has {0} rows, at most {MAX_ROWS} are allowed; send several")]
    Rows(usize),
    /// None.
    #[error("a batch has no rows; expected `items`, `pairs` or `arms`")]
    Empty,
    /// A count that one browser cannot have reached.
    #[error("`{list}`, row {row}: `{field}`: expected 0 to {most}, found more")]
    Count {
        /// List.
        list: &'static str,
        /// Place in it, from 0.
        row: usize,
        /// Field.
        field: &'static str,
        /// The most that is allowed.
        most: u64,
    },
    /// A video next to itself.
    #[error("`pairs`, row {0}: `item` and `with` are the same video")]
    Pair(usize),
    /// A name that is none.
    #[error(
        "`arms`, row {row}: `{field}`: expected 1 to {MAX_NAME_BYTES} letters, digits, dots, hyphens or underscores, found \
         another text of {bytes} bytes"
    )]
    Name {
        /// Place in the list, from 0.
        row: usize,
        /// Field.
        field: &'static str,
        /// Length of its value, in bytes.
        bytes: usize,
    },
}

impl Batch {
    /// Rows of all lists.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.items.len() + self.pairs.len() + self.arms.len()
    }

    /// Holds a batch of another browser to the limits.
    ///
    /// # Errors
    /// No rows, too many, or one with a count or a name out of range.
    pub fn check(&self) -> Result<(), BatchError> {
        match self.rows() {
            0 => return Err(BatchError::Empty),
            1..=MAX_ROWS => {}
            rows => return Err(BatchError::Rows(rows)),
        }
        for (row, counts) in self.items.iter().enumerate() {
            within("items", row, "impressions", counts.impressions, MAX_COUNT)?;
            within("items", row, "clicks", counts.clicks, MAX_COUNT)?;
        }
        for (row, pair) in self.pairs.iter().enumerate() {
            within("pairs", row, "count", pair.count, MAX_COUNT)?;
            if pair.item == pair.with {
                return Err(BatchError::Pair(row));
            }
        }
        for (row, arm) in self.arms.iter().enumerate() {
            name(row, "experiment", &arm.experiment)?;
            name(row, "arm", &arm.arm)?;
            within("arms", row, "exposures", arm.exposures, MAX_COUNT)?;
            within("arms", row, "outcomes", arm.outcomes, MAX_COUNT)?;
            let squares = arm.sum_squares.unwrap_or_default();
            within("arms", row, "sumSquares", squares, MAX_SQUARES)?;
        }
        Ok(())
    }

    /// Counts that a video was shown. Beyond [`MAX_ROWS`] a new row is left out, and no count passes [`MAX_COUNT`].
    pub fn impression(&mut self, item: &ItemId) {
        if let Some(counts) = self.item(item) {
            add(&mut counts.impressions, 1, MAX_COUNT);
        }
    }

    /// Counts that a video was clicked, and where it was the next one after `previous` in the visit, the pair.
    pub fn click(&mut self, item: &ItemId, previous: Option<&ItemId>) {
        if let Some(counts) = self.item(item) {
            add(&mut counts.clicks, 1, MAX_COUNT);
        }
        if let Some(previous) = previous.filter(|previous| *previous != item)
            && let Some(pair) = self.pair(previous, item)
        {
            add(&mut pair.count, 1, MAX_COUNT);
        }
    }

    /// Counts that this browser entered an arm.
    pub fn exposure(&mut self, experiment: &str, arm: &str) {
        if let Some(counts) = self.arm(experiment, arm) {
            add(&mut counts.exposures, 1, MAX_COUNT);
        }
    }

    /// Counts one more outcome of this browser in an arm that it has entered; `before` is how many it had. The sum of
    /// squares grows by (before + 1)² − before², so that no browser's outcomes need be known together.
    pub fn outcome(&mut self, experiment: &str, arm: &str, before: u64) {
        if let Some(counts) = self.arm(experiment, arm) {
            add(&mut counts.outcomes, 1, MAX_COUNT);
            let growth = before.saturating_mul(2).saturating_add(1);
            add(counts.sum_squares.get_or_insert(0), growth, MAX_SQUARES);
        }
    }

    fn item(&mut self, item: &ItemId) -> Option<&mut ItemCounts> {
        let new = ItemCounts {
            item: item.clone(),
            impressions: 0,
            clicks: 0,
        };
        let rows = self.rows();
        row(&mut self.items, rows, |row| row.item == *item, new)
    }

    fn pair(&mut self, item: &ItemId, with: &ItemId) -> Option<&mut PairCount> {
        let new = PairCount {
            item: item.clone(),
            with: with.clone(),
            count: 0,
        };
        let rows = self.rows();
        let same = |row: &PairCount| row.item == *item && row.with == *with;
        row(&mut self.pairs, rows, same, new)
    }

    fn arm(&mut self, experiment: &str, arm: &str) -> Option<&mut ArmCounts> {
        let new = ArmCounts {
            experiment: experiment.to_owned(),
            arm: arm.to_owned(),
            exposures: 0,
            outcomes: 0,
            sum_squares: None,
        };
        let rows = self.rows();
        let same = |row: &ArmCounts| row.experiment == experiment && row.arm == arm;
        row(&mut self.arms, rows, same, new)
    }
}

/// A [`Batch`] in the browser's store: one kind of row, because every struct that is read costs the module some code. List
/// (0 items, 1 pairs, 2 arms), two names, three counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct StoredBatch(Vec<(u8, String, String, u64, u64, u64)>);

impl<'a> FromJson<'a> for StoredBatch {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        FromJson::from_json(json).map(Self)
    }
}

impl From<&Batch> for StoredBatch {
    fn from(batch: &Batch) -> Self {
        let text = |id: &ItemId| id.as_str().to_owned();
        let items = batch
            .items
            .iter()
            .map(|row| (0, text(&row.item), String::new(), row.impressions, row.clicks, 0));
        let pairs = batch
            .pairs
            .iter()
            .map(|row| (1, text(&row.item), text(&row.with), row.count, 0, 0));
        let arms = batch.arms.iter().map(|row| {
            let squares = row.sum_squares.unwrap_or(row.outcomes);
            let (experiment, arm) = (row.experiment.clone(), row.arm.clone());
            (2, experiment, arm, row.exposures, row.outcomes, squares)
        });
        Self(items.chain(pairs).chain(arms).collect())
    }
}

impl From<StoredBatch> for Batch {
    /// Rows that are none are left out.
    fn from(stored: StoredBatch) -> Self {
        let mut batch = Self::default();
        for (list, a, b, x, y, z) in stored.0 {
            match (list, ItemId::new(a.as_str()), ItemId::new(b.as_str())) {
                (0, Ok(item), _) => batch.items.push(ItemCounts {
                    item,
                    impressions: x,
                    clicks: y,
                }),
                (1, Ok(item), Ok(with)) => batch.pairs.push(PairCount { item, with, count: x }),
                (2, ..) => batch.arms.push(ArmCounts {
                    experiment: a,
                    arm: b,
                    exposures: x,
                    outcomes: y,
                    sum_squares: Some(z),
                }),
                _ => {}
            }
        }
        batch
    }
}

/// The row that is the same, or a new one where there is room.
fn row<T>(list: &mut Vec<T>, rows: usize, same: impl Fn(&T) -> bool, new: T) -> Option<&mut T> {
    let place = match list.iter().position(same) {
        Some(place) => place,
        None if rows < MAX_ROWS => {
            list.push(new);
            list.len() - 1
        }
        None => return None,
    };
    list.get_mut(place)
}

fn add(count: &mut u64, more: u64, most: u64) {
    *count = count.saturating_add(more).min(most);
}

fn within(
    list: &'static str,
    row: usize,
    field: &'static str,
    found: u64,
    most: u64,
) -> Result<(), BatchError> {
    if found <= most {
        return Ok(());
    }
    Err(BatchError::Count {
        list,
        row,
        field,
        most,
    })
}

fn name(row: usize, field: &'static str, name: &str) -> Result<(), BatchError> {
    if is_name(name) {
        return Ok(());
    }
    let bytes = name.len();
    Err(BatchError::Name { row, field, bytes })
}

/// Whether a text can name an experiment or an arm.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

/// One line of the owner's export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A video.
    Item(ItemCounts),
    /// A pair.
    Pair(PairCount),
    /// An arm.
    Arm(ArmCounts),
}

/// Text that is no line of an export.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "no line of `GET /v1/aggregates`; expected {{\"item\",\"impressions\",\"clicks\"}}, {{\"item\",\"with\",\"count\"}} or \
     {{\"experiment\",\"arm\",\"exposures\",\"outcomes\"}}, found {0:?}"
)]
pub struct LineError(String);

/// Reads one line of the owner's export. Its counts are sums and may be of any size.
///
/// # Errors
/// It is none of the three kinds of rows.
pub fn parse_line(line: &str) -> Result<Line, LineError> {
    serde_json::from_str(line).map_err(|_| LineError(line.chars().take(120).collect()))
}

#[cfg(test)]
mod tests;

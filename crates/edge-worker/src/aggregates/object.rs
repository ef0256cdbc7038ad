//! The Durable Object that holds the sums, in SQLite. It is reached through this worker alone.
//!
//! A trap in here would leave its caller waiting, so nothing here may panic, and callers set a deadline. The runtime logs the
//! errors that come out of here, so they quote no value.

use recsys_core::aggregates::{ArmCounts, Batch, ItemCounts, Line, PairCount};
use recsys_core::catalogue::ItemId;
use recsys_core::json;
use worker::{
    DurableObject, Env, Error, Headers, Method, Request, Response, Result, SqlStorage, SqlStorageValue,
    State, durable_object,
};

/// Where the next page of a table starts; absent on its last.
pub const NEXT_HEADER: &str = "x-next";
/// Rows of one page of the export.
const PAGE: usize = 4_000;
/// Rows that a table may grow to: what strangers can make the owner store is bounded.
const MAX_STORED: [u32; 3] = [200_000, 1_000_000, 1_000];

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, item TEXT NOT NULL, impressions INTEGER NOT NULL,
        clicks INTEGER NOT NULL, UNIQUE (item));
    CREATE TABLE IF NOT EXISTS pairs (id INTEGER PRIMARY KEY, item TEXT NOT NULL, other TEXT NOT NULL,
        count INTEGER NOT NULL, UNIQUE (item, other));
    CREATE TABLE IF NOT EXISTS arms (id INTEGER PRIMARY KEY, experiment TEXT NOT NULL, arm TEXT NOT NULL,
        exposures INTEGER NOT NULL, outcomes INTEGER NOT NULL, squares INTEGER, UNIQUE (experiment, arm));";

/// A list of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// `items`, where an export starts.
    Items,
    /// `pairs`.
    Pairs,
    /// `arms`.
    Arms,
}

impl Table {
    const ALL: [Self; 3] = [Self::Items, Self::Pairs, Self::Arms];

    /// As in paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Pairs => "pairs",
            Self::Arms => "arms",
        }
    }

    /// The table after this one in an export.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Items => Some(Self::Pairs),
            Self::Pairs => Some(Self::Arms),
            Self::Arms => None,
        }
    }
}

/// Sums over all batches.
#[durable_object(fetch)]
pub struct Aggregates {
    state: State,
}

impl DurableObject for Aggregates {
    fn new(state: State, _: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let sql = self.state.storage().sql();
        sql.exec(SCHEMA, None)?;
        let path = request.path();
        let mut parts = path.split('/').skip(1);
        match (request.method(), parts.next(), parts.next()) {
            (Method::Post, Some("add"), None) => {
                let bytes = request.bytes().await?;
                let batch: Batch = json::read_bytes(&bytes).map_err(|error| error.without_values())?;
                Response::from_json(&add(&sql, &batch)?)
            }
            (Method::Get, Some(table), Some(after)) => {
                let table = Table::ALL.into_iter().find(|known| known.name() == table);
                let after = after.parse().ok();
                match table.zip(after) {
                    Some((table, after)) => page(&sql, table, after),
                    None => Response::error("no such page", 404),
                }
            }
            _ => Response::error("no such path", 404),
        }
    }
}

/// Adds a batch; returns how many of its rows had room. There is no await in here, so all of it is stored or nothing.
fn add(sql: &SqlStorage, batch: &Batch) -> Result<usize> {
    let mut taken = 0;
    let mut run = |statement: String, values: Vec<SqlStorageValue>| -> Result<()> {
        let rows = sql.exec(&statement, values)?.rows_written();
        taken += usize::from(rows > 0);
        Ok(())
    };
    for ItemCounts {
        item,
        impressions,
        clicks,
    } in &batch.items
    {
        let values = vec![item.as_str().into(), number(*impressions), number(*clicks)];
        run(
            upsert("items", &["item"], &["impressions", "clicks"], MAX_STORED[0]),
            values,
        )?;
    }
    for PairCount { item, with, count } in &batch.pairs {
        let values = vec![item.as_str().into(), with.as_str().into(), number(*count)];
        run(
            upsert("pairs", &["item", "other"], &["count"], MAX_STORED[1]),
            values,
        )?;
    }
    for arm in &batch.arms {
        let values = vec![
            arm.experiment.as_str().into(),
            arm.arm.as_str().into(),
            number(arm.exposures),
            number(arm.outcomes),
            number(arm.sum_squares.unwrap_or(arm.outcomes)),
        ];
        let sums = ["exposures", "outcomes", "squares"];
        run(
            upsert("arms", &["experiment", "arm"], &sums, MAX_STORED[2]),
            values,
        )?;
    }
    Ok(taken)
}

/// A count of a batch, which is small.
fn number(count: u64) -> SqlStorageValue {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}

/// Adds to the row of these keys, or makes one while the table has room. Sums stay below 2^53, where JavaScript's
/// numbers end.
fn upsert(table: &str, keys: &[&str], sums: &[&str], most: u32) -> String {
    let columns = [keys, sums].concat().join(", ");
    let places = (1..=keys.len() + sums.len())
        .map(|i| format!("?{i}"))
        .collect::<Vec<_>>()
        .join(", ");
    let same = (1..)
        .zip(keys)
        .map(|(i, key)| format!("{key} = ?{i}"))
        .collect::<Vec<_>>()
        .join(" AND ");
    let grow = |sum: &&str| format!("{sum} = MIN({sum} + excluded.{sum}, 9007199254740991)");
    let grow = sums.iter().map(grow).collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO {table} ({columns}) SELECT {places}
         WHERE (SELECT COALESCE(MAX(id), 0) FROM {table}) < {most} OR EXISTS (SELECT 1 FROM {table} WHERE {same})
         ON CONFLICT ({keys}) DO UPDATE SET {grow}",
        keys = keys.join(", ")
    )
}

/// The lines of a table's rows after one of them.
fn page(sql: &SqlStorage, table: Table, after: i64) -> Result<Response> {
    let columns = match table {
        Table::Items => "item, impressions, clicks",
        Table::Pairs => "item, other, count",
        Table::Arms => "experiment, arm, exposures, outcomes, squares",
    };
    let name = table.name();
    let query = format!("SELECT id, {columns} FROM {name} WHERE id > ?1 ORDER BY id LIMIT {PAGE}");
    let (mut lines, mut rows, mut last) = (String::new(), 0, after);
    for row in sql.exec(&query, vec![after.into()])?.raw() {
        let mut values = row?.into_iter();
        last = whole(values.next())?;
        lines.push_str(&serde_json::to_string(&line(table, &mut values)?)?);
        lines.push('\n');
        rows += 1;
    }
    let headers = Headers::new();
    if rows == PAGE {
        headers.set(NEXT_HEADER, &last.to_string())?;
    }
    Ok(Response::ok(lines)?.with_headers(headers))
}

fn line(table: Table, values: &mut impl Iterator<Item = SqlStorageValue>) -> Result<Line> {
    let id = |value| ItemId::new(text(value)?).map_err(|error| Error::from(error.to_string()));
    let count = |value| whole(value).map(i64::unsigned_abs);
    Ok(match table {
        Table::Items => Line::Item(ItemCounts {
            item: id(values.next())?,
            impressions: count(values.next())?,
            clicks: count(values.next())?,
        }),
        Table::Pairs => Line::Pair(PairCount {
            item: id(values.next())?,
            with: id(values.next())?,
            count: count(values.next())?,
        }),
        Table::Arms => Line::Arm(ArmCounts {
            experiment: text(values.next())?,
            arm: text(values.next())?,
            exposures: count(values.next())?,
            outcomes: count(values.next())?,
            sum_squares: Some(count(values.next())?),
        }),
    })
}

fn text(value: Option<SqlStorageValue>) -> Result<String> {
    match value {
        Some(SqlStorageValue::String(text)) => Ok(text),
        _ => Err(Error::from(
            "a row of the sums: expected a text, found another value",
        )),
    }
}

fn whole(value: Option<SqlStorageValue>) -> Result<i64> {
    match value {
        Some(SqlStorageValue::Integer(number)) => Ok(number),
        // JavaScript has no whole numbers of their own.
        Some(SqlStorageValue::Float(number)) if number.fract() == 0.0 => Ok(number as i64),
        _ => Err(Error::from(
            "a row of the sums: expected a whole number, found another value",
        )),
    }
}

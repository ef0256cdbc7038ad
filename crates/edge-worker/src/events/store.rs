//! The tables of an outbox. Nothing in here waits, so that whatever one call does is done as a whole or not at all.

use super::kafka::{Outcome, Verdict};
use crate::engines::Kind;
use std::cell::Cell;
use worker::{Error, Result, SqlStorage, SqlStorageValue};

/// A row that was deleted never gives its number to another: what is on its way is deleted by number once it is confirmed.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY AUTOINCREMENT, viewer TEXT NOT NULL, id TEXT NOT NULL,
        line TEXT NOT NULL, at INTEGER NOT NULL, refusals INTEGER NOT NULL DEFAULT 0, waits INTEGER NOT NULL DEFAULT 0,
        due INTEGER NOT NULL DEFAULT 0, UNIQUE (viewer, id));
    CREATE INDEX IF NOT EXISTS held ON records (viewer, seq) WHERE waits > 0;
    CREATE TABLE IF NOT EXISTS dead (seq INTEGER PRIMARY KEY, viewer TEXT NOT NULL, line TEXT NOT NULL, at INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 1), failures INTEGER NOT NULL, fault TEXT,
        batch INTEGER NOT NULL, wipe INTEGER NOT NULL);
    INSERT OR IGNORE INTO state VALUES (1, 0, NULL, 500, 0);";

/// Records of one request.
pub const MAX_BATCH: u64 = 500;
/// Bytes of one request's records.
const MAX_BATCH_BYTES: usize = 1_000_000;
/// Bytes around a record in a request, at most.
const AROUND_BYTES: usize = 120;
/// Refusals after which a record is dead.
const MAX_REFUSALS: i64 = 5;
/// Dead records that are kept, the newest.
const MAX_DEAD: u32 = 10_000;
/// How long they are kept, in milliseconds.
pub const DEAD_MS: i64 = 30 * 86_400_000;
/// The first wait before a record or a request is sent again, in milliseconds.
const FIRST_WAIT_MS: u64 = 1_000;
/// The longest wait, in milliseconds.
pub const MAX_WAIT_MS: u64 = 60_000;

/// The wait after so many failures in a row: twice as long each time, and a random part of up to a half less, so that outboxes
/// which failed together do not come back together. `chance` is from 0 to 1.
pub fn wait_ms(failures: u64, chance: f64) -> u64 {
    let doublings = failures.saturating_sub(1).min(16);
    let full = (FIRST_WAIT_MS << doublings).min(MAX_WAIT_MS);
    let less = full as f64 / 2.0 * chance.clamp(0.0, 1.0);
    // Never below the first: a proxy that is down is asked no more than once a second.
    full.saturating_sub(less as u64).max(FIRST_WAIT_MS)
}

/// A record to be sent.
pub struct Row {
    seq: i64,
    /// Its key.
    pub viewer: String,
    /// Its value.
    pub line: String,
    refusals: i64,
    waits: i64,
}

/// What is kept between requests.
pub struct State {
    /// Requests that failed in a row.
    pub failures: u64,
    /// Why the last one did.
    pub fault: Option<Kind>,
    /// Records of the next request, at most.
    pub batch: u64,
}

/// What a verdict came to, in records.
#[derive(Clone, Copy, Debug, Default)]
pub struct Applied {
    /// Confirmed, and deleted.
    pub confirmed: u64,
    /// Refused once too often.
    pub dead: u64,
    /// To be sent again, with all that comes after them.
    pub left: u64,
}

/// How an outbox is.
pub struct Stats {
    /// Records that wait.
    pub pending: u64,
    /// When the first of them came, in milliseconds since 1970-01-01 UTC.
    pub oldest_ms: Option<i64>,
    /// Dead records.
    pub dead: u64,
    /// What is kept between requests.
    pub state: State,
}

/// The tables.
pub struct Store<'a> {
    sql: SqlStorage,
    /// How many records wait, once counted.
    pending: &'a Cell<Option<u64>>,
}

fn whole(value: Option<&SqlStorageValue>) -> Result<i64> {
    match value {
        Some(SqlStorageValue::Integer(number)) => Ok(*number),
        _ => Err(Error::from("a stored number is none")),
    }
}

fn text(value: Option<SqlStorageValue>) -> Result<String> {
    match value {
        Some(SqlStorageValue::String(text)) => Ok(text),
        _ => Err(Error::from("a stored text is none")),
    }
}

fn list(numbers: &[i64]) -> SqlStorageValue {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("[{}]", numbers.join(",")).into()
}

impl<'a> Store<'a> {
    /// Opens them.
    pub fn open(sql: SqlStorage, pending: &'a Cell<Option<u64>>) -> Result<Self> {
        sql.exec(SCHEMA, None)?;
        Ok(Self { sql, pending })
    }

    /// Runs a statement, and counts the rows that it gives.
    fn count(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<u64> {
        let mut rows = 0;
        for row in self.sql.exec(statement, values)?.raw() {
            row?;
            rows += 1;
        }
        Ok(rows)
    }

    /// The only number of the first row.
    fn number(&self, query: &str, values: Vec<SqlStorageValue>) -> Result<Option<i64>> {
        let row = self.sql.exec(query, values)?.raw().next().transpose()?;
        match row.as_deref() {
            None | Some([SqlStorageValue::Null, ..]) => Ok(None),
            Some(values) => whole(values.first()).map(Some),
        }
    }

    /// How many records wait.
    pub fn pending(&self) -> Result<u64> {
        if let Some(pending) = self.pending.get() {
            return Ok(pending);
        }
        let counted = self.number("SELECT COUNT(*) FROM records", Vec::new())?;
        let counted = counted.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
        self.pending.set(Some(counted));
        Ok(counted)
    }

    fn grow(&self, by: u64) -> Result<()> {
        self.pending.set(Some(self.pending()?.saturating_add(by)));
        Ok(())
    }

    fn shrink(&self, by: u64) -> Result<()> {
        self.pending.set(Some(self.pending()?.saturating_sub(by)));
        Ok(())
    }

    /// Stores records, a JSON list of lists of viewer, id and line; those that wait already stay as they are.
    pub fn add(&self, records: &str, now_ms: i64) -> Result<()> {
        self.pending()?;
        let insert = "INSERT OR IGNORE INTO records (viewer, id, line, at)
            SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), ?2
            FROM json_each(?1) WHERE true ORDER BY key RETURNING seq";
        let added = self.count(insert, vec![records.into(), now_ms.into()])?;
        self.grow(added)
    }

    /// Drops whatever there is of a viewer, and has all be wiped once nothing is left.
    pub fn forget(&self, viewer: &str) -> Result<()> {
        self.pending()?;
        self.sql.exec("UPDATE state SET wipe = 1", None)?;
        let delete = "DELETE FROM records WHERE viewer = ?1 RETURNING seq";
        let deleted = self.count(delete, vec![viewer.into()])?;
        self.shrink(deleted)?;
        self.count(
            "DELETE FROM dead WHERE viewer = ?1 RETURNING seq",
            vec![viewer.into()],
        )?;
        Ok(())
    }

    /// The next records to be sent, the oldest first: none of a viewer of whom an earlier one waits on its own.
    pub fn due(&self, most: u64, now_ms: i64) -> Result<Vec<Row>> {
        let query = "SELECT seq, viewer, line, refusals, waits FROM records r WHERE due <= ?1 AND NOT EXISTS
            (SELECT 1 FROM records h WHERE h.viewer = r.viewer AND h.waits > 0 AND h.seq < r.seq) ORDER BY seq LIMIT ?2";
        let most = i64::try_from(most).unwrap_or(1);
        let (mut rows, mut bytes) = (Vec::new(), 0);
        for row in self.sql.exec(query, vec![now_ms.into(), most.into()])?.raw() {
            let mut values = row?.into_iter();
            let row = Row {
                seq: whole(values.next().as_ref())?,
                viewer: text(values.next())?,
                line: text(values.next())?,
                refusals: whole(values.next().as_ref())?,
                waits: whole(values.next().as_ref())?,
            };
            bytes += row.line.len() + AROUND_BYTES;
            if bytes > MAX_BATCH_BYTES && !rows.is_empty() {
                break;
            }
            rows.push(row);
        }
        Ok(rows)
    }

    /// Does what a verdict says of records. Those that are unknown stay as they are where nothing after them is known, and so do
    /// those that are not taken now where none is; else each waits on its own, with its viewer's later ones behind it.
    pub fn apply(&self, rows: &[Row], verdict: &Verdict, now_ms: i64, chance: f64) -> Result<Applied> {
        let known = verdict
            .outcomes
            .iter()
            .rposition(|outcome| matches!(outcome, Outcome::Confirmed | Outcome::Refused));
        let (mut applied, mut confirmed) = (Applied::default(), Vec::new());
        for (at, (row, outcome)) in rows.iter().zip(&verdict.outcomes).enumerate() {
            match outcome {
                Outcome::Confirmed => confirmed.push(row.seq),
                Outcome::Refused if row.refusals + 1 >= MAX_REFUSALS => {
                    applied.dead += self.bury(row, now_ms)?;
                }
                Outcome::Unknown if Some(at) > known && row.waits == 0 => applied.left += 1,
                // Where the broker takes nothing at all, all wait together.
                Outcome::NotNow if known.is_none() && row.waits == 0 => applied.left += 1,
                Outcome::Refused | Outcome::NotNow | Outcome::Unknown => {
                    // One that had waited makes room for others, whatever comes of this request.
                    let told = *outcome != Outcome::Unknown && known.is_some();
                    if !told && Some(at) > known {
                        applied.left += 1;
                    }
                    let waits = row.waits.saturating_add(1);
                    let wait = wait_ms(u64::try_from(waits).unwrap_or(1), chance);
                    let due = now_ms.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX));
                    let refusals = row.refusals + i64::from(*outcome == Outcome::Refused);
                    let hold = "UPDATE records SET waits = ?2, refusals = ?3, due = ?4 WHERE seq = ?1";
                    let values = vec![row.seq.into(), waits.into(), refusals.into(), due.into()];
                    self.sql.exec(hold, values)?;
                }
            }
        }
        let delete = "DELETE FROM records WHERE seq IN (SELECT value FROM json_each(?1)) RETURNING seq";
        applied.confirmed = self.count(delete, vec![list(&confirmed)])?;
        self.shrink(applied.confirmed)?;
        Ok(applied)
    }

    /// Puts a record among the dead; 0 where it is gone, since its viewer was forgotten meanwhile.
    fn bury(&self, row: &Row, now_ms: i64) -> Result<u64> {
        let copy = "INSERT OR REPLACE INTO dead SELECT seq, viewer, line, ?2 FROM records WHERE seq = ?1";
        self.sql.exec(copy, vec![row.seq.into(), now_ms.into()])?;
        let gone = self.count(
            "DELETE FROM records WHERE seq = ?1 RETURNING seq",
            vec![row.seq.into()],
        )?;
        self.shrink(gone)?;
        let surplus = format!(
            "DELETE FROM dead WHERE seq <= (SELECT seq FROM dead ORDER BY seq DESC LIMIT 1 OFFSET {MAX_DEAD})"
        );
        self.sql.exec(&surplus, None)?;
        Ok(gone)
    }

    /// Erases dead records whose time is over; gives when the next one's is.
    pub fn expire(&self, now_ms: i64) -> Result<Option<i64>> {
        let old = now_ms.saturating_sub(DEAD_MS);
        self.sql
            .exec("DELETE FROM dead WHERE at <= ?1", vec![old.into()])?;
        let oldest = self.number("SELECT MIN(at) FROM dead", Vec::new())?;
        Ok(oldest.map(|at| at.saturating_add(DEAD_MS)))
    }

    /// When the next record that waits on its own is due.
    pub fn next_due(&self) -> Result<Option<i64>> {
        // As in `due`: others wait for those, not for a time.
        let query = "SELECT MIN(due) FROM records r WHERE waits > 0 AND NOT EXISTS
            (SELECT 1 FROM records h WHERE h.viewer = r.viewer AND h.waits > 0 AND h.seq < r.seq)";
        self.number(query, Vec::new())
    }

    /// Whether the whole storage is to be wiped now: deleted rows stay in its file until others take their place, and somebody
    /// asked to be forgotten.
    pub fn wants_wiping(&self) -> Result<bool> {
        let wipe = self.number("SELECT wipe FROM state", Vec::new())?;
        let dead = self.number("SELECT seq FROM dead LIMIT 1", Vec::new())?;
        Ok(wipe == Some(1) && dead.is_none() && self.pending()? == 0)
    }

    /// What is kept between requests.
    pub fn state(&self) -> Result<State> {
        let row = self
            .sql
            .exec("SELECT failures, batch, fault FROM state", None)?
            .raw()
            .next();
        let mut values = row.transpose()?.unwrap_or_default().into_iter();
        let (failures, batch) = (whole(values.next().as_ref())?, whole(values.next().as_ref())?);
        let fault = match values.next() {
            Some(SqlStorageValue::String(name)) => Kind::named(&name),
            _ => None,
        };
        Ok(State {
            failures: u64::try_from(failures).unwrap_or(0),
            fault,
            batch: u64::try_from(batch).unwrap_or(1).clamp(1, MAX_BATCH),
        })
    }

    /// Keeps it.
    pub fn keep(&self, state: &State) -> Result<()> {
        let number = |number: u64| SqlStorageValue::from(i64::try_from(number).unwrap_or(i64::MAX));
        let values = vec![
            number(state.failures),
            state.fault.map(|kind| kind.name().to_owned()).into(),
            number(state.batch),
        ];
        self.sql
            .exec("UPDATE state SET failures = ?1, fault = ?2, batch = ?3", values)?;
        Ok(())
    }

    /// How it is.
    pub fn stats(&self) -> Result<Stats> {
        let dead = self.number("SELECT COUNT(*) FROM dead", Vec::new())?;
        Ok(Stats {
            pending: self.pending()?,
            oldest_ms: self.number("SELECT at FROM records ORDER BY seq LIMIT 1", Vec::new())?,
            dead: dead.and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
            state: self.state()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_one_second_to_a_minute() {
        let longest: Vec<u64> = [0, 1, 2, 3, 6, 7, 8, 9, u64::MAX]
            .map(|failures| wait_ms(failures, 0.0))
            .to_vec();
        assert_eq!(
            longest,
            [1_000, 1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000, 60_000]
        );
        for failures in 0..20 {
            let (least, most) = (wait_ms(failures, 1.0), wait_ms(failures, 0.0));
            assert!(
                least >= 1_000 && least >= most / 2 && least <= most,
                "{failures}: {least} {most}"
            );
        }
        assert_eq!(wait_ms(3, f64::NAN), 4_000);
    }
}

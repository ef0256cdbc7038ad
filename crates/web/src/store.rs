//! The viewer's data in IndexedDB: one database. One object store has one value, which is a JSON text, and the highest
//! sequence seen of each server's bundles; two more have the log, a line a value, the oldest of which leave.
//!
//! Connections are short, so that one tab can delete the database while others are open. A change reads, changes and
//! writes in one transaction, so that two tabs do not undo each other's clicks.

use crate::failure::{Failure, Kind, thrown};
use crate::memory::Memory;
use crate::types::to_json;
use idb::event::DatabaseEvent;
use idb::{Database, Factory, KeyRange, ObjectStoreParams, Transaction, TransactionMode, TransactionResult};
use recsys_core::json::Shown;
use wasm_bindgen::JsValue;

/// Version of the database's structure; the layout of the value has its own.
const DATABASE_VERSION: u32 = 2;
const OBJECT_STORE: &str = "viewer";
const KEY: &str = "state";
/// Lines kept of impressions, and of everything else.
const MAX_LINES: f64 = 2_000.0;

/// The two halves of the log. Impressions are many and must not push out the clicks that explain them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// What was shown.
    Impressions,
    /// Clicks, watches and searches.
    Actions,
}

impl Log {
    const ALL: [Self; 2] = [Self::Impressions, Self::Actions];

    const fn name(self) -> &'static str {
        match self {
            Self::Impressions => "impressions",
            Self::Actions => "actions",
        }
    }
}

/// Lines for one half of the log.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Which half.
    pub log: Log,
    /// Oldest first.
    pub lines: Vec<String>,
}

impl Lines {
    /// None.
    pub const fn none() -> Self {
        Self {
            log: Log::Actions,
            lines: Vec::new(),
        }
    }
}

/// The database of one name.
pub struct Store {
    name: String,
}

/// What the store holds.
pub enum Stored {
    /// Nothing: a new viewer, or one who was forgotten.
    Nothing,
    /// A viewer's data.
    Memory(Box<Memory>),
    /// Data of another version, or damaged; why, for a developer.
    Unreadable(String),
}

/// An open transaction over the value. Between its calls nothing else may be awaited: IndexedDB would end it.
pub struct Change {
    transaction: Transaction,
    connection: Connection,
}

/// A connection that ends with its last use; IndexedDB completes what was begun on it.
struct Connection(Database);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Store {
    /// The database need not exist yet.
    pub const fn new(name: String) -> Self {
        Self { name }
    }

    /// Starts a change.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn begin(&self) -> Result<Change, Failure> {
        self.open().await.map_err(|error| self.failure(&error))
    }

    /// The data as it is now.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn read(&self) -> Result<Stored, Failure> {
        self.begin()
            .await?
            .read()
            .await
            .map_err(|error| self.failure(&error))
    }

    /// What a begun change finds.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn read_in(&self, change: &Change) -> Result<Stored, Failure> {
        change.read().await.map_err(|error| self.failure(&error))
    }

    /// Raises a number kept under this name to at least `number`, and gives what it is then.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn raise(&self, name: &str, number: u64) -> Result<u64, Failure> {
        let raise = async { self.open().await?.raise(name, number).await };
        raise.await.map_err(|error| self.failure(&error))
    }

    /// The log, in no order.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn log(&self) -> Result<Vec<String>, Failure> {
        let read = async { self.open().await?.lines().await };
        read.await.map_err(|error| self.failure(&error))
    }

    /// Ends a change with new data and new lines of the log.
    ///
    /// # Errors
    /// `Storage`: nothing was changed.
    pub async fn write(&self, change: Change, memory: &Memory, lines: &Lines) -> Result<(), Failure> {
        let text = to_json(&memory.to_state()).map_err(|error| self.failed(&thrown(&error)))?;
        let ended = change.write(&JsValue::from_str(&text), lines).await;
        match ended.map_err(|error| self.failure(&error))? {
            TransactionResult::Committed => Ok(()),
            TransactionResult::Aborted => Err(self.failed("the browser took the change back")),
        }
    }

    /// Deletes the database.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn delete(&self) -> Result<(), Failure> {
        let delete = async { Factory::new()?.delete(&self.name)?.await };
        delete.await.map_err(|error: idb::Error| self.failure(&error))
    }

    async fn open(&self) -> Result<Change, idb::Error> {
        let mut request = Factory::new()?.open(&self.name, Some(DATABASE_VERSION))?;
        request.on_upgrade_needed(|event| {
            // A failure here leaves the database without its object store; the transaction below then reports that.
            let _ = event.database().map(|database| create(&database));
        });
        let connection = Connection(request.await?);
        let transaction = connection.0.transaction(&stores(), TransactionMode::ReadWrite)?;
        Ok(Change {
            transaction,
            connection,
        })
    }

    fn failure(&self, error: &idb::Error) -> Failure {
        self.failed(&reason(error))
    }

    fn failed(&self, reason: &str) -> Failure {
        let advice = "allow this site to store data, free some space, or choose another `database`; until then events \
            count only as long as the page is open";
        Failure::new(
            Kind::Storage,
            format!(
                "IndexedDB database {}: {reason}; {advice}",
                Shown::from(&self.name)
            ),
        )
    }
}

/// The browser's own words, where the calls that are made here have some; idb's for every call there is are long.
fn reason(error: &idb::Error) -> String {
    use idb::Error as E;
    match error {
        E::IndexedDbNotFound(thrown_by)
        | E::IndexedDbOpenFailed(thrown_by)
        | E::IndexedDbDeleteFailed(thrown_by)
        | E::TransactionOpenFailed(thrown_by)
        | E::TransactionAbortError(thrown_by)
        | E::TransactionCommitError(thrown_by)
        | E::ObjectStoreNotFound(thrown_by)
        | E::AddFailed(thrown_by)
        | E::ClearFailed(thrown_by)
        | E::CountFailed(thrown_by)
        | E::DeleteFailed(thrown_by)
        | E::GetFailed(thrown_by)
        | E::GetAllFailed(thrown_by)
        | E::GetAllKeysFailed(thrown_by)
        | E::UpdateFailed(thrown_by) => thrown(thrown_by),
        E::DomException(exception) => exception.message(),
        _ => "the browser's store failed without a reason".to_owned(),
    }
}

/// Makes the object stores that an older version has not.
fn create(database: &Database) {
    let old = database.store_names();
    for name in stores() {
        let mut params = ObjectStoreParams::new();
        params.auto_increment(name != OBJECT_STORE);
        if !old.iter().any(|old| old == name) {
            let _ = database.create_object_store(name, params);
        }
    }
}

/// Names of the object stores.
fn stores() -> [&'static str; 3] {
    let [impressions, actions] = Log::ALL.map(Log::name);
    [OBJECT_STORE, impressions, actions]
}

impl Change {
    async fn lines(&self) -> Result<Vec<String>, idb::Error> {
        let mut lines = Vec::new();
        for log in Log::ALL {
            let store = self.transaction.object_store(log.name())?;
            let all = store.get_all(None, None)?.await?;
            lines.extend(all.iter().filter_map(JsValue::as_string));
        }
        Ok(lines)
    }

    async fn read(&self) -> Result<Stored, idb::Error> {
        let found = self
            .transaction
            .object_store(OBJECT_STORE)?
            .get(JsValue::from_str(KEY))?
            .await?;
        Ok(match found {
            None => Stored::Nothing,
            Some(value) => match Memory::from_json(&value.as_string().unwrap_or_default()) {
                Ok(memory) => Stored::Memory(Box::new(memory)),
                Err(why) => Stored::Unreadable(why),
            },
        })
    }

    async fn raise(self, name: &str, number: u64) -> Result<u64, idb::Error> {
        let key = JsValue::from_str(name);
        let store = self.transaction.object_store(OBJECT_STORE)?;
        let found = store.get(key.clone())?.await?.and_then(|value| value.as_string());
        let found = found.and_then(|text| text.parse().ok()).unwrap_or(0);
        if found >= number {
            return Ok(found);
        }
        // As a text, for JavaScript's numbers are exact up to 2^53 alone.
        let value = JsValue::from_str(&number.to_string());
        store.put(&value, Some(&key))?.await?;
        self.transaction.await?;
        Ok(number)
    }

    async fn write(self, value: &JsValue, lines: &Lines) -> Result<TransactionResult, idb::Error> {
        let Self {
            transaction,
            connection,
        } = self;
        let store = transaction.object_store(OBJECT_STORE)?;
        store.put(value, Some(&JsValue::from_str(KEY)))?.await?;
        let store = transaction.object_store(lines.log.name())?;
        let mut newest = 0.0;
        for line in &lines.lines {
            let key = store.add(&JsValue::from_str(line), None)?.await?;
            newest = key.as_f64().unwrap_or_default();
        }
        // Keys count up without gaps.
        if newest > MAX_LINES {
            let old = KeyRange::upper_bound(&JsValue::from_f64(newest - MAX_LINES), None)?;
            store.delete(old)?.await?;
        }
        let ended = transaction.await;
        drop(connection);
        ended
    }
}

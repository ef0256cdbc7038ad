//! The viewer's data in IndexedDB: one database. One object store has one value, which is a JSON text, and the highest
//! sequence seen of each server's bundles; two more have the log, a line a value, the oldest of which leave.
//!
//! Connections are short, so that one tab can delete the database while others are open. A change reads, changes and
//! writes in one transaction, so that two tabs do not undo each other's clicks.

use crate::failure::{Failure, Kind, thrown};
use crate::indexed_db::{self, Thrown, names, result, stored};
use crate::memory::Memory;
use crate::types::to_json;
use js_sys::Array;
use recsys_core::json::Shown;
use wasm_bindgen::JsValue;
use web_sys::{
    IdbDatabase, IdbKeyRange, IdbObjectStore, IdbObjectStoreParameters, IdbTransaction, IdbTransactionMode,
};

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
    transaction: IdbTransaction,
    connection: Connection,
}

/// A connection that ends with its last use; IndexedDB completes what was begun on it.
struct Connection(IdbDatabase);

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
        ended.map_err(|error| self.failure(&error))
    }

    /// Deletes the database.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn delete(&self) -> Result<(), Failure> {
        let deleted = indexed_db::delete(&self.name).await;
        deleted.map_err(|error| self.failure(&error))
    }

    async fn open(&self) -> Result<Change, Thrown> {
        let connection = Connection(indexed_db::open(&self.name, DATABASE_VERSION, create).await?);
        let mode = IdbTransactionMode::Readwrite;
        let transaction = connection
            .0
            .transaction_with_str_sequence_and_mode(&names(&stores()), mode)?;
        Ok(Change {
            transaction,
            connection,
        })
    }

    fn failure(&self, error: &Thrown) -> Failure {
        self.failed(&thrown(error))
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

/// Makes the object stores that an older version has not.
fn create(database: &IdbDatabase) -> Result<(), Thrown> {
    let old = database.object_store_names();
    for name in stores() {
        if !old.contains(name) {
            let params = IdbObjectStoreParameters::new();
            params.set_auto_increment(name != OBJECT_STORE);
            database.create_object_store_with_optional_parameters(name, &params)?;
        }
    }
    Ok(())
}

/// Names of the object stores.
fn stores() -> [&'static str; 3] {
    let [impressions, actions] = Log::ALL.map(Log::name);
    [OBJECT_STORE, impressions, actions]
}

impl Change {
    fn object_store(&self, name: &str) -> Result<IdbObjectStore, Thrown> {
        self.transaction.object_store(name)
    }

    async fn lines(&self) -> Result<Vec<String>, Thrown> {
        let mut lines = Vec::new();
        for log in Log::ALL {
            let all = result(&self.object_store(log.name())?.get_all()?).await?;
            lines.extend(Array::from(&all).iter().filter_map(|line| line.as_string()));
        }
        Ok(lines)
    }

    async fn read(&self) -> Result<Stored, Thrown> {
        let found = result(&self.object_store(OBJECT_STORE)?.get(&JsValue::from_str(KEY))?).await?;
        if found.is_undefined() {
            return Ok(Stored::Nothing);
        }
        Ok(match Memory::from_json(&found.as_string().unwrap_or_default()) {
            Ok(memory) => Stored::Memory(Box::new(memory)),
            Err(why) => Stored::Unreadable(why),
        })
    }

    async fn raise(self, name: &str, number: u64) -> Result<u64, Thrown> {
        let key = JsValue::from_str(name);
        let store = self.object_store(OBJECT_STORE)?;
        let found = result(&store.get(&key)?).await?.as_string();
        let found = found.and_then(|text| text.parse().ok()).unwrap_or(0);
        if found >= number {
            return Ok(found);
        }
        // As a text, for JavaScript's numbers are exact up to 2^53 alone.
        store.put_with_key(&JsValue::from_str(&number.to_string()), &key)?;
        stored(&self.transaction).await?;
        Ok(number)
    }

    /// Nothing is awaited but the end: what is asked of a transaction is done in order.
    async fn write(self, value: &JsValue, lines: &Lines) -> Result<(), Thrown> {
        let store = self.object_store(OBJECT_STORE)?;
        store.put_with_key(value, &JsValue::from_str(KEY))?;
        let store = self.object_store(lines.log.name())?;
        let mut newest = None;
        for line in &lines.lines {
            newest = Some(store.add(&JsValue::from_str(line))?);
        }
        if let Some(newest) = newest {
            // Keys count up without gaps.
            let old = result(&newest).await?.as_f64().unwrap_or_default() - MAX_LINES;
            store.delete(&IdbKeyRange::upper_bound(&JsValue::from_f64(old))?.into())?;
        }
        stored(&self.transaction).await?;
        drop(self.connection);
        Ok(())
    }
}

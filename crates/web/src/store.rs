//! The viewer's data in IndexedDB: one database, one object store, one value, which is a JSON text.
//!
//! Connections are short, so that one tab can delete the database while others are open. A change reads, changes and
//! writes in one transaction, so that two tabs do not undo each other's clicks.

use crate::failure::{Failure, Kind, thrown};
use crate::memory::Memory;
use crate::types::to_json;
use idb::event::DatabaseEvent;
use idb::{Database, Factory, ObjectStoreParams, Transaction, TransactionMode, TransactionResult};
use wasm_bindgen::JsValue;

/// Version of the database's structure; the layout of the value has its own.
const DATABASE_VERSION: u32 = 1;
const OBJECT_STORE: &str = "viewer";
const KEY: &str = "state";

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

    /// Ends a change with new data.
    ///
    /// # Errors
    /// `Storage`: nothing was changed.
    pub async fn write(&self, change: Change, memory: &Memory) -> Result<(), Failure> {
        let text = to_json(&memory.to_state()).map_err(|error| self.failure(&thrown(&error)))?;
        let ended = change.write(&JsValue::from_str(&text)).await;
        match ended.map_err(|error| self.failure(&error))? {
            TransactionResult::Committed => Ok(()),
            TransactionResult::Aborted => Err(self.failure(&"the browser took the change back")),
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
            let _ = event
                .database()
                .and_then(|database| database.create_object_store(OBJECT_STORE, ObjectStoreParams::new()));
        });
        let connection = Connection(request.await?);
        let transaction = connection
            .0
            .transaction(&[OBJECT_STORE], TransactionMode::ReadWrite)?;
        Ok(Change {
            transaction,
            connection,
        })
    }

    fn failure(&self, error: &impl std::fmt::Display) -> Failure {
        let advice = "allow this site to store data, free some space, or choose another `database`; until then events \
            count only as long as the page is open";
        Failure::new(
            Kind::Storage,
            format!("IndexedDB database {:?}: {error}; {advice}", self.name),
        )
    }
}

impl Change {
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

    async fn write(self, value: &JsValue) -> Result<TransactionResult, idb::Error> {
        let Self {
            transaction,
            connection,
        } = self;
        let store = transaction.object_store(OBJECT_STORE)?;
        store.put(value, Some(&JsValue::from_str(KEY)))?.await?;
        let ended = transaction.await;
        drop(connection);
        ended
    }
}

//! Histories in Durable Objects, one a viewer, in SQLite. An object is reached through this worker alone, by the viewer's name.
//!
//! A trap in here would leave its caller waiting, so nothing here may panic, and callers set a deadline.

use super::{History as Port, until_now};
use crate::deadline::within;
use crate::engines::{Engine, Fault, Kind};
use crate::objects;
use async_trait::async_trait;
use recsys_core::catalogue::ItemId;
use recsys_core::json;
use recsys_core::privacy::history::{MAX_KEPT, ViewerName};
use std::time::Duration;
use worker::{
    DurableObject, Env, Error, Method, ObjectNamespace, Request, Response, Result, SqlStorage,
    SqlStorageValue, State, durable_object,
};

/// The binding of the objects.
pub const BINDING: &str = "HISTORY";
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS clicks (item TEXT PRIMARY KEY, ts INTEGER NOT NULL)";

/// What the worker hands in: milliseconds after which all is erased unless more comes, clicked videos and when, in milliseconds since
/// 1970-01-01 UTC.
type Clicks = (u64, Vec<(ItemId, i64)>);

/// The clicks of one viewer.
#[durable_object(alarm)]
pub struct History {
    state: State,
}

impl DurableObject for History {
    fn new(state: State, _: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        match (request.method(), request.path().as_str()) {
            (Method::Post, "/add") => {
                let bytes = request.bytes().await?;
                let (expiry_ms, clicks): Clicks =
                    json::read_bytes(&bytes).map_err(|error| error.without_values())?;
                // Before anything is stored, so that nothing is kept without an end.
                self.state
                    .storage()
                    .set_alarm(Duration::from_millis(expiry_ms))
                    .await?;
                add(&self.sql()?, &clicks)?;
                Response::ok("")
            }
            (Method::Get, "/recent") => Response::from_json(&recent(&self.sql()?)?),
            (Method::Post, "/forget") => {
                self.erase().await?;
                Response::ok("")
            }
            _ => Response::error("no such path", 404),
        }
    }

    async fn alarm(&self) -> Result<Response> {
        self.erase().await?;
        Response::ok("")
    }
}

impl History {
    fn sql(&self) -> Result<SqlStorage> {
        let sql = self.state.storage().sql();
        sql.exec(SCHEMA, None)?;
        Ok(sql)
    }

    async fn erase(&self) -> Result<()> {
        let storage = self.state.storage();
        storage.delete_alarm().await?;
        storage.delete_all().await
    }
}

/// Stores clicks, of which the newest [`MAX_KEPT`] stay. There is no await in here, so all of it is stored or nothing.
fn add(sql: &SqlStorage, clicks: &[(ItemId, i64)]) -> Result<()> {
    for (item, ts) in until_now(clicks) {
        let values: Vec<SqlStorageValue> = vec![item.as_str().into(), ts.into()];
        let replace = "INSERT INTO clicks (item, ts) VALUES (?1, ?2) ON CONFLICT (item) DO UPDATE SET ts = MAX(ts, excluded.ts)";
        sql.exec(replace, values)?;
    }
    let surplus = format!(
        "DELETE FROM clicks WHERE item NOT IN (SELECT item FROM clicks ORDER BY ts DESC, item LIMIT {MAX_KEPT})"
    );
    sql.exec(&surplus, None)?;
    Ok(())
}

/// The ids of what was clicked, newest last.
fn recent(sql: &SqlStorage) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for row in sql
        .exec("SELECT item FROM clicks ORDER BY ts, item DESC", None)?
        .raw()
    {
        match row?.into_iter().next() {
            Some(SqlStorageValue::String(id)) => ids.push(id),
            _ => return Err(Error::from("a stored click has no text for an id")),
        }
    }
    Ok(ids)
}

/// The objects, as a store of histories.
pub struct Objects {
    /// The binding.
    pub objects: ObjectNamespace,
    /// Milliseconds after which a history is erased that nothing was added to.
    pub expiry_ms: u64,
    /// How long an object may take, in milliseconds. One that trapped never answers.
    pub deadline_ms: u64,
}

#[async_trait(?Send)]
impl Port for Objects {
    async fn add(&self, viewer: &ViewerName, clicks: &[(ItemId, i64)]) -> std::result::Result<(), Fault> {
        // Texts and whole numbers are always JSON.
        let body = serde_json::to_string(&(self.expiry_ms, clicks)).unwrap_or_default();
        self.ask(viewer, Method::Post, "add", Some(body)).await.map(drop)
    }

    async fn recent(&self, viewer: &ViewerName) -> std::result::Result<Vec<ItemId>, Fault> {
        let bytes = self.ask(viewer, Method::Get, "recent", None).await?;
        json::read_bytes(&bytes).map_err(|_| Fault::counted(Engine::Object, Kind::Protocol))
    }

    async fn forget(&self, viewer: &ViewerName) -> std::result::Result<(), Fault> {
        self.ask(viewer, Method::Post, "forget", None).await.map(drop)
    }
}

impl Objects {
    async fn ask(
        &self,
        viewer: &ViewerName,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> std::result::Result<Vec<u8>, Fault> {
        let answer = async {
            let request = objects::request(&format!("http://history.local/{path}"), method, body)?;
            let stub = self.objects.id_from_name(viewer.as_str())?.get_stub()?;
            let mut answer = stub.fetch_with_request(request).await?;
            let bytes = answer.bytes().await?;
            Ok::<_, Error>((answer.status_code(), bytes))
        };
        // Each viewer has an object of their own: what one does says nothing of the others.
        match within(self.deadline_ms, answer).await {
            Some(Ok((200, bytes))) => Ok(bytes),
            Some(_) => Err(Fault::counted(Engine::Object, Kind::Busy)),
            None => Err(Fault::counted(Engine::Object, Kind::Timeout)),
        }
    }
}

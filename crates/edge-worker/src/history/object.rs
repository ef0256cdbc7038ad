//! The Durable Object that holds one viewer's clicks, in SQLite. It is reached through this worker alone, by the viewer's name.
//!
//! A trap in here would leave its caller waiting, so nothing here may panic, and callers set a deadline.

use recsys_core::catalogue::ItemId;
use recsys_core::json;
use recsys_core::privacy::history::MAX_KEPT;
use std::time::Duration;
use worker::{
    Date, DurableObject, Env, Error, Method, Request, Response, Result, SqlStorage, SqlStorageValue, State,
    durable_object,
};

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
    let now = i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX);
    for (item, ts) in clicks {
        // A time that has not come would be the newest for ever.
        let values: Vec<SqlStorageValue> = vec![item.as_str().into(), (*ts).clamp(0, now).into()];
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

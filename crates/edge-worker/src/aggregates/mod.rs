//! `/v1/aggregates`: counts in from browsers, their sums out to the owner. Off until the owner binds the object and
//! sets the variable.

mod object;

use crate::bundle::{Call, Loaded};
use crate::problem::Problem;
use crate::{objects, reply, retrieval, token};
use futures_util::{StreamExt, stream};
use object::{NEXT_HEADER, Table};
use recsys_core::aggregates::Batch;
use recsys_core::catalogue::ItemId;
use std::collections::HashSet;
use std::rc::Rc;
use worker::{Env, Headers, Method, Request, Response, Stub};

/// The binding of the object that holds the sums.
const BINDING: &str = "AGGREGATES";
/// The variable that turns the path on.
const SWITCH: &str = "AGGREGATES_ENABLED";
/// The secret that reads the sums.
const TOKEN: &str = "AGGREGATES_TOKEN";
/// The one object: its sums are the site's.
const OBJECT: &str = "site";

/// What an answer of the object may be.
type Asked = Result<Response, Problem>;

/// Adds a browser's counts to the sums; rows of videos that the bundle lacks are left out.
///
/// # Errors
/// The path is off, or the object does not answer.
pub async fn add(request: &Call<'_>, bundle: Rc<Loaded>, mut batch: Batch) -> Asked {
    let stub = stub(request.env)?;
    let sent = batch.rows();
    let items = batch.items.iter().map(|row| &row.item);
    let pairs = batch.pairs.iter().flat_map(|row| [&row.item, &row.with]);
    let ids: HashSet<&str> = items.chain(pairs).map(ItemId::as_str).collect();
    let known = retrieval::known(request, bundle, ids.into_iter().map(str::to_owned).collect()).await;
    let known = |id: &ItemId| known.contains(id.as_str());
    batch.items.retain(|row| known(&row.item));
    batch.pairs.retain(|row| known(&row.item) && known(&row.with));
    let taken = match batch.rows() {
        0 => 0,
        _ => stored(&stub, &batch).await?,
    };
    let body = serde_json::json!({ "taken": taken, "dropped": sent.saturating_sub(taken) });
    Ok(reply::document(&body)?)
}

/// Rows that the object took.
async fn stored(stub: &Stub, batch: &Batch) -> Result<usize, Problem> {
    let body =
        serde_json::to_string(batch).map_err(|_| Problem::unavailable("the counts cannot be written"))?;
    let request = objects::request("http://aggregates.local/add", Method::Post, Some(body))?;
    let mut answer = call(stub, request).await?;
    Ok(answer.json().await?)
}

/// The sums as JSON Lines, to whoever knows the token.
///
/// # Errors
/// The path is off, no token is set, another one came, or the object does not answer.
pub async fn export(env: &Env, request: &Request) -> Asked {
    let stub = stub(env)?;
    token::check(env, TOKEN, request)?;
    // Asked for before the answer starts, so that an object that fails is a problem document.
    let (lines, next) = page(&stub, Some((Table::Items, 0))).await?;
    let rest = stream::unfold((stub, next), |(stub, at)| async move {
        at?;
        let piece = page(&stub, at).await;
        Some(match piece {
            Ok((lines, next)) => (Ok(lines), (stub, next)),
            Err(_) => (
                Err(worker::Error::from("the sums could not be read to their end")),
                (stub, None),
            ),
        })
    });
    let all = stream::once(async move { Ok::<_, worker::Error>(lines) }).chain(rest);
    let headers = Headers::new();
    headers.set("content-type", "application/jsonl")?;
    headers.set("cache-control", "no-store")?;
    Ok(Response::from_stream(all)?.with_headers(headers))
}

/// Some lines, and where the next ones start.
type Page = (Vec<u8>, Option<(Table, i64)>);

async fn page(stub: &Stub, at: Option<(Table, i64)>) -> Result<Page, Problem> {
    let Some((table, after)) = at else {
        return Ok((Vec::new(), None));
    };
    let url = format!("http://aggregates.local/{}/{after}", table.name());
    let mut answer = call(stub, Request::new(&url, Method::Get)?).await?;
    let next = answer
        .headers()
        .get(NEXT_HEADER)?
        .and_then(|next| next.parse().ok());
    let next = next
        .map(|after| (table, after))
        .or_else(|| Some((table.next()?, 0)));
    Ok((answer.bytes().await?, next))
}

/// Says where the path is off, before anything of the request is read.
///
/// # Errors
/// It is.
pub fn check_on(env: &Env) -> Result<(), Problem> {
    stub(env).map(|_| ())
}

/// The object, where the path is on.
fn stub(env: &Env) -> Result<Stub, Problem> {
    let namespace = objects::namespace(env, BINDING, SWITCH, "aggregates are off on this site")?;
    Ok(namespace.id_from_name(OBJECT)?.get_stub()?)
}

async fn call(stub: &Stub, request: Request) -> Asked {
    objects::ask(stub, request, "the object of the sums").await
}

//! From a request's bytes to a typed query.
//!
//! Nothing of a query's content comes back in a refusal: no id, word, number or name of an unknown field, but names of
//! known fields, kinds, lengths and limits. The types have no `Debug`, so that no log can show one.

use crate::groups::Question;
use crate::problem::Problem;
use futures_util::StreamExt;
use recsys_core::aggregates::Batch;
use recsys_core::candidates::MEDIA_TYPE;
use recsys_core::catalogue::ItemId;
use recsys_core::json::{self, FromJson, Json, JsonError};
use recsys_core::privacy::history::{self, ViewerName};
use recsys_core::segment::Conditions;
use serde_json::Value;
use worker::Request;

/// The most bytes of a JSON body.
const MAX_JSON_BYTES: usize = 1 << 20;
/// The most values of a JSON body, 10,000 recent and 10,000 excluded ids among them: as a tree each takes memory.
const MAX_VALUES: usize = 1 << 17;
/// The most bytes of a batch of counts, 500 rows with long ids, or of events.
const MAX_BATCH_BYTES: usize = 1 << 18;
/// The most bytes of a picture.
const MAX_PICTURE_BYTES: usize = 8 << 20;
/// The most results.
const MAX_K: u32 = 1000;
/// The most ids in `recent` and in `exclude`.
const MAX_IDS: usize = 10_000;
/// The most bytes of a text.
const MAX_TEXT_BYTES: usize = 4096;
/// Results where `k` is not given.
const DEFAULT_K: u32 = 20;

/// What to search with.
pub enum Query {
    /// A vector; its length and values are checked against the bundle.
    Vector(Vec<f32>),
    /// Ids of clicked videos, newest last.
    Recent(Vec<ItemId>),
    /// A viewer whose clicks are kept here.
    Viewer(ViewerName),
    /// Words, not blank.
    Text(String),
    /// A picture file's bytes and media type.
    Picture(Vec<u8>, String),
    /// Nothing: popular videos.
    Nothing,
}

/// A whole request.
pub struct Recs {
    /// What to search with.
    pub query: Query,
    /// Number of results, 1 to 1,000.
    pub k: usize,
    /// Ids that must not come.
    pub exclude: Vec<ItemId>,
    /// What must hold of every result, as it was written and as it was read.
    pub filter: (Option<Value>, Conditions),
    /// Whether the binary layout was asked for.
    pub binary: bool,
}

/// A filter as it was written and as it was read.
type Filter = (Option<Value>, Conditions);

struct RecsBody {
    vector: Option<Vec<f32>>,
    recent: Option<Vec<ItemId>>,
    viewer: Option<ViewerName>,
    text: Option<String>,
    k: Option<u32>,
    exclude: Vec<ItemId>,
    filter: Filter,
}

impl<'a> FromJson<'a> for RecsBody {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &["vector", "recent", "viewer", "text", "k", "exclude", "filter"];
        json.strict_object(names, |fields| {
            Ok(Self {
                vector: fields.get("vector")?,
                recent: fields.get("recent")?,
                viewer: fields.get("viewer")?,
                text: fields.get("text")?,
                k: fields.get("k")?,
                exclude: fields.get_or("exclude", Vec::new())?,
                filter: fields.get_or("filter", Written::default())?.0,
            })
        })
    }
}

struct SearchBody {
    text: String,
    k: Option<u32>,
    filter: Filter,
}

impl<'a> FromJson<'a> for SearchBody {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.strict_object(&["text", "k", "filter"], |fields| {
            Ok(Self {
                text: fields.get("text")?,
                k: fields.get("k")?,
                filter: fields.get_or("filter", Written::default())?.0,
            })
        })
    }
}

/// A [`Filter`] of a body; `null` is none.
#[derive(Default)]
struct Written(Filter);

impl<'a> FromJson<'a> for Written {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        if json == Json::Null {
            return Ok(Self::default());
        }
        // A tree has no value that cannot be written.
        let written = serde_json::to_value(&json).ok();
        Ok(Self((written, Conditions::from_json(json)?)))
    }
}

/// What another worker asks of this one: the question, and the conditions of its filter as they were read.
struct Asked(Question, Conditions);

impl<'a> FromJson<'a> for Asked {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &["bundle", "k", "vector", "segments", "find", "filter", "exclude"];
        json.strict_object(names, |fields| {
            let (filter, conditions) = fields.get_or("filter", Written::default())?.0;
            let question = Question {
                bundle: fields.get("bundle")?,
                k: fields.get("k")?,
                vector: fields.get("vector")?,
                segments: fields.get_or("segments", Vec::new())?,
                find: fields.get("find")?,
                filter,
                exclude: fields.get_or("exclude", Vec::new())?,
            };
            Ok(Self(question, conditions))
        })
    }
}

/// The query of `POST /v1/recs`.
pub async fn recs(request: &mut Request) -> Result<Recs, Problem> {
    let binary = wants_binary(request)?;
    let body: RecsBody = json_of(request, MAX_JSON_BYTES).await?;
    at_most("exclude", &body.exclude)?;
    let query = match (body.vector, body.recent, body.viewer, body.text) {
        (Some(vector), None, None, None) => Query::Vector(vector),
        (None, Some(recent), None, None) => {
            at_most("recent", &recent)?;
            Query::Recent(recent)
        }
        (None, None, Some(viewer), None) => Query::Viewer(viewer),
        (None, None, None, Some(text)) => Query::Text(words(text)?),
        (None, None, None, None) => Query::Nothing,
        _ => {
            return Err(Problem::refused(
                "expected one of `vector`, `recent`, `viewer` and `text`, found several",
            ));
        }
    };
    Ok(Recs {
        query,
        k: count(body.k)?,
        exclude: body.exclude,
        filter: body.filter,
        binary,
    })
}

/// The query of `POST /v1/search`: JSON with a text, or a picture.
pub async fn search(request: &mut Request) -> Result<Recs, Problem> {
    let binary = wants_binary(request)?;
    let kind = media_type(request)?;
    if kind.starts_with("image/") {
        let bytes = body(request, MAX_PICTURE_BYTES).await?;
        return Ok(Recs {
            query: Query::Picture(bytes, kind),
            k: count(None)?,
            exclude: Vec::new(),
            filter: Default::default(),
            binary,
        });
    }
    let body: SearchBody = json_of(request, MAX_JSON_BYTES).await?;
    Ok(Recs {
        query: Query::Text(words(body.text)?),
        k: count(body.k)?,
        exclude: Vec::new(),
        filter: body.filter,
        binary,
    })
}

/// What another worker asks of this one, `POST /v1/segments`.
pub async fn question(request: &mut Request) -> Result<(Question, Conditions), Problem> {
    let Asked(question, conditions) = json_of(request, MAX_JSON_BYTES).await?;
    Ok((question, conditions))
}

/// What `POST /v1/events` asks for.
pub async fn events(request: &mut Request) -> Result<history::Asked, Problem> {
    json_of(request, MAX_BATCH_BYTES).await
}

/// The counts of `POST /v1/aggregates`.
pub async fn batch(request: &mut Request) -> Result<Batch, Problem> {
    let batch: Batch = json_of(request, MAX_BATCH_BYTES).await?;
    batch
        .check()
        .map_err(|error| Problem::refused(error.to_string()))?;
    Ok(batch)
}

/// The query of `GET /v1/search?q=…&k=…`.
pub fn search_by_url(request: &Request) -> Result<Recs, Problem> {
    let url = request.url()?;
    let value = |name: &str| {
        url.query_pairs()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.into_owned())
    };
    let Some(text) = value("q") else {
        return Err(Problem::malformed(
            "expected words in `q`, such as /v1/search?q=red+fox",
        ));
    };
    let k = match value("k") {
        Some(k) => Some(
            k.parse::<u32>()
                .map_err(|_| Problem::malformed("`k`: expected a whole number"))?,
        ),
        None => None,
    };
    Ok(Recs {
        query: Query::Text(words(text)?),
        k: count(k)?,
        exclude: Vec::new(),
        filter: Default::default(),
        binary: wants_binary(request)?,
    })
}

fn wants_binary(request: &Request) -> Result<bool, Problem> {
    Ok(request
        .headers()
        .get("accept")?
        .is_some_and(|accept| accept.contains(MEDIA_TYPE)))
}

fn media_type(request: &Request) -> Result<String, Problem> {
    let header = request.headers().get("content-type")?.unwrap_or_default();
    Ok(header
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase())
}

/// A body of JSON of at most `limit` bytes.
async fn json_of<T: for<'a> FromJson<'a>>(request: &mut Request, limit: usize) -> Result<T, Problem> {
    if media_type(request)? != "application/json" {
        return Err(Problem::media_type("application/json"));
    }
    let bytes = body(request, limit).await?;
    let values = json::values_at_most(&bytes);
    if values > MAX_VALUES {
        return Err(Problem::malformed(format!(
            "the body has {values} values: at most {MAX_VALUES} are allowed"
        )));
    }
    json::read_bytes(&bytes).map_err(|error| {
        Problem::malformed(format!("the body is not as expected: {}", error.without_values()))
    })
}

/// The body, of at most `limit` bytes; reading stops at the first byte beyond.
async fn body(request: &mut Request, limit: usize) -> Result<Vec<u8>, Problem> {
    let stated = request
        .headers()
        .get("content-length")?
        .and_then(|v| v.parse::<usize>().ok());
    if stated.is_some_and(|n| n > limit) {
        return Err(Problem::too_large(limit));
    }
    if request.inner().body().is_none() {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    let mut stream = request.stream()?;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        if bytes.len() + chunk.len() > limit {
            return Err(Problem::too_large(limit));
        }
        bytes.extend(chunk);
    }
    Ok(bytes)
}

fn count(k: Option<u32>) -> Result<usize, Problem> {
    let k = k.unwrap_or(DEFAULT_K);
    match k {
        1..=MAX_K => Ok(k as usize),
        _ => Err(Problem::refused(format!(
            "`k`: expected 1 to {MAX_K}, found another number"
        ))),
    }
}

fn at_most(field: &str, ids: &[ItemId]) -> Result<(), Problem> {
    match ids.len() {
        0..=MAX_IDS => Ok(()),
        found => Err(Problem::refused(format!(
            "`{field}` has {found} ids: at most {MAX_IDS} are allowed"
        ))),
    }
}

fn words(text: String) -> Result<String, Problem> {
    if text.trim().is_empty() {
        return Err(Problem::refused("`text` is blank: expected words"));
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(Problem::refused(format!(
            "`text` has {} bytes: at most {MAX_TEXT_BYTES} are allowed",
            text.len()
        )));
    }
    Ok(text)
}

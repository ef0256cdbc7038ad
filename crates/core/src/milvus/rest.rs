//! Milvus's REST API: what is asked, and what an answer says. Version 2 came with Milvus 2.4; version 1 is what 2.3 has. Its
//! collections have a number for a primary key, the server's own index, and all other fields in one of JSON, which filters
//! read too.

use super::Entity;
use crate::catalogue::ItemId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

/// The most hits of one search or query.
pub const MAX_HITS: usize = 16_384;
/// The most bytes of an `entry`, which is as much as Milvus allows.
const MAX_ENTRY: usize = 65_535;
/// What the index does: links of a node, and how far it looks when one is added.
const M: u32 = 16;
const EF_CONSTRUCTION: u32 = 200;
/// How far a search looks at least.
const MIN_EF: usize = 64;

/// Which version of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// That of Milvus 2.3.
    V1,
    /// That of Milvus 2.4 and later.
    V2,
}

/// How vectors are compared. They are of unit length, so both find the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// The cosine of their angle.
    Cosine,
    /// Their inner product.
    Ip,
}

impl Metric {
    /// Its name in Milvus.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cosine => "COSINE",
            Self::Ip => "IP",
        }
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Path and query.
    pub path: String,
    /// What is posted, JSON; `None` where the method is GET.
    pub body: Option<String>,
}

impl Ask {
    fn get(path: String) -> Self {
        Self { path, body: None }
    }

    fn post(path: &str, body: &impl Serialize) -> Self {
        Self {
            path: path.to_owned(),
            // A tree has no value that cannot be written.
            body: Some(serde_json::to_string(body).unwrap_or_default()),
        }
    }
}

impl Api {
    /// Both, the newer first.
    pub const ALL: [Self; 2] = [Self::V2, Self::V1];

    /// Its name in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }

    const fn path(self, v1: &'static str, v2: &'static str) -> &'static str {
        match self {
            Self::V1 => v1,
            Self::V2 => v2,
        }
    }

    /// Asks for the names of all collections; [`collections`] reads the answer.
    #[must_use]
    pub fn list(self) -> Ask {
        match self {
            Self::V1 => Ask::get("/v1/vector/collections".to_owned()),
            Self::V2 => Ask::post("/v2/vectordb/collections/list", &json!({})),
        }
    }

    /// Asks what a collection is; [`described`] reads the answer.
    #[must_use]
    pub fn describe(self, collection: &str) -> Ask {
        match self {
            Self::V1 => Ask::get(["/v1/vector/collections/describe?collectionName=", collection].concat()),
            Self::V2 => Ask::post(
                "/v2/vectordb/collections/describe",
                &json!({ "collectionName": collection }),
            ),
        }
    }

    /// Makes a collection, with an index, ready to be searched; [`done`] reads the answer.
    #[must_use]
    pub fn create(self, collection: &str, dim: usize, metric: Metric) -> Ask {
        let body = match self {
            Self::V1 => json!({
                "collectionName": collection, "dimension": dim, "metricType": metric.name(),
                "primaryField": "row", "vectorField": "vector",
            }),
            Self::V2 => json!({
                "collectionName": collection,
                "schema": { "fields": fields(dim) },
                "indexParams": [{
                    "fieldName": "vector", "indexName": "vector", "metricType": metric.name(), "indexType": "HNSW",
                    "params": { "index_type": "HNSW", "M": M, "efConstruction": EF_CONSTRUCTION },
                }],
            }),
        };
        let path = self.path("/v1/vector/collections/create", "/v2/vectordb/collections/create");
        Ask::post(path, &body)
    }

    /// Removes a collection; [`done`] reads the answer.
    #[must_use]
    pub fn drop(self, collection: &str) -> Ask {
        let path = self.path("/v1/vector/collections/drop", "/v2/vectordb/collections/drop");
        Ask::post(path, &json!({ "collectionName": collection }))
    }

    /// Puts entities into a collection; [`done`] reads the answer. By version 2 they replace those of the same ids; by
    /// version 1 they come twice where they were there.
    #[must_use]
    pub fn put(self, collection: &str, entities: &[Entity]) -> Ask {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            collection_name: &'a str,
            data: &'a [Entity],
        }
        let path = self.path("/v1/vector/insert", "/v2/vectordb/entities/upsert");
        let body = Body {
            collection_name: collection,
            data: entities,
        };
        Ask::post(path, &body)
    }

    /// Asks for the entities that are nearest to a vector and meet an expression; [`rows`] reads the answer.
    #[must_use]
    pub fn search(self, collection: &str, vector: &[f32], k: usize, expression: &str) -> Ask {
        let limit = k.clamp(1, MAX_HITS);
        let body = match self {
            Self::V1 => json!({
                "collectionName": collection, "vector": vector, "limit": limit, "filter": expression,
                "outputFields": ["video", "entry"],
            }),
            Self::V2 => json!({
                "collectionName": collection, "data": [vector], "annsField": "vector", "limit": limit,
                "filter": expression, "outputFields": ["video", "entry"],
                "searchParams": { "params": { "ef": limit.max(MIN_EF) } },
            }),
        };
        Ask::post(
            self.path("/v1/vector/search", "/v2/vectordb/entities/search"),
            &body,
        )
    }

    /// Asks for the entities that meet an expression, in any order; [`rows`] reads the answer.
    #[must_use]
    pub fn query(self, collection: &str, expression: &str, most: usize) -> Ask {
        let body = json!({
            "collectionName": collection, "filter": expression, "limit": most.clamp(1, MAX_HITS),
            "outputFields": ["video", "entry"],
        });
        Ask::post(
            self.path("/v1/vector/query", "/v2/vectordb/entities/query"),
            &body,
        )
    }

    /// Asks how many entities meet an expression, all where it is empty; [`count`] reads the answer.
    #[must_use]
    pub fn count(self, collection: &str, expression: &str) -> Ask {
        // Version 1 refuses an empty expression, and takes any limit but 0 for a page. Every row has a number above 0.
        let expression = match (self, expression) {
            (Self::V1, "") => "row >= 0",
            (_, expression) => expression,
        };
        let body = json!({
            "collectionName": collection, "filter": expression, "limit": 0, "outputFields": ["count(*)"],
        });
        Ask::post(
            self.path("/v1/vector/query", "/v2/vectordb/entities/query"),
            &body,
        )
    }
}

fn fields(dim: usize) -> Value {
    let plain =
        |name: &str, kind: &str| json!({ "fieldName": name, "dataType": kind, "elementTypeParams": {} });
    json!([
        {
            "fieldName": "video", "dataType": "VarChar", "isPrimary": true,
            "elementTypeParams": { "max_length": ItemId::MAX_BYTES },
        },
        { "fieldName": "vector", "dataType": "FloatVector", "elementTypeParams": { "dim": dim } },
        plain("category", "Int32"),
        plain("language", "Int32"),
        plain("age", "Int32"),
        plain("duration", "Float"),
        plain("uploaded", "Float"),
        { "fieldName": "entry", "dataType": "VarChar", "elementTypeParams": { "max_length": MAX_ENTRY } },
    ])
}

/// What kind of problem a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It does not take the token.
    Credentials,
    /// The collection is not there.
    Missing,
    /// It cannot now: it starts, loads the collection, or has too much to do.
    Busy,
    /// It has no room.
    Full,
    /// There is no such path.
    NoSuchPath,
    /// Something else that it says no to.
    Refused,
    /// What came is no answer of Milvus.
    Unreadable,
}

/// An answer that is not what was asked for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of problem.
    pub problem: Problem,
    /// What Milvus says; parts of the request may stand in it.
    pub message: String,
}

impl Refusal {
    fn unreadable(what: impl ToString) -> Self {
        Self {
            problem: Problem::Unreadable,
            message: what.to_string(),
        }
    }
}

#[derive(Deserialize)]
struct Answer<T> {
    code: i64,
    #[serde(default)]
    message: String,
    data: Option<T>,
}

fn read<T: DeserializeOwned>(status: u16, body: &[u8]) -> Result<Option<T>, Refusal> {
    let answer: Answer<T> = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(_) if status != 200 => {
            let problem = by_status(status);
            let message = format!("status {status}");
            return Err(Refusal { problem, message });
        }
        Err(error) => return Err(Refusal::unreadable(error)),
    };
    // Version 1 says 200 where all is well, version 2 says 0.
    if status == 200 && matches!(answer.code, 0 | 200) {
        return Ok(answer.data);
    }
    let problem = match status {
        200 => by_code(answer.code),
        status => by_status(status),
    };
    let message = match answer.message.is_empty() {
        true => format!("status {status}, code {}", answer.code),
        false => answer.message,
    };
    Err(Refusal { problem, message })
}

const fn by_status(status: u16) -> Problem {
    match status {
        401 | 403 => Problem::Credentials,
        404 => Problem::NoSuchPath,
        429 | 502..=504 => Problem::Busy,
        500..=599 => Problem::Refused,
        _ => Problem::Unreadable,
    }
}

/// Milvus's own numbers (`pkg/util/merr`).
const fn by_code(code: i64) -> Problem {
    match code {
        // The service is not ready or not available, has too many requests; the collection is not (fully) loaded.
        1 | 2 | 4 | 8 | 101 | 103 | 1807 => Problem::Busy,
        // Memory, disk, or the owner's quota.
        3 | 7 | 9 => Problem::Full,
        100 => Problem::Missing,
        1800 | 1400..=1402 => Problem::Credentials,
        _ => Problem::Refused,
    }
}

fn present<T: DeserializeOwned>(status: u16, body: &[u8]) -> Result<T, Refusal> {
    read(status, body)?.ok_or_else(|| Refusal::unreadable("`data` is missing"))
}

/// Whether it was done.
///
/// # Errors
/// It was not.
pub fn done(status: u16, body: &[u8]) -> Result<(), Refusal> {
    read::<serde::de::IgnoredAny>(status, body).map(drop)
}

/// The names of collections.
///
/// # Errors
/// What came is no such answer.
pub fn collections(status: u16, body: &[u8]) -> Result<Vec<String>, Refusal> {
    present(status, body)
}

/// What a collection is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    /// Dimensions of its vectors; `None` where it has no field `vector` of f32.
    pub dim: Option<usize>,
    /// How they are compared; empty where there is no index.
    pub metric: String,
    /// The kind of the index, where Milvus says so.
    pub index: String,
}

/// What a collection is.
///
/// # Errors
/// It is not there, or what came is no such answer.
pub fn described(status: u16, body: &[u8]) -> Result<Collection, Refusal> {
    #[derive(Deserialize)]
    struct Described {
        #[serde(default)]
        fields: Vec<Field>,
        #[serde(default)]
        indexes: Vec<Index>,
    }
    #[derive(Deserialize)]
    struct Field {
        name: String,
        #[serde(rename = "type", default)]
        kind: String,
        #[serde(default)]
        params: Vec<Param>,
    }
    #[derive(Deserialize)]
    struct Param {
        key: String,
        value: Value,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Index {
        field_name: String,
        #[serde(default)]
        metric_type: String,
        #[serde(default)]
        index_type: String,
    }
    let described: Described = present(status, body)?;
    let field = described.fields.into_iter().find(|field| field.name == "vector");
    let dim = field.and_then(|field| {
        let rest = field.kind.strip_prefix("FloatVector")?;
        // Version 1 writes the number behind the type, version 2 among the parameters.
        let behind = || rest.strip_prefix('(')?.strip_suffix(')')?.parse().ok();
        let param = field.params.iter().find(|param| param.key == "dim");
        param.map_or_else(behind, |param| whole(&param.value))
    });
    let index = described
        .indexes
        .into_iter()
        .find(|index| index.field_name == "vector");
    let (metric, index) = index.map_or_else(Default::default, |index| (index.metric_type, index.index_type));
    Ok(Collection { dim, metric, index })
}

/// A whole number, which may be written as a text.
fn whole(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => usize::try_from(value.as_u64()?).ok(),
    }
}

/// An entity that came back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Row {
    /// Its id, of a video or [`HEAD_ID`](super::HEAD_ID).
    pub video: String,
    /// What else it holds.
    #[serde(deserialize_with = "entry")]
    pub entry: String,
}

fn entry<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    match text.len() <= MAX_ENTRY {
        true => Ok(text),
        false => Err(serde::de::Error::custom("an entry is too long")),
    }
}

/// The entities of a search or query, of which at most `most` were asked for.
///
/// # Errors
/// What came is no such answer.
pub fn rows(status: u16, body: &[u8], most: usize) -> Result<Vec<Row>, Refusal> {
    let rows: Vec<Row> = present(status, body)?;
    match rows.len() <= most {
        true => Ok(rows),
        false => Err(Refusal::unreadable("more hits than were asked for")),
    }
}

/// How many entities there are.
///
/// # Errors
/// What came is no such answer.
pub fn count(status: u16, body: &[u8]) -> Result<usize, Refusal> {
    #[derive(Deserialize)]
    struct Counted {
        #[serde(rename = "count(*)")]
        count: Value,
    }
    let rows: Vec<Counted> = present(status, body)?;
    let count = rows.first().and_then(|row| whole(&row.count));
    count.ok_or_else(|| Refusal::unreadable("`count(*)` is missing"))
}

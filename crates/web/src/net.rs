//! Requests: no cookie, no referrer, a time limit on each, every one logged before it is made.

use crate::failure::{Failure, Kind, thrown};
use crate::host;
use crate::options::Sought;
use crate::sent::SentLog;
use js_sys::{JSON, Reflect, Uint8Array};
use recsys_core::bytes::AlignedBytes;
use recsys_core::candidates::{Candidates, MEDIA_TYPE};
use recsys_core::json::Shown;
use recsys_core::manifest::{FileEntry, MAX_BYTES};
use recsys_core::privacy::standard;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, Headers, ReadableStreamDefaultReader, ReadableStreamReadResult, ReferrerPolicy,
    RequestCredentials, RequestInit, Response,
};

/// Milliseconds that an answer of the API may take, its body included.
const ANSWER_MS: u32 = 10_000;
/// Milliseconds that a file of a bundle may take.
const FILE_MS: u32 = 300_000;
/// What a file is fetched for that depends on no viewer.
pub const FOR_EVERYBODY: &str = "a file of the catalogue, the same for everybody";
/// The largest answer with candidates, in bytes: far above 200 candidates of 2,048 dimensions.
const MAX_ANSWER: usize = 8 << 20;

/// A browser keeps at most 64 KiB of bodies alive beyond their page.
const KEEPALIVE_BYTES: usize = 60 << 10;

/// One server, and the log of what it was asked.
pub struct Net {
    /// Without a slash at its end.
    endpoint: String,
    /// What was asked.
    pub sent: SentLog,
}

/// What is sent.
#[derive(Clone, Copy)]
enum Body<'a> {
    /// A JSON text.
    Json(&'a str),
    /// A picture file and its media type.
    Picture(&'a Uint8Array, &'a str),
}

/// One request.
struct Request<'a> {
    path: &'a str,
    /// `None` makes it a GET.
    body: Option<Body<'a>>,
    words: &'a str,
    limit_ms: u32,
}

impl Net {
    /// Requests go to paths under `endpoint`.
    pub fn new(endpoint: String) -> Self {
        let sent = SentLog::default();
        Self { endpoint, sent }
    }

    /// The URL of a file of the bundle.
    pub fn bundle_url(&self, file: &str) -> String {
        format!("{}/bundle/{file}", self.endpoint)
    }

    /// The bytes of the manifest.
    ///
    /// # Errors
    /// `Network`, `Refused` or `BadReply`.
    pub async fn manifest(&mut self) -> Result<Vec<u8>, Failure> {
        let request = Request {
            path: "/v1/manifest",
            body: None,
            words: "the list of the catalogue's files, the same for everybody",
            limit_ms: ANSWER_MS,
        };
        let response = self.send(&request).await?;
        read_at_most(request.path, &response, MAX_BYTES).await
    }

    /// A file of the bundle, of the length and hash that the manifest states; `words` says why it is fetched.
    ///
    /// # Errors
    /// `Network`, `Refused` or `BadReply`.
    pub async fn file(&mut self, entry: &FileEntry, words: &str) -> Result<AlignedBytes, Failure> {
        let path = format!("/bundle/{}", entry.file);
        let request = Request {
            path: &path,
            body: None,
            words,
            limit_ms: FILE_MS,
        };
        let response = self.send(&request).await?;
        let bytes = read_exactly(&path, &response, entry.bytes as usize).await?;
        entry.check(bytes.as_slice()).map_err(Failure::bad_reply)?;
        Ok(bytes)
    }

    /// Candidates for a JSON body, from one of the two paths that give them; `words` says what the body holds.
    ///
    /// # Errors
    /// `Network`, `Refused` or `BadReply`.
    pub async fn candidates(&mut self, path: &str, body: &str, words: &str) -> Result<Candidates, Failure> {
        self.found(path, Body::Json(body), words).await
    }

    /// What the server finds for words or for a picture.
    ///
    /// # Errors
    /// As [`Net::candidates`].
    pub async fn search(&mut self, sought: &Sought, k: usize) -> Result<Candidates, Failure> {
        let json;
        let (body, words) = match sought {
            Sought::Picture(picture, kind) => (
                Body::Picture(picture, kind),
                "the picture that you searched with; no id, no cookie",
            ),
            Sought::Words(text) => {
                json = standard::search_body(text, u32::try_from(k).unwrap_or(u32::MAX));
                let words = "the words that you searched for; no id, no cookie";
                (Body::Json(&json), words)
            }
            Sought::Vector(..) => {
                let message = "search: a vector is for local mode; pass `text` or `picture`";
                return Err(Failure::new(Kind::BadOption, message));
            }
        };
        self.found("/v1/search", body, words).await
    }

    async fn found(&mut self, path: &str, body: Body<'_>, words: &str) -> Result<Candidates, Failure> {
        let request = Request {
            path,
            body: Some(body),
            words,
            limit_ms: ANSWER_MS,
        };
        let response = self.send(&request).await?;
        let found = header(&response, "content-type");
        if !found.starts_with(MEDIA_TYPE) {
            let advice = "check that `endpoint` is a recsys server of this version";
            let found = Shown::from(&found);
            let message = format!("{path}: expected content type {MEDIA_TYPE}, found {found}; {advice}");
            return Err(Failure::new(Kind::BadReply, message));
        }
        let bytes = read_at_most(request.path, &response, MAX_ANSWER).await?;
        Candidates::parse(&bytes).map_err(Failure::bad_reply)
    }

    /// Hands in JSON at one of the paths that take something; `words` says what it holds. The request outlives the page that
    /// makes it.
    ///
    /// # Errors
    /// `Network` or `Refused`.
    pub async fn hand_in(&mut self, path: &str, body: &str, words: &str) -> Result<(), Failure> {
        let request = Request {
            path,
            body: Some(Body::Json(body)),
            words,
            limit_ms: ANSWER_MS,
        };
        self.send(&request).await.map(|_| ())
    }

    async fn send(&mut self, request: &Request<'_>) -> Result<Response, Failure> {
        let Request {
            path, body, words, ..
        } = *request;
        let url = format!("{}{path}", self.endpoint);
        let method = if body.is_some() { "POST" } else { "GET" };
        let init = init(method, body, request.limit_ms).map_err(|error| no_answer(path, &error))?;
        let (text, bytes) = match body {
            Some(Body::Json(text)) => (text, text.len()),
            Some(Body::Picture(picture, _)) => ("", picture.length() as usize),
            None => ("", 0),
        };
        self.sent.note(method, &url, (text, bytes), words);
        let response = JsFuture::from(host::fetch(&url, &init))
            .await
            .map_err(|error| no_answer(path, &error))?;
        let response: Response = response.unchecked_into();
        if response.ok() {
            Ok(response)
        } else {
            Err(refusal(path, &response).await)
        }
    }
}

fn init(method: &str, body: Option<Body<'_>>, limit_ms: u32) -> Result<RequestInit, JsValue> {
    let init = RequestInit::new();
    init.set_method(method);
    init.set_credentials(RequestCredentials::Omit);
    init.set_referrer_policy(ReferrerPolicy::NoReferrer);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(limit_ms)));
    if let Some(body) = body {
        let (length, kind, body) = match body {
            Body::Json(text) => (text.len(), "application/json", &JsValue::from_str(text)),
            Body::Picture(picture, kind) => (picture.length() as usize, kind, picture.as_ref()),
        };
        // What is small may still go out while the page closes.
        Reflect::set(
            &init,
            &JsValue::from_str("keepalive"),
            &JsValue::from_bool(length < KEEPALIVE_BYTES),
        )?;
        let headers = Headers::new()?;
        headers.set("accept", MEDIA_TYPE)?;
        headers.set("content-type", kind)?;
        init.set_headers(&headers);
        init.set_body(body);
    }
    Ok(init)
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).ok().flatten().unwrap_or_default()
}

fn no_answer(path: &str, error: &JsValue) -> Failure {
    let why = thrown(error);
    Failure::new(
        Kind::Network,
        format!("{path}: no answer ({why}); check the connection and `endpoint`, then try again"),
    )
}

/// The failure behind a status that is no success, with the `detail` of a problem document (RFC 9457).
async fn refusal(path: &str, response: &Response) -> Failure {
    let status = response.status();
    let kind = if (400..500).contains(&status) {
        Kind::Refused
    } else {
        Kind::Network
    };
    let detail = match header(response, "content-type").starts_with("application/problem+json") {
        true => read_at_most(path, response, 64 << 10)
            .await
            .ok()
            .and_then(|bytes| detail(&bytes)),
        false => None,
    };
    let detail = detail.unwrap_or_else(|| "check that the site serves it, then try again".to_owned());
    Failure::new(kind, format!("{path}: the server answered {status}; {detail}"))
}

fn detail(problem: &[u8]) -> Option<String> {
    let problem = JSON::parse(std::str::from_utf8(problem).ok()?).ok()?;
    Reflect::get(&problem, &JsValue::from_str("detail"))
        .ok()?
        .as_string()
}

/// A body of a known length, straight into memory that is allocated once.
async fn read_exactly(path: &str, response: &Response, len: usize) -> Result<AlignedBytes, Failure> {
    let mut file = AlignedBytes::zeroed(len);
    let mut at = 0;
    let wrong =
        |found: String| Failure::bad_reply(format!("{path}: expected {len} bytes, found {found}; try again"));
    each_chunk(path, response, |chunk| {
        let end = at + chunk.length() as usize;
        let place = file.as_mut_slice().get_mut(at..end);
        chunk.copy_to(place.ok_or_else(|| wrong("more".to_owned()))?);
        at = end;
        Ok(())
    })
    .await?;
    if at == len {
        Ok(file)
    } else {
        Err(wrong(at.to_string()))
    }
}

/// A body of unknown length, at most `limit` bytes.
async fn read_at_most(path: &str, response: &Response, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    each_chunk(path, response, |chunk| {
        let start = bytes.len();
        let end = start + chunk.length() as usize;
        if end > limit {
            let message = format!("{path}: expected at most {limit} bytes, found more; check `endpoint`");
            return Err(Failure::bad_reply(message));
        }
        bytes.resize(end, 0);
        chunk.copy_to(bytes.get_mut(start..).unwrap_or_default());
        Ok(())
    })
    .await?;
    Ok(bytes)
}

/// Hands the pieces of a body on as they come; an error of `take` ends the download.
async fn each_chunk(
    path: &str,
    response: &Response,
    mut take: impl FnMut(&Uint8Array) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(stream) = response.body() else {
        return Ok(());
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let piece = JsFuture::from(reader.read())
            .await
            .map_err(|error| no_answer(path, &error))?;
        let piece: ReadableStreamReadResult = piece.unchecked_into();
        if piece.get_done().unwrap_or_default() {
            return Ok(());
        }
        if let Err(failure) = take(&piece.get_value().unchecked_into()) {
            // The failure is what matters; the rest of the body is not wanted.
            let _ = JsFuture::from(reader.cancel()).await;
            return Err(failure);
        }
    }
}

//! Milvus, which holds all videos of a bundle with all that an answer needs, in a collection of the bundle's own (the core's
//! `milvus`). While it answers no segment is asked.

use super::{Candidates, Gathered, Wish};
use crate::bundle::Loaded;
use crate::clock::now_ms;
use crate::engines::breaker::guarded;
use crate::engines::{Engine, Fault, Kind};
use crate::groups::Found;
use crate::settings;
use futures_util::StreamExt;
use futures_util::future::try_join3;
use recsys_core::candidates::{Answer, Reply, Source};
use recsys_core::catalogue::ItemId;
use recsys_core::milvus::{self, Api, Ask, HEAD_ID, Head, Problem, Refusal, Row, Stored};
use recsys_core::segment::Matching;
use std::cell::RefCell;
use std::rc::Rc;
use worker::{AbortController, Env, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response};

/// The secret with the token, `user:password` or a key.
const TOKEN: &str = "MILVUS_TOKEN";
/// Milliseconds that Milvus gets for an answer, where `MILVUS_DEADLINE_MS` is not set.
const DEADLINE_MS: u64 = 500;
/// The most bytes of an answer.
const MAX_ANSWER: usize = 16 << 20;
/// The most ids that one question looks for, the newest of what was clicked.
const MAX_IDS: usize = 1_000;

/// How long what a collection says of itself is believed, in milliseconds: it may be loaded anew under the same name.
const HEAD_MS: u64 = 15_000;

thread_local! {
    /// What the collection that was asked last says of itself, and when it said so, in milliseconds.
    static HEAD: RefCell<Option<(String, u64, Rc<Head>)>> = const { RefCell::new(None) };
}

/// Which Milvus.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `MILVUS_URL`: where it answers.
    url: String,
    /// `MILVUS_API`: which version of its REST API.
    api: Api,
    /// `MILVUS_COLLECTION`: name of its collections, to which that of a bundle's videos is added.
    collection: String,
    /// `MILVUS_DEADLINE_MS`: milliseconds that it gets for an answer.
    deadline_ms: u64,
}

impl Settings {
    /// Reads the variables; `None` where `CANDIDATES` does not name Milvus. What waits for an answer waits `most_ms`.
    ///
    /// # Errors
    /// One of them does not have its form.
    pub fn of(env: &Env, most_ms: u64) -> Result<Option<Self>, String> {
        if !settings::word(env, "CANDIDATES", &[("shard", false), ("milvus", true)])? {
            return Ok(None);
        }
        let name = "MILVUS_COLLECTION";
        let collection = settings::text(env, name).unwrap_or_else(|| "recsys".to_owned());
        if !milvus::is_name(&collection) {
            return Err(format!(
                "{name}: expected letters, digits and _, no digit first, found another text"
            ));
        }
        let apis = [("v2", Api::V2), ("v1", Api::V1)];
        let default_ms = DEADLINE_MS.min(most_ms);
        Ok(Some(Self {
            url: settings::web_address(env, "MILVUS_URL")?,
            api: settings::word(env, "MILVUS_API", &apis)?,
            collection,
            deadline_ms: settings::number(env, "MILVUS_DEADLINE_MS", default_ms, 1..=most_ms)?,
        }))
    }
}

/// Milvus, asked for a bundle.
pub struct Milvus<'a> {
    /// Secrets.
    pub env: &'a Env,
    /// Which Milvus.
    pub settings: &'a Settings,
    /// The bundle.
    pub bundle: &'a Loaded,
    /// What is wanted.
    pub wish: &'a Wish,
}

impl Candidates for Milvus<'_> {
    type Fault = Fault;

    async fn near(&self, vector: &[f32]) -> Result<Gathered, Fault> {
        let filter = self.wish.filter.1.resolve(&self.bundle.dictionaries);
        let exclude: Vec<&str> = self.wish.exclude.iter().map(String::as_str).collect();
        let expression = milvus::all_of(&filter, &exclude);
        let counted = !filter.is_empty();
        let asked = self.asked();
        // One more, in case that the head is among them.
        let k = self.wish.k.saturating_add(1);
        let search = asked.rows(asked.api().search(&asked.collection, vector, k, &expression), k);
        let count = async {
            match counted {
                true => asked.count(&expression).await.map(Some),
                false => Ok(None),
            }
        };
        let work = async {
            let (head, rows, count) = try_join3(asked.head(), search, count).await?;
            let reply = reply(&head, &self.bundle.id, rows, Some(vector))?;
            Ok((reply, count))
        };
        let (reply, count) = guarded(Engine::Milvus, self.settings.deadline_ms, work).await?;
        let matching = count.map(|videos| Matching {
            videos,
            complete: true,
        });
        Ok(gathered(reply, matching))
    }

    async fn find(&self, ids: &[String], fitting: bool) -> Result<Gathered, Fault> {
        if ids.is_empty() {
            return Ok(Gathered {
                whole: true,
                ..Gathered::default()
            });
        }
        let ids: Vec<&str> = ids.iter().take(MAX_IDS).map(String::as_str).collect();
        let mut expression = milvus::among(&ids);
        let filter = self.wish.filter.1.resolve(&self.bundle.dictionaries);
        if fitting && !filter.is_empty() {
            expression.push_str(" and ");
            expression.push_str(&milvus::all_of(&filter, &[]));
        }
        let asked = self.asked();
        let query = asked.api().query(&asked.collection, &expression, ids.len());
        let work = async {
            let rows = asked.rows(query, ids.len());
            let (head, rows, ()) = try_join3(asked.head(), rows, async { Ok(()) }).await?;
            reply(&head, &self.bundle.id, rows, None)
        };
        let reply = guarded(Engine::Milvus, self.settings.deadline_ms, work).await?;
        Ok(gathered(reply, None))
    }
}

impl<'a> Milvus<'a> {
    fn asked(&self) -> Asked<'a> {
        Asked::of(self.env, self.settings, self.bundle)
    }

    /// Looks at the collection anew: whether it is there, whole, and of this bundle.
    ///
    /// # Errors
    /// It is not.
    pub async fn probe(env: &Env, settings: &Settings, bundle: &Loaded) -> Result<(), Fault> {
        let asked = Asked::of(env, settings, bundle);
        let work = async {
            let (status, body) = asked.send(&asked.api().describe(&asked.collection)).await?;
            let found = milvus::described(status, &body).map_err(kind)?;
            if found.dim != Some(bundle.manifest.dim as usize) {
                return Err(Kind::Mismatch);
            }
            asked.read_head().await.map(drop)
        };
        guarded(Engine::Milvus, settings.deadline_ms, work).await
    }
}

/// A bundle's collection.
struct Asked<'a> {
    env: &'a Env,
    settings: &'a Settings,
    bundle: &'a Loaded,
    collection: String,
}

impl<'a> Asked<'a> {
    fn of(env: &'a Env, settings: &'a Settings, bundle: &'a Loaded) -> Self {
        Self {
            env,
            settings,
            bundle,
            collection: milvus::collection(&settings.collection, &bundle.contents),
        }
    }

    const fn api(&self) -> Api {
        self.settings.api
    }

    /// What the collection says of itself: asked for once in a while.
    async fn head(&self) -> Result<Rc<Head>, Kind> {
        let known = HEAD.with_borrow(|head| {
            let own = head
                .as_ref()
                .filter(|(collection, ..)| *collection == self.collection)
                .filter(|(_, at_ms, _)| now_ms().saturating_sub(*at_ms) < HEAD_MS);
            own.map(|(.., head)| Rc::clone(head))
        });
        match known {
            Some(head) => Ok(head),
            None => self.read_head().await,
        }
    }

    async fn read_head(&self) -> Result<Rc<Head>, Kind> {
        let query = self.api().query(&self.collection, &milvus::among(&[HEAD_ID]), 1);
        let rows = self.rows(query, 1).await?;
        // It was loaded last, so without it something is missing.
        let row = rows.first().ok_or(Kind::Missing)?;
        let head = Head::read(&row.entry).map_err(|_| Kind::Mismatch)?;
        if head.contents != self.bundle.contents || head.mean.len() != self.bundle.manifest.dim as usize {
            return Err(Kind::Mismatch);
        }
        let head = Rc::new(head);
        HEAD.set(Some((self.collection.clone(), now_ms(), Rc::clone(&head))));
        Ok(head)
    }

    async fn rows(&self, ask: Ask, most: usize) -> Result<Vec<Row>, Kind> {
        let (status, body) = self.send(&ask).await?;
        milvus::rows(status, &body, most).map_err(kind)
    }

    async fn count(&self, expression: &str) -> Result<usize, Kind> {
        let (status, body) = self.send(&self.api().count(&self.collection, expression)).await?;
        milvus::count(status, &body).map_err(kind)
    }

    /// The status and the body of an answer.
    async fn send(&self, ask: &Ask) -> Result<(u16, Vec<u8>), Kind> {
        let request = self.request(ask).map_err(|_| Kind::Protocol)?;
        let cut = Cut::default();
        let answer = Fetch::Request(request).send_with_signal(&cut.0.signal()).await;
        let mut answer = answer.map_err(|_| Kind::Unreachable)?;
        let body = limited(&mut answer).await?;
        Ok((answer.status_code(), body))
    }

    fn request(&self, ask: &Ask) -> worker::Result<Request> {
        let headers = Headers::new();
        let mut init = RequestInit::new();
        if let Some(token) = settings::text(self.env, TOKEN) {
            headers.set("authorization", &["Bearer ", token.trim()].concat())?;
        }
        if let Some(body) = &ask.body {
            headers.set("content-type", "application/json")?;
            init.with_method(Method::Post)
                .with_body(Some(body.as_str().into()));
        }
        // The token is for this address alone.
        init.with_headers(headers).with_redirect(RequestRedirect::Manual);
        Request::new_with_init(&[self.settings.url.as_str(), &ask.path].concat(), &init)
    }
}

/// Ends a request that nobody waits for any more: its connection is one of few.
#[derive(Default)]
struct Cut(AbortController);

impl Drop for Cut {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).abort();
    }
}

async fn limited(answer: &mut Response) -> Result<Vec<u8>, Kind> {
    let mut body = Vec::new();
    let mut stream = answer.stream().map_err(|_| Kind::Protocol)?;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Kind::Unreachable)?;
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Kind::Protocol);
        }
        body.extend(chunk);
    }
    Ok(body)
}

/// What is wrong, without Milvus's words, which may quote what was sent.
fn kind(refusal: Refusal) -> Kind {
    match refusal.problem {
        Problem::Credentials => Kind::Credentials,
        Problem::Missing => Kind::Missing,
        Problem::Busy => Kind::Busy,
        Problem::Full => Kind::Full,
        Problem::NoSuchPath | Problem::Refused | Problem::Unreadable => Kind::Protocol,
    }
}

/// An answer that needs no segment.
fn gathered(reply: Reply, matching: Option<Matching>) -> Gathered {
    Gathered {
        replies: vec![(reply, Found::default())],
        whole: true,
        matching,
        ..Gathered::default()
    }
}

/// What came back, in the layout of other workers' answers and held to the same checks; the head is left out.
fn reply(head: &Head, bundle: &str, rows: Vec<Row>, query: Option<&[f32]>) -> Result<Reply, Kind> {
    let videos = rows.into_iter().filter(|row| row.video != HEAD_ID);
    let stored = videos.map(|row| {
        let id = ItemId::new(row.video).map_err(|_| Kind::Protocol)?;
        Stored::read(head, id, query, &row.entry).map_err(|_| Kind::Mismatch)
    });
    let stored = stored.collect::<Result<Vec<Stored<'_>>, Kind>>()?;
    let answer = Answer {
        dim: head.mean.len(),
        entries: &stored,
        source: Source::Personal,
        bundle,
        degraded: None,
    };
    Reply::open(&answer.to_bytes()).map_err(|_| Kind::Protocol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use recsys_core::candidates::Entry;
    use recsys_core::catalogue::ItemFacts;
    use recsys_core::cowatch::Neighbour;
    use recsys_core::milvus::Entity;

    const BUNDLE: &str = "0123456789abcdef";
    const DIM: usize = 8;

    struct Video {
        id: &'static str,
        codes: [i8; DIM],
    }

    impl Entry for Video {
        fn id(&self) -> &str {
            self.id
        }

        fn card(&self) -> &str {
            "{\"name\":\"a \\\"name\\\"\"}"
        }

        fn facts(&self) -> ItemFacts {
            ItemFacts::unknown()
        }

        fn cell(&self) -> u32 {
            7
        }

        fn score(&self) -> f32 {
            0.0
        }

        fn vector(&self) -> (f32, &[i8]) {
            (0.01, &self.codes)
        }

        fn mean(&self) -> Option<&[f32]> {
            Some(&[0.125; DIM])
        }

        fn neighbours(&self) -> Vec<Neighbour> {
            vec![Neighbour { item: 5, weight: 9 }]
        }
    }

    fn head() -> Head {
        Head {
            contents: "fedcba9876543210".to_owned(),
            items: 2,
            sequence: 1,
            mean: vec![0.125; DIM],
        }
    }

    /// An entity as Milvus gives it back.
    fn row(entity: &Entity) -> Row {
        let value = serde_json::to_value(entity).unwrap();
        let text = |field: &str| {
            value
                .get(field)
                .and_then(serde_json::Value::as_str)
                .unwrap()
                .to_owned()
        };
        Row {
            video: text("video"),
            entry: text("entry"),
        }
    }

    fn videos() -> Vec<Row> {
        let near = Video {
            id: "near",
            codes: [100, 0, 0, 0, 0, 0, 0, 0],
        };
        let far = Video {
            id: "far",
            codes: [-100, 0, 0, 0, 0, 0, 0, 0],
        };
        [far, near]
            .iter()
            .map(|video| row(&Entity::of(video, None).unwrap()))
            .collect()
    }

    #[test]
    fn videos_come_with_the_shards_scores_and_the_head_is_none() {
        let mut rows = videos();
        rows.insert(1, row(&head().entity()));
        let query = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let found = reply(&head(), BUNDLE, rows, Some(&query)).unwrap();
        let entries: Vec<_> = found.entries().collect();
        let scores: Vec<(&str, f32)> = entries.iter().map(|entry| (entry.id(), entry.score())).collect();
        assert_eq!(scores, [("far", -0.875), ("near", 1.125)]);
        assert_eq!(found.bundle(), BUNDLE);
    }

    #[test]
    fn what_is_no_entity_of_this_collection_is_refused() {
        let refused = |change: fn(&mut Row)| {
            let mut rows = videos();
            change(rows.last_mut().unwrap());
            reply(&head(), BUNDLE, rows, None).err()
        };
        assert_eq!(refused(|_| ()), None);
        assert_eq!(refused(|row| row.entry.clear()), Some(Kind::Mismatch));
        assert_eq!(refused(|row| row.entry.truncate(100)), Some(Kind::Mismatch));
        assert_eq!(refused(|row| row.video.clear()), Some(Kind::Protocol));
        assert_eq!(refused(|row| row.video.push('\t')), Some(Kind::Protocol));
        let other = Head {
            mean: vec![0.0; 16],
            ..head()
        };
        assert_eq!(reply(&other, BUNDLE, videos(), None).err(), Some(Kind::Mismatch));
    }
}

//! Asking Milvus.

use crate::tls;
use anyhow::{Context, Result, bail, ensure};
use recsys_core::milvus::{self, Api, Ask, Collection, HEAD_ID, Head, Problem, Refusal, Row};
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body, Error};

/// Where the token is looked for, where no file is named.
const TOKEN: &str = "MILVUS_TOKEN";
/// The most bytes of an answer.
const MAX_ANSWER: u64 = 1 << 26;
/// How long an answer may take: Milvus makes an index and loads it before it answers.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(10);
/// How often something is asked, and how long is waited before the second time; each later one waits twice as long.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// Which Milvus.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where Milvus answers
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:19530")]
    url: String,
    /// Name of the collections; each has its bundle's name behind it
    #[arg(long, value_name = "NAME", default_value = "recsys")]
    pub collection: String,
    /// Version of the REST API: v1 is that of Milvus 2.3, v2 came with 2.4
    #[arg(long, default_value = "auto", value_parser = ["auto", "v1", "v2"])]
    api: String,
    /// File with the token, `user:password` or a key [default: the variable MILVUS_TOKEN, or none]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Why there is no answer.
enum Silence {
    /// Nothing was sent.
    NotSent(String),
    /// Whether what was sent was done is not known.
    Unsure(String),
    /// Another try changes nothing.
    Never(String),
}

/// What came of a request that changes something.
pub enum Change {
    /// It was done.
    Done,
    /// Whether it was done is not known.
    Unsure(String),
}

/// A Milvus that answered.
pub struct Client {
    agent: Agent,
    url: String,
    token: Option<String>,
    /// The version of its API.
    pub api: Api,
}

impl Client {
    /// Finds out which API answers.
    ///
    /// # Errors
    /// A setting is none, there is no Milvus, or it does not take the token.
    pub fn open(options: &Options) -> Result<Self> {
        let Options { url, collection, .. } = options;
        let secure = url.starts_with("https://");
        ensure!(
            secure || url.starts_with("http://"),
            "--url {url}: expected an address, http://… or https://…"
        );
        // Messages quote the address.
        ensure!(
            !url.contains('@'),
            "--url: expected an address without a name or password; they go into --token-file or {TOKEN}, as `user:password`"
        );
        ensure!(
            milvus::is_name(collection),
            "--collection {collection:?}: expected letters, digits and _, at most 200, no digit first; Milvus takes no other name"
        );
        let config = Agent::config_builder()
            .user_agent(concat!("recsys/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(PATIENCE));
        let config = match secure {
            true => config.tls_config(tls::config()?),
            false => config,
        };
        let mut client = Self {
            agent: config.build().into(),
            url: url.trim_end_matches('/').to_owned(),
            token: token(options)?,
            api: Api::V2,
        };
        let wanted = Api::ALL
            .into_iter()
            .filter(|api| [api.name(), "auto"].contains(&options.api.as_str()));
        for api in wanted {
            client.api = api;
            match client.read(&api.list(), milvus::collections) {
                Ok(_) => return Ok(client),
                Err(error) => match error.downcast_ref::<Refusal>() {
                    Some(Refusal {
                        problem: Problem::NoSuchPath,
                        ..
                    }) => {}
                    _ => return Err(error),
                },
            }
        }
        let versions = if options.api == "auto" {
            "v1 or v2"
        } else {
            &options.api
        };
        bail!(
            "--url {url}: expected Milvus with its REST API {versions}, found a server that has no such path; name the address of \
             Milvus's proxy (port 19530), or another --api"
        );
    }

    /// Asks something that changes nothing, as often as it takes.
    ///
    /// # Errors
    /// No answer, or a refusal, which is a [`Refusal`] below what is said of it.
    fn read<T>(&self, ask: &Ask, read: impl Fn(u16, &[u8]) -> Result<T, Refusal>) -> Result<T> {
        let mut tries = Tries::default();
        loop {
            let why = match self.send(ask) {
                Ok((status, body)) => match read(status, &body) {
                    Ok(value) => return Ok(value),
                    Err(refusal) if refusal.problem == Problem::Busy => refusal.message,
                    Err(refusal) => return Err(self.refused(refusal, &body)),
                },
                Err(Silence::NotSent(why) | Silence::Unsure(why)) => why,
                Err(Silence::Never(why)) => bail!(why),
            };
            tries.pause(&self.url, why)?;
        }
    }

    /// Asks for a change, as often as it takes until it is done or nobody knows.
    ///
    /// # Errors
    /// It was not done.
    pub fn change(&self, ask: &Ask) -> Result<Change> {
        let mut tries = Tries::default();
        loop {
            let why = match self.send(ask) {
                Ok((status, body)) => match milvus::done(status, &body) {
                    Ok(()) => return Ok(Change::Done),
                    Err(refusal) if refusal.problem == Problem::Busy => refusal.message,
                    Err(refusal) => return Err(self.refused(refusal, &body)),
                },
                Err(Silence::Unsure(why)) => return Ok(Change::Unsure(why)),
                Err(Silence::NotSent(why)) => why,
                Err(Silence::Never(why)) => bail!(why),
            };
            tries.pause(&self.url, why)?;
        }
    }

    /// Asks for a change that may be done twice.
    ///
    /// # Errors
    /// It was not done.
    pub fn change_again(&self, ask: &Ask) -> Result<()> {
        self.read(ask, milvus::done)
    }

    fn send(&self, ask: &Ask) -> Result<(u16, Vec<u8>), Silence> {
        let url = [self.url.as_str(), &ask.path].concat();
        let answer = match (&ask.body, &self.token) {
            (None, None) => self.agent.get(url).call(),
            (None, Some(token)) => self.agent.get(url).header("authorization", token).call(),
            (Some(body), token) => {
                let mut post = self.agent.post(url).header("content-type", "application/json");
                if let Some(token) = token {
                    post = post.header("authorization", token);
                }
                post.send(body)
            }
        };
        let answer = answer.and_then(|response: Response<Body>| {
            let status = response.status().as_u16();
            let body = response
                .into_body()
                .into_with_config()
                .limit(MAX_ANSWER)
                .read_to_vec()?;
            Ok((status, body))
        });
        answer.map_err(|error| self.silence(&error))
    }

    fn silence(&self, error: &Error) -> Silence {
        let url = &self.url;
        let why = format!("--url {url}: no answer: {error}");
        match error {
            Error::HostNotFound | Error::ConnectionFailed => Silence::NotSent(why),
            Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => Silence::NotSent(why),
            Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => Silence::NotSent(why),
            Error::Io(io) if is_tls(&io.to_string()) => Silence::Never(no_tls(url, &why)),
            Error::Rustls(_) | Error::Tls(_) => Silence::Never(no_tls(url, &why)),
            Error::Protocol(_) | Error::Http(_) => Silence::Never(format!(
                "{why}; expected Milvus's REST API: a server of TLS wants https:// instead of http://"
            )),
            _ => Silence::Unsure(why),
        }
    }

    fn refused(&self, refusal: Refusal, body: &[u8]) -> anyhow::Error {
        let url = &self.url;
        let said = match refusal.problem {
            Problem::Credentials => format!(
                "--url {url}: Milvus does not take the token; expected `user:password` or a key in --token-file or {TOKEN}, found \
                 {}",
                if self.token.is_some() { "another" } else { "none" }
            ),
            Problem::Full => {
                format!("--url {url}: Milvus has no room; give it more memory or disk, or raise its quota")
            }
            Problem::Unreadable if body.windows(5).any(|bytes| bytes == b"HTTPS") => {
                format!("--url {url}: the server speaks TLS; name it with https://")
            }
            Problem::Unreadable => format!(
                "--url {url}: expected an answer of Milvus's REST API {}, found another; name the address of Milvus's proxy",
                self.api.name()
            ),
            _ => format!("--url {url}: Milvus refuses"),
        };
        anyhow::Error::new(refusal).context(said)
    }

    /// The names of all collections.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub fn collections(&self) -> Result<Vec<String>> {
        self.read(&self.api.list(), milvus::collections)
    }

    /// What a collection is.
    ///
    /// # Errors
    /// It is not there, or there is no answer.
    pub fn describe(&self, collection: &str) -> Result<Collection> {
        self.read(&self.api.describe(collection), milvus::described)
    }

    /// How many entities a collection has.
    ///
    /// # Errors
    /// It is not there, or there is no answer.
    pub fn count(&self, collection: &str) -> Result<usize> {
        self.read(&self.api.count(collection, ""), milvus::count)
    }

    /// What is said of a collection in itself, where it was loaded to its end.
    ///
    /// # Errors
    /// It is not there, or there is no answer.
    pub fn head(&self, collection: &str) -> Result<Option<Head>> {
        let ask = self.api.query(collection, &milvus::among(&[HEAD_ID]), 1);
        let rows = self.read(&ask, |status, body| milvus::rows(status, body, 1))?;
        Ok(rows.first().and_then(|row| Head::read(&row.entry).ok()))
    }

    /// The nearest entities to a vector.
    ///
    /// # Errors
    /// The collection is not there, or there is no answer.
    pub fn nearest(&self, collection: &str, vector: &[f32], k: usize) -> Result<Vec<Row>> {
        let ask = self.api.search(collection, vector, k, "");
        self.read(&ask, |status, body| milvus::rows(status, body, k))
    }

    /// Removes a collection.
    ///
    /// # Errors
    /// It is not there, or stays.
    pub fn remove(&self, collection: &str) -> Result<()> {
        self.change_again(&self.api.drop(collection)).or_else(|error| {
            let gone = |refusal: &Refusal| refusal.problem == Problem::Missing;
            match error.downcast_ref::<Refusal>().is_some_and(gone) {
                true => Ok(()),
                false => Err(error),
            }
        })
    }
}

#[derive(Default)]
struct Tries(u32);

impl Tries {
    /// Waits before another try, unless there were enough.
    fn pause(&mut self, url: &str, why: String) -> Result<()> {
        self.0 += 1;
        ensure!(
            self.0 < TRIES,
            "{why}; tried {TRIES} times. Is Milvus running at {url}? Start it, or name its address with --url"
        );
        std::thread::sleep(PAUSE * 2u32.pow(self.0 - 1));
        Ok(())
    }
}

/// What the header says, where there is a token.
fn token(options: &Options) -> Result<Option<String>> {
    let token = match &options.token_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            ensure!(
                !text.trim().is_empty(),
                "{}: expected a token, `user:password` or a key, found nothing",
                path.display()
            );
            Some(text)
        }
        None => std::env::var(TOKEN).ok().filter(|text| !text.trim().is_empty()),
    };
    Ok(token.map(|token| ["Bearer ", token.trim()].concat()))
}

fn is_tls(error: &str) -> bool {
    ["InvalidContentType", "corrupt message", "tls", "TLS"]
        .iter()
        .any(|word| error.contains(word))
}

fn no_tls(url: &str, why: &str) -> String {
    format!(
        "{why}; expected TLS at {url}, as https says: where the server speaks plain HTTP, name it with http://"
    )
}

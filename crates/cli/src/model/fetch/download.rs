//! One file over HTTP: continued where an earlier try stopped, and kept only with the SHA-256 that it must have.

use super::host::Host;
use super::part::Part;
use crate::files;
use anyhow::{Result, bail};
use indicatif::ProgressBar;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, IF_RANGE, RANGE};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, Error};

/// No file of a model that says no length is larger.
const MOST_UNKNOWN: u64 = 1 << 24;

const ELSEWHERE: &str = "without a network, put the files into a folder and name it with --from DIR; or name a mirror with --mirror URL";

/// How long is waited, and how often something is tried.
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the next bytes.
    pub silence: Duration,
    /// Before the second try; each later one waits twice as long.
    pub pause: Duration,
    /// Tries that bring nothing new.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            silence: Duration::from_secs(30),
            pause: Duration::from_millis(500),
            tries: 4,
        }
    }
}

/// What is wanted.
pub struct Want<'a> {
    pub url: &'a str,
    /// Its length, where it is known.
    pub bytes: Option<u64>,
    pub sha256: &'a str,
}

/// How a try ended.
enum Try {
    /// With all of it.
    Whole,
    /// Before that; another try may help.
    Cut(String),
}

/// Downloads a file to `dest`, unless it is there already.
///
/// # Errors
/// It cannot be had, is another, or cannot be written.
pub fn download(
    host: &Host,
    want: &Want<'_>,
    dest: &Path,
    patience: &Patience,
    bar: &ProgressBar,
) -> Result<()> {
    if let Ok(there) = File::open(dest).and_then(files::digest)
        && there.sha256() == want.sha256
    {
        return Ok(());
    }
    let agent = host.agent(patience.connect, patience.silence);
    let mut part = Part::open(dest)?;
    // Bytes of several answers may not belong together: then it is tried once more from the start.
    let (mut pieces, mut again) = (part.len() > 0, true);
    loop {
        match fetch(&agent, want, &mut part, patience, bar) {
            Ok(several) => pieces |= several,
            Err(error) if part.len() > 0 => return Err(error),
            Err(error) => {
                part.discard()?;
                return Err(error);
            }
        }
        let found = part.sha256();
        if found == want.sha256 {
            return part.finish(dest);
        }
        if !(pieces && again) {
            let bytes = part.len();
            part.discard()?;
            bail!(
                "{}: expected SHA-256 {}, found {found} ({bytes} bytes): it is another file or was changed on the way; name \
                 another mirror with --mirror URL, or take the files from elsewhere with --from DIR",
                want.url,
                want.sha256
            );
        }
        again = false;
        part.restart(None)?;
    }
}

/// Tries until all bytes are there; says whether they came in several pieces.
fn fetch(
    agent: &Agent,
    want: &Want<'_>,
    part: &mut Part,
    patience: &Patience,
    bar: &ProgressBar,
) -> Result<bool> {
    let (mut furthest, mut tries, mut asked) = (part.len(), 0, 0);
    while want.bytes != Some(part.len()) {
        asked += 1;
        let why = match ask(agent, want, part, bar)? {
            Try::Whole => break,
            Try::Cut(why) => why,
        };
        if part.len() > furthest {
            (furthest, tries) = (part.len(), 0);
        }
        tries += 1;
        if tries >= patience.tries {
            let here = part.len();
            bail!(
                "{}: {why}; {here} bytes are here, run again to go on from there; {ELSEWHERE}",
                want.url
            );
        }
        if tries > 1 {
            std::thread::sleep(patience.pause * 2u32.pow(tries - 2));
        }
    }
    Ok(asked > 1)
}

fn header(response: &Response<Body>, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// Start and whole length of a `Content-Range`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, whole) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-')?.0.parse().ok()?;
    Some((start, whole.parse().ok()))
}

/// One request, and what comes of it.
fn ask(agent: &Agent, want: &Want<'_>, part: &mut Part, bar: &ProgressBar) -> Result<Try> {
    if want.bytes.is_some_and(|bytes| part.len() > bytes) {
        part.restart(None)?;
    }
    let mut request = agent.get(want.url);
    if part.len() > 0 {
        request = request.header(RANGE, format!("bytes={}-", part.len()));
        // A weak one does not say that the bytes are the same.
        if let Some(etag) = part.etag().filter(|etag| !etag.starts_with("W/")) {
            request = request.header(IF_RANGE, etag);
        }
    }
    let response = match request.call() {
        Ok(response) => response,
        Err(error) => return unreachable(want, part, error),
    };
    let etag = header(&response, ETAG).map(str::to_owned);
    match response.status() {
        StatusCode::OK => part.restart(etag.as_deref())?,
        StatusCode::PARTIAL_CONTENT => {
            let range = header(&response, CONTENT_RANGE).and_then(content_range);
            let fits = range.is_some_and(|(start, whole)| {
                start == part.len() && (whole.is_none() || whole == want.bytes)
            });
            if !fits || etag != part.etag() {
                part.restart(None)?;
                return Ok(Try::Cut("the server goes on with another file".to_owned()));
            }
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            part.restart(None)?;
            return Ok(Try::Cut("the server has less than is here".to_owned()));
        }
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Ok(Try::Cut(format!("the server answers {status}")));
        }
        status => return Err(refusal(want, status)),
    }
    receive(response, want, part, bar)
}

/// Takes in the body of an answer.
fn receive(response: Response<Body>, want: &Want<'_>, part: &mut Part, bar: &ProgressBar) -> Result<Try> {
    let announced = header(&response, CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
    let whole = announced.map(|rest| rest.saturating_add(part.len()));
    if let (Some(expected), Some(whole)) = (want.bytes, whole)
        && expected != whole
    {
        bail!(
            "{}: expected {expected} bytes, the server has {whole}: it is another file; name another mirror with --mirror URL",
            want.url
        );
    }
    let most = want.bytes.unwrap_or(MOST_UNKNOWN);
    if want.bytes.is_none() {
        bar.set_length(whole.unwrap_or(0));
    }
    let (mut body, mut buffer) = (response.into_body(), vec![0; 1 << 16]);
    let mut reader = body.as_reader();
    loop {
        bar.set_position(part.len());
        let bytes = match reader.read(&mut buffer) {
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(error) => return Ok(Try::Cut(format!("the connection broke: {error}"))),
        };
        if bytes.is_empty() {
            let short = want.bytes.or(whole).is_some_and(|expected| part.len() < expected);
            return Ok(match short {
                true => Try::Cut("the connection was closed early".to_owned()),
                false => Try::Whole,
            });
        }
        if part.len() + bytes.len() as u64 > most {
            bail!(
                "{}: expected at most {most} bytes, more come: it is another file; name another mirror with --mirror URL",
                want.url
            );
        }
        part.append(bytes)?;
    }
}

/// No answer. Where something came before, it is tried again.
fn unreachable(want: &Want<'_>, part: &Part, error: Error) -> Result<Try> {
    match error {
        Error::TooManyRedirects => bail!("{}: too many redirects; {ELSEWHERE}", want.url),
        Error::RequireHttpsOnly(to) => bail!(
            "{}: redirected to {to}, which is not https; {ELSEWHERE}",
            want.url
        ),
        error if part.len() > 0 => Ok(Try::Cut(format!("no answer: {error}"))),
        error => bail!("{}: no answer: {error}; {ELSEWHERE}", want.url),
    }
}

/// An answer that no further try changes.
fn refusal(want: &Want<'_>, status: StatusCode) -> anyhow::Error {
    let remedy = match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            "the host has no such file; name another with --mirror URL"
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "the host wants a login or does not serve it; fetch the files by other means and name their folder with --from DIR"
        }
        _ => "name another host with --mirror URL",
    };
    anyhow::anyhow!("{}: the server answers {status}; {remedy}", want.url)
}

//! Which pages of other origins may read answers (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! An origin is on the owner's list or it is not: no wildcard, no credentials, and an origin that is not on the list gets the
//! answer without a header that would let its page read it.

use worker::{Headers, Request, Result, Url};

/// How long a browser may keep what a preflight says, in seconds: two hours, the most that Chromium takes.
const MAX_AGE_S: &str = "7200";
/// Header fields that our own browser module sets.
const FIELDS: &str = "accept, content-type";
/// Beside those that every page may read.
const EXPOSED: &str = "retry-after";

/// The origins of `ALLOWED_ORIGINS`; none where it is not set.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Reads origins, separated by commas, each as a browser sends it.
    ///
    /// # Errors
    /// One of them is no origin of `http` or `https`: a wildcard, a path, a default port.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let origins = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let checked = origins.map(|part| match is_origin(part) {
            true => Ok(part.to_owned()),
            false => Err(format!(
                "found {part:?}; expected origins as browsers send them, separated by commas, such as https://shop.example or \
                 http://localhost:8080: lower case, no path, no slash at the end, no default port, no wildcard"
            )),
        });
        checked.collect::<std::result::Result<_, _>>().map(Self)
    }

    /// Lets the page that asked read an answer, where its origin is on the list; to a preflight also says what may be sent.
    ///
    /// # Errors
    /// A header cannot be set.
    pub fn apply(&self, caller: &Caller, headers: &mut Headers) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        // Caches must not give one origin's answer to another.
        headers.append("vary", "origin")?;
        let Some(origin) = self.0.iter().find(|own| caller.origin.as_ref() == Some(*own)) else {
            return Ok(());
        };
        headers.set("access-control-allow-origin", origin)?;
        headers.set("access-control-expose-headers", EXPOSED)?;
        // Only an answer that says which methods there are is one to a preflight.
        let methods = headers.get("allow")?.filter(|_| caller.preflight);
        if let Some(methods) = methods {
            headers.set("access-control-allow-methods", &methods)?;
            headers.set("access-control-allow-headers", FIELDS)?;
            headers.set("access-control-max-age", MAX_AGE_S)?;
        }
        Ok(())
    }
}

/// What of a request says who may read its answer.
pub struct Caller {
    origin: Option<String>,
    preflight: bool,
}

impl Caller {
    /// Who sent a request.
    ///
    /// # Errors
    /// Its headers cannot be read.
    pub fn of(request: &Request) -> Result<Self> {
        let headers = request.headers();
        let asks = headers.has("access-control-request-method")?;
        Ok(Self {
            origin: headers.get("origin")?,
            preflight: asks && request.method() == worker::Method::Options,
        })
    }
}

fn is_origin(text: &str) -> bool {
    let web = |url: &Url| matches!(url.scheme(), "http" | "https");
    // A host may be spelt with an asterisk, but the one who wrote it means others.
    let url = Url::parse(text)
        .ok()
        .filter(|url| web(url) && !text.contains('*'));
    url.is_some_and(|url| url.origin().ascii_serialization() == text)
}

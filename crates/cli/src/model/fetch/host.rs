//! Who is asked, and how.

use crate::tls;
use anyhow::{Result, ensure};
use std::time::Duration;
use ureq::Agent;
use ureq::tls::TlsConfig;

const HUGGING_FACE: &str = "https://huggingface.co";
/// What Hugging Face's own tools read.
const ENDPOINT: &str = "HF_ENDPOINT";
const REDIRECTS: u32 = 5;

/// A host of models.
pub struct Host {
    base: String,
    tls: Option<TlsConfig>,
}

impl Host {
    /// By its address; where there is none, that of `HF_ENDPOINT`, or Hugging Face.
    ///
    /// # Errors
    /// The address is none, or this system has no certificates.
    pub fn new(address: Option<&str>) -> Result<Self> {
        let endpoint = || std::env::var(ENDPOINT).ok().filter(|text| !text.is_empty());
        let base = address.map(str::to_owned).or_else(endpoint);
        let base = base.unwrap_or_else(|| HUGGING_FACE.to_owned());
        let secure = base.starts_with("https://");
        ensure!(
            secure || base.starts_with("http://"),
            "--mirror {base}: expected an address, http://… or https://…"
        );
        let tls = if secure { Some(tls::config()?) } else { None };
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            tls,
        })
    }

    /// A file's address.
    pub fn url(&self, repository: &str, revision: &str, path: &str) -> String {
        format!("{}/{repository}/resolve/{revision}/{path}", self.base)
    }

    /// What asks. Where the address is https, redirects to http are refused.
    pub fn agent(&self, connect: Duration, silence: Duration) -> Agent {
        let config = Agent::config_builder()
            .user_agent(concat!("recsys/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .https_only(self.tls.is_some())
            .max_redirects(REDIRECTS)
            .timeout_connect(Some(connect))
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence));
        match &self.tls {
            Some(tls) => config.tls_config(tls.clone()).build().into(),
            None => config.build().into(),
        }
    }
}

//! Who is asked, and how.

use anyhow::{Result, ensure};
use rustls::crypto::ring;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

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
        let tls = if secure { Some(tls()?) } else { None };
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

fn tls() -> Result<TlsConfig> {
    // Another part of the program may have chosen before; then that one holds.
    let _ = ring::default_provider().install_default();
    let found = rustls_native_certs::load_native_certs();
    ensure!(
        !found.certs.is_empty(),
        "this system has no certificates to check https by; install ca-certificates, or name a file of them in SSL_CERT_FILE"
    );
    let certificates = found
        .certs
        .iter()
        .map(|der| Certificate::from_der(der).to_owned());
    let roots = RootCerts::new_with_certs(&certificates.collect::<Vec<_>>());
    Ok(TlsConfig::builder().root_certs(roots).build())
}

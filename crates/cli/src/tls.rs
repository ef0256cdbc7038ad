//! By which certificates https is checked: the system's, so that a company's own and a mirror's count.

use anyhow::{Result, ensure};
use rustls::crypto::ring;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// What the HTTP clients need for https.
///
/// # Errors
/// This system has no certificates.
pub fn config() -> Result<TlsConfig> {
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

//! Whether a manifest is to be used: signed by a key that the site's owner trusts.

use crate::settings;
use recsys_core::envelope::{Envelope, PublicKey};
use recsys_core::manifest::Manifest;
use worker::Env;

/// The variable with the trusted keys, separated by commas. Where it is not set, no signature is asked for.
const KEYS: &str = "BUNDLE_KEYS";

/// The bundle's name and the manifest of `manifest.json`.
///
/// # Errors
/// It is damaged, or keys are set and none of them has signed it; or what is set is no list of keys.
pub fn open(env: &Env, file: &[u8]) -> Result<(String, Manifest), String> {
    let envelope = Envelope::parse(file).map_err(|e| e.to_string())?;
    // An empty list is no leave to trust everybody.
    if let Some(keys) = settings::given(env, KEYS) {
        let keys = PublicKey::parse_list(&keys).map_err(|e| format!("variable {KEYS}: {e}"))?;
        envelope.verify(&keys).map_err(|e| e.to_string())?;
    }
    let bytes = envelope.manifest_bytes();
    let manifest = Manifest::parse(bytes).map_err(|e| e.to_string())?;
    Ok((recsys_core::manifest::bundle_id(bytes), manifest))
}

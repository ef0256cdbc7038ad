//! Whether a manifest is to be used: signed by a key that the page trusts, and not older than one that was seen here.

use crate::failure::Failure;
use crate::host::warn;
use crate::store::Store;
use recsys_core::envelope::{Envelope, PublicKey};
use recsys_core::manifest::{Manifest, bundle_id};
use std::cell::Cell;

/// What is demanded of the manifests of one server.
pub struct Trust {
    /// One of these must have signed; none where nothing is demanded.
    keys: Vec<PublicKey>,
    store: Store,
    /// Under which name the store has the highest sequence seen.
    name: String,
    /// The highest sequence seen since the page was opened.
    seen: Cell<u64>,
}

impl Trust {
    /// What is demanded of the server at `endpoint`; the database need not exist yet.
    pub fn new(keys: Vec<PublicKey>, database: String, endpoint: &str) -> Self {
        Self {
            keys,
            store: Store::new(database),
            name: ["last seen of ", endpoint].concat(),
            seen: Cell::new(0),
        }
    }

    /// The name and the manifest of `manifest.json`.
    ///
    /// # Errors
    /// `BadReply`: it is damaged, not signed by a trusted key, or has a lower sequence than one that was seen.
    pub async fn open(&self, file: &[u8]) -> Result<(String, Manifest), Failure> {
        let envelope = Envelope::parse(file).map_err(Failure::bad_reply)?;
        if !self.keys.is_empty() {
            envelope.verify(&self.keys).map_err(Failure::bad_reply)?;
        }
        let manifest = Manifest::parse(envelope.manifest_bytes()).map_err(Failure::bad_reply)?;
        let (found, seen) = (manifest.sequence, self.see(manifest.sequence).await);
        if found < seen {
            return Err(Failure::bad_reply(format!(
                "manifest.json: expected sequence {seen}, which was seen here, or a higher one, found {found}; \
                publish older content with `recsys publish --as-new`"
            )));
        }
        Ok((bundle_id(envelope.manifest_bytes()), manifest))
    }

    /// The highest sequence seen, this one among them. Where the store fails, since the page was opened.
    async fn see(&self, sequence: u64) -> u64 {
        let sequence = sequence.max(self.seen.get());
        let seen = match self.store.raise(&self.name, sequence).await {
            Ok(seen) => seen,
            Err(failure) => {
                warn(&failure.message);
                sequence
            }
        };
        self.seen.set(seen);
        seen
    }
}

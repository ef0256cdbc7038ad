//! Private keys, and how a bundle gets its signatures.

use anyhow::{Context, Result, anyhow, ensure};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{Signer as _, SigningKey};
use recsys_core::envelope::{self, MAX_SIGNATURES, PublicKey, Signature};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A list of key files, separated as in `PATH`, that sign where `--sign` is not given.
pub const VARIABLE: &str = "RECSYS_SIGNING_KEY";

/// Options of every command that writes a bundle.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Signing {
    /// Sign the manifest with this Ed25519 key (PKCS#8 PEM, see `recsys key new`); several times for several signatures.
    /// Where not given, with the files that $RECSYS_SIGNING_KEY lists
    #[arg(long, value_name = "KEY.pem")]
    sign: Vec<PathBuf>,
    /// Write no signature, even where one is replaced
    #[arg(long, conflicts_with = "sign")]
    unsigned: bool,
}

impl Signing {
    /// Reads the keys.
    ///
    /// # Errors
    /// A key that cannot be read, is there twice, or is one too many.
    pub fn signer(&self) -> Result<Signer> {
        let listed = std::env::var_os(VARIABLE).filter(|_| self.sign.is_empty() && !self.unsigned);
        let listed: Vec<PathBuf> = listed
            .iter()
            .flat_map(std::env::split_paths)
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        let mut keys: Vec<(PublicKey, SigningKey)> = Vec::new();
        for path in self.sign.iter().chain(&listed) {
            let key = read(path)?;
            let public = public(&key)?;
            ensure!(
                keys.iter().all(|(other, _)| other.id() != public.id()),
                "{}: the key {} is given twice; give each key once",
                path.display(),
                public.id()
            );
            keys.push((public, key));
        }
        ensure!(
            keys.len() <= MAX_SIGNATURES,
            "expected at most {MAX_SIGNATURES} keys, found {}; leave out those that no reader trusts",
            keys.len()
        );
        Ok(Signer {
            keys,
            unsigned: self.unsigned,
        })
    }
}

/// Signs manifests.
pub struct Signer {
    keys: Vec<(PublicKey, SigningKey)>,
    unsigned: bool,
}

impl Signer {
    /// Whether there is a key to sign with.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether signatures are to be left out.
    pub const fn is_unsigned(&self) -> bool {
        self.unsigned
    }

    /// `manifest.json` of a manifest, with a signature by each key.
    pub fn seal(&self, manifest: &[u8]) -> Vec<u8> {
        let message = envelope::message(manifest);
        let sign = |(public, key): &(PublicKey, SigningKey)| Signature {
            key: public.id(),
            bytes: key.sign(&message).to_bytes(),
        };
        envelope::seal(manifest, &self.keys.iter().map(sign).collect::<Vec<_>>())
    }

    /// Holds what is written, with so many signatures, to what it replaces.
    ///
    /// # Errors
    /// The old manifest was signed, and the new one is not.
    pub fn check_replaces(&self, old_is_signed: bool, new_signatures: usize, path: &str) -> Result<()> {
        ensure!(
            !old_is_signed || new_signatures > 0 || self.unsigned,
            "{path}: the bundle is signed, and readers that trust a key would refuse one that is not; sign the new one with \
            `--sign KEY.pem` or {VARIABLE}, or pass --unsigned"
        );
        Ok(())
    }

    /// As [`Signer::check_replaces`], for a manifest that this signs.
    ///
    /// # Errors
    /// Those of [`Signer::check_replaces`].
    pub fn check_signs(&self, old_is_signed: bool, path: &str) -> Result<()> {
        self.check_replaces(old_is_signed, self.keys.len(), path)
    }
}

/// Makes a key of the operating system's randomness in a new file that its owner alone may read.
///
/// # Errors
/// The file is there already or cannot be written, or there is no randomness.
pub fn create(path: &Path) -> Result<PublicKey> {
    let at = || path.display().to_string();
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| anyhow!("the operating system gave no randomness: {error}"))?;
    let key = SigningKey::from_bytes(&secret);
    // As openssl writes it: without the public key.
    let pem = KeypairBytes {
        secret_key: secret,
        public_key: None,
    }
    .to_pkcs8_pem(LineEnding::LF)
    .map_err(|error| anyhow!("{}: the key cannot be written as PEM: {error}", at()))?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| {
        format!(
            "{}: cannot make the key's file; a key that is there already is never overwritten: choose another --out",
            at()
        )
    })?;
    file.write_all(pem.as_bytes()).with_context(at)?;
    file.sync_all().with_context(at)?;
    public(&key)
}

/// The public half of a private key's file.
///
/// # Errors
/// The file cannot be read, or is no key.
pub fn public_of(path: &Path) -> Result<PublicKey> {
    public(&read(path)?)
}

fn public(key: &SigningKey) -> Result<PublicKey> {
    Ok(PublicKey::from_bytes(key.verifying_key().to_bytes())?)
}

fn read(path: &Path) -> Result<SigningKey> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("{}: cannot read the key", path.display()))?;
    SigningKey::from_pkcs8_pem(&text).map_err(|error| {
        anyhow!(
            "{}: expected an Ed25519 private key as PKCS#8 PEM without a password, as `recsys key new` and \
            `openssl genpkey -algorithm ed25519` write it, found something else ({error})",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use recsys_core::envelope::Envelope;

    /// By OpenSSL 3.0.19, `openssl genpkey -algorithm ed25519`.
    const BY_OPENSSL: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIPdwBRUkHxIpUxEaScwUE34gbXweWpAsNxv5VD3HSw3I\n-----END PRIVATE KEY-----\n";
    const ITS_PUBLIC_KEY: &str = "c40270223d94410f07c3791e2e5e8e94454267441c65e0f5c4778f6c7c853893";

    fn signing(sign: Vec<PathBuf>, unsigned: bool) -> Signing {
        Signing { sign, unsigned }
    }

    #[test]
    fn keys_are_those_of_openssl() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        std::fs::write(&path, BY_OPENSSL).unwrap();
        assert_eq!(public_of(&path).unwrap().to_hex(), ITS_PUBLIC_KEY);
        let own = folder.path().join("own.pem");
        create(&own).unwrap();
        let text = std::fs::read_to_string(&own).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let theirs: Vec<&str> = BY_OPENSSL.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[2]), (3, theirs[0], theirs[2]));
        // The same header, before the secret.
        assert_eq!(lines[1].len(), theirs[1].len());
        assert_eq!(lines[1][..21], theirs[1][..21]);
    }

    #[cfg(unix)]
    #[test]
    fn a_new_key_is_its_owners_alone_and_overwrites_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let public = create(&path).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let before = std::fs::read(&path).unwrap();
        assert!(create(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(public_of(&path).unwrap(), public);
        let other = create(&folder.path().join("other.pem")).unwrap();
        assert_ne!(other, public);
    }

    #[test]
    fn every_key_signs_once() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.pem"), folder.path().join("b.pem"));
        let keys = [create(&a).unwrap(), create(&b).unwrap()];
        let signer = signing(vec![a.clone(), b], false).signer().unwrap();
        let file = signer.seal(b"{}");
        let envelope = Envelope::parse(&file).unwrap();
        for key in keys {
            assert_eq!(envelope.verify(std::slice::from_ref(&key)), Ok(key.id()));
        }
        let twice = signing(vec![a.clone(), a], false).signer().err().unwrap();
        assert!(twice.to_string().contains("twice"), "{twice}");
        let text = folder.path().join("text");
        std::fs::write(&text, "no key").unwrap();
        assert!(signing(vec![text], false).signer().is_err());
    }
}

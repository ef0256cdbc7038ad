//! `manifest.json` as it lies in a bundle: the manifest, and signatures of its bytes.
//!
//! A JSON object of exactly these fields, in this order and without white space around them, at most
//! [`manifest::MAX_BYTES`] bytes; behind it there may be white space.
//!
//! | field | type | what |
//! | --- | --- | --- |
//! | `format` | text | `recsys-bundle` |
//! | `version` | number | 2 |
//! | `signatures` | list | at most 16 of `{key, signature}`, in this order, without white space; empty where the bundle is not signed |
//! | `manifest` | object | the manifest, laid out in any way |
//!
//! `key` names the public key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes. `signature` is an Ed25519
//! signature (RFC 8032), 128 hexadecimal digits, of `recsys-bundle manifest v2`, a line feed, and the bytes of the
//! manifest's value as they stand in the file, without what is before and after it. Hexadecimal digits are lower-case.

use crate::json::Shown;
use crate::manifest;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;

/// The most signatures of a manifest.
pub const MAX_SIGNATURES: usize = 16;

const VERSION: &str = "2";
/// Keeps a signature of a manifest from being one of anything else.
const DOMAIN: &[u8] = b"recsys-bundle manifest v2\n";

/// The texts between what changes.
const START: &str = r#"{"format":"recsys-bundle","version":"#;
const SIGNATURES: &str = r#","signatures":["#;
const KEY: &str = r#"{"key":""#;
const SIGNATURE: &str = r#"","signature":""#;
const SIGNED: &str = r#""}"#;
const MANIFEST: &str = r#"],"manifest":"#;
const END: &str = "}";

/// A public key's name: the start of its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

/// An Ed25519 public key that a reader trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    id: KeyId,
}

impl PublicKey {
    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// They are no point of the curve, or one of small order, under which a signature can hold for any message.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NoKey(to_hex(&bytes)))?;
        if key.is_weak() {
            return Err(KeyError::NoKey(to_hex(&bytes)));
        }
        let mut id = [0; 8];
        id.iter_mut()
            .zip(Sha256::digest(bytes))
            .for_each(|(id, byte)| *id = byte);
        Ok(Self { key, id: KeyId(id) })
    }

    /// Reads a key as configurations have it, as `recsys key public` prints it.
    ///
    /// # Errors
    /// No 64 lower-case hexadecimal digits; those of [`PublicKey::from_bytes`].
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let bytes =
            from_hex(text.as_bytes()).ok_or_else(|| KeyError::NoHex(text.chars().take(80).collect()))?;
        Self::from_bytes(bytes)
    }

    /// Reads keys that are separated by commas; spaces around them do not matter.
    ///
    /// # Errors
    /// No key at all; those of [`PublicKey::parse`].
    pub fn parse_list(text: &str) -> Result<Vec<Self>, KeyError> {
        text.split(',').map(|key| Self::parse(key.trim())).collect()
    }

    /// The key's name.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// By the strict rules: neither key nor signature has a part of small order, and the signature is in its one form.
    fn has_signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.key.verify_strict(message, &signature).is_ok()
    }

    /// 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        to_hex(self.key.as_bytes())
    }
}

/// Why a text is no public key.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not of the right form.
    #[error(
        "public key: expected 64 lower-case hexadecimal digits, found {found}; print the key with `recsys key public FILE`",
        found = Shown::from(.0)
    )]
    NoHex(String),
    /// Of the right form, but none that anything can be signed with.
    #[error(
        "public key {0}: expected an Ed25519 key, found 32 other bytes; print the key with `recsys key public FILE`"
    )]
    NoKey(String),
}

/// A signature of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Whose it is said to be.
    pub key: KeyId,
    /// The signature.
    pub bytes: [u8; 64],
}

/// What is signed: the manifest's bytes behind a line that says that they are a manifest.
#[must_use]
pub fn message(manifest: &[u8]) -> Vec<u8> {
    [DOMAIN, trimmed(manifest)].concat()
}

/// `manifest.json`, of a manifest's bytes and signatures of their [`message`].
#[must_use]
pub fn seal(manifest: &[u8], signatures: &[Signature]) -> Vec<u8> {
    let mut head = [START, VERSION, SIGNATURES].concat();
    for (index, Signature { key, bytes }) in signatures.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        for text in [comma, KEY, &to_hex(&key.0), SIGNATURE, &to_hex(bytes), SIGNED] {
            head.push_str(text);
        }
    }
    head.push_str(MANIFEST);
    [head.as_bytes(), trimmed(manifest), END.as_bytes(), b"\n"].concat()
}

/// Without the white space of JSON around it.
fn trimmed(json: &[u8]) -> &[u8] {
    json.trim_ascii()
}

/// `manifest.json`. Its form was checked; neither its signatures were, nor that its manifest is JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    manifest: &'a [u8],
    signatures: Vec<Signature>,
}

impl<'a> Envelope<'a> {
    /// Reads `manifest.json`.
    ///
    /// # Errors
    /// Too long, not of the form, another version, or too many signatures. What stands at the manifest's place may be
    /// anything: [`manifest::Manifest::parse`] refuses what is not one JSON object.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > manifest::MAX_BYTES {
            return Err(EnvelopeError::TooLong(bytes.len()));
        }
        let mut rest = Rest {
            bytes: trimmed(bytes),
            at: 0,
        };
        rest.expect(START)?;
        let digits = rest.bytes.iter().take_while(|byte| byte.is_ascii_digit());
        let version: String = digits.take(10).map(|digit| char::from(*digit)).collect();
        if version != VERSION && !version.is_empty() {
            return Err(EnvelopeError::Version(version));
        }
        rest.expect(VERSION)?;
        rest.expect(SIGNATURES)?;
        let mut signatures = Vec::new();
        while !rest.bytes.starts_with(MANIFEST.as_bytes()) {
            if signatures.len() == MAX_SIGNATURES {
                return Err(EnvelopeError::TooManySignatures);
            }
            if !signatures.is_empty() {
                rest.expect(",")?;
            }
            rest.expect(KEY)?;
            let key = KeyId(rest.hex()?);
            rest.expect(SIGNATURE)?;
            let bytes = rest.hex()?;
            rest.expect(SIGNED)?;
            signatures.push(Signature { key, bytes });
        }
        rest.expect(MANIFEST)?;
        let manifest = rest.bytes.strip_suffix(END.as_bytes());
        // White space here would be in the bundle's name, but in no signature.
        let manifest = manifest.filter(|manifest| trimmed(manifest).len() == manifest.len());
        let manifest = manifest.ok_or(EnvelopeError::NoEnd)?;
        Ok(Self { manifest, signatures })
    }

    /// The manifest's bytes as they stand in the file.
    #[must_use]
    pub const fn manifest_bytes(&self) -> &'a [u8] {
        self.manifest
    }

    /// The signatures, of which none was verified.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Accepts the manifest where one of the trusted keys has signed it, and says which.
    ///
    /// # Errors
    /// No signature, none of a trusted key, or one of a trusted key that does not hold.
    pub fn verify(&self, trusted: &[PublicKey]) -> Result<KeyId, SignatureError> {
        if self.signatures.is_empty() {
            return Err(SignatureError::Unsigned(ids(trusted.iter().map(PublicKey::id))));
        }
        let message = message(self.manifest);
        let mut broken = None;
        for signature in &self.signatures {
            for key in trusted.iter().filter(|key| key.id == signature.key) {
                if key.has_signed(&message, &signature.bytes) {
                    return Ok(key.id);
                }
                broken = Some(key.id);
            }
        }
        Err(match broken {
            Some(key) => SignatureError::Invalid(key),
            None => SignatureError::OtherKeys {
                expected: ids(trusted.iter().map(PublicKey::id)),
                found: ids(self.signatures.iter().map(|signature| signature.key)),
            },
        })
    }
}

/// Names in a message.
fn ids(keys: impl Iterator<Item = KeyId>) -> String {
    keys.map(|key| key.to_string()).collect::<Vec<_>>().join(", ")
}

/// Why `manifest.json` was refused before its manifest was looked at.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EnvelopeError {
    /// Too long to be one.
    #[error("manifest.json has {0} bytes, at most {max} are allowed; rebuild the bundle", max = manifest::MAX_BYTES)]
    TooLong(usize),
    /// Another form than the writer's.
    #[error(
        "manifest.json, byte {at}: expected `{expected}`; fetch it again; a bundle of an older version must be rebuilt with \
        `recsys index`"
    )]
    Form {
        /// Offset in the file.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// Cut off, or with white space around the manifest.
    #[error(
        "manifest.json: expected the manifest without white space around it, and `}}` behind it; fetch it again, or rebuild \
        the bundle"
    )]
    NoEnd,
    /// A version that is not read.
    #[error(
        "manifest.json: version: expected {VERSION}, found {0}; rebuild the bundle with `recsys index` of this version"
    )]
    Version(String),
    /// More signatures than anybody needs.
    #[error("manifest.json: expected at most {MAX_SIGNATURES} signatures, found more; sign the bundle again")]
    TooManySignatures,
}

/// Why a manifest is not to be trusted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SignatureError {
    /// Nobody has signed it.
    #[error(
        "manifest.json: expected a signature by one of the keys {0}, found none; publish the bundle with `--sign KEY.pem`"
    )]
    Unsigned(String),
    /// It was signed by others.
    #[error(
        "manifest.json: expected a signature by one of the keys {expected}, found signatures by {found}; \
        publish the bundle with one of those keys, or trust another one (docs/trust.md)"
    )]
    OtherKeys {
        /// The trusted keys.
        expected: String,
        /// The keys that the signatures name.
        found: String,
    },
    /// A trusted key's name, but not its signature of this manifest.
    #[error(
        "manifest.json: the signature by the key {0} does not hold: the manifest was changed after it was signed; \
        fetch it again, or publish the bundle again"
    )]
    Invalid(KeyId),
}

/// What was not read yet.
struct Rest<'a> {
    bytes: &'a [u8],
    /// Where it starts in the file.
    at: usize,
}

impl Rest<'_> {
    fn expect(&mut self, expected: &'static str) -> Result<(), EnvelopeError> {
        let at = self.at;
        let rest = self.bytes.strip_prefix(expected.as_bytes());
        self.bytes = rest.ok_or(EnvelopeError::Form { at, expected })?;
        self.at += expected.len();
        Ok(())
    }

    fn hex<const N: usize>(&mut self) -> Result<[u8; N], EnvelopeError> {
        let digits = self.bytes.split_at_checked(2 * N);
        let read = digits.and_then(|(digits, rest)| Some((from_hex(digits)?, rest)));
        let (bytes, rest) = read.ok_or(EnvelopeError::Form {
            at: self.at,
            expected: if N == 8 {
                "16 lower-case hexadecimal digits"
            } else {
                "128 lower-case hexadecimal digits"
            },
        })?;
        (self.bytes, self.at) = (rest, self.at + 2 * N);
        Ok(bytes)
    }
}

/// Lower-case hexadecimal digits.
fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
    bytes.iter().flat_map(digits).collect()
}

/// The bytes of exactly so many lower-case hexadecimal digits.
fn from_hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = value(high)? << 4 | value(low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;

//! `manifest.json` as it lies in a bundle: the manifest, and signatures of its bytes.
//!
//! A JSON object of exactly these fields, each once, at most [`manifest::MAX_BYTES`] bytes:
//!
//! | field | type | what |
//! | --- | --- | --- |
//! | `format` | text | `recsys-bundle` |
//! | `version` | number | 2 |
//! | `signatures` | list | at most 16 of `{key, signature}`, at most 8 KiB of text; empty where the bundle is not signed |
//! | `manifest` | object | the manifest |
//!
//! `key` names the public key: the first 16 hexadecimal digits of the SHA-256 of its 32 bytes. `signature` is an Ed25519
//! signature (RFC 8032), 128 hexadecimal digits, of `recsys-bundle manifest v2`, a line feed, and the bytes of the
//! manifest's value as they stand in the file, without what is before and after it. Hexadecimal digits are lower-case.

use crate::json::{self, FromJson, Json, JsonError, Shown};
use crate::manifest;
use ed25519_dalek::VerifyingKey;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;

/// The most signatures of a manifest.
pub const MAX_SIGNATURES: usize = 16;

const FORMAT: &str = "recsys-bundle";
const VERSION: u32 = 2;
/// Keeps a signature of a manifest from being one of anything else.
const DOMAIN: &[u8] = b"recsys-bundle manifest v2\n";
const FIELDS: [&str; 4] = ["format", "version", "signatures", "manifest"];
/// The most bytes of a field beside the manifest, so that their tree stays small.
const MAX_FIELD_BYTES: usize = 8 << 10;

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
        let bytes = from_hex(text).ok_or_else(|| KeyError::NoHex(text.chars().take(80).collect()))?;
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

impl<'a> FromJson<'a> for Signature {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.strict_object(&["key", "signature"], |fields| {
            let Hex(key) = fields.get("key")?;
            let Hex(bytes) = fields.get("signature")?;
            Ok(Self {
                key: KeyId(key),
                bytes,
            })
        })
    }
}

struct Hex<const N: usize>([u8; N]);

impl<'a, const N: usize> FromJson<'a> for Hex<N> {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let text = String::from_json(json)?;
        let bytes = from_hex(&text);
        let found = Shown::from(&text);
        bytes.map(Self).ok_or_else(|| {
            JsonError::new(format!(
                "expected {} lower-case hexadecimal digits, found {found}",
                2 * N
            ))
        })
    }
}

/// What is signed: the manifest's bytes behind a line that says that they are a manifest.
#[must_use]
pub fn message(manifest: &[u8]) -> Vec<u8> {
    [DOMAIN, trimmed(manifest)].concat()
}

/// `manifest.json`, of a manifest's bytes and signatures of their [`message`].
#[must_use]
pub fn seal(manifest: &[u8], signatures: &[Signature]) -> Vec<u8> {
    let signatures: Vec<String> = signatures
        .iter()
        .map(|signature| {
            let (key, bytes) = (signature.key, to_hex(&signature.bytes));
            format!("\n  {{\"key\":\"{key}\",\"signature\":\"{bytes}\"}}")
        })
        .collect();
    let signatures = signatures.join(",");
    let start = format!(
        "{{\"format\":\"{FORMAT}\",\"version\":{VERSION},\"signatures\":[{signatures}],\"manifest\":"
    );
    [start.as_bytes(), trimmed(manifest), b"}\n"].concat()
}

/// Without the white space of JSON around it.
fn trimmed(json: &[u8]) -> &[u8] {
    json.trim_ascii()
}

/// `manifest.json`, its form checked, its signatures and its manifest not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    manifest: &'a [u8],
    signatures: Vec<Signature>,
}

impl<'a> Envelope<'a> {
    /// Reads `manifest.json`.
    ///
    /// # Errors
    /// Too long, not of the form, another version, or too many signatures.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > manifest::MAX_BYTES {
            return Err(EnvelopeError::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| JsonError::new(error.to_string()))?;
        let parts: Parts<'a> =
            serde_json::from_str(text).map_err(|error| JsonError::new(error.to_string()))?;
        let version: u32 = parts.small(1)?;
        if version != VERSION {
            return Err(EnvelopeError::Version(version));
        }
        if let Some(name) = parts.unknown {
            return Err(EnvelopeError::Unknown(name));
        }
        let format: String = parts.small(0)?;
        if format != FORMAT {
            return Err(EnvelopeError::Format(format));
        }
        let signatures: Vec<Signature> = parts.small(2)?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(EnvelopeError::TooManySignatures(signatures.len()));
        }
        let manifest = parts.field(3)?.as_bytes();
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
    /// Not JSON of the right form.
    #[error("manifest.json: {0}; fetch it again, or rebuild the bundle with `recsys index`")]
    Json(#[from] JsonError),
    /// Something else's file.
    #[error("manifest.json: format: expected {FORMAT}, found {found}; pass a bundle of recsys", found = Shown::from(.0))]
    Format(String),
    /// A version that is not read.
    #[error(
        "manifest.json: version: expected {VERSION}, found {0}; rebuild the bundle with `recsys index` of this version"
    )]
    Version(u32),
    /// A field that the format does not have.
    #[error(
        "manifest.json: expected the fields format, version, signatures and manifest alone, found {found}; \
        rebuild the bundle with `recsys index`",
        found = Shown::from(.0)
    )]
    Unknown(String),
    /// A field that is too long to be one.
    #[error(
        "manifest.json: {field}: expected at most {MAX_FIELD_BYTES} bytes, found {found}; sign the bundle again"
    )]
    FieldLength {
        /// Which field.
        field: &'static str,
        /// Its bytes.
        found: usize,
    },
    /// More signatures than anybody needs.
    #[error("manifest.json has {0} signatures, at most {MAX_SIGNATURES} are allowed; sign the bundle again")]
    TooManySignatures(usize),
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

/// The texts of the fields, in the order of [`FIELDS`].
struct Parts<'a> {
    fields: [Option<&'a str>; 4],
    /// A field that should not be there.
    unknown: Option<String>,
}

impl<'a> Parts<'a> {
    fn field(&self, index: usize) -> Result<&'a str, EnvelopeError> {
        let name = FIELDS.get(index).copied().unwrap_or_default();
        let text = self.fields.get(index).copied().flatten();
        text.ok_or_else(|| JsonError::missing(name).into())
    }

    /// A field beside the manifest.
    fn small<T: FromJson<'a>>(&self, index: usize) -> Result<T, EnvelopeError> {
        let field = FIELDS.get(index).copied().unwrap_or_default();
        let text = self.field(index)?;
        if text.len() > MAX_FIELD_BYTES {
            let found = text.len();
            return Err(EnvelopeError::FieldLength { field, found });
        }
        Ok(json::read(text).map_err(|error| error.within(field))?)
    }
}

impl<'de> Deserialize<'de> for Parts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Parts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut values: A) -> Result<Parts<'de>, A::Error> {
        let mut parts = Parts {
            fields: [None; 4],
            unknown: None,
        };
        // serde_json's names are texts.
        while let Some(Json::Text(name)) = values.next_key()? {
            let text = values.next_value::<&'de RawValue>()?.get();
            let places = FIELDS.iter().zip(&mut parts.fields);
            match places.into_iter().find(|(field, _)| **field == name) {
                None => parts.unknown = Some(name.chars().take(80).collect()),
                Some((_, Some(_))) => return Err(A::Error::custom(format!("duplicate field `{name}`"))),
                Some((_, place)) => *place = Some(text),
            }
        }
        Ok(parts)
    }
}

/// Lower-case hexadecimal digits.
fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
    bytes.iter().flat_map(digits).collect()
}

/// The bytes of exactly so many lower-case hexadecimal digits.
fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = value(high)? << 4 | value(low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;

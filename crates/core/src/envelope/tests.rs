use super::*;
use ed25519_dalek::{Signer, SigningKey};

/// Signed by OpenSSL 3.0.19 (`openssl pkeyutl -sign -rawin`) with the secret keys of RFC 8032's tests 1 and 2.
const SIGNED: &[u8] = include_bytes!("../../tests/fixtures/manifest/v2-signed-by-openssl.json");
const FIRST: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const SECOND: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";

fn key(seed: u8) -> (SigningKey, PublicKey) {
    let secret = SigningKey::from_bytes(&[seed; 32]);
    let public = PublicKey::from_bytes(secret.verifying_key().to_bytes()).unwrap();
    (secret, public)
}

fn sign(manifest: &[u8], seed: u8) -> Signature {
    let (secret, public) = key(seed);
    let bytes = secret.sign(&message(manifest)).to_bytes();
    Signature {
        key: public.id(),
        bytes,
    }
}

fn trusted(seeds: &[u8]) -> Vec<PublicKey> {
    seeds.iter().map(|seed| key(*seed).1).collect()
}

/// Section 7.1: public key, message, signature.
#[test]
fn signatures_of_rfc_8032_hold_and_none_of_another_message() {
    for (public, message, signature) in [
        (
            FIRST,
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            SECOND,
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let public = PublicKey::parse(public).unwrap();
        let message: Vec<u8> = from_hex::<1>(message.as_bytes())
            .map(Vec::from)
            .or_else(|| from_hex::<2>(message.as_bytes()).map(Vec::from))
            .unwrap_or_default();
        let signature = from_hex(signature.as_bytes()).unwrap();
        assert!(public.has_signed(&message, &signature));
        assert!(!public.has_signed(b"another", &signature));
    }
}

#[test]
fn what_openssl_has_signed_is_accepted() {
    let envelope = Envelope::parse(SIGNED).unwrap();
    let (first, second) = (
        PublicKey::parse(FIRST).unwrap(),
        PublicKey::parse(SECOND).unwrap(),
    );
    assert_eq!(first.id().to_string(), "21fe31dfa154a261");
    assert_eq!(envelope.verify(std::slice::from_ref(&first)), Ok(first.id()));
    assert_eq!(envelope.verify(std::slice::from_ref(&second)), Ok(second.id()));
    let manifest = manifest::Manifest::parse(envelope.manifest_bytes()).unwrap();
    assert_eq!(manifest.sequence, 3);
    assert_eq!(
        seal(envelope.manifest_bytes(), envelope.signatures())
            .trim_ascii_end()
            .len(),
        SIGNED.len() - 1
    );
    assert_eq!(PublicKey::parse(&first.to_hex()), Ok(first));
}

#[test]
fn a_manifest_without_envelope_is_refused_with_the_remedy() {
    let error = Envelope::parse(include_bytes!("../../tests/fixtures/manifest/v1.json")).unwrap_err();
    assert!(matches!(error, EnvelopeError::Form { at: 0, .. }));
    assert!(error.to_string().contains("must be rebuilt"), "{error}");
}

#[test]
fn every_cut_and_every_flip_is_refused_or_leaves_the_manifest_as_it_was_signed() {
    let manifest = br#"{"a": [1, "b"],
 "sequence":7}"#;
    let sealed = seal(manifest, &[sign(manifest, 1)]);
    let keys = trusted(&[1]);
    for end in 0..sealed.len() - 1 {
        let read = Envelope::parse(&sealed[..end]).map(|envelope| envelope.verify(&keys));
        assert!(!matches!(read, Ok(Ok(_))), "cut at {end}");
    }
    let mut accepted = 0;
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let Ok(envelope) = Envelope::parse(&flipped) else {
            continue;
        };
        if envelope.verify(&keys).is_ok() {
            assert_eq!(
                envelope.manifest_bytes(),
                manifest,
                "byte {}, bit {}",
                bit / 8,
                bit % 8
            );
            accepted += 1;
        }
    }
    // The line feed at the end may be other white space.
    assert!(accepted < 8, "{accepted}");
}

/// The reader trusts the old key; then both; then the new one. The manifest is signed by the old key; then by both; then by
/// the new one.
#[test]
fn a_key_is_rotated_without_a_moment_in_which_a_reader_refuses() {
    let manifest = br#"{"sequence":1}"#;
    let (old, new) = (sign(manifest, 1), sign(manifest, 2));
    let by_old = seal(manifest, std::slice::from_ref(&old));
    let by_both = seal(manifest, &[old, new.clone()]);
    let by_new = seal(manifest, &[new]);
    let (trusts_old, trusts_both, trusts_new) = (trusted(&[1]), trusted(&[1, 2]), trusted(&[2]));
    let verify = |file: &[u8], keys: &[PublicKey]| Envelope::parse(file).unwrap().verify(keys);
    for (file, keys) in [
        (&by_old, &trusts_old),
        (&by_both, &trusts_old),
        (&by_both, &trusts_both),
        (&by_both, &trusts_new),
        (&by_new, &trusts_both),
        (&by_new, &trusts_new),
    ] {
        assert!(verify(file, keys).is_ok());
    }
    let refused = verify(&by_old, &trusts_new).unwrap_err();
    assert!(matches!(refused, SignatureError::OtherKeys { .. }), "{refused}");
    assert!(
        refused.to_string().contains(&trusts_old[0].id().to_string()),
        "{refused}"
    );
    assert!(verify(&by_new, &trusts_old).is_err());
}

#[test]
fn errors_tell_unsigned_from_others_keys_from_broken_signatures() {
    let manifest = br#"{"sequence":1}"#;
    let verify = |signatures: &[Signature], keys: &[PublicKey]| {
        let file = seal(manifest, signatures);
        Envelope::parse(&file).unwrap().verify(keys)
    };
    let keys = trusted(&[1]);
    assert_eq!(
        verify(&[], &keys),
        Err(SignatureError::Unsigned(keys[0].id().to_string()))
    );
    assert!(matches!(
        verify(&[sign(manifest, 2)], &keys),
        Err(SignatureError::OtherKeys { .. })
    ));
    assert!(matches!(
        verify(&[sign(manifest, 1)], &[]),
        Err(SignatureError::OtherKeys { .. })
    ));
    let of_other = sign(br#"{"sequence":2}"#, 1);
    assert_eq!(
        verify(std::slice::from_ref(&of_other), &keys),
        Err(SignatureError::Invalid(keys[0].id()))
    );
    // Another one that does not hold does no harm.
    assert_eq!(verify(&[of_other, sign(manifest, 1)], &keys), Ok(keys[0].id()));
    // The name of a trusted key over another's signature.
    let mut named = sign(manifest, 2);
    named.key = keys[0].id();
    assert_eq!(
        verify(&[named], &keys),
        Err(SignatureError::Invalid(keys[0].id()))
    );
    // A signature of the manifest alone, without the line before it.
    let mut bare = sign(manifest, 1);
    bare.bytes = key(1).0.sign(manifest).to_bytes();
    assert_eq!(verify(&[bare], &keys), Err(SignatureError::Invalid(keys[0].id())));
}

/// With S + L in place of S, lenient readers accept a second form of the same signature.
#[test]
fn a_signature_in_another_form_does_not_hold() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let manifest = br#"{"sequence":1}"#;
    let mut signature = sign(manifest, 1);
    let mut carry = 0u16;
    for (byte, order) in signature.bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = ((sum & 255) as u8, sum >> 8);
    }
    let file = seal(manifest, &[signature]);
    let keys = trusted(&[1]);
    assert_eq!(
        Envelope::parse(&file).unwrap().verify(&keys),
        Err(SignatureError::Invalid(keys[0].id()))
    );
}

#[test]
fn keys_of_small_order_and_texts_that_are_no_keys_are_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    for bytes in [[0; 32], identity] {
        assert!(matches!(PublicKey::from_bytes(bytes), Err(KeyError::NoKey(_))));
    }
    for text in [
        "",
        "d75a",
        &FIRST.to_uppercase(),
        &format!("{FIRST}0"),
        &"é".repeat(32),
    ] {
        assert!(
            matches!(PublicKey::parse(text), Err(KeyError::NoHex(_))),
            "{text}"
        );
    }
    assert_eq!(
        PublicKey::parse_list(&format!(" {FIRST}, {SECOND}"))
            .unwrap()
            .len(),
        2
    );
    assert!(PublicKey::parse_list("").is_err());
    assert!(PublicKey::parse_list(&format!("{FIRST},")).is_err());
}

#[test]
fn other_forms_are_refused_by_the_name_of_what_is_wrong() {
    let id = "0".repeat(16);
    let one = format!(r#"{{"key":"{id}","signature":"{}"}}"#, "a".repeat(128));
    let whole = |signatures: &str| {
        format!(
            r#"{{"format":"recsys-bundle","version":2,"signatures":[{signatures}],"manifest":{{"x":1}}}}"#
        )
    };
    let many = |count: usize| whole(&vec![one.as_str(); count].join(","));
    assert_eq!(
        Envelope::parse(many(16).as_bytes()).unwrap().signatures().len(),
        16
    );
    let good = whole("");
    assert_eq!(
        Envelope::parse(good.as_bytes()).unwrap().manifest_bytes(),
        br#"{"x":1}"#
    );
    for (text, expected) in [
        (many(17), "at most 16 signatures"),
        (
            whole(&one.replace("aaa", "AAA")),
            "byte 91: expected `128 lower-case",
        ),
        (
            whole(&one.replacen("000", "00", 1)),
            "byte 60: expected `16 lower-case",
        ),
        (
            whole(&one.replace("\"key\"", "\"id\"")),
            "byte 52: expected `{\"key\":\"`",
        ),
        (whole(&format!("{one},")), "expected `{\"key\":\"`"),
        (whole(&format!("{one}{one}")), "expected `,`"),
        (
            good.replace("\"version\":2", "\"version\":3"),
            "version: expected 2, found 3",
        ),
        (
            good.replace("\"version\":2", "\"version\":22"),
            "version: expected 2, found 22",
        ),
        (
            good.replace("\"recsys-bundle\"", "\"other\""),
            "byte 0: expected `{\"format\":\"recsys-bundle\"",
        ),
        (good.replacen('{', "{\"more\":0,", 1), "byte 0: expected"),
        (
            good.replace("\"manifest\"", "\"more\":0,\"manifest\""),
            "expected `{\"key\"",
        ),
        (
            good.replace("\"signatures\":[],", ""),
            "expected `,\"signatures\":[`",
        ),
        (good[..good.len() - 2].to_owned(), "and `}` behind it"),
        ("[]".to_owned(), "byte 0"),
        (" ".repeat(manifest::MAX_BYTES + 1), "at most 4194304 are allowed"),
    ] {
        let error = Envelope::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Found by fuzzing: it would change the bundle's name under a signature that holds.
#[test]
fn white_space_around_the_manifest_is_refused() {
    let manifest = br#"{"sequence":1}"#;
    let text = String::from_utf8(seal(manifest, &[sign(manifest, 1)])).unwrap();
    for space in [" ", "\n", "\t", "\r"] {
        for (from, to) in [
            (r#""manifest":"#, format!(r#""manifest":{space}"#)),
            ("}}\n", format!("}}{space}}}")),
        ] {
            assert!(text.contains(from));
            let changed = text.replace(from, &to);
            assert_eq!(
                Envelope::parse(changed.as_bytes()),
                Err(EnvelopeError::NoEnd),
                "{changed}"
            );
        }
    }
    // Behind the whole it changes nothing.
    let longer = format!("{text} \n");
    assert_eq!(
        Envelope::parse(longer.as_bytes()).unwrap().manifest_bytes(),
        manifest
    );
}

/// The reader leaves it to the manifest's to refuse what is no single object.
#[test]
fn what_stands_behind_the_manifest_is_refused_with_it() {
    let signed = Envelope::parse(SIGNED).unwrap();
    let sealed = seal(signed.manifest_bytes(), &[]);
    let text = String::from_utf8(sealed).unwrap();
    let parse = |text: &str| {
        let envelope = Envelope::parse(text.as_bytes()).unwrap();
        manifest::Manifest::parse(envelope.manifest_bytes()).map(|manifest| manifest.sequence)
    };
    assert_eq!(parse(&text), Ok(3));
    for more in [",\"manifest\":{}", ",\"more\":0", "}", "{}"] {
        assert!(
            parse(&text.replace("}\n", &format!("{more}}}\n"))).is_err(),
            "{more}"
        );
    }
}

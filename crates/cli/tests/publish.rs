//! Keys, signatures and publishing, as a site's owner runs them.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Folder, assert_says, recsys, refused};
use recsys_core::npy::Matrix;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

fn said(args: &[&str]) -> String {
    let output = recsys(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn verified(bundle: &str, more: &[&str]) -> Value {
    serde_json::from_str(&said(&[&["verify", bundle, "--json"], more].concat())).unwrap()
}

impl Folder {
    /// A bundle of so many videos, of many files of some length.
    fn index(&self, name: &str, videos: usize, more: &[&str]) -> String {
        let value = |i: usize| ((i * i % 1013 * 7919 % 1013) as f32 - 506.0) / 506.0;
        let matrix = Matrix {
            rows: videos,
            columns: 16,
            values: (0..videos * 16).map(value).collect(),
        };
        let vectors = self.write("v.npy", matrix.to_bytes());
        let ids = self.write(
            "ids.txt",
            (0..videos).map(|i| format!("v{i}\n")).collect::<String>(),
        );
        let out = self.text(name);
        said(
            &[
                &["index", "--vectors", &vectors, "--ids", &ids, "--out", &out],
                more,
            ]
            .concat(),
        );
        out
    }

    /// A key's file, its public half and its id.
    fn key(&self, name: &str) -> (String, String, String) {
        let file = self.text(name);
        let made = said(&["key", "new", "--out", &file]);
        assert_eq!(made, said(&["key", "public", &file]));
        let (public, id) = made.trim().split_once(' ').unwrap();
        (file, public.to_owned(), id.to_owned())
    }
}

#[test]
fn a_signed_bundle_is_verified_stays_signed_and_rotates_its_key() {
    let folder = Folder::new();
    let (old, old_public, old_id) = folder.key("old.pem");
    let (new, new_public, new_id) = folder.key("new.pem");
    refused(&["key", "new", "--out", &old]);
    let bundle = folder.index("bundle", 40, &["--sign", &old]);
    let report = verified(&bundle, &["--key", &old_public]);
    assert_eq!(
        (&report["signed"], &report["verified"]),
        (&Value::from(true), &Value::from(old_id.clone()))
    );
    assert_eq!(verified(&bundle, &[])["keys"], Value::from(vec![old_id.clone()]));
    assert_eq!(verified(&bundle, &[])["verified"], Value::Null);
    assert_says(
        &refused(&["verify", &bundle, "--key", &new_public]),
        &[&old_id, &new_id],
    );
    assert_says(&refused(&["verify", &bundle, "--key", "abc"]), &["--key", "64"]);

    // Every command that rewrites it.
    for command in [
        vec!["policy", "--bundle", &bundle, "--clear"],
        vec!["ab", "publish", "--bundle", &bundle, "--clear"],
    ] {
        assert_says(&refused(&command), &["is signed", "--sign", "--unsigned"]);
        said(&[command.as_slice(), &["--sign", &old]].concat());
        verified(&bundle, &["--key", &old_public]);
    }
    let vectors = folder.text("v.npy");
    let ids = folder.text("ids.txt");
    assert_says(
        &refused(&["index", "--vectors", &vectors, "--ids", &ids, "--out", &bundle]),
        &["is signed"],
    );

    // Both keys, then the new one alone; the sequence stays where the content does.
    let site = folder.text("site");
    said(&["publish", &bundle, "--to", &site]);
    let sequence = verified(&site, &["--key", &old_public])["sequence"].clone();
    said(&["publish", &bundle, "--to", &site, "--sign", &old, "--sign", &new]);
    for key in [&old_public, &new_public] {
        verified(&site, &["--key", key]);
    }
    said(&["publish", &bundle, "--to", &site, "--sign", &new]);
    assert_eq!(verified(&site, &["--key", &new_public])["sequence"], sequence);
    refused(&["verify", &site, "--key", &old_public]);
    assert_says(
        &refused(&["publish", &bundle, "--to", &site, "--as-new"]),
        &["is signed"],
    );
    said(&["publish", &bundle, "--to", &site, "--unsigned"]);
    assert_eq!(verified(&site, &[])["signed"], Value::from(false));
    assert_says(
        &refused(&["verify", &site, "--key", &old_public]),
        &["found none"],
    );
}

#[test]
fn the_environment_lists_keys() {
    let folder = Folder::new();
    let (first, first_public, _) = folder.key("a.pem");
    let (second, second_public, _) = folder.key("b.pem");
    let bundle = folder.index("bundle", 10, &[]);
    let status = Command::new(env!("CARGO_BIN_EXE_recsys"))
        .args(["policy", "--bundle", &bundle, "--clear"])
        .env(
            "RECSYS_SIGNING_KEY",
            std::env::join_paths([first, second]).unwrap(),
        )
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    verified(&bundle, &["--key", &first_public]);
    verified(&bundle, &["--key", &second_public]);
}

#[test]
fn one_changed_byte_of_a_signed_manifest_is_refused() {
    let folder = Folder::new();
    let (file, public, id) = folder.key("a.pem");
    let bundle = folder.index("bundle", 10, &["--sign", &file]);
    let path = Path::new(&bundle).join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"ef\": 64", "\"ef\": 65", 1)).unwrap();
    // Without the signature nothing is wrong with it.
    verified(&bundle, &[]);
    assert_says(
        &refused(&["verify", &bundle, "--key", &public]),
        &[&id, "does not hold"],
    );
}

/// Publishers are killed at random moments; a reader sees the bundle before or the one after, and the next publisher goes on
/// from there.
#[test]
fn a_killed_publisher_never_leaves_a_mix() {
    let folder = Folder::new();
    let first = folder.index("one", 2_000, &["--shards", "4"]);
    let second = folder.index("two", 1_500, &["--shards", "4"]);
    let site = folder.text("site");
    said(&["publish", &first, "--to", &site]);
    let mut killed = 0;
    let mut seen = verified(&site, &[])["sequence"].as_u64().unwrap();
    for round in 0..40u64 {
        let source = if round % 2 == 0 { &second } else { &first };
        let mut child = Command::new(env!("CARGO_BIN_EXE_recsys"))
            .args(["publish", source, "--to", &site, "--as-new"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(round * 997 % 40 * 500));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        let report = verified(&site, &[]);
        let sequence = report["sequence"].as_u64().unwrap();
        assert!(
            sequence == seen || sequence == seen + 1,
            "{sequence} after {seen}"
        );
        let videos = report["items"].as_u64().unwrap();
        assert!(videos == 2_000 || videos == 1_500, "{videos}");
        seen = sequence;
    }
    assert!(
        killed >= 5,
        "{killed} of 40 were killed before their end: the test proves nothing"
    );
    said(&["publish", &first, "--to", &site, "--as-new"]);
    let left = std::fs::read_dir(&site).unwrap();
    let unfinished = left.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.')
    });
    assert_eq!(unfinished.count(), 0);
}

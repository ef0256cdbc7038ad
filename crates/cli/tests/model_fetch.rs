//! `recsys model fetch` from a real server with the faults of real ones, and from a folder.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

#[path = "../../core/tests/clip/mod.rs"]
mod clip;
mod common;
#[path = "common/server.rs"]
mod server;

use common::{Folder, assert_says, recsys};
use recsys_core::clip::model::Model;
use recsys_core::manifest::sha256_hex;
use serde_json::{Value, json};
use server::{Fault, Server};
use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
const WEIGHTS: &str = "model.safetensors";

/// A small CLIP in Hugging Face's form: names and bytes.
fn model() -> &'static [(&'static str, Vec<u8>); 3] {
    static MODEL: OnceLock<[(&str, Vec<u8>); 3]> = OnceLock::new();
    MODEL.get_or_init(|| {
        let transformer = json!({
            "hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 1, "num_hidden_layers": 1,
        });
        let mut vision = transformer.clone();
        vision["image_size"] = json!(16);
        vision["patch_size"] = json!(8);
        let config = json!({ "projection_dim": 8, "text_config": transformer, "vision_config": vision });
        [
            ("config.json", config.to_string().into_bytes()),
            ("preprocessor_config.json", br#"{ "size": 16 }"#.to_vec()),
            (WEIGHTS, clip::weights(&config)),
        ]
    })
}

fn weights() -> &'static [u8] {
    &model()[2].1
}

/// The files by their paths at a host.
fn paths() -> HashMap<String, Vec<u8>> {
    let path = |name: &str| format!("/some/tiny-clip/resolve/{REVISION}/{name}");
    model()
        .iter()
        .map(|(name, bytes)| (path(name), bytes.clone()))
        .collect()
}

/// A folder with a list that has the model.
struct Place(Folder);

impl Place {
    fn new() -> Self {
        let place = Self(Folder::new());
        let files = model().iter().map(|(path, bytes)| {
            let mut file = json!({ "path": path, "sha256": sha256_hex(bytes), "bytes": bytes.len() });
            // Of some files only the hash is known.
            if *path == "config.json" {
                file.as_object_mut().unwrap().remove("bytes");
            }
            file
        });
        let list = json!([{
            "name": "tiny", "repository": "some/tiny-clip", "revision": REVISION, "licence": "CC0-1.0",
            "note": "made for a test", "files": files.collect::<Vec<_>>(),
        }]);
        place.0.write("models.json", list.to_string());
        place
    }

    fn fetch(&self, more: &[&str]) -> Output {
        let (models, cache, out) = (
            self.0.text("models.json"),
            self.0.text("cache"),
            self.0.text("out"),
        );
        let mut args = vec![
            "model", "fetch", "tiny", "--models", &models, "--cache", &cache, "--out", &out,
        ];
        args.extend(more);
        recsys(&args)
    }

    /// Fetches from a server, which must work.
    fn fetched(&self, server: &Server) -> String {
        let output = self.fetch(&["--mirror", &server.address]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        self.assert_imported();
        said
    }

    /// Fetches from a server, which must be refused, and leaves no model.
    fn refused(&self, server: &Server) -> String {
        let output = self.fetch(&["--mirror", &server.address]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        assert!(!self.0.path("out").exists(), "no model may be left");
        said
    }

    fn assert_imported(&self) {
        let manifest = std::fs::read(self.0.path("out").join("model.json")).unwrap();
        let model = Model::parse(&manifest).unwrap();
        assert_eq!((model.name.as_str(), model.dim), ("tiny", 8));
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["licence"], "CC0-1.0");
        assert_eq!(manifest["source"]["repository"], "some/tiny-clip");
        assert_eq!(manifest["source"]["revision"], REVISION);
        assert_eq!(manifest["source"]["files"][2]["sha256"], sha256_hex(weights()));
    }

    fn kept(&self, name: &str) -> std::path::PathBuf {
        self.0
            .path("cache")
            .join("some--tiny-clip")
            .join(REVISION)
            .join(name)
    }
}

/// A fault in the first answer for the weights alone, and another in all later ones.
fn weights_with(first: Fault, later: Fault) -> Server {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Server::start(paths(), move |_, asked| {
        let of_weights = asked.path.ends_with(WEIGHTS);
        match of_weights.then(|| count.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            None => Fault::None,
            Some(0) => first,
            Some(_) => later,
        }
    })
}

/// Ranges of the requests for the weights.
fn ranges(server: &Server) -> Vec<Option<u64>> {
    let asked = server.asked().into_iter();
    asked
        .filter(|asked| asked.path.ends_with(WEIGHTS))
        .map(|asked| asked.range)
        .collect()
}

#[test]
fn a_model_is_fetched_imported_and_not_fetched_again() {
    let (place, server) = (Place::new(), Server::start(paths(), |_, _| Fault::None));
    let said = place.fetched(&server);
    assert_says(
        &said,
        &[
            "tiny, 8 dimensions",
            "at the edge",
            "licence CC0-1.0",
            "made for a test",
            "cache",
        ],
    );
    assert_eq!(server.asked().len(), 3);
    std::fs::remove_dir_all(place.0.path("out")).unwrap();
    place.fetched(&server);
    assert_eq!(server.asked().len(), 3, "the second run asks for nothing");
    // What was changed in the cache is fetched again.
    std::fs::write(place.kept(WEIGHTS), b"changed").unwrap();
    place.fetched(&server);
    assert_eq!(server.asked().len(), 4);
}

#[test]
fn a_connection_that_is_cut_is_taken_up_where_it_stopped() {
    let (place, half) = (Place::new(), weights().len() / 2);
    let server = weights_with(Fault::CutAfter(half), Fault::None);
    place.fetched(&server);
    assert_eq!(ranges(&server), [None, Some(half as u64)]);
    let asked = server.asked();
    assert_eq!(asked.last().unwrap().if_range.as_deref(), Some("\"one\""));
}

#[test]
fn an_interrupted_run_is_continued_by_the_next() {
    let place = Place::new();
    let half = weights().len() / 2;
    // Cut, and then gone for good.
    let said = place.refused(&weights_with(Fault::CutAfter(half), Fault::Status(503)));
    assert_says(
        &said,
        &[
            "503",
            &format!("{half} bytes are here"),
            "run again",
            "--from DIR",
        ],
    );
    let part = place.kept("model.safetensors.part");
    assert_eq!(std::fs::metadata(&part).unwrap().len(), half as u64);
    let server = Server::start(paths(), |_, _| Fault::None);
    place.fetched(&server);
    assert_eq!(ranges(&server), [Some(half as u64)]);
    assert_eq!(server.asked().len(), 1, "the small files are there already");
    assert!(!part.exists());
}

#[test]
fn a_server_without_ranges_is_read_from_the_start() {
    let (place, half) = (Place::new(), weights().len() / 2);
    let server = weights_with(Fault::CutAfter(half), Fault::NoRanges);
    place.fetched(&server);
    assert_eq!(ranges(&server), [None, Some(half as u64)]);
}

#[test]
fn a_file_that_changed_meanwhile_is_read_from_the_start() {
    let (place, half) = (Place::new(), weights().len() / 2);
    let server = weights_with(Fault::CutAfter(half), Fault::OtherEtag);
    place.fetched(&server);
    assert_eq!(ranges(&server), [None, Some(half as u64)]);
}

#[test]
fn an_answer_for_another_range_is_not_joined() {
    let (place, half) = (Place::new(), weights().len() / 2);
    let server = weights_with(Fault::CutAfter(half), Fault::WrongRange);
    place.fetched(&server);
    assert_eq!(ranges(&server), [None, Some(half as u64), None]);
}

#[test]
fn a_part_of_something_else_is_thrown_away() {
    let (place, server) = (Place::new(), Server::start(paths(), |_, _| Fault::None));
    for part in [
        b"nonsense".to_vec(),
        vec![7; weights().len()],
        vec![7; weights().len() + 1],
    ] {
        let path = place.kept("model.safetensors.part");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, part).unwrap();
        place.fetched(&server);
        std::fs::remove_file(place.kept(WEIGHTS)).unwrap();
        assert!(!path.exists());
    }
}

#[test]
fn redirects_are_followed_with_the_range_but_not_for_ever() {
    let (place, half) = (Place::new(), weights().len() / 2);
    let server = Server::start(paths(), move |number, asked| {
        match asked.path.starts_with("/elsewhere") {
            false => Fault::Redirect,
            true if asked.path.ends_with(WEIGHTS) && number < 7 => Fault::CutAfter(half),
            true => Fault::None,
        }
    });
    place.fetched(&server);
    let half = Some(half as u64);
    assert_eq!(ranges(&server), [None, None, half, half]);

    let place = Place::new();
    let said = place.refused(&Server::start(paths(), |_, _| Fault::Redirect));
    assert_says(&said, &["too many redirects", "--from DIR"]);
}

#[test]
fn another_file_is_refused_and_nothing_is_kept_of_it() {
    let mut files = paths();
    let path = format!("/some/tiny-clip/resolve/{REVISION}/{WEIGHTS}");
    files.get_mut(&path).unwrap()[1000] ^= 1;
    let place = Place::new();
    let said = place.refused(&Server::start(files.clone(), |_, _| Fault::None));
    assert_says(
        &said,
        &[
            WEIGHTS,
            "expected SHA-256",
            &sha256_hex(weights()),
            "--mirror URL",
            "--from DIR",
        ],
    );
    assert!(!place.kept(WEIGHTS).exists() && !place.kept("model.safetensors.part").exists());

    files.get_mut(&path).unwrap().pop();
    let said = place.refused(&Server::start(files.clone(), |_, _| Fault::None));
    let length = weights().len();
    assert_says(
        &said,
        &[&format!("expected {length} bytes, the server has {}", length - 1)],
    );
    files.insert(path, vec![0; length + 10]);
    let said = place.refused(&Server::start(files, |_, _| Fault::None));
    assert_says(
        &said,
        &[&format!(
            "expected {length} bytes, the server has {}",
            length + 10
        )],
    );
}

#[test]
fn a_file_that_the_host_does_not_serve_is_named() {
    let mut files = paths();
    let path = format!("/some/tiny-clip/resolve/{REVISION}/{WEIGHTS}");
    files.remove(&path);
    let place = Place::new();
    let said = place.refused(&Server::start(files, |_, _| Fault::None));
    assert_says(
        &said,
        &["tiny: model.safetensors", &path, "404 Not Found", "--mirror URL"],
    );
    let said = place.refused(&weights_with(Fault::Status(401), Fault::Status(401)));
    assert_says(&said, &["401", "login", "--from DIR"]);
    // A host that is busy for a moment is asked again.
    let busy = weights_with(Fault::Status(503), Fault::None);
    place.fetched(&busy);
    assert_eq!(ranges(&busy).len(), 2);
}

#[test]
fn without_a_network_the_remedy_is_a_folder() {
    let place = Place::new();
    // A port that nobody listens on any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = place.fetch(&["--mirror", &format!("http://{closed}")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert_says(
        &said,
        &["no answer", "without a network", "--from DIR", "--mirror URL"],
    );

    let folder = place.0.path("files");
    std::fs::create_dir(&folder).unwrap();
    let from = ["--from", &folder.display().to_string()];
    let said = String::from_utf8_lossy(&place.fetch(&from).stderr).into_owned();
    assert_says(
        &said,
        &[
            "config.json",
            "some/tiny-clip",
            REVISION,
            "preprocessor_config.json, model.safetensors",
        ],
    );
    for (name, bytes) in model() {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let output = place.fetch(&from);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    place.assert_imported();
    assert!(!place.kept("config.json").exists() && !place.kept("config.json.part").exists());
    std::fs::write(folder.join("config.json"), "{}").unwrap();
    let said = String::from_utf8_lossy(&place.fetch(&from).stderr).into_owned();
    assert_says(&said, &["config.json", "expected SHA-256", "recsys model import"]);
    place.assert_imported();
}

#[test]
fn two_runs_do_not_write_the_same_file() {
    let (place, server) = (Place::new(), Server::start(paths(), |_, _| Fault::None));
    let path = place.kept("config.json.part");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let held = std::fs::File::create(&path).unwrap();
    held.lock().unwrap();
    assert_says(&place.refused(&server), &["another run is downloading it"]);
    drop(held);
    place.fetched(&server);
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is_fetched() {
    let (place, server) = (Place::new(), Server::start(paths(), |_, _| Fault::None));
    std::fs::create_dir(place.0.path("out")).unwrap();
    std::fs::write(place.0.path("out").join("other.txt"), "mine").unwrap();
    let output = place.fetch(&["--mirror", &server.address]);
    assert_says(
        &String::from_utf8_lossy(&output.stderr),
        &["it has files, but no model.json"],
    );
    std::fs::remove_dir_all(place.0.path("out")).unwrap();
    place.0.write("cache", "a file");
    let output = place.fetch(&["--mirror", &server.address]);
    assert_says(
        &String::from_utf8_lossy(&output.stderr),
        &["cache", "cannot write"],
    );
    assert_eq!(server.asked(), []);
}

#[test]
fn the_environment_names_the_host_as_for_hugging_faces_tools() {
    let (place, server) = (Place::new(), Server::start(paths(), |_, _| Fault::None));
    let output = Command::new(env!("CARGO_BIN_EXE_recsys"))
        .args([
            "model",
            "fetch",
            "some/TINY-clip",
            "--models",
            &place.0.text("models.json"),
            "--out",
        ])
        .arg(place.0.path("out"))
        .env("HF_ENDPOINT", format!("{}/", server.address))
        .env("XDG_CACHE_HOME", place.0.path("home"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    place.assert_imported();
    assert!(Path::new(&place.0.text("home/recsys/models")).is_dir());
}

#[test]
fn the_known_models_are_listed_and_others_refused() {
    let listed = recsys(&["model", "fetch", "--list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert_says(
        &listed,
        &[
            "tinyclip-vit-8m-16",
            "clip-vit-base-patch32",
            "605 MB",
            "mobileclip-s0",
            "natively alone",
            "research only",
        ],
    );
    let said = common::refused(&["model", "fetch", "unheard-of", "--out", "nowhere"]);
    assert_says(
        &said,
        &[
            "unheard-of: not a known model",
            "tinyclip-vit-8m-16",
            "recsys model import",
        ],
    );
    let folder = Folder::new();
    for (list, words) in [
        ("[", "expected a list of models"),
        (r#"[{"name": "m"}]"#, "missing field `repository`"),
        (
            r#"[{"name": "m", "repository": "a/..", "revision": "1", "licence": "", "files": []}]"#,
            "OWNER/NAME",
        ),
        (
            r#"[{"name": "m", "repository": "a/b", "revision": "1", "licence": "", "files": [{"path": "../x", "sha256": ""}]}]"#,
            "a path inside the repository",
        ),
        (
            r#"[{"name": "m", "repository": "a/b", "revision": "1", "licence": "", "files": [{"path": "x", "sha256": "F0"}]}]"#,
            "64 lower-case hexadecimal digits",
        ),
    ] {
        let file = folder.write("models.json", list);
        let said = common::refused(&["model", "fetch", "m", "--models", &file, "--out", "nowhere"]);
        assert_says(&said, &["models.json", words]);
    }
    let said = common::refused(&[
        "model",
        "fetch",
        "mobileclip-s0",
        "--mirror",
        "example.org",
        "--out",
        "nowhere",
    ]);
    assert_says(&said, &["--mirror example.org", "expected an address"]);
}

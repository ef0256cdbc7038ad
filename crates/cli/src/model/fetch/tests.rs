//! What the command's tests cannot wait for or bring about.

use super::download::{Patience, Want, download};
use super::host::Host;
use super::known::models;
use super::part::failed;
use indicatif::ProgressBar;
use recsys_core::manifest::sha256_hex;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

/// A server that sends the start of a file and then nothing.
fn silent(sends: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(sends);
            held.push(stream);
        }
    });
    address
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let patience = Patience {
        connect: Duration::from_secs(1),
        silence: Duration::from_millis(200),
        pause: Duration::from_millis(10),
        tries: 2,
    };
    for (sends, words) in [
        (&b""[..], "no answer: timeout"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            "the connection broke",
        ),
    ] {
        let host = Host::new(Some(&silent(sends))).unwrap();
        let want = Want {
            url: &host.url("a/b", "c", "file"),
            bytes: Some(10),
            sha256: "",
        };
        let before = Instant::now();
        let dest = folder.path().join("file");
        let said = download(&host, &want, &dest, &patience, &ProgressBar::hidden())
            .unwrap_err()
            .to_string();
        assert!(said.contains(words), "{said}");
        assert!(before.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_full_disk_is_told_with_what_to_do() {
    let full = failed(Path::new("a.part"), 7, &Error::from(ErrorKind::StorageFull)).to_string();
    for words in [
        "a.part: cannot write after 7 bytes",
        "make room and run again",
        "--cache DIR",
    ] {
        assert!(full.contains(words), "{full}");
    }
}

#[test]
fn the_commands_own_list_is_pinned() {
    let own = models(None).unwrap();
    assert_eq!(own.len(), 3);
    for model in own {
        assert_eq!(model.revision.len(), 40, "{}", model.name);
        let large = model.files.iter().filter_map(|file| file.bytes).max();
        assert!(large > Some(1 << 25), "{}", model.name);
    }
}

/// The core's tests read these two; here they are the files that the list means.
#[test]
fn the_preprocessing_of_the_known_models_is_that_of_the_cores_tests() {
    let openai = include_bytes!("../../../../core/tests/fixtures/clip/preprocessor-openai.json");
    let mobile = include_bytes!("../../../../core/tests/fixtures/clip/preprocessor-mobileclip.json");
    for model in models(None).unwrap() {
        let file = model
            .files
            .iter()
            .find(|file| file.path == "preprocessor_config.json");
        let bytes = if model.name.starts_with("mobile") {
            &mobile[..]
        } else {
            openai
        };
        let file = file.unwrap();
        assert_eq!(sha256_hex(bytes), file.sha256, "{}", model.name);
        assert_eq!(file.bytes, Some(bytes.len() as u64));
    }
}

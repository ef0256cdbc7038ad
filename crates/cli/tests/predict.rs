//! `recsys predict` as a whole: the libraries' scores and contributions, and refusals that name file and place.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/fixtures/trees")
}

fn predict(model: &Path, rows: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recsys"));
    command
        .arg("predict")
        .arg("--model")
        .arg(model)
        .arg("--features")
        .arg(rows);
    command.args(more).output().unwrap()
}

/// The numbers that it wrote, line by line.
fn lines(output: &Output) -> Vec<Vec<f64>> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    matrix(std::str::from_utf8(&output.stdout).unwrap())
}

fn matrix(text: &str) -> Vec<Vec<f64>> {
    let numbers = |line: &str| line.split(',').map(|cell| cell.parse().unwrap()).collect();
    text.lines().map(numbers).collect()
}

/// The core's tests hold every model to a tight bound; here the command's way from file to file is what is tested.
fn assert_near(what: &str, ours: &[Vec<f64>], theirs: &[Vec<f64>], columns: usize) {
    assert_eq!(ours.len(), theirs.len(), "{what}: lines");
    for (line, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert_eq!(ours.len(), columns, "{what}: columns");
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!(
                (ours - theirs).abs() <= 1e-4,
                "{what}, line {line}: expected {theirs}, found {ours}"
            );
        }
    }
}

#[test]
fn scores_and_contributions_are_the_libraries() {
    for (name, kinds) in [
        ("lgb_lambdarank", &["txt"][..]),
        ("lgb_categorical", &["txt"]),
        ("lgb_rf", &["txt"]),
        ("lgb_multiclass", &["txt"]),
        ("xgb_dart", &["json", "ubj"]),
        ("xgb_multicat", &["json", "ubj"]),
        ("xgb13_logistic", &["json"]),
    ] {
        let path = fixtures().join(name);
        let out = matrix(&fs::read_to_string(path.with_extension("out.csv")).unwrap());
        let contributions = matrix(&fs::read_to_string(path.with_extension("contrib.csv")).unwrap());
        // Raw scores, then predictions, of each class.
        let classes = out[0].len() / 2;
        for kind in kinds {
            let (model, rows) = (path.with_extension(kind), path.with_extension("rows.csv"));
            let scores = lines(&predict(&model, &rows, &[]));
            assert_near(name, &scores, &out, classes);
            let mut split = lines(&predict(&model, &rows, &["--contributions"]));
            split.truncate(contributions.len());
            assert_near(name, &split, &contributions, 7 * classes);
        }
    }
}

#[test]
fn bad_models_and_rows_are_refused_by_file_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let rows = fixtures().join("lgb_dart.rows.csv");
    let text = fs::read_to_string(fixtures().join("lgb_dart.txt")).unwrap();
    let cut = write("cut.txt", &text.as_bytes()[..text.len() / 2]);
    let nan = write(
        "nan.txt",
        text.replacen("threshold=", "threshold=nan ", 1).as_bytes(),
    );
    let stripped = write("stripped.txt", text.replace("leaf_count=", "x=").as_bytes());
    let ubj = fs::read(fixtures().join("xgb_dart.ubj")).unwrap();
    let short = write("short.ubj", &ubj[..ubj.len() - 9]);
    let good = fixtures().join("lgb_dart.txt");
    let few = write("few.csv", b"age,ctr\n1,2\n");
    let word = write(
        "word.csv",
        b"age,ctr,clicks,delta,genre,creator\n1,2,3,4,5,6\n1,2,3,4,five,6\n",
    );
    for (model, rows, more, words) in [
        (
            &cut,
            &rows,
            &[][..],
            &["cut.txt", "byte ", "\"end of trees\"", "save the model again"][..],
        ),
        (
            &nan,
            &rows,
            &[],
            &["nan.txt", "line ", "threshold: expected 7 values, found 8"],
        ),
        (
            &short,
            &rows,
            &[],
            &["short.ubj", "byte ", "cut short", "save the model again"],
        ),
        (
            &good,
            &few,
            &[],
            &["few.csv", "line 1", "6 features", "add or rename the columns"],
        ),
        (
            &good,
            &word,
            &[],
            &[
                "word.csv",
                "line 3, column \"genre\"",
                "found \"five\"",
                "correct the cell",
            ],
        ),
        (
            &stripped,
            &rows,
            &["--contributions"],
            &["stripped.txt", "no covers", "import it again"],
        ),
    ] {
        let output = predict(model, rows, more);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for word in words {
            assert!(said.contains(word), "expected {word:?} in: {said}");
        }
    }
    // Infinities and categories that training never saw are scored, as the core's fixtures hold to the libraries.
    let odd = write(
        "odd.csv",
        b"age,ctr,clicks,delta,genre,creator\ninf,-inf,1e300,,-7,99999\n",
    );
    assert_eq!(lines(&predict(&good, &odd, &[])).len(), 1);
}

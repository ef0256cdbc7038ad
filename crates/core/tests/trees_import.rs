//! Parity with the real libraries, through import, compact file, reader and kernel.
//!
//! `fixtures/trees` holds small models of every supported kind with adversarial rows, written by `make.py`.
//! Larger ones stand in `$RECSYS_DATA/tree-models` where that is set.
#![cfg(feature = "import")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use recsys_core::trees::{Model, format, import};
use std::fs;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/trees")
}

/// A matrix of numbers below one header line (or none); an empty cell is missing.
fn matrix(path: &Path, header: usize) -> Vec<f32> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cells = text.lines().skip(header).flat_map(|line| line.split(','));
    cells
        .map(|cell| {
            if cell.is_empty() {
                f32::NAN
            } else {
                cell.parse::<f64>().unwrap() as f32
            }
        })
        .collect()
}

/// Every fixture's model file, the bad ones left out.
fn models() -> Vec<PathBuf> {
    let files = fs::read_dir(fixtures()).unwrap();
    let mut models: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    models.retain(|path| {
        ["txt", "json", "ubj"]
            .iter()
            .any(|kind| path.extension().is_some_and(|e| e == *kind))
    });
    models.sort();
    models
}

/// Imports a model and sends it through its compact file.
fn load(path: &Path) -> Model {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let imported = import::from_bytes(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let read = format::from_bytes(&format::to_bytes(&imported)).unwrap();
    assert_eq!(
        read,
        imported,
        "{}: the compact file holds another model",
        path.display()
    );
    read
}

/// Returns our scores.
fn assert_parity(name: &str, model: &Model, rows: &[f32], reference: &[f32]) -> Vec<f32> {
    let mut scores = vec![0.0; rows.len() / model.feature_count() * model.class_count()];
    model.score(rows, &mut scores).unwrap();
    assert_eq!(scores.len(), reference.len(), "{name}: number of scores");
    let tolerance = 1e-5 * model.leaf_reach().max(1.0);
    let mut worst = 0.0_f64;
    for (i, (ours, theirs)) in scores.iter().zip(reference).enumerate() {
        let apart = (f64::from(*ours) - f64::from(*theirs)).abs();
        assert!(
            apart <= tolerance,
            "{name}, score {i}: expected {theirs}, found {ours}"
        );
        worst = worst.max(apart);
    }
    println!(
        "{name}: {} scores, worst {worst:.1e} of {tolerance:.1e}",
        scores.len()
    );
    scores
}

#[test]
fn every_fixture_scores_as_its_library_does() {
    let models = models();
    assert!(models.len() >= 66, "{} models", models.len());
    for path in models {
        let rows = matrix(&path.with_extension("rows.csv"), 1);
        let out = matrix(&path.with_extension("out.csv"), 0);
        let name = path.file_name().unwrap().to_string_lossy();
        let model = load(&path);
        // XGBoost 1.3 wrote no names.
        let names: &[&str] = if name.starts_with("xgb13") {
            &[]
        } else {
            &["age", "ctr", "clicks", "delta", "genre", "creator"]
        };
        assert_eq!(model.feature_names(), names, "{name}");
        let classes = model.class_count();
        let column = |of: usize| -> Vec<f32> {
            out.chunks(2 * classes)
                .flat_map(|line| &line[of * classes..][..classes])
                .copied()
                .collect()
        };
        let mut predictions = assert_parity(&name, &model, &rows, &column(0));
        predictions
            .chunks_mut(classes)
            .for_each(|row| model.output().apply(row));
        for (ours, theirs) in predictions.iter().zip(column(1)) {
            let tolerance = 1e-5 * theirs.abs().max(1.0);
            assert!(
                (ours - theirs).abs() <= tolerance,
                "{name}: expected prediction {theirs}, found {ours}"
            );
        }
    }
}

/// LightGBM's `pred_contrib` and XGBoost's `pred_contribs`.
#[test]
fn every_fixture_is_explained_as_its_library_does() {
    for path in models() {
        let name = path.file_name().unwrap().to_string_lossy();
        let model = load(&path);
        let reference = matrix(&path.with_extension("contrib.csv"), 0);
        let rows = matrix(&path.with_extension("rows.csv"), 1);
        let explainer = model
            .explainer()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let width = model.class_count() * (model.feature_count() + 1);
        let mut worst = 0.0_f64;
        assert!(
            reference.len() >= 40 * width,
            "{name}: {} values",
            reference.len()
        );
        for (i, (row, reference)) in rows
            .chunks_exact(model.feature_count())
            .zip(reference.chunks_exact(width))
            .enumerate()
        {
            let mut out = vec![f64::NAN; width];
            explainer.contributions(row, &mut out).unwrap();
            for (ours, theirs) in out.iter().zip(reference) {
                let apart = (ours - f64::from(*theirs)).abs();
                assert!(apart <= 1e-4, "{name}, row {i}: expected {theirs}, found {ours}");
                worst = worst.max(apart);
            }
            let mut scores = vec![0.0; model.class_count()];
            model.score(row, &mut scores).unwrap();
            for (score, own) in scores.iter().zip(out.chunks_exact(model.feature_count() + 1)) {
                let sum: f64 = own.iter().sum();
                let tolerance = 1e-6 * model.leaf_reach().max(1.0);
                assert!(
                    (sum - f64::from(*score)).abs() <= tolerance,
                    "{name}, row {i}: {sum} is not {score}"
                );
            }
        }
        println!("{name}: contributions within {worst:.1e}");
    }
}

#[test]
fn a_model_without_counts_has_scores_and_no_contributions() {
    let text = fs::read_to_string(fixtures().join("lgb_dart.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("leaf_count="));
    let without = import::from_bytes(lines.collect::<Vec<_>>().join("\n").as_bytes()).unwrap();
    assert!(!without.has_covers() && load(&fixtures().join("lgb_dart.txt")).has_covers());
    // One tree without them is enough, and a wrong number of them is a fault.
    let one = text.replacen("leaf_count=", "other_count=", 1);
    assert!(!import::from_bytes(one.as_bytes()).unwrap().has_covers());
    let error = refusal("lgb_dart.txt", &[("leaf_count=", "leaf_count=7 ")]);
    assert!(
        error.contains("leaf_count: expected 8 values, found 9"),
        "{error}"
    );
    let error = refusal("lgb_dart.txt", &[("leaf_count=", "leaf_count=-")]);
    assert!(
        error.contains("leaf_count: expected a number in range"),
        "{error}"
    );
    let text = fs::read_to_string(fixtures().join("xgb_regression.json")).unwrap();
    let negative = text.replacen("\"sum_hessian\":[6E2", "\"sum_hessian\":[-6E2", 1);
    assert_ne!(negative, text);
    // The root's is not read; a leaf's is.
    assert!(import::from_bytes(negative.as_bytes()).unwrap().has_covers());
    let renamed = text.replace("\"sum_hessian\"", "\"another\"");
    assert!(!import::from_bytes(renamed.as_bytes()).unwrap().has_covers());
}

/// Ranker files of earlier versions, written by the code of their time, are read for ever.
#[test]
fn files_of_version_1_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ranker");
    for name in ["lgb_categorical", "lgb_missing_zero"] {
        let old = format::from_bytes(&fs::read(folder.join(format!("v1-{name}.bin"))).unwrap()).unwrap();
        assert!(!old.has_covers());
        let text = fs::read_to_string(fixtures().join(format!("{name}.txt"))).unwrap();
        let without = text.replace("leaf_count=", "unread=");
        assert_eq!(old, import::from_bytes(without.as_bytes()).unwrap(), "{name}");
        let new = fs::read(folder.join(format!("v2-{name}.bin"))).unwrap();
        let now = import::from_bytes(text.as_bytes()).unwrap();
        assert_eq!(format::from_bytes(&new).unwrap(), now, "{name}");
        assert_eq!(
            format::to_bytes(&now),
            new,
            "{name}: the writer has changed, and the version has not"
        );
    }
}

#[test]
fn shared_models_score_as_their_libraries_do() {
    let Some(data) = std::env::var_os("RECSYS_DATA") else {
        println!("skipped: shared_models_score_as_their_libraries_do (RECSYS_DATA unset)");
        return;
    };
    let data = Path::new(&data);
    let folder = if data.join("features.csv").exists() {
        data.to_owned()
    } else {
        data.join("tree-models")
    };
    let rows = matrix(&folder.join("features.csv"), 1);
    for (name, raw) in [
        ("lgb_nocat.txt", "lgb_nocat"),
        ("xgb_rank.json", "xgb_rank"),
        ("xgb_rank.ubj", "xgb_rank"),
    ] {
        let model = load(&folder.join(name));
        println!("{name}: {} bytes of ranker file", format::to_bytes(&model).len());
        assert_parity(
            name,
            &model,
            &rows,
            &matrix(&folder.join(format!("{raw}.raw.csv")), 1),
        );
    }
}

#[test]
fn json_and_ubjson_of_one_model_are_one_model() {
    for name in [
        "xgb_logistic",
        "xgb_rank",
        "xgb_categorical",
        "xgb_dart",
        "xgb_dartmulti",
        "xgb_multicat",
    ] {
        let path = fixtures().join(name);
        assert_eq!(
            load(&path.with_extension("json")),
            load(&path.with_extension("ubj")),
            "{name}"
        );
    }
}

/// Whose prediction is the class with the highest score, but whose scores are the same.
#[test]
fn softmax_and_softprob_are_one_model() {
    let text = fs::read_to_string(fixtures().join("xgb_multiclass.json")).unwrap();
    let softmax = text.replace("multi:softprob", "multi:softmax");
    assert_ne!(softmax, text);
    assert_eq!(
        import::from_bytes(softmax.as_bytes()).unwrap(),
        import::from_bytes(text.as_bytes()).unwrap()
    );
}

/// XGBoost 1 and 2 write NaN where 3 writes 1E-45: as the threshold of categorical splits, which nothing reads.
#[test]
fn thresholds_of_categorical_splits_may_be_nan_in_json() {
    let text = fs::read_to_string(fixtures().join("xgb_categorical.json")).unwrap();
    let old = text.replace("1E-45", "NaN");
    assert_ne!(old, text);
    assert_eq!(
        import::from_bytes(old.as_bytes()).unwrap(),
        import::from_bytes(text.as_bytes()).unwrap()
    );
    let numerical = text.replacen("2.4E1", "NaN", 1);
    let error = import::from_bytes(numerical.as_bytes()).unwrap_err().to_string();
    assert!(
        error.starts_with("tree 1, node 2: threshold: expected a number, found NaN"),
        "{error}"
    );
    let infinite = text
        .replacen("2.4E1", "-Infinity", 1)
        .replacen(",3E0,", ",Infinity,", 1);
    assert!(import::from_bytes(infinite.as_bytes()).is_ok());
    let name = text.replacen("2.4E1", "\"NaN\"", 1);
    let error = import::from_bytes(name.as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains("line 1, column") && error.contains("expected a number"),
        "{error}"
    );
}

/// Edits a fixture's text and returns the refusal.
fn refusal(name: &str, edits: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(fixtures().join(name)).unwrap();
    for (from, to) in edits {
        assert!(text.contains(from), "{name} has no {from:?}");
        text = text.replacen(from, to, 1);
    }
    match import::from_bytes(text.as_bytes()) {
        Ok(_) => panic!("{name} with {edits:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn lightgbm_faults_are_named_with_their_line() {
    let text = fs::read_to_string(fixtures().join("lgb_missing_nan.txt")).unwrap();
    let value = |key: &str| {
        text.lines()
            .find(|line| line.starts_with(key))
            .unwrap()
            .to_owned()
    };
    let (left, threshold, feature) = (value("left_child="), value("threshold="), value("split_feature="));
    let last = |line: &str, new: &str| format!("{} {new}", line.rsplit_once(' ').unwrap().0);
    let none = String::new();
    for (from, to, expected) in [
        (
            &left,
            last(&left, "0"),
            "tree 0 (line 11), split 2: child: expected a node that no other",
        ),
        (&left, last(&left, "7"), "an index out of range"),
        (&left, last(&left, "-9"), "an index out of range"),
        (
            &left,
            last(&left, "-9223372036854775808"),
            "an index out of range",
        ),
        (
            &left,
            format!("{left} 1"),
            "line 17: left_child: expected 3 values, found 4",
        ),
        (
            &left,
            none.clone(),
            "block that begins at line 11: left_child: expected a line",
        ),
        (
            &threshold,
            last(&threshold, "nan"),
            "threshold: expected a number, found NaN",
        ),
        (
            &threshold,
            last(&threshold, "1.5x"),
            "line 15: threshold: expected a number in range, found \"1.5x\"",
        ),
        (
            &feature,
            last(&feature, "6"),
            "feature of a split: expected below 6, found 6",
        ),
        (&feature, last(&feature, "-1"), "line 14: split_feature"),
        (
            &"num_leaves=4".into(),
            "num_leaves=4000000000".into(),
            "expected 4000000000 values, found 4",
        ),
        (
            &"num_leaves=4".into(),
            "num_leaves=0".into(),
            "leaf_value: expected 0 values",
        ),
        (
            &"is_linear=0".into(),
            "is_linear=1".into(),
            "linear leaves (linear_tree); this is not supported",
        ),
        (
            &"version=v4".into(),
            "version=v9".into(),
            "line 2: version: expected v3 or v4, found v9",
        ),
        (
            &"objective=regression".into(),
            "objective=astrology".into(),
            "found astrology",
        ),
        (
            &"max_feature_idx=5".into(),
            "max_feature_idx=7".into(),
            "feature_names: expected 8 values, found 6",
        ),
        (
            &"Tree=3".into(),
            "Tree=4".into(),
            "number of the tree: expected Tree=3, found Tree=4",
        ),
        (
            &"num_cat=0".into(),
            "num_cat=1".into(),
            "cat_boundaries: expected a line",
        ),
        (&"end of trees".into(), none, "expected \"end of trees\""),
    ] {
        let error = refusal("lgb_missing_nan.txt", &[(from, &to)]);
        assert!(error.contains(expected), "{from} -> {to}: {error}");
    }
    let error = refusal("lgb_binary.txt", &[("tree_sizes=", "tree_sizes=7 ")]);
    assert!(error.contains("number of trees: expected 9, found 8"), "{error}");
    // Ten million trees an iteration, and none in the file: nothing is allocated for the claim.
    let claim = "tree\nversion=v4\nnum_class=10000000\nnum_tree_per_iteration=10000000\nmax_feature_idx=0\n\
                 feature_names=a\n\nend of trees\n";
    let error = import::from_bytes(claim.as_bytes()).unwrap_err().to_string();
    assert!(
        error.starts_with("line 3: num_class: expected num_class and"),
        "{error}"
    );
    let error = refusal(
        "lgb_categorical.txt",
        &[("cat_boundaries=0 ", "cat_boundaries=99 ")],
    );
    assert!(error.contains("category set within cat_boundaries"), "{error}");
}

#[test]
fn xgboost_faults_are_named_with_tree_and_node() {
    for (from, to, expected) in [
        (
            "\"left_children\":[1,",
            "\"left_children\":[0,",
            "tree 0, node 0: child: expected a node that no other",
        ),
        (
            "\"left_children\":[1,",
            "\"left_children\":[99,",
            "an index out of range",
        ),
        (
            "\"left_children\":[1,",
            "\"left_children\":[1,-1,",
            "tree 0: left_children: expected 15 values",
        ),
        (
            "\"split_indices\":[",
            "\"split_indices\":[6",
            "feature of a split: expected below 6",
        ),
        (
            "\"num_trees\":\"8\"",
            "\"num_trees\":\"10000000\"",
            "num_trees: expected 8, found 10000000",
        ),
        (
            "\"num_class\":\"0\",\"num_feature\":\"6\"",
            "\"num_class\":\"0\",\"num_feature\":\"7\"",
            "number of feature names: expected 7 to 7, found 6",
        ),
        (
            "\"name\":\"gbtree\"",
            "\"name\":\"gblinear\"",
            "booster: expected gbtree or dart, found gblinear",
        ),
        (
            "\"name\":\"binary:logistic\"",
            "\"name\":\"survival:cox\"",
            "found survival:cox; this is not supported",
        ),
        ("[5E-1]", "[1E0]", "base_score: expected 1 or 1 numbers"),
        ("[5E-1]", "[5E-1,5E-1]", "base_score: expected 1 or 1 numbers"),
        ("\"version\":[3", "\"version\":[9", "version: expected 1 to 3"),
        (
            "\"num_target\":\"1\"",
            "\"num_target\":\"2\"",
            "num_target: expected 1, found 2",
        ),
        (
            "\"size_leaf_vector\":\"1\"",
            "\"size_leaf_vector\":\"3\"",
            "multi_output_tree",
        ),
        (
            "\"tree_info\":[0",
            "\"tree_info\":[1",
            "tree_info: expected below 1, found 1",
        ),
        ("\"learner\":{", "\"learner\":[", "line 1, column"),
    ] {
        let error = refusal("xgb_logistic.json", &[(from, to)]);
        assert!(error.contains(expected), "{from} -> {to}: {error}");
    }
    let error = refusal(
        "xgb_categorical.json",
        &[("\"categories_sizes\":[", "\"categories_sizes\":[99")],
    );
    assert!(
        error.contains("categories_segments: expected a part of categories"),
        "{error}"
    );
}

/// Models of the real libraries that are not supported: each is refused by the name of what it has.
#[test]
fn unsupported_models_are_refused_by_name() {
    for (name, expected) in [
        (
            "lgb_linear.txt",
            "linear leaves (linear_tree); this is not supported",
        ),
        (
            "xgb_gblinear.json",
            "booster: expected gbtree or dart, found gblinear",
        ),
        ("xgb_multi_output.json", "num_target: expected 1, found 2"),
        ("xgb_two_targets.json", "num_target: expected 1, found 2"),
        ("xgb_cox.json", "found survival:cox"),
        ("xgb_hinge.json", "found binary:hinge"),
    ] {
        let bytes = fs::read(fixtures().join("refused").join(name)).unwrap();
        let error = import::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert!(
            error.contains("not supported: train the model without it"),
            "{name}: {error}"
        );
    }
}

#[test]
fn cut_and_edited_models_are_refused_or_read_and_never_panic() {
    for name in ["lgb_categorical.txt", "xgb_categorical.json", "xgb_dart.ubj"] {
        let whole = fs::read(fixtures().join(name)).unwrap();
        let (start, mut bytes) = (whole.len() * 9 / 10, whole.clone());
        for end in (0..whole.len()).step_by(7) {
            // Behind LightGBM's trees stands nothing that the importer needs.
            let error = import::from_bytes(&whole[..end]);
            assert!(
                error.is_err() || (name.ends_with("txt") && end > start),
                "{name} cut at {end}"
            );
        }
        for at in (0..whole.len()).step_by(5) {
            for flip in [0x01, 0x10, 0x80] {
                bytes[at] ^= flip;
                if let Ok(model) = import::from_bytes(&bytes) {
                    let row = vec![1.0; model.feature_count()];
                    model.score(&row, &mut vec![0.0; model.class_count()]).unwrap();
                }
                bytes[at] ^= flip;
            }
        }
    }
}

#[test]
fn unknown_files_are_refused_with_what_would_be_accepted() {
    for bytes in [&b""[..], b"\x80\x04pickle", b"PK\x03\x04", b"[1,2]"] {
        let error = import::from_bytes(bytes).unwrap_err().to_string();
        assert!(error.contains("XGBoost JSON or UBJSON"), "{error}");
    }
    assert!(
        import::from_bytes(b"RTRE")
            .unwrap_err()
            .to_string()
            .starts_with("ranker: byte 4")
    );
}

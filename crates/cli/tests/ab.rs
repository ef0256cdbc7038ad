//! `recsys ab` and `recsys policy`, as a site's owner runs them.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Folder, assert_says, recsys};
use recsys_core::npy::Matrix;
use serde_json::{Value, json};

/// Runs, must succeed, and returns what it printed.
fn said(args: &[&str]) -> String {
    let output = recsys(args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn json_of(args: &[&str]) -> Value {
    serde_json::from_str(&said(args)).unwrap()
}

/// Runs, must fail with exit code 1 and all of these words.
fn refused(args: &[&str], words: &[&str]) {
    assert_says(&common::refused(args), words);
}

impl Folder {
    /// A bundle of 40 videos, `v0` to `v39`.
    fn bundle(&self) -> String {
        let value = |i: usize| ((i * i % 1013 * 7919 % 1013) as f32 - 506.0) / 506.0;
        let matrix = Matrix {
            rows: 40,
            columns: 16,
            values: (0..40 * 16).map(value).collect(),
        };
        let vectors = self.write("v.npy", matrix.to_bytes());
        let ids = self.write("ids.txt", (0..40).map(|i| format!("v{i}\n")).collect::<String>());
        let out = self.path("bundle").display().to_string();
        said(&["index", "--vectors", &vectors, "--ids", &ids, "--out", &out]);
        out
    }

    fn manifest(&self) -> Value {
        let bytes = std::fs::read(self.path("bundle").join("manifest.json")).unwrap();
        let file: Value = serde_json::from_slice(&bytes).unwrap();
        file["manifest"].clone()
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_plan_says_how_many_viewers() {
    let plan = json_of(&[
        "ab",
        "plan",
        "--baseline",
        "0.05",
        "--lift",
        "0.1",
        "--per-day",
        "1000",
        "--json",
    ]);
    // As statsmodels has it: 31,233.44.
    assert_eq!(
        (&plan["fixed"]["control"], &plan["fixed"]["all"]),
        (&json!(31_234), &json!(62_468))
    );
    assert!(number(&plan["sequential"]["control"]) > 31_234.0);
    assert!((number(&plan["fixed"]["days"]) - 62.468).abs() < 1e-9);
    let two = json_of(&[
        "ab",
        "plan",
        "--baseline",
        "0.05",
        "--to",
        "0.055",
        "--treatments",
        "2",
        "--json",
    ]);
    assert_eq!(two["alpha"], 0.025);
    assert!(said(&["ab", "plan", "--baseline", "0.2", "--lift=-0.1"]).contains("--planned"));
    refused(
        &["ab", "plan", "--baseline", "0.2", "--lift", "9"],
        &["the share after the effect is 2"],
    );
    refused(
        &["ab", "plan", "--baseline", "0.2", "--lift", "0"],
        &["the effect"],
    );
}

#[test]
fn without_data_the_report_says_how_to_get_some() {
    refused(
        &["ab", "report"],
        &[
            "there is no data",
            "/v1/aggregates",
            "--events",
            "docs/experiments.md",
        ],
    );
    let folder = Folder::new();
    let empty = folder.write("a.jsonl", "{\"item\":\"a\",\"impressions\":9,\"clicks\":1}\n");
    refused(&["ab", "report", "--aggregates", &empty], &["no line of an arm"]);
    refused(
        &["ab", "report", "--aggregates", "/nowhere"],
        &["/nowhere", "cannot read"],
    );
    let search = r#"{"event":"search","ts":1760000000000,"session":"s","query":"q"}"#;
    let events = folder.write("e.jsonl", search);
    refused(
        &["ab", "report", "--events", &events],
        &["no impression has an `arm`"],
    );
}

fn arm(experiment: &str, arm: &str, exposures: u64, outcomes: u64) -> String {
    json!({"experiment": experiment, "arm": arm, "exposures": exposures, "outcomes": outcomes}).to_string()
}

#[test]
fn counts_by_arm_become_an_effect() {
    let folder = Folder::new();
    let lines = [
        r#"{"item":"a","impressions":9,"clicks":1}"#.to_owned(),
        r#"{"item":"a","with":"b","count":2}"#.to_owned(),
        arm("list", "control", 15_000, 1_500),
        arm("list", "control", 5_000, 500),
        arm("list", "varied", 20_050, 2_500),
        arm("lossy", "control", 10_000, 900),
        arm("lossy", "new", 9_000, 2_000),
        arm("young", "control", 90, 9),
        arm("young", "new", 88, 40),
    ];
    let file = folder.write("counts.jsonl", lines.join("\n"));
    let reports = json_of(&["ab", "report", "--aggregates", &file, "--json"]);
    let verdict = |i: usize| reports[i]["comparisons"][0]["verdict"].clone();
    assert_eq!(
        [verdict(0), verdict(1), verdict(2)],
        ["better", "mismatch", "too-few"]
    );
    let row = &reports[0]["comparisons"][0];
    let difference = 2_500.0 / 20_050.0 - 0.1;
    assert!((number(&row["difference"]) - difference).abs() < 1e-12);
    assert!((number(&row["relative"]) - difference / 0.1).abs() < 1e-9);
    // Looking at any time costs width.
    assert!(
        number(&row["low"]) < number(&row["fixedLow"]) && number(&row["high"]) > number(&row["fixedHigh"])
    );
    assert!(number(&row["low"]) > 0.0 && number(&row["pValue"]) < 0.05);
    assert_eq!(reports[0]["sampleRatio"]["mismatch"], false);

    let one = json_of(&[
        "ab",
        "report",
        "--aggregates",
        &file,
        "--experiment",
        "list",
        "--control",
        "varied",
        "--json",
    ]);
    assert_eq!(
        (
            one.as_array().unwrap().len(),
            &one[0]["comparisons"][0]["verdict"]
        ),
        (1, &json!("worse"))
    );
    let weights = [
        "ab",
        "report",
        "--aggregates",
        &file,
        "--experiment",
        "lossy",
        "--json",
        "--weights",
    ];
    let weighted = json_of(&[&weights[..], &["control=10,new=9"]].concat());
    assert_eq!(weighted[0]["sampleRatio"]["mismatch"], false);
    refused(&[&weights[..], &["control=1"]].concat(), &["arm new has none"]);
    refused(
        &["ab", "report", "--aggregates", &file, "--experiment", "nope"],
        &["list, lossy, young"],
    );
    refused(
        &["ab", "report", "--aggregates", &file, "--control", "nope"],
        &["control, varied"],
    );
    let text = said(&["ab", "report", "--aggregates", &file]);
    assert!(
        text.contains("varied minus control") && text.contains("at any look"),
        "{text}"
    );
}

#[test]
fn impossible_counts_are_refused_by_arm() {
    let folder = Folder::new();
    let lines = [arm("list", "control", 10, 5), arm("list", "new", 10, 11)];
    let file = folder.write("counts.jsonl", lines.join("\n"));
    refused(
        &["ab", "report", "--aggregates", &file],
        &["experiment list, arm new", "sumSquares"],
    );
    let alone = folder.write("alone.jsonl", arm("list", "control", 10, 5));
    refused(&["ab", "report", "--aggregates", &alone], &["at least two arms"]);
    let broken = folder.write("broken.jsonl", "{\"item\":\"a\",\"clicks\":1}\nnonsense");
    refused(&["ab", "report", "--aggregates", &broken], &["line 2"]);
}

const START: i64 = 1_760_000_000_000;

/// Impressions of items with their arms, and a click on the first `clicks` of them.
fn page(number: usize, viewer: &str, session: &str, shown: &[(&str, &str)], clicks: usize) -> String {
    let ts = START + number as i64 * 60_000;
    let mut lines = String::new();
    for (position, (item, arm)) in shown.iter().enumerate() {
        let line = json!({
            "event": "impression", "ts": ts, "session": session, "request": format!("r{number}"), "item": item,
            "position": position, "arm": arm, "propensity": 0.1, "user": {"id": viewer},
        });
        lines += &format!("{line}\n");
    }
    for (item, _) in &shown[..clicks] {
        let line = json!({
            "event": "click", "ts": ts + 1_000, "session": session, "request": format!("r{number}"), "item": item,
            "user": {"id": viewer},
        });
        lines += &format!("{line}\n");
    }
    lines
}

#[test]
fn a_log_counts_by_viewer_visit_or_page() {
    let folder = Folder::new();
    let mut log = String::new();
    for i in 0..400 {
        let (viewer, arm) = (format!("u{}", i % 200), ["list=old", "list=new"][i % 2]);
        // Every fifth page of the old arm is clicked once, every second one of the new twice.
        let clicks = if i % 2 == 0 {
            usize::from(i % 10 == 0)
        } else {
            2 * usize::from(i % 4 == 1)
        };
        log += &page(i, &viewer, &format!("s{i}"), &[("a", arm), ("b", arm)], clicks);
    }
    log += &page(400, "mixed", "s400", &[("a", "list=old")], 1);
    log += &page(401, "mixed", "s401", &[("a", "list=new")], 1);
    let file = folder.write("events.jsonl", log);
    let report = |more: &[&str]| {
        let args = [
            "ab",
            "report",
            "--events",
            &file,
            "--control",
            "old",
            "--planned",
            "100",
            "--json",
        ];
        json_of(&[&args[..], more].concat())[0].clone()
    };
    let by_viewer = report(&[]);
    assert_eq!(
        (&by_viewer["experiment"], &by_viewer["mixedUnits"]),
        (&json!("list"), &json!(1))
    );
    let arms = |report: &Value| {
        let arm = |i: usize| {
            (
                report["arms"][i]["exposures"].as_u64().unwrap(),
                number(&report["arms"][i]["mean"]),
            )
        };
        [arm(0), arm(1)]
    };
    // New first, by name: of 100 viewers half, and of 100 a fifth.
    assert_eq!(arms(&by_viewer), [(100, 0.5), (100, 0.2)]);
    assert_eq!(by_viewer["comparisons"][0]["verdict"], "better");
    let by_page = report(&["--unit", "request", "--measure", "count"]);
    let [(new, new_mean), (old, old_mean)] = arms(&by_page);
    assert_eq!((new, old, by_page["mixedUnits"].as_u64()), (201, 201, Some(0)));
    assert!((new_mean - 201.0 / 201.0).abs() < 1e-12 && (old_mean - 41.0 / 201.0).abs() < 1e-12);
    let by_visit = report(&["--unit", "session"]);
    assert_eq!(arms(&by_visit)[0].0, 201);
    // Nothing was watched.
    let watched = report(&["--outcome", "watch"]);
    assert_eq!(arms(&watched)[0].1, 0.0);
}

#[test]
fn interleaved_pages_are_read_as_a_duel() {
    let folder = Folder::new();
    let log: String = (0..300)
        .map(|i| {
            // The first place is clicked; nine of ten times it is b's pick.
            let first = if i % 10 == 0 {
                ["duel=a", "duel=b"]
            } else {
                ["duel=b", "duel=a"]
            };
            let shown = [("x", first[0]), ("y", first[1])];
            page(i, &format!("u{i}"), "s", &shown, 1)
        })
        .collect();
    let file = folder.write("events.jsonl", log);
    let report = json_of(&["ab", "report", "--events", &file, "--planned", "300", "--json"]);
    let duel = &report[0]["interleaving"];
    assert_eq!(
        (&duel["control"], &duel["treatment"], &duel["verdict"]),
        (&json!("a"), &json!("b"), &json!("better"))
    );
    assert!((number(&duel["difference"]) - 0.8).abs() < 1e-12);
}

#[test]
fn rules_are_published_shown_and_taken_back() {
    let folder = Folder::new();
    let bundle = folder.bundle();
    let set = |json: &str| {
        let file = folder.write("policy.json", json);
        ["policy", "--bundle", &bundle, "--set", &file].map(str::to_owned)
    };
    let run = |args: [String; 5]| said(&args.each_ref().map(String::as_str));
    let fail = |args: [String; 5], words: &[&str]| refused(&args.each_ref().map(String::as_str), words);

    let default: Value = json_of(&["policy", "--bundle", &bundle]);
    assert_eq!(
        default,
        json!({"excludeSeen": true, "lambda": default["lambda"], "pool": 100})
    );
    run(set(
        r#"{"pins":[{"item":"v3","position":1}],"exploration":{"positions":[4]},"caps":{"perCreator":2}}"#,
    ));
    let manifest = folder.manifest();
    assert_eq!(
        (&manifest["sequence"], &manifest["policy"]["pins"][0]["item"]),
        (&json!(2), &json!("v3"))
    );
    let shown = json_of(&["policy", "--bundle", &bundle, "--show"]);
    assert_eq!(
        (&shown["exploration"]["pool"], &shown["caps"]["perCreator"]),
        (&json!(50), &json!(2))
    );

    fail(
        set(r#"{"pins":[{"item":"v99","position":1}]}"#),
        &["policy.json", "no video \"v99\""],
    );
    fail(
        set(r#"{"boosts":[{"category":"sport","add":0.1}]}"#),
        &["no category \"sport\""],
    );
    fail(set(r#"{"lambda":3}"#), &["policy.json", "lambda", "0 to 1"]);
    fail(
        set(r#"{"lamda":1}"#),
        &[
            "policy.json",
            "unknown field `lamda`",
            "expected one of `excludeSeen`, `lambda`",
        ],
    );
    assert_eq!(
        folder.manifest()["sequence"],
        2,
        "what was refused changed nothing"
    );
    said(&["verify", &bundle]);
    said(&["policy", "--bundle", &bundle, "--clear"]);
    assert_eq!(
        (&folder.manifest()["sequence"], folder.manifest().get("policy")),
        (&json!(3), None)
    );
}

#[test]
fn experiments_are_published_and_ended() {
    let folder = Folder::new();
    let bundle = folder.bundle();
    let file = folder.write(
        "tests.json",
        r#"[{"name":"variety","arms":[{"name":"control"},{"name":"varied","policy":{"lambda":0.5}}]}]"#,
    );
    assert!(said(&["ab", "publish", "--bundle", &bundle, "--experiments", &file]).contains("variety"));
    assert_eq!(
        folder.manifest()["experiments"][0]["arms"][1]["policy"]["lambda"],
        0.5
    );
    // Rules and experiments do not undo each other.
    let rules = folder.write("policy.json", r#"{"lambda":0.8}"#);
    said(&["policy", "--bundle", &bundle, "--set", &rules]);
    assert_eq!(folder.manifest()["experiments"][0]["name"], "variety");
    let bad = folder.write("bad.json", r#"[{"name":"variety","arms":[{"name":"control"}]}]"#);
    refused(
        &["ab", "publish", "--bundle", &bundle, "--experiments", &bad],
        &["bad.json", "1 arms"],
    );
    said(&["ab", "publish", "--bundle", &bundle, "--clear"]);
    assert_eq!(folder.manifest().get("experiments"), None);
}

/// Pages of 4 of the 40 videos, drawn as a shuffled deck; even videos are clicked.
fn uniform_log(pages: usize, propensity: bool) -> String {
    let mut log = String::new();
    for i in 0..pages {
        let viewer = format!("u{}", i % 50);
        let items: Vec<String> = (0..4)
            .map(|j| format!("v{}", (i * 17 + j * 10 + i / 40) % 40))
            .collect();
        let ts = START + i as i64 * 60_000;
        for (position, item) in items.iter().enumerate() {
            let mut line = json!({
                "event": "impression", "ts": ts, "session": "s", "request": format!("r{i}"), "item": item,
                "position": position, "arm": "uniform", "user": {"id": viewer},
            });
            if propensity {
                line["propensity"] = json!(0.1);
            }
            log += &format!("{line}\n");
        }
        let even = items
            .iter()
            .filter(|item| item[1..].parse::<usize>().unwrap().is_multiple_of(2));
        // Without viewers' clicks in the session, so that nothing counts as seen: the outcome is a watch.
        for item in even {
            let line = json!({
                "event": "watch", "ts": ts + 1_000, "session": "s", "request": format!("r{i}"), "item": item,
                "watch_seconds": 40.0, "user": {"id": viewer},
            });
            log += &format!("{line}\n");
        }
    }
    log
}

#[test]
fn rankings_are_judged_from_the_log_of_another() {
    let folder = Folder::new();
    let bundle = folder.bundle();
    let file = folder.write("events.jsonl", uniform_log(1_200, true));
    let args = [
        "ab",
        "offpolicy",
        "--events",
        &file,
        "--bundle",
        &bundle,
        "-k",
        "5",
        "--label",
        "watch",
    ];
    let rows = json_of(&[&args[..], &["--resamples", "100", "--json"]].concat());
    let rows = rows.as_array().unwrap();
    let row = |path: &str, estimator: &str| {
        let found = rows
            .iter()
            .find(|row| row["path"] == path && row["estimator"] == estimator);
        found.unwrap_or_else(|| panic!("{path} {estimator}")).clone()
    };
    assert!(number(&row("logged", "mean")["value"]) > 0.0);
    for path in ["popularity", "similarity", "full"] {
        for estimator in ["ips", "snips", "dr"] {
            let row = row(path, estimator);
            let [low, value, high] = ["low", "value", "high"].map(|key| number(&row[key]));
            assert!(low <= value && value <= high, "{row}");
            assert!(
                number(&row["largestWeight"]) <= 8.0 + 1e-9,
                "40 videos over a page of 5: {row}"
            );
            assert!(number(&row["effectiveSamples"]) <= number(&row["matched"]) + 1e-6);
        }
    }
    let missing = folder.write("missing.jsonl", uniform_log(20, false));
    refused(
        &["ab", "offpolicy", "--events", &missing, "--bundle", &bundle],
        &["missing.jsonl", "no `propensity`", "request r16"],
    );
}

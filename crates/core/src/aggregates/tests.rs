use super::*;

fn id(id: &str) -> ItemId {
    ItemId::new(id).unwrap()
}

fn parsed(body: &str) -> Result<Batch, String> {
    let batch: Batch = crate::json::read(body).map_err(|error| error.without_values())?;
    batch.check().map(|()| batch).map_err(|error| error.to_string())
}

#[test]
fn a_browsers_counts_read_back_as_they_were() {
    let (a, b) = (id("a"), id("b"));
    let mut batch = Batch::default();
    batch.exposure("list", "control");
    for item in [&a, &b, &b] {
        batch.impression(item);
    }
    batch.click(&a, None);
    batch.click(&b, Some(&a));
    batch.click(&b, Some(&b));
    for before in 0..3 {
        batch.outcome("list", "control", before);
    }
    let body = serde_json::to_string(&batch).unwrap();
    assert_eq!(
        body,
        r#"{"items":[{"item":"a","impressions":1,"clicks":1},{"item":"b","impressions":2,"clicks":2}],"pairs":[{"item":"a","with":"b","count":1}],"arms":[{"experiment":"list","arm":"control","exposures":1,"outcomes":3,"sumSquares":9}]}"#
    );
    assert_eq!(parsed(&body).unwrap(), batch);
    let stored = serde_json::to_string(&StoredBatch::from(&batch)).unwrap();
    let read: StoredBatch = crate::json::read(&stored).unwrap();
    assert_eq!(Batch::from(read), batch);
}

#[test]
fn a_browser_never_makes_a_batch_that_is_refused() {
    let mut batch = Batch::default();
    let ids: Vec<ItemId> = (0..2 * MAX_ROWS).map(|i| id(&i.to_string())).collect();
    for pair in ids.windows(2) {
        batch.impression(&pair[0]);
        batch.click(&pair[1], Some(&pair[0]));
    }
    for before in 0..2 * MAX_COUNT {
        batch.impression(&ids[0]);
        batch.exposure("e", "a");
        batch.outcome("e", "a", before);
    }
    assert_eq!(batch.rows(), MAX_ROWS);
    batch.check().unwrap();
}

#[test]
fn bad_batches_say_what_is_wrong() {
    let many = format!(
        r#"{{"items":[{}]}}"#,
        vec![r#"{"item":"a","clicks":1}"#; MAX_ROWS + 1].join(",")
    );
    let cases = [
        ("{}", "no rows"),
        (many.as_str(), "501 rows"),
        (
            r#"{"items":[{"item":"a","viewer":"x"}]}"#,
            "items[0]: unknown field with a name of 6 bytes",
        ),
        (r#"{"items":[{"item":"","clicks":1}]}"#, "an item id is empty"),
        (
            r#"{"items":[{"item":"a","clicks":1001}]}"#,
            "`clicks`: expected 0 to 1000, found more",
        ),
        (
            r#"{"items":[{"item":"a","clicks":-1}]}"#,
            "items[0].clicks: expected a whole",
        ),
        (
            r#"{"items":[{"item":"a","clicks":1.5}]}"#,
            "items[0].clicks: expected a whole",
        ),
        (
            r#"{"pairs":[{"item":"a","with":"a","count":1}]}"#,
            "the same video",
        ),
        (r#"{"pairs":[{"item":"a","with":"b"}]}"#, "missing field `count`"),
        (
            r#"{"arms":[{"experiment":"e","arm":"a b"}]}"#,
            "underscores, found another text of 3 bytes",
        ),
        (
            r#"{"arms":[{"experiment":"","arm":"a"}]}"#,
            "underscores, found another text of 0 bytes",
        ),
        (
            r#"{"arms":[{"experiment":"e","arm":"a","outcomes":1,"sumSquares":1000001}]}"#,
            "`sumSquares`",
        ),
        (r#"{"time":[]}"#, "unknown field with a name of 4 bytes"),
    ];
    for (body, expected) in cases {
        let error = parsed(body).expect_err(body);
        assert!(error.contains(expected), "{body}\n  {error}");
    }
}

#[test]
fn lines_of_an_export_are_told_apart() {
    let item = parse_line(r#"{"item":"a","impressions":5000000000,"clicks":2}"#).unwrap();
    assert!(matches!(item, Line::Item(counts) if counts.impressions == 5_000_000_000));
    let pair = parse_line(r#"{"item":"a","with":"b","count":3}"#).unwrap();
    assert!(matches!(pair, Line::Pair(pair) if pair.with == id("b")));
    let arm = parse_line(r#"{"experiment":"e","arm":"a","exposures":7,"outcomes":3}"#).unwrap();
    assert!(matches!(arm, Line::Arm(arm) if arm.sum_squares.is_none() && arm.exposures == 7));
    for bad in [
        "",
        "{",
        "{}",
        r#"{"item":"a","clicks":1,"count":1}"#,
        r#"{"arm":"a"}"#,
    ] {
        assert!(parse_line(bad).is_err(), "{bad}");
    }
}

use super::*;

#[derive(Debug, PartialEq)]
struct Point {
    x: u8,
    y: Option<f32>,
    name: String,
    more: Vec<(i64, String)>,
}

impl<'a> FromJson<'a> for Point {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.strict_object(&["x", "y", "name", "more"], |fields| {
            Ok(Self {
                x: fields.get("x")?,
                y: fields.get("y")?,
                name: fields.get_or("name", "p".to_owned())?,
                more: fields.get_or("more", Vec::new())?,
            })
        })
    }
}

fn error(text: &str) -> String {
    read::<Point>(text).unwrap_err().to_string()
}

#[test]
fn reads_fields_in_any_order_and_fills_in_what_may_be_missing() {
    let point = read::<Point>(r#"{"more":[[-5,"a\n"],[7,"b"]],"y":1.5,"name":"\u00e9","x":255}"#).unwrap();
    assert_eq!((point.x, point.y, point.name.as_str()), (255, Some(1.5), "é"));
    assert_eq!(point.more, [(-5, "a\n".to_owned()), (7, "b".to_owned())]);
    for text in [r#"{"x":0}"#, r#"{"x":0,"y":null}"#] {
        let point = read::<Point>(text).unwrap();
        assert_eq!((point.x, point.y, point.name.as_str()), (0, None, "p"));
    }
    assert_eq!(read::<Vec<f64>>("[1,-1,1e2]").unwrap(), [1.0, -1.0, 100.0]);
}

#[test]
fn refuses_by_path_what_has_another_form() {
    for (text, expected) in [
        ("[]", "expected an object, found a list"),
        (
            r#"{"x":256}"#,
            "x: expected a whole number from 0 to 255, found 256",
        ),
        (
            r#"{"x":-1}"#,
            "x: expected a whole number from 0 to 255, found -1",
        ),
        (
            r#"{"x":1.0}"#,
            "x: expected a whole number from 0 to 255, found 1.0",
        ),
        (r#"{"x":1,"y":"a\"b"}"#, r#"y: expected a number, found "a\"b""#),
        (r#"{"x":1,"name":null}"#, "name: expected a text, found null"),
        (r#"{"x":1,"more":{}}"#, "more: expected a list, found an object"),
        (
            r#"{"x":1,"more":[[1,"a"],[1,true]]}"#,
            "more[1]: expected a text, found true",
        ),
        (r#"{"x":1,"more":[[1]]}"#, "more[0]: expected a list of 2"),
        (r#"{"x":1,"more":[[1,"a",2]]}"#, "more[0]: expected a list of 2"),
        (
            r#"{"x":1,"more":[[9223372036854775808,"a"]]}"#,
            "more[0]: expected a whole number from 0 to 9223372036854775807",
        ),
        ("{}", "missing field `x`"),
        (r#"{"x":1,"x":2}"#, "duplicate field `x`"),
        (
            r#"{"x":1,"z":2}"#,
            "unknown field `z`, expected one of `x`, `y`, `name`, `more`",
        ),
        (r#"{"z":2}"#, "unknown field `z`"),
        (r#"{"x":1"#, "line 1 column 6"),
        (r#"{"x":1} 2"#, "trailing characters at line 1 column 9"),
    ] {
        assert!(
            error(text).starts_with(expected) || error(text).ends_with(expected),
            "{text}: {}",
            error(text)
        );
    }
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    assert!(error(&deep).contains("recursion limit"));
    assert!(read_bytes::<Point>(b"\xff").is_err());
}

#[test]
fn without_values_nothing_of_the_text_is_quoted() {
    for (text, expected) in [
        (
            r#"{"x":25657}"#,
            "x: expected a whole number from 0 to 255, found another number",
        ),
        (
            r#"{"x":1,"y":"secret"}"#,
            "y: expected a number, found a text of 6 bytes",
        ),
        (
            r#"{"x":1,"name":["secret"]}"#,
            "name: expected a text, found a list of 1",
        ),
        (
            r#"{"x":1,"name":{"secret":1}}"#,
            "name: expected a text, found an object",
        ),
        (
            r#"{"x":1,"name":true}"#,
            "name: expected a text, found true or false",
        ),
        (
            r#"{"x":1,"more":[[1,"a"],[1,null]]}"#,
            "more[1]: expected a text, found null",
        ),
        (
            r#"{"x":1,"secret":2}"#,
            "unknown field with a name of 6 bytes, expected one of `x`, `y`, `name`, `more`",
        ),
        (
            r#"{"secret":"secret","x":}"#,
            "expected value at line 1 column 24",
        ),
        (r#"{"x":1,"x":2}"#, "duplicate field `x`"),
        ("{}", "missing field `x`"),
    ] {
        assert_eq!(
            read::<Point>(text).unwrap_err().without_values(),
            expected,
            "{text}"
        );
    }
}

#[test]
fn a_tree_is_written_as_it_was_read() {
    let text = r#"{"a":[null,true,0,-5,1.5,"x\n"],"b":{},"a":[]}"#;
    assert_eq!(serde_json::to_string(&parse(text).unwrap()).unwrap(), text);
}

#[test]
fn texts_are_shown_in_quotes_and_numbers_in_their_shortest_form() {
    for (shown, expected) in [
        (Shown::from("a\"\n\u{7f}é"), "\"a\\\"\\n\u{7f}é\""),
        (Shown::from(0.1f32), "0.1"),
        (Shown::from(0.1f64 + 0.2), "0.30000000000000004"),
        (Shown::from(f32::NAN), "NaN"),
        (Shown::from(f64::NEG_INFINITY), "-infinity"),
        (Shown::from(f32::INFINITY), "infinity"),
    ] {
        assert_eq!(shown.to_string(), expected);
    }
}

#[test]
fn other_fields_are_passed_over_where_the_object_is_not_strict() {
    let read = |json: Json<'_>| json.object(|fields| fields.get::<u32>("a"));
    assert_eq!(read(parse(r#"{"b":[{}],"a":7}"#).unwrap()), Ok(7));
}

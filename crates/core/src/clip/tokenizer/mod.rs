//! CLIP's tokenizer: byte-pair encoding over cleaned, lower-cased text.
//!
//! Source: OpenAI's `simple_tokenizer.py` (github.com/openai/CLIP).

mod clean;
mod merges;
mod words;

use words::Word;

/// Token before a text.
pub const START: u32 = 49_406;
/// Token after a text.
pub const END: u32 = 49_407;
/// The most tokens of a text, [`START`] and [`END`] included.
pub const CONTEXT: usize = 77;

/// Text is cut here before it is tokenized, in bytes: far above what a context takes.
const MAX_TEXT_BYTES: usize = 16_384;

/// Token ids: [`START`], at most `context − 2` tokens of the text, [`END`]. A `context` below 2 counts as 2.
#[must_use]
pub fn tokenize(text: &str, context: usize) -> Vec<u32> {
    let end = text.floor_char_boundary(MAX_TEXT_BYTES);
    let text = clean::clean(text.get(..end).unwrap_or_default());
    let most = context.max(2) - 1;
    let mut tokens = vec![START];
    for word in words::words(&text) {
        if tokens.len() >= most {
            break;
        }
        match word {
            Word::Start => tokens.push(START),
            Word::End => tokens.push(END),
            Word::Plain(word) => merges::append(word, &mut tokens),
        }
    }
    tokens.truncate(most);
    tokens.push(END);
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn start_end_and_the_cut_at_77() {
        assert_eq!(
            tokenize("a photo of a cat", CONTEXT),
            [START, 320, 1125, 539, 320, 2368, END]
        );
        assert_eq!(tokenize("", CONTEXT), [START, END]);
        let long = tokenize(&"cat ".repeat(500), CONTEXT);
        assert_eq!((long.len(), long.last()), (77, Some(&END)));
        assert_eq!(tokenize("cat", 0), [START, END]);
    }

    #[test]
    fn entities_are_unescaped_twice() {
        assert_eq!(tokenize("&amp;lt;b&amp;gt;", 77), tokenize("<b>", 77));
    }

    /// Texts and the tokens that the reference gives them, without start and end.
    fn agree<'a>(cases: impl ExactSizeIterator<Item = (&'a Value, &'a Value)>) {
        let count = cases.len();
        let differs = |(text, ids): (&Value, &Value)| {
            let text = text.as_str().unwrap();
            let expected: Vec<u32> = serde_json::from_value(ids.clone()).unwrap();
            let found = tokenize(text, usize::MAX);
            let body = &found[1..found.len() - 1];
            (body != expected).then(|| format!("{text:?}: expected {expected:?}, found {body:?}"))
        };
        let wrong: Vec<String> = cases.filter_map(differs).collect();
        assert!(
            wrong.is_empty(),
            "{} of {count}:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }

    #[test]
    fn texts_of_many_kinds_give_the_tokens_of_the_reference() {
        let file = include_bytes!("../../../tests/fixtures/clip/tokens.json");
        let cases: Vec<Value> = serde_json::from_slice(file).unwrap();
        agree(cases.iter().map(|case| (&case["text"], &case["tokens"])));
    }

    #[test]
    fn the_reference_cases() {
        let Some(data) = std::env::var_os("RECSYS_DATA") else {
            eprintln!("skipped: the_reference_cases (RECSYS_DATA unset)");
            return;
        };
        let bytes = std::fs::read(std::path::Path::new(&data).join("clip-tokens.json")).unwrap();
        let file: Value = serde_json::from_slice(&bytes).unwrap();
        let cases = file["cases"].as_array().unwrap();
        agree(cases.iter().map(|case| (&case["text"], &case["ids"])));
    }
}

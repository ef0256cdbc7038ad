//! CLIP's tokenizer: byte-pair encoding over cleaned, lower-cased text.
//!
//! Source: OpenAI's `simple_tokenizer.py`; entities are unescaped twice, as there. Of the repairs that `ftfy` makes
//! before, those of single characters are made here (curly quotes, ligatures, full-width forms, control
//! characters); mojibake is left as it is. The merges come from the crate `instant-clip-tokenizer`.

use instant_clip_tokenizer::{Token, Tokenizer};

/// Token before a text.
pub const START: u32 = 49_406;
/// Token after a text.
pub const END: u32 = 49_407;
/// The most tokens of a text, [`START`] and [`END`] included.
pub const CONTEXT: usize = 77;

/// Text is cut here before it is tokenized, in bytes: a token of the vocabulary covers less than a hundred bytes, so
/// only words of absurd length, whose merging is quadratic, could notice.
const MAX_TEXT_BYTES: usize = 16_384;

/// The tokenizer. Making one takes some tens of milliseconds; keep it.
pub struct ClipTokenizer(Tokenizer);

impl Default for ClipTokenizer {
    fn default() -> Self {
        Self(Tokenizer::new())
    }
}

impl ClipTokenizer {
    /// Token ids: [`START`], at most `context − 2` tokens of the text, [`END`]. A `context` below 2 counts as 2.
    #[must_use]
    pub fn encode(&self, text: &str, context: usize) -> Vec<u32> {
        let mut tokens: Vec<Token> = Vec::new();
        self.0.encode(&clean(text), &mut tokens);
        let kept = tokens
            .iter()
            .map(|t| u32::from(t.to_u16()))
            .take(context.max(2) - 2);
        std::iter::once(START)
            .chain(kept)
            .chain(std::iter::once(END))
            .collect()
    }
}

/// Repairs single characters, unescapes HTML entities twice and cleans white space.
fn clean(text: &str) -> String {
    let end = (0..=MAX_TEXT_BYTES.min(text.len()))
        .rev()
        .find(|&i| text.is_char_boundary(i))
        .unwrap_or(0);
    let mut repaired = String::new();
    for c in text.get(..end).unwrap_or_default().chars() {
        repair(c, &mut repaired);
    }
    let once = html_escape::decode_html_entities(&repaired);
    let twice = html_escape::decode_html_entities(&once);
    twice.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Appends what stands for one character.
fn repair(c: char, out: &mut String) {
    match c {
        '\u{2018}'..='\u{201b}' => out.push('\''),
        '\u{201c}'..='\u{201f}' => out.push('"'),
        '\u{fb00}' => out.push_str("ff"),
        '\u{fb01}' => out.push_str("fi"),
        '\u{fb02}' => out.push_str("fl"),
        '\u{fb03}' => out.push_str("ffi"),
        '\u{fb04}' => out.push_str("ffl"),
        '\u{fb05}' => out.push_str("\u{17f}t"),
        '\u{fb06}' => out.push_str("st"),
        '\u{132}' => out.push_str("IJ"),
        '\u{133}' => out.push_str("ij"),
        // Full-width ASCII lies 0xfee0 above ASCII.
        '\u{ff01}'..='\u{ff5e}' => out.extend(char::from_u32(u32::from(c) - 0xfee0)),
        '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' => {}
        '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => {}
        other => out.push(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_end_and_the_cut_at_77() {
        let tokenizer = ClipTokenizer::default();
        assert_eq!(
            tokenizer.encode("a photo of a cat", CONTEXT),
            [START, 320, 1125, 539, 320, 2368, END]
        );
        assert_eq!(tokenizer.encode("", CONTEXT), [START, END]);
        let long = tokenizer.encode(&"cat ".repeat(500), CONTEXT);
        assert_eq!((long.len(), long.last()), (77, Some(&END)));
        assert_eq!(tokenizer.encode("cat", 0), [START, END]);
    }

    #[test]
    fn entities_are_unescaped_twice() {
        let tokenizer = ClipTokenizer::default();
        assert_eq!(
            tokenizer.encode("&amp;lt;b&amp;gt;", 77),
            tokenizer.encode("<b>", 77)
        );
    }

    #[test]
    fn the_reference_cases() {
        let Some(data) = std::env::var_os("RECSYS_DATA") else {
            eprintln!("skipped: the_reference_cases (RECSYS_DATA unset)");
            return;
        };
        let bytes = std::fs::read(std::path::Path::new(&data).join("clip-tokens.json")).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let tokenizer = ClipTokenizer::default();
        let cases = file["cases"].as_array().unwrap();
        let mut wrong = Vec::new();
        for case in cases {
            let text = case["text"].as_str().unwrap();
            let ids: Vec<u32> = case["ids"]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_u64().unwrap() as u32)
                .collect();
            let found = tokenizer.encode(text, usize::MAX);
            if found[1..found.len() - 1] != ids {
                wrong.push(format!("{text:?}: expected {ids:?}, found {found:?}"));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of {}:\n{}",
            wrong.len(),
            cases.len(),
            wrong.join("\n")
        );
    }
}

//! Text into words, by the pattern of OpenAI's `simple_tokenizer.py`: the two markers, English contractions, runs of letters,
//! single numbers, runs of anything else but white space.

use unicode_general_category::{GeneralCategory as Category, get_general_category};

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// The marker of a text's start, written out.
    Start,
    /// The marker of a text's end, written out.
    End,
    /// Letters, a number, or other signs.
    Plain(&'a str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

fn class(c: char) -> Class {
    match get_general_category(c) {
        // The pattern ignores case, in which this mark is a letter too, so that neither class has it.
        _ if c == '\u{345}' => Class::Space,
        Category::UppercaseLetter
        | Category::LowercaseLetter
        | Category::TitlecaseLetter
        | Category::ModifierLetter
        | Category::OtherLetter => Class::Letter,
        Category::DecimalNumber | Category::LetterNumber | Category::OtherNumber => Class::Number,
        _ if c.is_whitespace() => Class::Space,
        _ => Class::Other,
    }
}

/// The long s is an s where case does not count.
const CONTRACTIONS: [&str; 8] = ["'s", "'ſ", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// The words of a lower-case text.
pub(super) fn words(mut text: &str) -> impl Iterator<Item = Word<'_>> {
    std::iter::from_fn(move || {
        text = text.trim_start_matches(|c| class(c) == Class::Space);
        let (word, length) = first(text)?;
        text = text.get(length..).unwrap_or_default();
        Some(word)
    })
}

/// The first word, and its length in bytes.
fn first(text: &str) -> Option<(Word<'_>, usize)> {
    for (marker, word) in [("<|startoftext|>", Word::Start), ("<|endoftext|>", Word::End)] {
        if text.starts_with(marker) {
            return Some((word, marker.len()));
        }
    }
    let contraction = CONTRACTIONS.into_iter().find(|c| text.starts_with(c));
    let length = match (contraction, class(text.chars().next()?)) {
        (Some(contraction), _) => contraction.len(),
        (None, Class::Number) => text.chars().next()?.len_utf8(),
        (None, run) => text.find(|c| class(c) != run).unwrap_or(text.len()),
    };
    text.get(..length).map(|word| (Word::Plain(word), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_numbers_and_signs() {
        let plain = |text| -> Vec<&str> {
            let word = |word| match word {
                Word::Start => "START",
                Word::End => "END",
                Word::Plain(word) => word,
            };
            words(text).map(word).collect()
        };
        assert_eq!(
            plain("don't 12 a-b!? 'tis"),
            ["don", "'t", "1", "2", "a", "-", "b", "!?", "'t", "is"]
        );
        assert_eq!(
            plain("!'s <|endoftext|>x<|startoftext|>"),
            ["!'", "s", "END", "x", "START"]
        );
        assert_eq!(plain("  "), [""; 0]);
        assert_eq!(plain("ⅻ日本e\u{301}"), ["ⅻ", "日本e", "\u{301}"]);
    }
}

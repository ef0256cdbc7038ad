//! Words of a search and of a title, cut the same way.

/// Words of a search that are kept.
pub const MAX_WORDS: usize = 16;

/// The longest word, in bytes; what is longer is no word.
const MAX_WORD_BYTES: usize = 64;

/// The words of a text in lower case (of ASCII letters only, which needs no tables in the browser): runs of ASCII
/// letters and digits and of characters beyond ASCII.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let separates = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric();
    text.split(separates)
        .filter(|word| (1..=MAX_WORD_BYTES).contains(&word.len()))
        .map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        let all = |text| words(text).collect::<Vec<_>>();
        assert_eq!(all("  Red-Fox, in SNOW 2! "), ["red", "fox", "in", "snow", "2"]);
        assert_eq!(all("Füchse im Schnee"), ["füchse", "im", "schnee"]);
        assert!(all("?!").is_empty() && all(&"x".repeat(65)).is_empty());
    }
}

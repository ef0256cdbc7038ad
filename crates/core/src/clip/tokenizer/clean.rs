//! What CLIP's tokenizer does to a text before it splits it.
//!
//! Source: OpenAI's `simple_tokenizer.py`, which calls `ftfy.fix_text` and unescapes HTML twice. Of ftfy's repairs those of
//! characters are made here: curly quotes, ligatures, widths, controls, NFC, and entities where nothing looks like HTML.
//! Mojibake and terminal escapes are left as they are.

use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// The text in lower case, with single spaces.
pub(super) fn clean(text: &str) -> String {
    let unescaped = match text.contains('<') {
        true => Cow::Borrowed(text),
        false => htmlize::unescape(text),
    };
    let mut repaired = String::with_capacity(unescaped.len());
    for c in unescaped.chars() {
        repair(c, &mut repaired);
    }
    let composed: String = repaired.nfc().collect();
    let once = htmlize::unescape(composed.as_str());
    let twice = htmlize::unescape(once.as_ref());
    let words: Vec<&str> = twice.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// What the controls from 0x80 on mean in Windows-1252; five of them mean nothing and stay.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '\'', '\'', '"', '"', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Appends what stands for one character.
fn repair(c: char, out: &mut String) {
    match c {
        '\u{2bc}' | '\u{2018}'..='\u{201b}' => out.push('\''),
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
        '\u{149}' => out.push_str("'n"),
        '\u{1c4}' => out.push_str("D\u{17d}"),
        '\u{1c5}' => out.push_str("D\u{17e}"),
        '\u{1c6}' => out.push_str("d\u{17e}"),
        '\u{1c7}' => out.push_str("LJ"),
        '\u{1c8}' => out.push_str("Lj"),
        '\u{1c9}' => out.push_str("lj"),
        '\u{1ca}' => out.push_str("NJ"),
        '\u{1cb}' => out.push_str("Nj"),
        '\u{1cc}' => out.push_str("nj"),
        '\u{1f1}' => out.push_str("DZ"),
        '\u{1f2}' => out.push_str("Dz"),
        '\u{1f3}' => out.push_str("dz"),
        '\u{80}'..='\u{9f}' => out.extend(WINDOWS_1252.get(c as usize - 0x80)),
        // Half and full width.
        '\u{ff01}'..='\u{ffef}' => out.extend(std::iter::once(c).nfkc()),
        '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' => {}
        '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}' => {}
        other => out.push(other),
    }
}

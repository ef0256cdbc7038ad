//! Byte-pair merges of CLIP's vocabulary.
//!
//! The list is OpenAI's (MIT, see LICENSE-CLIP); `merges.py` makes `merges.bin` of it and says what its columns are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

const MERGES: usize = 48_894;
static COLUMNS: &[u8; 6 * MERGES] = include_bytes!("merges.bin");

/// The value of a row in one of the three columns.
fn value(column: usize, row: usize) -> u16 {
    let at = 2 * (column * MERGES + row);
    let bytes = COLUMNS.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

/// The token that two neighbours become. Lower tokens merge first.
fn merged(first: u16, second: u16) -> Option<u16> {
    let key = (first, second);
    let pair = |row| (value(0, row), value(1, row));
    let (mut low, mut high) = (0, MERGES);
    while low < high {
        let middle = usize::midpoint(low, high);
        match pair(middle) < key {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    (low < MERGES && pair(low) == key).then(|| value(2, low))
}

/// The token of a single byte: first the bytes that are printable in Latin-1, then the others.
const fn token(byte: u8) -> u16 {
    let byte = byte as u16;
    match byte {
        0x21..=0x7e => byte - 0x21,
        0xa1..=0xac => byte - 0xa1 + 94,
        0xae..=0xff => byte - 0xae + 106,
        0x00..=0x20 => byte + 188,
        0x7f..=0xa0 => byte - 0x7f + 221,
        _ => 255,
    }
}

/// Added to the token of a byte that ends a word.
const END_OF_WORD: u16 = 256;
const NONE: usize = usize::MAX;

/// Appends the tokens of one word.
pub(super) fn append(word: &str, out: &mut Vec<u32>) {
    let mut tokens: Vec<u16> = word.bytes().map(token).collect();
    let Some(last) = tokens.last_mut() else { return };
    *last += END_OF_WORD;
    merge(&mut tokens);
    out.extend(tokens.into_iter().map(u32::from));
}

/// Merges neighbours, the lowest result first, equal ones from left to right, until no two of them merge.
fn merge(tokens: &mut Vec<u16>) {
    // Right and left neighbours of what is left; what was merged away keeps none.
    let mut right: Vec<usize> = (1..tokens.len()).chain([NONE]).collect();
    let mut left: Vec<usize> = std::iter::once(NONE).chain(0..tokens.len() - 1).collect();
    let mut waiting = BinaryHeap::new();
    let offer = |waiting: &mut BinaryHeap<_>, tokens: &[u16], first: usize, second: usize| {
        if let (Some(a), Some(b)) = (tokens.get(first), tokens.get(second))
            && let Some(result) = merged(*a, *b)
        {
            waiting.push(Reverse((result, first, second)));
        }
    };
    for second in 1..tokens.len() {
        offer(&mut waiting, tokens, second - 1, second);
    }
    let mut gone = vec![false; tokens.len()];
    while let Some(Reverse((result, first, second))) = waiting.pop() {
        let still = |at: usize| gone.get(at) == Some(&false);
        let (Some(a), Some(b)) = (tokens.get(first), tokens.get(second)) else {
            continue;
        };
        // An offer of before one of the two merged with another is void.
        if !still(first) || !still(second) || merged(*a, *b) != Some(result) {
            continue;
        }
        let next = right.get(second).copied().unwrap_or(NONE);
        let before = left.get(first).copied().unwrap_or(NONE);
        if let (Some(token), Some(gone), Some(right)) =
            (tokens.get_mut(first), gone.get_mut(second), right.get_mut(first))
        {
            (*token, *gone, *right) = (result, true, next);
        }
        if let Some(left) = left.get_mut(next) {
            *left = first;
        }
        offer(&mut waiting, tokens, before, first);
        offer(&mut waiting, tokens, first, next);
    }
    let mut kept = gone.into_iter();
    tokens.retain(|_| kept.next() == Some(false));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_a_token_of_its_own() {
        let mut tokens: Vec<u16> = (0..=255).map(token).collect();
        tokens.sort_unstable();
        assert!(tokens.into_iter().eq(0..256));
    }

    #[test]
    fn the_columns_are_sorted_and_every_token_is_made_once() {
        let pairs: Vec<_> = (0..MERGES).map(|row| (value(0, row), value(1, row))).collect();
        assert!(pairs.is_sorted_by(|a, b| a < b));
        let mut results: Vec<_> = (0..MERGES).map(|row| value(2, row)).collect();
        results.sort_unstable();
        assert!(results.into_iter().eq(512..49_406));
        assert!((0..MERGES).all(|row| merged(value(0, row), value(1, row)) == Some(value(2, row))));
        assert_eq!((merged(0, 49_405), merged(u16::MAX, u16::MAX)), (None, None));
    }
}

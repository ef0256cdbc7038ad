//! A JPEG's markers, as far as they say what the decoder does not: whether the file is whole, and what it costs.
//!
//! Source: ITU-T T.81, annex B.

use super::PictureError;

const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: u8 = 0xd9;
const CUT: PictureError = PictureError::Cut {
    format: "JPEG",
    expected: "an end-of-image marker",
};

/// Walks the markers of a file that is whole, and gives the bytes a pixel that the decoder holds beside what it writes: a
/// progressive picture has all coefficients in memory, 16 bits each.
///
/// # Errors
/// The file ends before its picture does; a decoder would fill the rest with grey.
pub fn survey(bytes: &[u8]) -> Result<u64, PictureError> {
    let mut working = 0;
    let mut at = 2;
    loop {
        let marker = next_marker(bytes, &mut at).ok_or(CUT)?;
        match marker {
            END_OF_IMAGE => return Ok(working),
            // Start of image, restarts, and one for private use: nothing follows them.
            0x01 | 0xd0..=0xd8 => continue,
            _ => {}
        }
        let length = bytes.get(at..at + 2).ok_or(CUT)?;
        let length = length.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
        // Progressive, by Huffman codes or arithmetic ones; components stand behind precision and size.
        if matches!(marker, 0xc2 | 0xc6 | 0xca | 0xce) {
            working = 2 * bytes.get(at + 7).copied().map_or(4, u64::from);
        }
        at += length.max(2);
        if marker == START_OF_SCAN {
            skip_scan(bytes, &mut at);
        }
    }
}

/// The marker from `at` on, which moves behind it. Bytes that belong to none are passed over.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    let rest = bytes.get(*at..)?;
    let start = rest.iter().position(|byte| *byte == 0xff)?;
    let fill = rest.get(start..)?.iter().position(|byte| *byte != 0xff)?;
    *at += start + fill + 1;
    rest.get(start + fill).copied()
}

/// Moves `at` to the marker behind a scan's data. A zero behind 0xff makes it a value, and restarts belong to the data.
fn skip_scan(bytes: &[u8], at: &mut usize) {
    let scan = bytes.get(*at..).unwrap_or_default();
    let ends = |pair: &[u8]| matches!(pair, [0xff, second] if !matches!(second, 0 | 0xd0..=0xd7));
    *at = match scan.windows(2).position(ends) {
        Some(length) => *at + length,
        None => bytes.len(),
    };
}

//! A PNG's palette, which the decoder does not check: png 0.18 panics at one that is no whole number of colours.
//!
//! Source: PNG Specification (Third Edition), 5.3 and 11.2.2.

use super::PictureError;

/// Looks at every palette of a file, as far as its chunks go.
///
/// # Errors
/// A palette of no colour, of a part of one, or of more than 256.
pub fn survey(bytes: &[u8]) -> Result<(), PictureError> {
    // Behind the signature: length, type, data, checksum.
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((length, kind)) = head(rest) {
        let colours = length / 3;
        if kind == *b"PLTE" && (!length.is_multiple_of(3) || !(1..=256).contains(&colours)) {
            return Err(PictureError::Damaged {
                format: "PNG",
                message: format!("a palette of {length} bytes, expected three for each of 1 to 256 colours"),
            });
        }
        let next = usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_add(12));
        rest = next.and_then(|next| rest.get(next..)).unwrap_or_default();
    }
    Ok(())
}

/// Length and type of a chunk.
fn head(chunk: &[u8]) -> Option<(u32, [u8; 4])> {
    let (length, rest) = chunk.split_first_chunk()?;
    Some((u32::from_be_bytes(*length), *rest.first_chunk()?))
}

//! NumPy's `.npy` files, version 1.0, of unsigned bytes: what the training script reads.

use std::io::{self, Write};

/// Bytes before the data, magic and length included: a multiple of 64, as the format asks.
pub const HEADER_LEN: usize = 128;

/// The header for an array of `u8` of the given shape, in C order, [`HEADER_LEN`] bytes long.
///
/// # Errors
/// Where the shape has too many dimensions to fit.
pub fn header(shape: &[usize]) -> io::Result<[u8; HEADER_LEN]> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let text = format!(
        "{{'descr': '|u1', 'fortran_order': False, 'shape': ({}), }}",
        sizes.trim_end()
    );
    let mut bytes = [b' '; HEADER_LEN];
    let (magic, rest) = bytes.split_at_mut(10);
    magic.copy_from_slice(b"\x93NUMPY\x01\x00\x76\x00");
    let room = rest.len() - 1;
    let Some(place) = rest.get_mut(..text.len()).filter(|place| place.len() <= room) else {
        let reason = format!(
            "an npy header for {} dimensions needs more than {room} bytes",
            shape.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    };
    place.copy_from_slice(text.as_bytes());
    rest[room] = b'\n';
    Ok(bytes)
}

/// Writes a whole array of `u8`.
///
/// # Errors
/// Where `data` does not fill the shape, or writing fails.
pub fn write(out: &mut impl Write, shape: &[usize], data: &[u8]) -> io::Result<()> {
    let expected = shape.iter().product::<usize>();
    if data.len() != expected {
        let reason = format!(
            "an npy of shape {shape:?} needs {expected} bytes, found {}",
            data.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    out.write_all(&header(shape)?)?;
    out.write_all(data)
}

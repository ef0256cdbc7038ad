//! NumPy's `.npy` format, versions 1 to 3, for a matrix of f32 in C order.
//!
//! Source: NumPy enhancement proposal 1 and `numpy/lib/format.py`.

use thiserror::Error;

/// A matrix, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns, at least 1 in a matrix that was read.
    pub columns: usize,
    /// rows × columns values.
    pub values: Vec<f32>,
}

/// Why a file is no matrix.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    ".npy: {what}: expected {expected}, found {found}; write it with numpy.save(file, array.astype('float32'))"
)]
pub struct NpyError {
    /// Which part.
    pub what: &'static str,
    /// What is allowed.
    pub expected: String,
    /// What was found.
    pub found: String,
}

fn error(what: &'static str, expected: impl ToString, found: impl ToString) -> NpyError {
    NpyError {
        what,
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

impl Matrix {
    /// Reads a file's bytes. One dimension counts as one row.
    ///
    /// # Errors
    /// Not an .npy file, not little-endian f32 in C order, not one or two dimensions, no columns, or a length that
    /// differs from the shape.
    pub fn parse(bytes: &[u8]) -> Result<Self, NpyError> {
        let bad_magic = || error("magic", "\\x93NUMPY and a version", "other bytes");
        let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(bad_magic)?;
        let (header_len, rest) = match rest {
            [1, 0, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
            [2 | 3, 0, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
            _ => return Err(bad_magic()),
        };
        let cut_off = || error("header", format!("{header_len} bytes"), rest.len());
        let (header, data) = rest.split_at_checked(header_len).ok_or_else(cut_off)?;
        let header = std::str::from_utf8(header).map_err(|_| error("header", "text", "other bytes"))?;
        let kind = field(header, "descr").unwrap_or_default();
        if kind.trim_matches(['\'', '"']) != "<f4" {
            return Err(error("descr", "'<f4'", kind));
        }
        let order = field(header, "fortran_order").unwrap_or_default();
        if order != "False" {
            return Err(error("fortran_order", "False", order));
        }
        let shape = field(header, "shape").unwrap_or_default();
        let sizes: Result<Vec<usize>, _> = shape
            .trim_matches(['(', ')'])
            .split(',')
            .map(str::trim)
            .filter(|s| !s.is_empty())
            .map(str::parse)
            .collect();
        let (rows, columns) = match sizes.as_deref() {
            Ok([columns @ (1..)]) => (1, *columns),
            // Rows without columns would not be there to walk through.
            Ok([rows, columns @ (1..)]) => (*rows, *columns),
            _ => return Err(error("shape", "one or two dimensions, with columns", shape)),
        };
        let needed = rows.checked_mul(columns).and_then(|n| n.checked_mul(4));
        if needed != Some(data.len()) {
            return Err(error(
                "data",
                format!("{rows} × {columns} × 4 bytes"),
                format!("{} bytes", data.len()),
            ));
        }
        let values = data
            .as_chunks::<4>()
            .0
            .iter()
            .map(|b| f32::from_le_bytes(*b))
            .collect();
        Ok(Self {
            rows,
            columns,
            values,
        })
    }

    /// The bytes of a file, version 1.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut header = format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
            self.rows, self.columns
        );
        // The data starts at a multiple of 64 bytes; the header ends in a line break.
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(header.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(bytemuck::cast_slice::<f32, u8>(&self.values));
        bytes
    }

    /// The rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.columns.max(1))
    }
}

/// The text of a field in the header, a Python dict with plain values.
fn field<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    let at = header.find(&format!("'{name}'"))? + name.len() + 2;
    let value = header.get(at..)?.trim_start().strip_prefix(':')?.trim_start();
    let end = if value.starts_with('(') {
        value.find(')')? + 1
    } else {
        value.find([',', '}'])?
    };
    value.get(..end).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_aligns() {
        let matrix = Matrix {
            rows: 2,
            columns: 3,
            values: vec![1.0, -2.5, 3.0, 0.0, f32::MIN_POSITIVE, 9.0],
        };
        let bytes = matrix.to_bytes();
        assert_eq!((bytes.len() - 24) % 64, 0);
        assert_eq!(Matrix::parse(&bytes).unwrap(), matrix);
    }

    #[test]
    fn refuses_other_kinds_and_every_truncation() {
        let good = Matrix {
            rows: 1,
            columns: 4,
            values: vec![0.0; 4],
        }
        .to_bytes();
        for cut in 0..good.len() {
            assert!(Matrix::parse(&good[..cut]).is_err(), "cut at {cut}");
        }
        let change = |from: &str, to: &str| {
            let at = good
                .windows(from.len())
                .position(|w| w == from.as_bytes())
                .unwrap();
            let mut bad = good.clone();
            bad[at..at + from.len()].copy_from_slice(to.as_bytes());
            Matrix::parse(&bad).unwrap_err().what
        };
        assert_eq!(change("<f4", "<f8"), "descr");
        assert_eq!(change("False", "True "), "fortran_order");
        assert_eq!(change("(1, 4)", "(9, 4)"), "data");
        assert_eq!(change("(1, 4)", "(a, 4)"), "shape");
        assert_eq!(change("(1, 4)", "(4, 0)"), "shape");
    }
}

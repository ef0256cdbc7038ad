//! Reading and writing the little-endian files of a bundle.
//!
//! [`AlignedBytes`] holds a file so that its number arrays can be viewed in place; [`Cursor`] walks a file and
//! checks every length before anything is read or allocated; [`Sink`] is the writing half.

use bytemuck::Pod;
use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;
use thiserror::Error;

/// Sections start at a multiple of this many bytes, so that any number type can be viewed in place.
pub const ALIGN: usize = 16;

/// Why a file of a bundle was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{file}: byte {offset}: {what}: expected {expected}, found {found}; {remedy}")]
pub struct FormatError {
    /// Which kind of file.
    pub file: &'static str,
    /// Where, in bytes from the start.
    pub offset: usize,
    /// The field.
    pub what: &'static str,
    /// What a valid file has there.
    pub expected: String,
    /// What this one has.
    pub found: String,
    /// What to do about it.
    pub remedy: &'static str,
}

/// The remedy of most damage.
pub const REBUILD: &str = "the file is damaged or of another version: fetch it again, or rebuild the bundle";

/// A file's bytes, aligned for any number type, in memory that is allocated once; clones share it.
#[derive(Clone, Default)]
pub struct AlignedBytes {
    words: Arc<Vec<u128>>,
    len: usize,
}

impl AlignedBytes {
    /// `len` zero bytes, to be filled through [`AlignedBytes::as_mut_slice`].
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        Self {
            words: Arc::new(vec![0; len.div_ceil(ALIGN)]),
            len,
        }
    }

    /// A copy of `bytes`.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut out = Self::zeroed(bytes.len());
        out.as_mut_slice().copy_from_slice(bytes);
        out
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        let all: &[u8] = bytemuck::cast_slice(self.words.as_slice());
        all.get(..self.len).unwrap_or(all)
    }

    /// The bytes, for filling; copied first where a clone shares them.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        let len = self.len;
        let words = Arc::make_mut(&mut self.words);
        let all: &mut [u8] = bytemuck::cast_slice_mut(words.as_mut_slice());
        let end = len.min(all.len());
        all.get_mut(..end).unwrap_or_default()
    }

    /// Number of bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A range of the bytes seen as numbers. Empty where the range does not fit: readers check their ranges once,
    /// on opening, so that this never happens to them.
    #[must_use]
    pub fn view<T: Pod>(&self, range: &Range<usize>) -> &[T] {
        self.as_slice()
            .get(range.clone())
            .and_then(|b| bytemuck::try_cast_slice(b).ok())
            .unwrap_or_default()
    }
}

impl std::fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBytes({} bytes)", self.len)
    }
}

/// Walks a file from its start.
pub struct Cursor<'a> {
    file: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the first byte. `file` names the kind of file in errors.
    #[must_use]
    pub const fn new(file: &'static str, bytes: &'a [u8]) -> Self {
        Self { file, bytes, at: 0 }
    }

    /// The position, in bytes from the start.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// An error at the current position.
    #[must_use]
    pub fn error(&self, what: &'static str, expected: impl Display, found: impl Display) -> FormatError {
        self.refusal(what, &expected, &found)
    }

    /// Apart from [`Cursor::error`], so that each of its many callers is short.
    #[cold]
    #[inline(never)]
    fn refusal(&self, what: &'static str, expected: &dyn Display, found: &dyn Display) -> FormatError {
        let (expected, found) = (expected.to_string(), found.to_string());
        FormatError {
            file: self.file,
            offset: self.at,
            what,
            expected,
            found,
            remedy: REBUILD,
        }
    }

    /// `n` bytes.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn take(&mut self, what: &'static str, n: usize) -> Result<&'a [u8], FormatError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..n) else {
            return Err(self.error(what, format!("{n} bytes"), format!("{} left", rest.len())));
        };
        self.at += n;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], FormatError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(what, N)?);
        Ok(out)
    }

    /// A 32-bit number.
    ///
    /// # Errors
    /// Fewer than 4 bytes are left.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, FormatError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// A 64-bit number.
    ///
    /// # Errors
    /// Fewer than 8 bytes are left.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, FormatError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A 32-bit count that must lie in `range`.
    ///
    /// # Errors
    /// It does not, or fewer than 4 bytes are left.
    pub fn count(
        &mut self,
        what: &'static str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<usize, FormatError> {
        let before = self.at;
        let value = self.u32(what)?;
        if !range.contains(&value) {
            self.at = before;
            return Err(self.error(what, format!("{} to {}", range.start(), range.end()), value));
        }
        Ok(value as usize)
    }

    /// The four bytes that every file begins with, and its version.
    ///
    /// # Errors
    /// Other bytes, or another version.
    pub fn magic(&mut self, magic: [u8; 4], version: u32) -> Result<(), FormatError> {
        self.magic_with(magic, version..=version).map(|_| ())
    }

    /// The four bytes that every file begins with, and which of several versions it has.
    ///
    /// # Errors
    /// Other bytes, or a version outside the range.
    pub fn magic_with(
        &mut self,
        magic: [u8; 4],
        versions: std::ops::RangeInclusive<u32>,
    ) -> Result<u32, FormatError> {
        let found = self.array::<4>("magic")?;
        if found != magic {
            self.at = 0;
            return Err(self.error("magic", magic.escape_ascii(), found.escape_ascii()));
        }
        let found = self.u32("version")?;
        if !versions.contains(&found) {
            self.at = 4;
            let (first, last) = (versions.start(), versions.end());
            let expected = if first == last {
                last.to_string()
            } else {
                format!("{first} to {last}")
            };
            return Err(self.error("version", expected, found));
        }
        Ok(found)
    }

    /// The file's own length, as the header states it.
    ///
    /// # Errors
    /// It differs from the length at hand: the file was cut off or has something behind it.
    pub fn own_length(&mut self) -> Result<(), FormatError> {
        let before = self.at;
        let stated = self.u64("file length")?;
        if stated != self.bytes.len() as u64 {
            self.at = before;
            return Err(self.error("file length", format!("{stated} bytes"), self.bytes.len()));
        }
        Ok(())
    }

    /// The range of `count` values of type `T`, starting at the next multiple of [`ALIGN`]; padding must be zero.
    ///
    /// # Errors
    /// The range does not fit the file.
    pub fn section<T: Pod>(&mut self, what: &'static str, count: usize) -> Result<Range<usize>, FormatError> {
        let padding = self.at.next_multiple_of(ALIGN) - self.at;
        if self.take(what, padding)?.iter().any(|&b| b != 0) {
            return Err(self.error(what, "zero padding", "other bytes"));
        }
        let Some(bytes) = count.checked_mul(size_of::<T>()) else {
            return Err(self.error(what, "a size below 2^32", format!("{count} values")));
        };
        let start = self.at;
        self.take(what, bytes)?;
        Ok(start..self.at)
    }

    /// Checks that the file ends here.
    ///
    /// # Errors
    /// Bytes are left.
    pub fn end(&self) -> Result<(), FormatError> {
        match self.bytes.len().saturating_sub(self.at) {
            0 => Ok(()),
            left => Err(self.error("end of file", "no more bytes", format!("{left} more"))),
        }
    }
}

/// Builds a file; the writing half of [`Cursor`].
#[derive(Default)]
pub struct Sink {
    bytes: Vec<u8>,
}

impl Sink {
    /// Magic, version and room for the file's own length.
    #[must_use]
    pub fn new(magic: [u8; 4], version: u32) -> Self {
        let mut sink = Self {
            bytes: magic.to_vec(),
        };
        sink.u32(version);
        sink.bytes.extend([0; 8]);
        sink
    }

    /// A 32-bit number.
    pub fn u32(&mut self, value: u32) {
        self.bytes.extend(value.to_le_bytes());
    }

    /// A 64-bit number.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend(value.to_le_bytes());
    }

    /// Raw bytes, unaligned.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// An array of numbers at the next multiple of [`ALIGN`].
    pub fn section<T: Pod>(&mut self, values: &[T]) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        self.bytes.extend(bytemuck::cast_slice::<T, u8>(values));
    }

    /// A list of byte strings: u32 offsets (one more than strings), then the bytes.
    pub fn strings<'s>(&mut self, strings: impl Iterator<Item = &'s [u8]>) {
        let mut offsets = vec![0u32];
        let mut blob: Vec<u8> = Vec::new();
        for s in strings {
            blob.extend(s);
            offsets.push(u32::try_from(blob.len()).unwrap_or(u32::MAX));
        }
        self.section(&offsets);
        self.section(&blob);
    }

    /// The file, its length filled in.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let length = (self.bytes.len() as u64).to_le_bytes();
        if let Some(field) = self.bytes.get_mut(8..16) {
            field.copy_from_slice(&length);
        }
        self.bytes
    }
}

/// A list of byte strings inside a file: where its offsets and its bytes lie.
#[derive(Clone, Debug)]
pub struct Strings {
    offsets: Range<usize>,
    blob: Range<usize>,
}

impl Strings {
    /// Reads what [`Sink::strings`] wrote, for `count` strings of UTF-8.
    ///
    /// # Errors
    /// The sections do not fit, an offset decreases or lies outside, or a string is not UTF-8.
    pub fn read(
        cursor: &mut Cursor<'_>,
        file: &AlignedBytes,
        what: &'static str,
        count: usize,
    ) -> Result<Self, FormatError> {
        let offsets = cursor.section::<u32>(what, count + 1)?;
        let table = file.view::<u32>(&offsets);
        let blob_len = table.last().copied().unwrap_or(0) as usize;
        if table.first() != Some(&0) || !table.is_sorted() {
            return Err(cursor.error(what, "offsets that start at 0 and never decrease", "others"));
        }
        let blob = cursor.section::<u8>(what, blob_len)?;
        let bytes = file.view::<u8>(&blob);
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(cursor.error(what, "UTF-8", "other bytes"));
        };
        if table.iter().any(|&o| !text.is_char_boundary(o as usize)) {
            return Err(cursor.error(what, "offsets at character boundaries", "one inside a character"));
        }
        Ok(Self { offsets, blob })
    }

    /// String number `i`; empty where there is none.
    #[must_use]
    pub fn get<'f>(&self, file: &'f AlignedBytes, i: usize) -> &'f str {
        let table = file.view::<u32>(&self.offsets);
        let (Some(&from), Some(&to)) = (table.get(i), table.get(i + 1)) else {
            return "";
        };
        file.view::<u8>(&self.blob)
            .get(from as usize..to as usize)
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or_default()
    }

    /// How many strings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.offsets.len() / 4).saturating_sub(1)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_round_trip_and_refuse_bad_offsets() {
        let mut sink = Sink::new(*b"TEST", 1);
        sink.strings(["a", "", "héé"].iter().map(|s| s.as_bytes()));
        let good = sink.finish();
        let open = |bytes: &[u8]| {
            let file = AlignedBytes::copy_of(bytes);
            let mut cursor = Cursor::new("test", file.as_slice());
            cursor.magic(*b"TEST", 1)?;
            cursor.own_length()?;
            let strings = Strings::read(&mut cursor, &file, "strings", 3)?;
            cursor.end()?;
            let all: Vec<String> = (0..4).map(|i| strings.get(&file, i).to_owned()).collect();
            Ok::<_, FormatError>(all)
        };
        assert_eq!(open(&good).unwrap(), ["a", "", "héé", ""]);
        for cut in 0..good.len() {
            assert!(open(&good[..cut]).is_err(), "cut at {cut}");
        }
        let mut inside = good.clone();
        inside[24] = 3; // the third string's start, now inside a character
        assert!(open(&inside).is_err());
        let mut version = good;
        version[4] = 9;
        let error = open(&version).unwrap_err();
        assert_eq!((error.what, error.offset), ("version", 4));
    }
}

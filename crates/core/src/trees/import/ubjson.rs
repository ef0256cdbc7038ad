//! UBJSON (draft 12) as XGBoost writes it, as a serde deserialiser: nothing is kept but what is asked for.
//!
//! Numbers are big-endian. Arrays may carry a type (`$`) and a count (`#`); objects may not.

use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use std::fmt::{self, Display};

/// Containers in containers: XGBoost needs nine.
const MAX_DEPTH: usize = 64;

/// What is wrong, and at which byte.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) at: usize,
    pub(super) message: String,
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at, self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    /// The offset is not known here; [`from_bytes`] fills it in.
    fn custom<T: Display>(message: T) -> Self {
        Self {
            at: 0,
            message: message.to_string(),
        }
    }
}

/// Deserialises one document that ends with the slice.
pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut reader = Reader {
        bytes,
        at: 0,
        depth: 0,
        marker: None,
    };
    let result = T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    // An error ends the reading at once, so this is where it arose.
    result.map_err(|error| Error {
        at: reader.at,
        ..error
    })
}

struct Reader<'de> {
    bytes: &'de [u8],
    at: usize,
    depth: usize,
    /// The type of the next value where its array has named it.
    marker: Option<u8>,
}

impl<'de> Reader<'de> {
    fn end(&self) -> Result<(), Error> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(de::Error::custom("bytes behind the end of the document"))
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let bytes = self.bytes[self.at..].first_chunk().ok_or_else(cut)?;
        self.at += N;
        Ok(*bytes)
    }

    /// The next byte that is no padding.
    fn byte(&mut self) -> Result<u8, Error> {
        loop {
            let [byte] = self.take()?;
            if byte != b'N' {
                return Ok(byte);
            }
        }
    }

    fn peek(&self) -> Result<u8, Error> {
        self.bytes.get(self.at).copied().ok_or_else(cut)
    }

    fn integer(&mut self, marker: u8) -> Result<Option<i64>, Error> {
        Ok(Some(match marker {
            b'i' => i8::from_be_bytes(self.take()?).into(),
            b'U' => u8::from_be_bytes(self.take()?).into(),
            b'I' => i16::from_be_bytes(self.take()?).into(),
            b'l' => i32::from_be_bytes(self.take()?).into(),
            b'L' => i64::from_be_bytes(self.take()?),
            _ => return Ok(None),
        }))
    }

    fn length(&mut self) -> Result<usize, Error> {
        let marker = self.byte()?;
        let length = self.integer(marker)?;
        // What an index cannot hold lies behind the end of any file.
        let index = |length| usize::try_from(length).unwrap_or(usize::MAX);
        length
            .and_then(|length| u64::try_from(length).ok())
            .map(index)
            .ok_or_else(|| de::Error::custom("expected a length that is not negative"))
    }

    fn string(&mut self) -> Result<&'de str, Error> {
        let length = self.length()?;
        let bytes = self.bytes[self.at..].get(..length).ok_or_else(cut)?;
        let string = std::str::from_utf8(bytes).map_err(de::Error::custom)?;
        self.at += length;
        Ok(string)
    }

    fn container<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == MAX_DEPTH {
            return Err(de::Error::custom(format_args!(
                "expected at most {MAX_DEPTH} containers in one another"
            )));
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// What follows `[`.
    fn array_head(&mut self) -> Result<Array<'_, 'de>, Error> {
        let mut marker = None;
        if self.peek()? == b'$' {
            self.at += 1;
            marker = Some(self.byte()?);
        }
        let mut left = None;
        if self.peek()? == b'#' {
            self.at += 1;
            let length = self.length()?;
            // An element takes at least a byte; those without one (null, true, false) are not XGBoost's.
            if length > self.bytes.len() - self.at {
                return Err(de::Error::custom(format_args!(
                    "array of {length} elements behind the end of the file"
                )));
            }
            left = Some(length);
        } else if marker.is_some() {
            return Err(de::Error::custom("array with a type and no count"));
        }
        Ok(Array {
            reader: self,
            marker,
            left,
        })
    }
}

fn cut() -> Error {
    de::Error::custom("the file is cut short")
}

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let marker = match self.marker.take() {
            Some(marker) => marker,
            None => self.byte()?,
        };
        if let Some(integer) = self.integer(marker)? {
            return visitor.visit_i64(integer);
        }
        match marker {
            b'Z' => visitor.visit_unit(),
            b'T' => visitor.visit_bool(true),
            b'F' => visitor.visit_bool(false),
            b'd' => visitor.visit_f32(f32::from_be_bytes(self.take()?)),
            b'D' => visitor.visit_f64(f64::from_be_bytes(self.take()?)),
            b'S' => visitor.visit_borrowed_str(self.string()?),
            b'[' => self.container(|reader| {
                let mut array = reader.array_head()?;
                let value = visitor.visit_seq(&mut array)?;
                array.close()?;
                Ok(value)
            }),
            b'{' => self.container(|reader| {
                if matches!(reader.peek()?, b'$' | b'#') {
                    return Err(de::Error::custom("object with a type or a count: not supported"));
                }
                visitor.visit_map(Object { reader })
            }),
            other => Err(de::Error::custom(format_args!(
                "unknown type marker {:?}",
                char::from(other)
            ))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// An array: elements left where it is counted, else up to `]`.
struct Array<'a, 'de> {
    reader: &'a mut Reader<'de>,
    marker: Option<u8>,
    left: Option<usize>,
}

impl Array<'_, '_> {
    /// Whether another element follows.
    fn advance(&mut self) -> Result<bool, Error> {
        match &mut self.left {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None => Ok(self.reader.peek()? != b']'),
        }
    }

    fn close(self) -> Result<(), Error> {
        match self.left {
            Some(0) => Ok(()),
            Some(_) => Err(de::Error::custom("array with more elements than expected")),
            None if self.reader.byte()? == b']' => Ok(()),
            None => Err(de::Error::custom("expected the end of an array")),
        }
    }
}

impl<'de> SeqAccess<'de> for &mut Array<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if !self.advance()? {
            return Ok(None);
        }
        self.reader.marker = self.marker;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.left
    }
}

struct Object<'a, 'de> {
    reader: &'a mut Reader<'de>,
}

impl<'de> MapAccess<'de> for Object<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if self.reader.peek()? == b'}' {
            self.reader.at += 1;
            return Ok(None);
        }
        let key = self.reader.string()?;
        seed.deserialize(de::value::BorrowedStrDeserializer::new(key))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut *self.reader)
    }
}

#[cfg(test)]
mod tests {
    use super::from_bytes;
    use std::collections::BTreeMap;

    #[test]
    fn reads_typed_counted_and_open_arrays() {
        let bytes = b"{U\x01a[$d#U\x02\x3f\x80\0\0\xc0\0\0\0i\x01b[#i\x01i\x07L\0\0\0\0\0\0\0\x01c[I\x01\0l\0\0\0\x02]}";
        let read: BTreeMap<String, Vec<f32>> = from_bytes(bytes).unwrap();
        assert_eq!(read["a"], [1.0, -2.0]);
        assert_eq!(read["b"], [7.0]);
        assert_eq!(read["c"], [256.0, 2.0]);
    }

    #[test]
    fn refuses_what_is_cut_too_deep_or_too_long() {
        let bytes = b"{U\x01a[$d#U\x02\x3f\x80\0\0\xc0\0\0\0}";
        for end in 0..bytes.len() {
            assert!(
                from_bytes::<BTreeMap<String, Vec<f32>>>(&bytes[..end]).is_err(),
                "{end}"
            );
        }
        let claim = from_bytes::<Vec<f32>>(b"[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff").unwrap_err();
        assert!(claim.to_string().starts_with("byte 13: array of"), "{claim}");
        let deep = from_bytes::<de_any::Any>(&[b'['; 1000]).unwrap_err();
        assert!(deep.message.contains("at most 64"), "{deep}");
        assert!(from_bytes::<i64>(b"i\x01i").is_err());
    }

    mod de_any {
        /// Accepts anything.
        pub(super) type Any = serde::de::IgnoredAny;
    }
}

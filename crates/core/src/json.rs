//! Reading JSON (RFC 8259): serde_json turns a text into a tree, and [`FromJson`] the tree into typed values.
//!
//! A reader that serde derives is compiled for each type into kilobytes of WebAssembly: one for lists, one for objects,
//! each with its own copy of the tokens' code. From a tree, a field costs one call. What the browser reads is read this way,
//! and natively by the same code.

mod error;

use error::{Kind, Problem};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;
use std::fmt;

pub use error::JsonError;

/// Any JSON value. Texts without escapes are borrowed from what was parsed.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number from 0 to 2^64 − 1, written without fraction and exponent.
    Whole(u64),
    /// A whole number from −2^63 to −1, written without fraction and exponent.
    Negative(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Json<'a>>),
    /// Names and values in the order of the text; a name may be there twice.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// A text or a number in a message: a text in quotes as in JSON, a number in its shortest form. JSON needs that formatting
/// anyway; what the standard library has for `{:?}` and for floats would come into the browser's module beside it.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// A text.
    Text(&'a str),
    /// A number.
    Single(f32),
    /// A number.
    Double(f64),
}

impl<'a> From<&'a str> for Shown<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Shown<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<f32> for Shown<'_> {
    fn from(number: f32) -> Self {
        Self::Single(number)
    }
}

impl From<f64> for Shown<'_> {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, number) = match *self {
            Self::Text(text) => (serde_json::to_string(text), 0.0),
            Self::Single(number) => (serde_json::to_string(&number), f64::from(number)),
            Self::Double(number) => (serde_json::to_string(&number), number),
        };
        if number.is_nan() {
            return f.write_str("NaN");
        }
        if number.is_infinite() {
            return f.write_str(if number > 0.0 { "infinity" } else { "-infinity" });
        }
        f.write_str(&text.map_err(|_| fmt::Error)?)
    }
}

/// A type that is read from JSON.
pub trait FromJson<'a>: Sized {
    /// Reads a value.
    ///
    /// # Errors
    /// It has another form.
    fn from_json(json: Json<'a>) -> Result<Self, JsonError>;

    /// What a field has that is not there; `None` where it must be.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }
}

/// How many values a text may have at most, before it is read: every opening bracket and every comma counts as one.
#[must_use]
pub fn values_at_most(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| b"{[,".contains(byte)).count()
}

/// Reads a JSON text.
///
/// # Errors
/// No JSON, with line and column, or another form, with the field's path.
pub fn read<'a, T: FromJson<'a>>(text: &'a str) -> Result<T, JsonError> {
    T::from_json(parse(text)?)
}

/// As [`read`], from bytes.
///
/// # Errors
/// No UTF-8; those of [`read`].
pub fn read_bytes<'a, T: FromJson<'a>>(bytes: &'a [u8]) -> Result<T, JsonError> {
    read(std::str::from_utf8(bytes).map_err(|error| JsonError::new(error.to_string()))?)
}

fn parse(text: &str) -> Result<Json<'_>, JsonError> {
    serde_json::from_str(text).map_err(|error| JsonError::new(error.to_string()))
}

impl<'a> Json<'a> {
    /// Reads an object; fields that `read` does not ask for are passed over.
    ///
    /// # Errors
    /// No object; those of `read`.
    pub fn object<T>(
        self,
        read: impl FnOnce(&mut Object<'a>) -> Result<T, JsonError>,
    ) -> Result<T, JsonError> {
        read(&mut Object::of(self)?)
    }

    /// Reads an object that has no other fields than those of the names, which are all that `read` asks for.
    ///
    /// # Errors
    /// No object, or one with another field; those of `read`.
    pub fn strict_object<T>(
        self,
        names: &'static [&'static str],
        read: impl FnOnce(&mut Object<'a>) -> Result<T, JsonError>,
    ) -> Result<T, JsonError> {
        let mut object = Object::of(self)?;
        object.only(names)?;
        read(&mut object)
    }

    fn list(self, expected: &str) -> Result<Vec<Self>, JsonError> {
        match self {
            Self::List(list) => Ok(list),
            other => Err(JsonError::found(expected, &other)),
        }
    }

    fn whole(&self, most: u64) -> Result<u64, JsonError> {
        match *self {
            Self::Whole(number) if number <= most => Ok(number),
            _ => Err(JsonError::found(
                &format!("a whole number from 0 to {most}"),
                self,
            )),
        }
    }

    /// As it is written, lists and objects by their kind alone.
    fn shown(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Flag(true) => "true".to_owned(),
            Self::Flag(false) => "false".to_owned(),
            Self::Whole(number) => number.to_string(),
            Self::Negative(number) => number.to_string(),
            Self::Number(number) => Shown::Double(*number).to_string(),
            Self::Text(text) => Shown::Text(text).to_string(),
            Self::List(_) => "a list".to_owned(),
            Self::Object(_) => "an object".to_owned(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Flag(_) => Kind::Flag,
            Self::Whole(_) | Self::Negative(_) | Self::Number(_) => Kind::Number,
            Self::Text(text) => Kind::Text(text.len()),
            Self::List(list) => Kind::List(list.len()),
            Self::Object(_) => Kind::Object,
        }
    }
}

/// The fields of an object that were not asked for yet.
pub struct Object<'a> {
    fields: Vec<(Cow<'a, str>, Json<'a>)>,
}

impl<'a> Object<'a> {
    fn of(json: Json<'a>) -> Result<Self, JsonError> {
        match json {
            Json::Object(fields) => Ok(Self { fields }),
            other => Err(JsonError::found("an object", &other)),
        }
    }

    fn only(&self, names: &[&str]) -> Result<(), JsonError> {
        let known = |name: &str| names.contains(&name);
        match self.fields.iter().find(|(name, _)| !known(name)) {
            None => Ok(()),
            Some((name, _)) => Err(JsonError::of(Problem::Unknown {
                name: name.clone().into_owned(),
                known: names.join("`, `"),
            })),
        }
    }

    /// The value of a field.
    ///
    /// # Errors
    /// It is missing and must not be, is there twice, or has another form.
    pub fn get<T: FromJson<'a>>(&mut self, name: &'static str) -> Result<T, JsonError> {
        match self.take(name)? {
            Some(json) => T::from_json(json).map_err(|error| error.within(name)),
            None => T::absent().ok_or_else(|| JsonError::missing(name)),
        }
    }

    /// The value of a field, or `default` where it is missing.
    ///
    /// # Errors
    /// It is there twice, or has another form.
    pub fn get_or<T: FromJson<'a>>(&mut self, name: &'static str, default: T) -> Result<T, JsonError> {
        match self.take(name)? {
            Some(json) => T::from_json(json).map_err(|error| error.within(name)),
            None => Ok(default),
        }
    }

    #[inline(never)]
    fn take(&mut self, name: &'static str) -> Result<Option<Json<'a>>, JsonError> {
        let of_name = |field: &(Cow<'a, str>, Json<'a>)| field.0 == name;
        let Some(at) = self.fields.iter().position(of_name) else {
            return Ok(None);
        };
        let (_, value) = self.fields.swap_remove(at);
        if self.fields.iter().any(of_name) {
            return Err(JsonError::new(format!("duplicate field `{name}`")));
        }
        Ok(Some(value))
    }
}

impl<'a> FromJson<'a> for Json<'a> {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        Ok(json)
    }
}

impl<'a> FromJson<'a> for String {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        match json {
            Json::Text(text) => Ok(text.into_owned()),
            other => Err(JsonError::found("a text", &other)),
        }
    }
}

impl FromJson<'_> for bool {
    fn from_json(json: Json<'_>) -> Result<Self, JsonError> {
        match json {
            Json::Flag(flag) => Ok(flag),
            other => Err(JsonError::found("true or false", &other)),
        }
    }
}

impl FromJson<'_> for i64 {
    fn from_json(json: Json<'_>) -> Result<Self, JsonError> {
        match json {
            Json::Negative(number) => Ok(number),
            // Whole numbers up to i64::MAX.
            json => json.whole(i64::MAX as u64).map(|number| number as Self),
        }
    }
}

impl FromJson<'_> for f64 {
    fn from_json(json: Json<'_>) -> Result<Self, JsonError> {
        match json {
            Json::Number(number) => Ok(number),
            Json::Whole(number) => Ok(number as Self),
            Json::Negative(number) => Ok(number as Self),
            other => Err(JsonError::found("a number", &other)),
        }
    }
}

impl FromJson<'_> for f32 {
    fn from_json(json: Json<'_>) -> Result<Self, JsonError> {
        Ok(f64::from_json(json)? as Self)
    }
}

macro_rules! whole {
    ($($type:ty),*) => {$(
        impl FromJson<'_> for $type {
            fn from_json(json: Json<'_>) -> Result<Self, JsonError> {
                json.whole(Self::MAX as u64).map(|number| number as Self)
            }
        }
    )*};
}
whole!(u8, u16, u32, u64, usize);

impl<'a, T: FromJson<'a>> FromJson<'a> for Option<T> {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        match json {
            Json::Null => Ok(None),
            json => T::from_json(json).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<'a, T: FromJson<'a>> FromJson<'a> for Vec<T> {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let list = json.list("a list")?;
        let mut values = Self::with_capacity(list.len());
        for (index, json) in list.into_iter().enumerate() {
            values.push(T::from_json(json).map_err(|error| error.within(&format!("[{index}]")))?);
        }
        Ok(values)
    }
}

macro_rules! tuple {
    ($length:literal: $($type:ident)*) => {
        impl<'a, $($type: FromJson<'a>),*> FromJson<'a> for ($($type,)*) {
            fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
                const EXPECTED: &str = concat!("a list of ", $length);
                let list = json.list(EXPECTED)?;
                let right = list.len() == $length;
                let mut values = list.into_iter();
                let mut next = || match values.next() {
                    Some(value) if right => Ok(value),
                    _ => Err(JsonError::found(EXPECTED, &Json::List(Vec::new()))),
                };
                Ok(($($type::from_json(next()?)?,)*))
            }
        }
    };
}
tuple!(2: A B);
tuple!(3: A B C);
tuple!(6: A B C D E F);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Whole(number) => serializer.serialize_u64(*number),
            Self::Negative(number) => serializer.serialize_i64(*number),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json<'de>, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Whole(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Negative(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            list.push(value);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut values: A) -> Result<Json<'de>, A::Error> {
        let mut fields = Vec::new();
        // serde_json's names are texts.
        while let Some(Json::Text(name)) = values.next_key()? {
            fields.push((name, values.next_value()?));
        }
        Ok(Json::Object(fields))
    }
}

#[cfg(test)]
mod tests;

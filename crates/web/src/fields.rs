//! Reading the plain objects that a page passes in: every field becomes a typed value, or an error that names it.

use crate::failure::{Failure, Kind};
use js_sys::{JSON, Reflect};
use std::ops::RangeInclusive;
use wasm_bindgen::{JsCast, JsValue};

/// Characters of a refused value that its message shows.
const SHOWN: usize = 60;

/// The argument of one call.
pub struct Fields {
    /// Names the call in errors.
    call: &'static str,
    /// `None` stands for an object without fields.
    object: Option<JsValue>,
}

impl Fields {
    /// The object of a call; `undefined` and `null` count as one without fields.
    ///
    /// # Errors
    /// Any other value that is no object.
    pub fn of(call: &'static str, value: JsValue) -> Result<Self, Failure> {
        if value.is_undefined() || value.is_null() {
            return Ok(Self { call, object: None });
        }
        if !value.is_object() {
            let message = format!("{call}: the argument is {}; expected an object", shown(&value));
            return Err(Failure::new(Kind::BadOption, message));
        }
        let object = Some(value);
        Ok(Self { call, object })
    }

    /// An error about one field.
    pub fn refuse(&self, field: &str, expected: &str) -> Failure {
        let message = match self.get(field) {
            Some(found) => format!(
                "{}: `{field}` is {}; expected {expected}",
                self.call,
                shown(&found)
            ),
            None => format!("{}: `{field}` is missing; expected {expected}", self.call),
        };
        Failure::new(Kind::BadOption, message)
    }

    /// A text.
    ///
    /// # Errors
    /// The field is there and no text.
    pub fn text(&self, field: &str) -> Result<Option<String>, Failure> {
        self.get(field)
            .map(|value| value.as_string().ok_or_else(|| self.refuse(field, "a text")))
            .transpose()
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// The field is missing or no text.
    pub fn required_text(&self, field: &str, expected: &str) -> Result<String, Failure> {
        self.text(field)?.ok_or_else(|| self.refuse(field, expected))
    }

    /// A finite number.
    ///
    /// # Errors
    /// The field is there and no finite number.
    pub fn number(&self, field: &str) -> Result<Option<f64>, Failure> {
        let finite = |value: JsValue| value.as_f64().filter(|number| number.is_finite());
        self.get(field)
            .map(|value| finite(value).ok_or_else(|| self.refuse(field, "a finite number")))
            .transpose()
    }

    /// A whole number in a range.
    ///
    /// # Errors
    /// The field is there and no whole number, or one outside the range.
    pub fn whole(&self, field: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, Failure> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let (low, high) = (f64::from(*range.start()), f64::from(*range.end()));
        let whole = value
            .as_f64()
            .filter(|n| n.fract() == 0.0 && (low..=high).contains(n));
        match whole {
            Some(number) => Ok(Some(number as u32)),
            None => {
                let (low, high) = (range.start(), range.end());
                Err(self.refuse(field, &format!("a whole number from {low} to {high}")))
            }
        }
    }

    /// A list of texts.
    ///
    /// # Errors
    /// The field is there and no list of texts.
    pub fn texts(&self, field: &str) -> Result<Vec<String>, Failure> {
        let Some(value) = self.get(field) else {
            return Ok(Vec::new());
        };
        let refuse = || self.refuse(field, "a list of texts");
        let list = value.dyn_ref::<js_sys::Array>().ok_or_else(refuse)?;
        list.iter()
            .map(|text| text.as_string().ok_or_else(refuse))
            .collect()
    }

    /// A typed array; `None` where the field is missing or anything else.
    pub fn array<T: JsCast>(&self, field: &str) -> Option<T> {
        self.get(field)?.dyn_into().ok()
    }

    /// Yes or no; no where it is missing.
    ///
    /// # Errors
    /// The field is there and neither.
    pub fn flag(&self, field: &str) -> Result<bool, Failure> {
        self.get(field).map_or(Ok(false), |value| {
            value.as_bool().ok_or_else(|| self.refuse(field, "true or false"))
        })
    }

    /// An object inside this one.
    ///
    /// # Errors
    /// The field is there and no object.
    pub fn nested(&self, field: &str, call: &'static str) -> Result<Self, Failure> {
        Self::of(call, self.get(field).unwrap_or(JsValue::UNDEFINED))
    }

    /// An object inside this one, as a JSON text.
    ///
    /// # Errors
    /// The field is there and nothing that JSON can say.
    pub fn json(&self, field: &str) -> Result<Option<String>, Failure> {
        let text = |value: JsValue| JSON::stringify(&value).ok()?.as_string();
        self.get(field)
            .map(|value| text(value).ok_or_else(|| self.refuse(field, "plain data")))
            .transpose()
    }

    /// The field's value; `None` where it is missing, `undefined` or `null`.
    fn get(&self, field: &str) -> Option<JsValue> {
        let value = Reflect::get(self.object.as_ref()?, &JsValue::from_str(field)).ok()?;
        Some(value).filter(|value| !value.is_undefined() && !value.is_null())
    }
}

/// A value as JSON, cut short.
fn shown(value: &JsValue) -> String {
    let text = JSON::stringify(value).map_or_else(|_| "no plain data".to_owned(), String::from);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

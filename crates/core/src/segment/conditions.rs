//! A filter as it is written: in requests, and in a page's options.

use super::Filter;
use crate::items::dictionaries::{DictionaryFile, List};
use crate::json::{FromJson, Json, JsonError};
use std::ops::RangeInclusive;

/// The most names of one list.
const MAX_NAMES: usize = 100;

/// Conditions by names and dates: `{"categories":["Food"],"languages":["en"],"age":12,"durationSeconds":{"min":60,
/// "max":600},"uploaded":{"from":"2026-01-31","to":"2026-12-31"}}`, each of them optional. A video must meet all that are
/// given; where it is not known whether it does, it does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// It has one of these categories (`genre`).
    pub categories: Option<Vec<String>>,
    /// It is in one of these languages (`inLanguage`).
    pub languages: Option<Vec<String>>,
    /// It is rated fit (`contentRating`) from this age, in years, or from a lower one.
    pub age: Option<u8>,
    /// Its `duration` in seconds, both ends included.
    pub duration_s: Option<Range>,
    /// Its `uploadDate` in days since 1970-01-01 UTC; both days included.
    pub uploaded_day: Option<Range>,
}

/// A range of numbers, of which one end may be open.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    /// The lowest.
    pub from: Option<f32>,
    /// The highest.
    pub to: Option<f32>,
}

impl From<Range> for RangeInclusive<f32> {
    fn from(range: Range) -> Self {
        range.from.unwrap_or(f32::NEG_INFINITY)..=range.to.unwrap_or(f32::INFINITY)
    }
}

impl<'a> FromJson<'a> for Conditions {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &["categories", "languages", "age", "durationSeconds", "uploaded"];
        json.strict_object(names, |fields| {
            let conditions = Self {
                categories: fields.get("categories")?,
                languages: fields.get("languages")?,
                age: fields.get("age")?,
                duration_s: fields
                    .get::<Option<Seconds>>("durationSeconds")?
                    .map(|seconds| seconds.0),
                uploaded_day: fields.get::<Option<Days>>("uploaded")?.map(|days| days.0),
            };
            let lists = [&conditions.categories, &conditions.languages];
            let longest = lists.into_iter().flatten().map(Vec::len).max();
            if longest > Some(MAX_NAMES) {
                let found = longest.unwrap_or_default();
                let problem = format!("expected at most {MAX_NAMES} names, found {found}");
                return Err(JsonError::new(problem));
            }
            Ok(conditions)
        })
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

struct Seconds(Range);

impl<'a> FromJson<'a> for Seconds {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.strict_object(&["min", "max"], |fields| {
            Ok(Self(Range {
                from: fields.get("min")?,
                to: fields.get("max")?,
            }))
        })
    }
}

struct Days(Range);

impl<'a> FromJson<'a> for Days {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.strict_object(&["from", "to"], |fields| {
            let (from, to): (Option<Day>, Option<Day>) = (fields.get("from")?, fields.get("to")?);
            // A video of the last day may be from any hour of it.
            let end = |day: Day| (day.0 as f32 + 1.0).next_down();
            Ok(Self(Range {
                from: from.map(|day| day.0 as f32),
                to: to.map(end),
            }))
        })
    }
}

/// A day since 1970-01-01, as `2026-01-31`.
struct Day(i32);

impl<'a> FromJson<'a> for Day {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let day = match &json {
            Json::Text(text) => day(text).map(Self),
            _ => None,
        };
        day.ok_or_else(|| JsonError::found("a date such as \"2026-01-31\"", &json))
    }
}

/// The days since 1970-01-01 of a date of the Gregorian calendar in the years 1 to 9999 (ISO 8601, `YYYY-MM-DD`).
fn day(date: &str) -> Option<i32> {
    let mut parts = date.split('-');
    let mut part = |digits: usize| {
        let text = parts.next().filter(|text| text.len() == digits)?;
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse::<i32>().ok())?
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() || year == 0 || !(1..=12).contains(&month) {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // A year that begins in March ends with the day that comes and goes.
    let years = year - i32::from(month < 3);
    let months = (153 * ((month + 9) % 12) + 2) / 5;
    Some(365 * years + years / 4 - years / 100 + years / 400 + months + day - 1 - 719_468)
}

impl Conditions {
    /// Whether there is no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The filter in the codes of a bundle. A name that the bundle does not have fits no video.
    #[must_use]
    pub fn resolve(&self, dictionaries: &DictionaryFile) -> Filter {
        let codes = |list, names: &Option<Vec<String>>| {
            let code = |name: &String| u16::try_from(dictionaries.code(list, name)?).ok();
            names
                .as_ref()
                .map(|names| names.iter().filter_map(code).collect())
        };
        Filter {
            categories: codes(List::Categories, &self.categories),
            languages: codes(List::Languages, &self.languages),
            age: self.age,
            duration_s: self.duration_s.map(Into::into),
            uploaded_day: self.uploaded_day.map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::AlignedBytes;
    use crate::items::dictionaries::Dictionaries;
    use crate::json;

    #[test]
    fn names_become_codes_and_dates_days() {
        let text = r#"{"categories":["Space","Cars"],"languages":["de"],"age":12,
            "durationSeconds":{"min":60.5},"uploaded":{"from":"1970-01-03","to":"2026-11-26"}}"#;
        let lists = Dictionaries {
            categories: vec!["Food".into(), "Space".into()],
            languages: vec!["en".into()],
            ..Dictionaries::default()
        };
        let lists = DictionaryFile::open(AlignedBytes::copy_of(&lists.to_bytes())).unwrap();
        let filter = json::read::<Conditions>(text).unwrap().resolve(&lists);
        assert_eq!(
            (filter.categories, filter.languages),
            (Some(vec![1]), Some(vec![]))
        );
        assert_eq!(
            (filter.age, filter.duration_s),
            (Some(12), Some(60.5..=f32::INFINITY))
        );
        let days = filter.uploaded_day.unwrap();
        assert_eq!(*days.start(), 2.0);
        assert!(days.contains(&20_783.5) && !days.contains(&20_784.0), "{days:?}");
        assert!(json::read::<Conditions>("{}").unwrap().resolve(&lists).is_empty());
    }

    #[test]
    fn what_is_no_condition_is_named() {
        for (text, expected) in [
            (r#"{"category":["a"]}"#, "unknown field `category`"),
            (r#"{"age":-1}"#, "age"),
            (r#"{"age":300}"#, "age"),
            (r#"{"categories":"a"}"#, "categories"),
            (r#"{"durationSeconds":{"from":1}}"#, "durationSeconds"),
            (
                r#"{"uploaded":{"to":"2026-02-30"}}"#,
                "uploaded.to: expected a date",
            ),
            ("[]", "an object"),
        ] {
            let error = json::read::<Conditions>(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn dates_are_counted_through_every_day_of_four_centuries() {
        let mut expected = day("1900-01-01").unwrap();
        assert_eq!(
            (day("1970-01-01"), day("2000-03-01"), expected),
            (Some(0), Some(11_017), -25_567)
        );
        for year in 1900..2301 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let february = if leap { 29 } else { 28 };
            let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in (1..).zip(lengths) {
                for date in 1..=length {
                    let text = format!("{year}-{month:02}-{date:02}");
                    assert_eq!(day(&text), Some(expected), "{text}");
                    expected += 1;
                }
                assert_eq!(day(&format!("{year}-{month:02}-{:02}", length + 1)), None);
            }
        }
        for bad in [
            "",
            "2026-1-1",
            "2026-00-01",
            "2026-13-01",
            "0000-01-01",
            "2026-01-01T00:00",
            "+026-01-01",
        ] {
            assert_eq!(day(bad), None, "{bad}");
        }
    }
}

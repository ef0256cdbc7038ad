//! Conditions as Milvus's boolean expressions. A filter holds numbers alone; ids are the only texts in one.

use super::UNKNOWN;
use crate::segment::Filter;
use std::fmt::Write;
use std::ops::RangeInclusive;

/// What no entity meets.
pub const NOTHING: &str = "category in [-1]";

/// All that a filter wants, without the videos of `exclude`; empty where every video fits.
#[must_use]
pub fn all_of(filter: &Filter, exclude: &[&str]) -> String {
    let mut parts = Vec::new();
    parts.extend(
        filter
            .categories
            .as_deref()
            .map(|codes| one_of("category", codes)),
    );
    parts.extend(filter.languages.as_deref().map(|codes| one_of("language", codes)));
    // Not known is above every age.
    parts.extend(filter.age.map(|age| format!("age <= {age}")));
    parts.extend(filter.duration_s.as_ref().map(|range| within("duration", range)));
    parts.extend(
        filter
            .uploaded_day
            .as_ref()
            .map(|range| within("uploaded", range)),
    );
    if !exclude.is_empty() {
        parts.push(["video not in ", &list(exclude)].concat());
    }
    parts.join(" and ")
}

/// The entities of these ids.
#[must_use]
pub fn among(ids: &[&str]) -> String {
    ["video in ", &list(ids)].concat()
}

fn one_of(field: &str, codes: &[u16]) -> String {
    let codes: Vec<String> = codes.iter().map(u16::to_string).collect();
    match codes.is_empty() {
        true => NOTHING.to_owned(),
        false => format!("{field} in [{}]", codes.join(", ")),
    }
}

fn within(field: &str, range: &RangeInclusive<f32>) -> String {
    let (from, to) = (*range.start(), *range.end());
    if from.is_nan() || to.is_nan() || from == f32::INFINITY || to == f32::NEG_INFINITY {
        return NOTHING.to_owned();
    }
    let mut text = match from <= UNKNOWN {
        true => format!("{field} > {}", number(UNKNOWN)),
        false => format!("{field} >= {}", number(from)),
    };
    if to.is_finite() {
        // Writing to a text never fails.
        let _ = write!(text, " and {field} <= {}", number(to));
    }
    text
}

/// A finite number such that reading it as f64 gives the same one; it has a point or an exponent.
fn number(value: f32) -> String {
    format!("{:?}", f64::from(value))
}

/// A list of texts. Between double quotes only these have a meaning of their own: `"`, `\` and line breaks.
fn list(ids: &[&str]) -> String {
    let mut text = String::from("[");
    for (i, id) in ids.iter().enumerate() {
        text.push_str(if i == 0 { "\"" } else { ", \"" });
        for c in id.chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                c => text.push(c),
            }
        }
        text.push('"');
    }
    text.push(']');
    text
}

//! From lines of `videos.jsonl` to records of the item table.

use super::vector::MadeOf;
use anyhow::{Context, Result, ensure};
use recsys_core::catalogue::{ItemFacts, Video};
use recsys_core::items::dictionaries::Dictionaries;
use recsys_core::items::{ItemRecord, NO_CELL};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::Path;

/// Reads a catalogue. Empty lines are passed over.
pub fn read(path: &Path) -> Result<Vec<Video>> {
    let bytes = std::fs::read(path).with_context(|| format!("{}: cannot read it", path.display()))?;
    let mut videos = Vec::new();
    let mut lines = HashMap::new();
    for (number, line) in bytes.split(|&b| b == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let at = || format!("{}, line {}", path.display(), number + 1);
        let video = Video::parse(line).with_context(at)?;
        if let Some(first) = lines.insert(video.id.clone(), number + 1) {
            anyhow::bail!(
                "{}: id {:?} is that of line {first} already; ids must differ",
                at(),
                video.id.as_str()
            );
        }
        videos.push(video);
    }
    ensure!(
        !videos.is_empty(),
        "{}: expected at least one video, found none",
        path.display()
    );
    Ok(videos)
}

/// Gives each different text a code in order of first appearance.
struct Codes {
    codes: HashMap<String, usize>,
    names: Vec<String>,
}

impl Codes {
    /// Codes that go on behind those of `names`.
    fn behind(names: Option<&Vec<String>>) -> Self {
        let names = names.cloned().unwrap_or_default();
        let codes = (0..)
            .zip(&names)
            .map(|(code, name)| (name.clone(), code))
            .collect();
        Self { codes, names }
    }

    fn code(&mut self, name: &str) -> usize {
        let next = self.names.len();
        let code = *self.codes.entry(name.to_owned()).or_insert(next);
        if code == next {
            self.names.push(name.to_owned());
        }
        code
    }

    /// A code that fits `T` and stays below its largest value; `missing` otherwise.
    fn code_or<T: TryFrom<usize> + PartialEq + Copy>(&mut self, name: Option<&String>, missing: T) -> T {
        name.and_then(|name| T::try_from(self.code(name)).ok())
            .unwrap_or(missing)
    }
}

/// Records and the lists that their codes index. `made_of` says of each video what its vector was made of, or is empty. Where lists are `known` already, they keep their codes, and their tags are
/// all there are.
pub fn records(
    videos: &[Video],
    made_of: &[MadeOf],
    known: Option<&Dictionaries>,
) -> Result<(Vec<ItemRecord>, Dictionaries)> {
    let mut categories = Codes::behind(known.map(|lists| &lists.categories));
    let mut languages = Codes::behind(known.map(|lists| &lists.languages));
    let mut creators = Codes::behind(known.map(|lists| &lists.creators));
    let tags = known.map_or_else(|| tags(videos), |lists| lists.tags.clone());
    let bits: HashMap<&str, u32> = (0..).zip(&tags).map(|(bit, tag)| (tag.as_str(), bit)).collect();
    let mut records = Vec::with_capacity(videos.len());
    for (i, video) in videos.iter().enumerate() {
        let at = || format!("video {:?}", video.id.as_str());
        let duration_s = video
            .duration
            .as_deref()
            .map(seconds)
            .transpose()
            .with_context(at)?;
        let uploaded_day = video
            .upload_date
            .as_deref()
            .map(day)
            .transpose()
            .with_context(at)?;
        let facts = ItemFacts {
            category: categories.code_or(video.genre.as_ref(), ItemFacts::NO_CODE),
            language: languages.code_or(video.language.as_ref(), ItemFacts::NO_CODE),
            creator: creators.code_or(video.creator.as_ref(), ItemFacts::NO_CREATOR),
            tags: video
                .tags
                .iter()
                .filter_map(|tag| bits.get(tag.as_str()))
                .fold(0, |set, bit| set | 1u64 << bit),
            duration_s: duration_s.unwrap_or(f32::NAN),
            uploaded_day: uploaded_day.unwrap_or(f32::NAN),
            impressions: video.impressions.map_or(f32::NAN, |v| v as f32),
            ..ItemFacts::unknown()
        };
        records.push(ItemRecord {
            id: video.id.clone(),
            facts,
            min_age: video.min_age,
            cell: NO_CELL,
            card: card(video, facts.duration_s, made_of.get(i)),
        });
    }
    for (what, list) in [("categories", &categories), ("languages", &languages)] {
        ensure!(
            list.names.len() < 65_535,
            "the catalogue has {} {what}, at most 65534 are allowed",
            list.names.len()
        );
    }
    let dictionaries = Dictionaries {
        categories: categories.names,
        languages: languages.names,
        creators: creators.names,
        tags,
    };
    Ok((records, dictionaries))
}

/// The most frequent tags, most frequent first, equals by name. One that a single video has, or every video, says
/// nothing of two videos.
fn tags(videos: &[Video]) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for tag in videos.iter().flat_map(|video| &video.tags) {
        *counts.entry(tag).or_default() += 1;
    }
    let mut list: Vec<(&str, usize)> = counts
        .into_iter()
        .filter(|&(_, count)| count > 1 && count < videos.len())
        .collect();
    list.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    list.truncate(ItemFacts::MAX_TAGS);
    list.into_iter().map(|(tag, _)| tag.to_owned()).collect()
}

/// What a page shows.
fn card(video: &Video, duration_s: f32, made_of: Option<&MadeOf>) -> String {
    let mut card = Map::new();
    let texts = [
        ("name", Some(&video.name)),
        ("creator", video.creator.as_ref()),
        ("category", video.genre.as_ref()),
        ("language", video.language.as_ref()),
        ("uploadDate", video.upload_date.as_ref()),
        ("thumbnailUrl", video.thumbnail_url.as_ref()),
        ("previewUrl", video.preview_url.as_ref()),
        ("contentUrl", video.content_url.as_ref()),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            card.insert(key.to_owned(), Value::String(text.clone()));
        }
    }
    if duration_s.is_finite() {
        // The shortest number that is the same f32.
        let shortest = duration_s.to_string().parse::<f64>().ok();
        card.insert("durationSeconds".to_owned(), shortest.into());
    }
    if let Some(made_of) = made_of.and_then(|made_of| serde_json::to_value(made_of).ok()) {
        card.insert("madeOf".to_owned(), made_of);
    }
    Value::Object(card).to_string()
}

/// An ISO 8601 duration in seconds.
fn seconds(text: &str) -> Result<f32> {
    let bad = || format!("duration {text:?}: expected ISO 8601, such as PT1M30S");
    let span: jiff::Span = text.parse().with_context(bad)?;
    let total = span
        .total((jiff::Unit::Second, jiff::SpanRelativeTo::days_are_24_hours()))
        .with_context(bad)?;
    ensure!(total >= 0.0, "{}", bad());
    Ok(total as f32)
}

/// An ISO 8601 date, or date and time, in days since 1970-01-01 UTC.
fn day(text: &str) -> Result<f32> {
    let date = text
        .parse::<jiff::civil::Date>()
        .and_then(|d| d.to_zoned(jiff::tz::TimeZone::UTC));
    let timestamp = match text.parse::<jiff::Timestamp>() {
        Ok(timestamp) => timestamp,
        Err(_) => date
            .with_context(|| {
                format!("uploadDate {text:?}: expected ISO 8601, such as 2026-03-01 or 2026-03-01T12:00:00Z")
            })?
            .timestamp(),
    };
    Ok((timestamp.as_second() as f64 / 86_400.0) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_dates() {
        assert_eq!(seconds("PT1M30S").unwrap(), 90.0);
        assert_eq!(seconds("P1DT1H").unwrap(), 90_000.0);
        assert!(seconds("90").is_err());
        assert_eq!(day("1970-01-02").unwrap(), 1.0);
        assert_eq!(day("1970-01-01T12:00:00Z").unwrap(), 0.5);
        assert!(day("last week").is_err());
    }

    #[test]
    fn the_most_frequent_tags_become_bits() {
        let video = |line: &str| Video::parse(line.as_bytes()).unwrap();
        let videos = [
            video(r#"{"id":"a","name":"A","genre":["Drama","War"],"keywords":"night, drama"}"#),
            video(r#"{"id":"b","name":"B","genre":"Drama","keywords":["war","once"]}"#),
            video(r#"{"id":"c","name":"C","keywords":"drama"}"#),
            video(r#"{"id":"d","name":"D"}"#),
        ];
        let (records, lists) = records(&videos, &[], None).unwrap();
        assert_eq!(lists.tags, ["drama", "war"], "`night` and `once` stand alone");
        let bits: Vec<u64> = records.iter().map(|record| record.facts.tags).collect();
        assert_eq!(bits, [0b11, 0b11, 0b01, 0]);
    }

    #[test]
    fn codes_follow_first_appearance_and_missing_stays_missing() {
        let video = |line: &str| Video::parse(line.as_bytes()).unwrap();
        let videos = [
            video(r#"{"id":"a","name":"A","genre":"x","creator":"c1"}"#),
            video(r#"{"id":"b","name":"B","genre":"y"}"#),
            video(r#"{"id":"c","name":"C","genre":"x","duration":"PT5S"}"#),
        ];
        let (records, lists) = records(&videos, &[], None).unwrap();
        assert_eq!(lists.categories, ["x", "y"]);
        assert_eq!(
            records.iter().map(|r| r.facts.category).collect::<Vec<_>>(),
            [0, 1, 0]
        );
        assert_eq!(records[1].facts.creator, ItemFacts::NO_CREATOR);
        assert_eq!(records[2].facts.duration_s, 5.0);
        assert!(records[2].card.contains("\"durationSeconds\":5"));
        let more = [video(
            r#"{"id":"d","name":"D","genre":"y","creator":"c2","keywords":"k"}"#,
        )];
        let (added, longer) = super::records(&more, &[], Some(&lists)).unwrap();
        assert_eq!((added[0].facts.category, added[0].facts.creator), (1, 1));
        assert_eq!(
            (longer.categories, longer.creators),
            (lists.categories, vec!["c1".to_owned(), "c2".to_owned()])
        );
    }
}

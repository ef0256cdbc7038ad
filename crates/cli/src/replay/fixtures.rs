//! Small logs for tests.

use super::Catalogue;
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::events::{Event, parse_line};
use std::collections::HashMap;

/// Time 0 of the logs, in milliseconds.
pub const START: i64 = 1_760_000_000_000;

/// Four items on the axes of a plane.
pub fn catalogue() -> Catalogue {
    let ids = ["a", "b", "c", "d"].map(|id| ItemId::new(id).unwrap()).to_vec();
    let vectors = vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0];
    let languages = HashMap::from([("en".to_owned(), 0), ("fr".to_owned(), 1)]);
    Catalogue::new(ids, vec![ItemFacts::unknown(); 4], languages, 2, vectors)
}

/// An impression `seconds` after the start.
pub fn impression(seconds: i64, request: &str, viewer: &str, item: &str, position: u32) -> String {
    format!(
        r#"{{"event":"impression","ts":{},"session":"s","request":"{request}","item":"{item}","position":{position},"arm":"uniform","user":{{"id":"{viewer}","language":"fr"}}}}"#,
        START + seconds * 1000
    )
}

/// A click `seconds` after the start.
pub fn click(seconds: i64, request: &str, viewer: &str, item: &str) -> String {
    format!(
        r#"{{"event":"click","ts":{},"session":"s","request":"{request}","item":"{item}","user":{{"id":"{viewer}"}}}}"#,
        START + seconds * 1000
    )
}

/// The events of lines.
pub fn parse(lines: &[String]) -> Vec<Event> {
    lines.iter().map(|line| parse_line(line).unwrap()).collect()
}

//! Reading a file of events.

use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use recsys_core::events::{Event, LeftOut, parse_dump_line, settle};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The longest line of a file of events, in bytes: a consumer of Kafka's REST proxy answers with many events in one.
const MAX_LINE_BYTES: u64 = 1 << 24;

/// Reads a file of JSON Lines, or of what was read from a topic, and sorts the events by time; equal times keep the file's
/// order. Empty lines are skipped. Viewers who asked to be forgotten are, and records that came twice count once.
///
/// # Errors
/// The file cannot be read, holds no event, or has a line that is none: the error names it.
pub fn read_events(path: &Path, progress: &ProgressBar) -> Result<Vec<Event>> {
    let file = File::open(path).with_context(|| {
        format!(
            "{}: cannot open it; expected events as docs/events.md describes",
            path.display()
        )
    })?;
    let length = file.metadata().with_context(|| path.display().to_string())?.len();
    progress.set_length(length);
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut events, mut line, mut number) = (Vec::new(), String::new(), 0usize);
    loop {
        line.clear();
        number += 1;
        let at = || format!("{}, line {number}", path.display());
        let read = reader
            .by_ref()
            .take(MAX_LINE_BYTES)
            .read_line(&mut line)
            .with_context(at)? as u64;
        if read == 0 {
            break;
        }
        ensure!(
            read < MAX_LINE_BYTES,
            "{}: longer than {MAX_LINE_BYTES} bytes; expected one event a line, or one answer of a consumer",
            at()
        );
        progress.inc(read);
        if !line.trim().is_empty() {
            events.extend(parse_dump_line(&line).with_context(at)?);
        }
    }
    events.sort_by_key(|event| event.ts_ms);
    let (events, left_out) = settle(events);
    if left_out != LeftOut::default() {
        let LeftOut {
            forgotten,
            duplicates,
            repeated,
        } = left_out;
        eprintln!(
            "note: {forgotten} events of viewers who asked to be forgotten, {duplicates} records that came again and \
             {repeated} impressions that repeat an item of their request are left out"
        );
    }
    ensure!(
        !events.is_empty(),
        "{}: there are no events; see docs/events.md",
        path.display()
    );
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn read(text: &str) -> Result<Vec<Event>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        read_events(file.path(), &ProgressBar::hidden())
    }

    #[test]
    fn events_are_sorted_by_time_and_stay_in_order_otherwise() {
        let line = |ts: i64, query: &str| {
            format!("{{\"event\":\"search\",\"ts\":{ts},\"session\":\"s\",\"query\":\"{query}\"}}\n")
        };
        let (late, early) = (1_760_000_000_001, 1_760_000_000_000);
        let events = read(
            &[
                line(late, "c"),
                "\n".to_owned(),
                line(early, "a"),
                line(early, "b"),
            ]
            .concat(),
        )
        .unwrap();
        let queries: Vec<String> = events.iter().map(|event| format!("{:?}", event.kind)).collect();
        assert!(queries[0].contains("\"a\"") && queries[1].contains("\"b\"") && queries[2].contains("\"c\""));
    }

    #[test]
    fn an_error_names_the_line() {
        let good = "{\"event\":\"search\",\"ts\":1760000000000,\"session\":\"s\",\"query\":\"q\"}\n";
        let error = format!(
            "{:#}",
            read(&format!("{good}\n{{\"event\":\"like\"}}")).unwrap_err()
        );
        assert!(
            error.contains("line 3") && error.contains("missing field `ts`"),
            "{error}"
        );
        assert!(format!("{:#}", read("\n").unwrap_err()).contains("no events"));
        let long = format!("{{\"x\":\"{}\"}}", "x".repeat(MAX_LINE_BYTES as usize));
        assert!(format!("{:#}", read(&long).unwrap_err()).contains("longer than"));
        let missing = read_events(Path::new("/nowhere/events.jsonl"), &ProgressBar::hidden()).unwrap_err();
        assert!(format!("{missing:#}").contains("/nowhere/events.jsonl"));
    }
}

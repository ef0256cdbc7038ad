//! Requests and answers, a line each, on standard input and output.

use std::io::{ErrorKind, Write};
use std::thread::sleep;
use std::time::Duration;

/// The next line, or `None` at the end.
pub fn request() -> std::io::Result<Option<String>> {
    let mut line = String::new();
    let read = patiently(|| std::io::stdin().read_line(&mut line))?;
    Ok((read > 0).then_some(line))
}

/// Writes a line.
pub fn answer(text: &str) -> std::io::Result<()> {
    let line = format!("{text}\n");
    let mut rest = line.as_bytes();
    let mut out = std::io::stdout().lock();
    while !rest.is_empty() {
        let written = patiently(|| out.write(rest))?;
        rest = rest.get(written..).unwrap_or_default();
    }
    patiently(|| out.flush())
}

/// Tries again until it would no longer block: Node's pipes do not, and its WASI passes that on.
fn patiently<T>(mut work: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match work() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(Duration::from_millis(1)),
            result => return result,
        }
    }
}

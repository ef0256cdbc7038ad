//! ffmpeg and ffprobe with a time limit: whatever they do, the caller goes on.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

const MISSING: &str =
    "ffmpeg and ffprobe are needed to read videos; install them (Debian: apt-get install ffmpeg)";

/// What comes of waiting.
pub enum Next<T> {
    Some(T),
    /// There is no more.
    End,
    /// The time is over.
    Late,
}

/// A program that runs until its deadline at most. It is stopped where nobody waits for it any more.
pub struct Program {
    child: Child,
    deadline: Instant,
    /// Standard output in pieces of one length; the last may be shorter.
    pub output: Receiver<Vec<u8>>,
    /// Lines of standard error.
    pub messages: Receiver<String>,
}

impl Program {
    /// Starts it with nothing on its standard input.
    ///
    /// # Errors
    /// It is missing, or does not start.
    pub fn start(command: &mut Command, piece: usize, deadline: Instant) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context(MISSING)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // The program waits where its output is not taken; its messages, never.
        let (pieces, output) = sync_channel(2);
        let (lines, messages) = channel();
        thread::spawn(move || stdout.map(|stdout| send_pieces(stdout, piece, &pieces)));
        thread::spawn(move || stderr.map(|stderr| send_lines(stderr, &lines)));
        Ok(Self {
            child,
            deadline,
            output,
            messages,
        })
    }

    /// The next of what the program sends.
    pub fn next<T>(&self, from: &Receiver<T>) -> Next<T> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match from.recv_timeout(left) {
            Ok(item) => Next::Some(item),
            Err(RecvTimeoutError::Disconnected) => Next::End,
            Err(RecvTimeoutError::Timeout) => Next::Late,
        }
    }

    /// Waits for its end; `None` where the time was over.
    pub fn wait(&mut self) -> Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= self.deadline {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both do nothing where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send_pieces(mut from: impl Read, length: usize, to: &SyncSender<Vec<u8>>) {
    loop {
        let mut piece = Vec::with_capacity(length);
        let read = from.by_ref().take(length as u64).read_to_end(&mut piece);
        if read.is_err() || piece.is_empty() || to.send(piece).is_err() {
            return;
        }
    }
}

fn send_lines(from: impl Read, to: &Sender<String>) {
    /// Longer lines are sent in parts.
    const LINE: u64 = 4096;
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from
        .by_ref()
        .take(LINE)
        .read_until(b'\n', &mut line)
        .is_ok_and(|n| n > 0)
    {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        line.clear();
        // Without a listener it is read on, so that the program does not wait.
        let _ = to.send(text);
    }
}

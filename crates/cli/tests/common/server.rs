//! An HTTP server of files, with the faults of real ones.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub path: String,
    /// Where the range starts.
    pub range: Option<u64>,
    pub if_range: Option<String>,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The connection is closed after so many bytes of the body.
    CutAfter(usize),
    /// Ranges are not known.
    NoRanges,
    Status(u16),
    /// Another file is announced.
    Redirect,
    /// The ETag is another.
    OtherEtag,
    /// Continues with bytes of another place.
    WrongRange,
}

type Faults = Box<dyn Fn(usize, &Asked) -> Fault + Send + Sync>;

/// A server, for as long as its test runs.
pub struct Server {
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Serves `files` by their paths; `faults` says what becomes of each request, by its number from 0.
    pub fn start(
        files: HashMap<String, Vec<u8>>,
        faults: impl Fn(usize, &Asked) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let (files, faults) = (Arc::new(files), Arc::new(Box::new(faults) as Faults));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, faults, log) = (Arc::clone(&files), Arc::clone(&faults), Arc::clone(&log));
                std::thread::spawn(move || {
                    let request = read(&stream);
                    let number = {
                        let mut log = log.lock().unwrap();
                        log.push(request.clone());
                        log.len() - 1
                    };
                    // The client may have gone.
                    let _ = answer(&stream, &files, &request, faults(number, &request));
                });
            }
        });
        Self { address, asked }
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Asked {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let mut asked = Asked {
        path: first.split(' ').nth(1).unwrap_or_default().to_owned(),
        range: None,
        if_range: None,
    };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let start = value
                    .strip_prefix("bytes=")
                    .and_then(|range| range.strip_suffix('-'));
                asked.range = Some(start.unwrap().parse().unwrap());
            }
            "if-range" => asked.if_range = Some(value.to_owned()),
            _ => {}
        }
    }
    asked
}

fn answer(
    mut stream: &TcpStream,
    files: &HashMap<String, Vec<u8>>,
    asked: &Asked,
    fault: Fault,
) -> std::io::Result<()> {
    let mut head = |status: &str, headers: &str| {
        write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n")
    };
    let empty = "Content-Length: 0\r\n";
    match fault {
        Fault::Status(status) => return head(&format!("{status} Status"), empty),
        Fault::Redirect => {
            return head(
                "302 Found",
                &format!("{empty}Location: /elsewhere{}\r\n", asked.path),
            );
        }
        _ => {}
    }
    let path = asked.path.strip_prefix("/elsewhere").unwrap_or(&asked.path);
    let Some(file) = files.get(path) else {
        return head("404 Not Found", empty);
    };
    let etag = if fault == Fault::OtherEtag {
        "\"other\""
    } else {
        "\"one\""
    };
    let same = asked.if_range.as_deref().is_none_or(|wanted| wanted == etag);
    let start = asked
        .range
        .filter(|_| same && fault != Fault::NoRanges)
        .unwrap_or(0) as usize;
    let Some(body) = file.get(start..) else {
        return head("416 Range Not Satisfiable", empty);
    };
    let shift = usize::from(fault == Fault::WrongRange);
    let status = if start > 0 {
        "206 Partial Content"
    } else {
        "200 OK"
    };
    let range = match start {
        0 => String::new(),
        _ => format!(
            "Content-Range: bytes {}-{}/{}\r\n",
            start + shift,
            file.len() - 1,
            file.len()
        ),
    };
    head(
        status,
        &format!("ETag: {etag}\r\nContent-Length: {}\r\n{range}", body.len()),
    )?;
    let sent = match fault {
        Fault::CutAfter(n) => body.get(..n).unwrap_or(body),
        _ => body,
    };
    stream.write_all(sent)
}

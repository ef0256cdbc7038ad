//! Replies of a server: what this worker asks for are words, numbers and lists of them, no lists within lists.

use super::Kind;
use bytes::{Bytes, BytesMut};
use resp_rs::ParseError;
use resp_rs::resp2::{Frame, parse_frame};

/// The most entries of a list: 50 clicks with their times, or the fields of one hash.
const MAX_ENTRIES: usize = 1_024;
/// The most digits of a list's length.
const MAX_DIGITS: usize = 8;

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A word, a number, an error, or nothing.
    One(Frame),
    /// A list; `None` where a transaction was not carried out.
    List(Option<Vec<Frame>>),
}

/// Replies out of the pieces in which they come.
pub struct Replies {
    buffer: BytesMut,
    room: usize,
}

impl Replies {
    /// Replies of at most so many bytes together.
    pub fn new(most: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            room: most,
        }
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// The replies have too many bytes.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Kind> {
        self.room = self.room.checked_sub(piece.len()).ok_or(Kind::Protocol)?;
        self.buffer.extend_from_slice(piece);
        Ok(())
    }

    /// The replies that are here whole.
    ///
    /// # Errors
    /// What is here is the beginning of none.
    pub fn take(&mut self) -> Result<Vec<Reply>, Kind> {
        let mut rest = self.buffer.split().freeze();
        let mut found = Vec::new();
        loop {
            match reply(rest.clone()) {
                Ok((reply, behind)) => {
                    found.push(reply);
                    rest = behind;
                }
                Err(ParseError::Incomplete) => break,
                Err(_) => return Err(Kind::Protocol),
            }
        }
        self.buffer.extend_from_slice(&rest);
        Ok(found)
    }
}

fn reply(bytes: Bytes) -> Result<(Reply, Bytes), ParseError> {
    let Some(count) = bytes.strip_prefix(b"*") else {
        let (frame, rest) = parse_frame(bytes)?;
        return Ok((Reply::One(frame), rest));
    };
    let Some(end) = count.iter().take(MAX_DIGITS).position(|byte| *byte == b'\r') else {
        return Err(match count.len() < MAX_DIGITS {
            true => ParseError::Incomplete,
            false => ParseError::BadLength,
        });
    };
    let digits = std::str::from_utf8(&count[..end]).map_err(|_| ParseError::BadLength)?;
    let count: i64 = digits.parse().map_err(|_| ParseError::BadLength)?;
    let start = 1 + end + 2;
    if bytes.len() < start {
        return Err(ParseError::Incomplete);
    }
    let mut rest = bytes.slice(start..);
    if count < 0 {
        return Ok((Reply::List(None), rest));
    }
    let count = usize::try_from(count).ok().filter(|count| *count <= MAX_ENTRIES);
    let mut list = Vec::new();
    for _ in 0..count.ok_or(ParseError::BadLength)? {
        if rest.starts_with(b"*") {
            return Err(ParseError::InvalidFormat);
        }
        let (frame, behind) = parse_frame(rest)?;
        list.push(frame);
        rest = behind;
    }
    Ok((Reply::List(Some(list)), rest))
}

/// What is wrong where a reply is an error (<https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors>).
pub fn kind_of(reply: &Reply) -> Option<Kind> {
    let error = |frame: &Frame| match frame {
        Frame::Error(text) => Some(kind(text)),
        _ => None,
    };
    match reply {
        Reply::One(frame) => error(frame),
        Reply::List(Some(list)) => list.iter().find_map(error),
        // The transaction was not carried out.
        Reply::List(None) => Some(Kind::Busy),
    }
}

fn kind(text: &[u8]) -> Kind {
    let word = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    let says = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    match word {
        b"NOAUTH" | b"WRONGPASS" | b"NOPERM" => Kind::Credentials,
        // It reads as before.
        b"OOM" | b"MISCONF" | b"READONLY" | b"NOREPLICAS" => Kind::Full,
        b"WRONGTYPE" => Kind::Mismatch,
        b"LOADING" | b"BUSY" | b"MASTERDOWN" | b"TRYAGAIN" => Kind::Busy,
        // A password where none is set, and a connection too many, have no word of their own.
        _ if says(b"AUTH") => Kind::Credentials,
        _ if says(b"max number of clients") => Kind::Busy,
        _ => Kind::Protocol,
    }
}

/// The texts of a list, `None` for an entry that is not there.
///
/// # Errors
/// It is no list of texts.
pub fn texts(reply: &Reply) -> Result<Vec<Option<&str>>, Kind> {
    let Reply::List(Some(list)) = reply else {
        return Err(Kind::Protocol);
    };
    let text = |frame| match frame {
        &Frame::BulkString(None) => Ok(None),
        Frame::BulkString(Some(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Kind::Protocol),
        },
        _ => Err(Kind::Protocol),
    };
    list.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<Reply>, Kind> {
        let mut replies = Replies::new(1 << 16);
        let mut found = Vec::new();
        for piece in pieces {
            replies.feed(piece)?;
            found.extend(replies.take()?);
        }
        Ok(found)
    }

    #[test]
    fn replies_come_in_any_pieces() {
        let bytes = b"+OK\r\n:7\r\n*3\r\n$2\r\nab\r\n$-1\r\n$0\r\n\r\n*-1\r\n*0\r\n";
        let whole = read(&[bytes]).unwrap();
        assert_eq!(whole.len(), 5);
        assert_eq!(texts(&whole[2]), Ok(vec![Some("ab"), None, Some("")]));
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single).unwrap(), whole);
    }

    #[test]
    fn what_is_too_long_too_deep_or_none_is_refused_before_room_is_made_for_it() {
        for bad in [
            b"*99999999999\r\n".as_slice(),
            b"*1025\r\n",
            b"*1\r\n*1\r\n:1\r\n",
            b"$999999999999\r\n",
            b"*x\r\n",
            b"HTTP/1.1 400 Bad Request\r\n",
            b"\x15\x03\x03\x00\x02\x02\x46",
            b":99999999999999999999\r\n",
        ] {
            assert_eq!(read(&[bad]), Err(Kind::Protocol), "{bad:?}");
        }
        let long = vec![b'x'; 1 << 16];
        assert_eq!(
            read(&[b"$70000\r\n", &long]),
            Err(Kind::Protocol),
            "too many bytes"
        );
    }

    #[test]
    fn errors_are_told_apart() {
        for (text, expected) in [
            (
                "-WRONGPASS invalid username-password pair or user is disabled.",
                Kind::Credentials,
            ),
            ("-NOAUTH Authentication required.", Kind::Credentials),
            (
                "-ERR AUTH <password> called without any password configured for the default user.",
                Kind::Credentials,
            ),
            (
                "-OOM command not allowed when used memory > 'maxmemory'.",
                Kind::Full,
            ),
            ("-LOADING Redis is loading the dataset in memory", Kind::Busy),
            ("-ERR max number of clients reached", Kind::Busy),
            ("-WRONGTYPE Operation against a key", Kind::Mismatch),
            ("-MOVED 3999 127.0.0.1:6381", Kind::Protocol),
        ] {
            let replies = read(&[text.as_bytes(), b"\r\n"]).unwrap();
            assert_eq!(kind_of(&replies[0]), Some(expected), "{text}");
        }
        assert_eq!(kind_of(&read(&[b"*-1\r\n"]).unwrap()[0]), Some(Kind::Busy));
        assert_eq!(kind_of(&read(&[b"+OK\r\n"]).unwrap()[0]), None);
    }
}

//! Redis or Valkey over the runtime's TCP sockets, by version 2 of its protocol (RESP,
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! A socket belongs to the request that opened it, so every request opens one, and sends all that it has to ask, the password
//! first, in one piece: one round trip behind the connection's own.

mod address;
mod replies;

pub use address::Address;
pub use replies::{Reply, texts};

use super::breaker::guarded;
use super::{Engine, Fault, Kind};
use crate::deadline::within;
use crate::settings;
use replies::{Replies, kind_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use worker::{Env, SecureTransport, Socket};

/// How long all commands of one request may take together, in milliseconds, where `REDIS_DEADLINE_MS` is not set.
const DEADLINE_MS: u64 = 500;
/// The most bytes of the replies to one request.
const MAX_BYTES: usize = 1 << 20;
/// Bytes read at once.
const PIECE: usize = 16 << 10;

/// A command with its arguments.
pub type Command<'a> = Vec<Argument<'a>>;

/// A word of a command.
pub enum Argument<'a> {
    /// A text.
    Text(&'a str),
    /// A text that was made for it.
    Made(String),
}

impl Argument<'_> {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Made(text) => text.as_bytes(),
        }
    }
}

impl<'a> From<&'a str> for Argument<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Argument<'_> {
    fn from(text: String) -> Self {
        Self::Made(text)
    }
}

macro_rules! command {
    ($($argument:expr),+ $(,)?) => { vec![$($crate::engines::redis::Argument::from($argument)),+] };
}
pub(crate) use command;

/// A server, and how long to wait for it. It has no `Debug`, so that no log can show the password.
#[derive(Clone)]
pub struct Redis {
    address: Address,
    deadline_ms: u64,
    prefix: String,
}

impl Redis {
    /// The server of `REDIS_URL`, which gets no more time than a request has, `longest_ms`.
    ///
    /// # Errors
    /// It is not set, or a variable does not have its form.
    pub fn of(env: &Env, longest_ms: u64) -> Result<Self, String> {
        let url = settings::text(env, "REDIS_URL").unwrap_or_default();
        Ok(Self {
            address: Address::parse(&url)?,
            deadline_ms: settings::number(
                env,
                "REDIS_DEADLINE_MS",
                DEADLINE_MS.min(longest_ms),
                1..=longest_ms,
            )?,
            prefix: settings::text(env, "REDIS_PREFIX").unwrap_or_else(|| "recsys:".to_owned()),
        })
    }

    /// The name of what is kept under this kind and name.
    pub fn key(&self, kind: &str, name: &str) -> String {
        [&self.prefix, kind, ":", name].concat()
    }

    /// What the server replies to commands, in their order.
    ///
    /// # Errors
    /// There is no reply in time, or one of them is an error.
    pub async fn ask(&self, commands: &[Command<'_>]) -> Result<Vec<Reply>, Fault> {
        let replies = self.read(commands).await?;
        match replies.iter().find_map(kind_of) {
            Some(kind) => Err(Fault::counted(Engine::Redis, kind)),
            None => Ok(replies),
        }
    }

    /// As [`ask`](Self::ask), but a key of another type than its command is for is a reply like others.
    ///
    /// # Errors
    /// There is no reply in time, or one of them is another error.
    pub async fn read(&self, commands: &[Command<'_>]) -> Result<Vec<Reply>, Fault> {
        let work = exchange(&self.address, self.address.tls, commands);
        guarded(Engine::Redis, self.deadline_ms, work).await
    }

    /// Whether the server takes the password; where it does not answer, whether it speaks TLS other than `REDIS_URL` says.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn probe(&self) -> Result<(), Fault> {
        let ping = [command!["PING"]];
        let fault = match self.ask(&ping).await {
            Ok(_) => return Ok(()),
            Err(fault) => fault,
        };
        // Whoever answers there is not to be trusted with the password.
        let bare = Address {
            user: None,
            password: None,
            database: 0,
            ..self.address.clone()
        };
        let may_be_transport = matches!(fault.kind, Kind::Unreachable | Kind::Timeout | Kind::Protocol);
        let answer = match may_be_transport {
            true => within(self.deadline_ms, exchange(&bare, !bare.tls, &ping)).await,
            false => None,
        };
        Err(match answer {
            Some(Ok(_) | Err(Kind::Credentials)) => Fault::counted(Engine::Redis, Kind::Transport),
            _ => fault,
        })
    }
}

/// Sends commands on a connection of their own.
async fn exchange(address: &Address, tls: bool, commands: &[Command<'_>]) -> Result<Vec<Reply>, Kind> {
    let (request, before) = written(address, commands);
    let transport = match tls {
        true => SecureTransport::On,
        false => SecureTransport::Off,
    };
    let socket = Socket::builder()
        .secure_transport(transport)
        .connect(address.host.as_str(), address.port);
    let mut socket = socket.map_err(|_| Kind::Unreachable)?;
    let answer = converse(&mut socket, &request, before + commands.len()).await;
    // Where it broke, there is nothing left to close.
    let _ = socket.close().await;
    let mut replies = answer?;
    Ok(replies.split_off(before.min(replies.len())))
}

async fn converse(socket: &mut Socket, request: &[u8], expected: usize) -> Result<Vec<Reply>, Kind> {
    let lost = |_| Kind::Unreachable;
    socket.write_all(request).await.map_err(lost)?;
    socket.flush().await.map_err(lost)?;
    let mut replies = Replies::new(MAX_BYTES);
    let mut found = Vec::new();
    let mut piece = vec![0; PIECE];
    while found.len() < expected {
        match socket.read(&mut piece).await.map_err(lost)? {
            0 => return Err(Kind::Unreachable),
            length => replies.feed(piece.get(..length).unwrap_or_default())?,
        }
        found.extend(replies.take()?);
        // An error of a command that was queued comes before the one of its transaction, and says more.
        let outright = |kind: &Kind| *kind != Kind::Mismatch;
        if let Some(kind) = found.iter().filter_map(kind_of).find(outright) {
            return Err(kind);
        }
    }
    Ok(found)
}

/// What is sent, and how many replies come before those to the commands.
fn written(address: &Address, commands: &[Command<'_>]) -> (Vec<u8>, usize) {
    let mut before: Vec<Command<'_>> = Vec::new();
    if let Some(password) = &address.password {
        let mut auth = command!["AUTH"];
        auth.extend(address.user.as_deref().map(Argument::from));
        auth.push(password.as_str().into());
        before.push(auth);
    }
    if address.database > 0 {
        before.push(command!["SELECT", address.database.to_string()]);
    }
    let mut bytes = Vec::new();
    for command in before.iter().chain(commands) {
        bytes.extend(format!("*{}\r\n", command.len()).into_bytes());
        for argument in command {
            let argument = argument.as_bytes();
            bytes.extend(format!("${}\r\n", argument.len()).into_bytes());
            bytes.extend_from_slice(argument);
            bytes.extend_from_slice(b"\r\n");
        }
    }
    (bytes, before.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_goes_first_and_nothing_ends_an_argument_early() {
        let address = Address::parse("redis://u:p%40ss@host.example/3").unwrap();
        let (bytes, before) = written(&address, &[command!["GET", "a\r\nFLUSHALL\r\n"]]);
        let expected = "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$4\r\np@ss\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n\
                        *2\r\n$3\r\nGET\r\n$13\r\na\r\nFLUSHALL\r\n\r\n";
        assert_eq!(
            (String::from_utf8(bytes).unwrap().as_str(), before),
            (expected, 2)
        );
        let address = Address::parse("redis://host.example").unwrap();
        let (bytes, before) = written(&address, &[command!["PING"]]);
        assert_eq!(
            (bytes.as_slice(), before),
            (b"*1\r\n$4\r\nPING\r\n".as_slice(), 0)
        );
    }
}

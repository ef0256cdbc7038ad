//! Features in Redis: a hash a video and a hash a viewer, written by jobs of the owner's (docs/redis.md).

use super::{Counts, FeatureStore, User};
use crate::engines::redis::{Redis, Reply, command, texts};
use crate::engines::{Engine, Fault, Kind};
use async_trait::async_trait;
use recsys_core::features::{AgeBand, Device, Gender};
use recsys_core::privacy::history::ViewerName;

/// Fields of a video's hash.
const COUNTS: [&str; 3] = ["impressions", "clicks", "popularity"];
/// Fields of a viewer's hash.
const USER: [&str; 5] = ["age_band", "gender", "segment", "device", "language"];
/// The most bytes of a language's name.
const MAX_LANGUAGE_BYTES: usize = 64;

/// Features of a server.
pub struct InRedis<'a> {
    /// The server.
    pub redis: &'a Redis,
}

impl InRedis<'_> {
    fn viewer(&self, viewer: &ViewerName) -> String {
        self.redis.key("viewer", viewer.as_str())
    }
}

#[async_trait(?Send)]
impl FeatureStore for InRedis<'_> {
    async fn fetch(&self, ids: &[String], viewer: Option<&ViewerName>) -> Result<(Vec<Counts>, User), Fault> {
        let of_video = |id: &String| {
            let [impressions, clicks, popularity] = COUNTS;
            command![
                "HMGET",
                self.redis.key("video", id),
                impressions,
                clicks,
                popularity
            ]
        };
        let mut commands: Vec<_> = ids.iter().map(of_video).collect();
        if let Some(viewer) = viewer {
            let mut command = command!["HMGET", self.viewer(viewer)];
            command.extend(USER.map(Into::into));
            commands.push(command);
        }
        if commands.is_empty() {
            return Ok(Default::default());
        }
        let replies = self.redis.read(&commands).await?;
        read(&replies, ids.len()).map_err(|kind| Fault::counted(Engine::Redis, kind))
    }

    async fn forget(&self, viewer: &ViewerName) -> Result<(), Fault> {
        self.redis
            .ask(&[command!["UNLINK", self.viewer(viewer)]])
            .await
            .map(drop)
    }
}

/// The counts of so many videos, and what is known of the viewer behind them.
fn read(replies: &[Reply], videos: usize) -> Result<(Vec<Counts>, User), Kind> {
    let (of_videos, of_viewer) = replies.split_at_checked(videos).ok_or(Kind::Protocol)?;
    let counts = of_videos.iter().map(counts).collect();
    Ok((counts, of_viewer.first().map(user).unwrap_or_default()))
}

/// What is no count is as if it were not there: a job's slip is not to take the answer with it.
fn counts(reply: &Reply) -> Counts {
    let number = |text: &str| {
        let number = text.parse().ok();
        number.filter(|number: &f32| number.is_finite() && *number >= 0.0)
    };
    match texts(reply).unwrap_or_default().as_slice() {
        [impressions, clicks, popularity] => Counts {
            impressions: impressions.and_then(number),
            clicks: clicks.and_then(number),
            popularity: popularity.and_then(number),
        },
        _ => Counts::default(),
    }
}

fn user(reply: &Reply) -> User {
    let values = texts(reply).unwrap_or_default();
    let allowed = |name: &str, text: &str| match name {
        "age_band" => AgeBand::parse(text).is_ok(),
        "gender" => text.parse::<Gender>().is_ok(),
        "device" => text.parse::<Device>().is_ok(),
        "segment" => text.parse::<u8>().is_ok(),
        _ => text.len() <= MAX_LANGUAGE_BYTES && !text.chars().any(char::is_control),
    };
    let mut user = User::new();
    for (name, text) in USER.iter().zip(values) {
        let Some(text) = text.filter(|text| allowed(name, text)) else {
            continue;
        };
        let value = match (*name, text.parse::<u8>()) {
            ("segment", Ok(segment)) => segment.into(),
            _ => text.into(),
        };
        user.insert((*name).to_owned(), value);
    }
    user
}

#[cfg(test)]
mod tests {
    use super::*;
    use resp_rs::resp2::Frame;
    use serde_json::{Value, json};

    fn list(values: &[Option<&'static str>]) -> Reply {
        let frame = |value: &Option<&'static str>| Frame::BulkString(value.map(|text| text.into()));
        Reply::List(Some(values.iter().map(frame).collect()))
    }

    #[test]
    fn counts_and_declared_values_are_read_and_others_are_as_if_they_were_not_there() {
        let replies = [
            list(&[Some("12"), Some("3.5"), None]),
            list(&[Some("-1"), Some("NaN"), Some("inf")]),
            list(&[Some("25-34"), Some("robot"), Some("7"), Some("tv"), None]),
        ];
        let (counts, user) = read(&replies, 2).unwrap();
        let known = Counts {
            impressions: Some(12.0),
            clicks: Some(3.5),
            popularity: None,
        };
        assert_eq!(counts, [known, Counts::default()]);
        assert_eq!(
            Value::from(user),
            json!({ "age_band": "25-34", "segment": 7, "device": "tv" })
        );
        let other = Reply::One(Frame::Error("WRONGTYPE".into()));
        let bytes = Reply::List(Some(vec![Frame::BulkString(Some((&[0xff][..]).into())); 3]));
        let (counts, user) = read(&[other.clone(), bytes, other], 2).unwrap();
        assert_eq!((counts, user.len()), (vec![Counts::default(); 2], 0));
        assert_eq!(read(&replies[..1], 2).map(drop), Err(Kind::Protocol));
    }
}

//! Settings of a worker: the variables of its wrangler file.

use crate::cors::Origins;
use crate::engines::redis::Redis;
use crate::{candidates, events, features, history, settings};
use worker::Env;

/// Milliseconds that an answer waits for what is not at hand, where `DEADLINE_MS` is not set.
const DEADLINE_MS: u64 = 3_000;
/// MiB of segments that an isolate holds, where `MEMORY_MIB` is not set: with the module itself, its stack and the
/// answers under way that stays below 128 MB.
const MEMORY_MIB: u64 = 80;

/// Some segments, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers(Vec<(usize, usize)>);

impl Numbers {
    /// Reads numbers and ranges such as `0-3,8`.
    pub fn parse(text: &str) -> Option<Self> {
        let range = |part: &str| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
            (from <= to).then_some((from, to))
        };
        text.split(',').map(range).collect::<Option<_>>().map(Self)
    }

    /// Whether a number is among them.
    pub fn contain(&self, number: usize) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&number))
    }
}

/// A worker that holds some of the segments.
#[derive(Clone, Debug)]
pub struct Group {
    /// The service binding.
    pub binding: String,
    /// Its segments.
    pub segments: Numbers,
}

/// The settings.
#[derive(Clone)]
pub struct Config {
    /// `DEADLINE_MS`: milliseconds that an answer waits for what is not at hand.
    pub deadline_ms: u64,
    /// `MEMORY_MIB`, in bytes: segments that an isolate holds at most.
    pub memory_bytes: u64,
    /// `SEGMENTS`: the segments that this worker holds; all that no group does where it is not set.
    pub segments: Option<Numbers>,
    /// `GROUPS`: workers behind service bindings that hold the others, such as `GROUP_A=0-3;GROUP_B=4-7`.
    pub groups: Vec<Group>,
    /// Histories; `None` where they are off.
    pub history: Option<history::Settings>,
    /// `FEATURE_STORE`.
    pub features: features::Place,
    /// `REDIS_URL`, where something is kept there.
    pub redis: Option<Redis>,
    /// `ALLOWED_ORIGINS`: other origins whose pages may read answers, such as `https://a.example,https://b.example`.
    pub origins: Origins,
    /// `CANDIDATES`: Milvus, where it is asked before the segments.
    pub milvus: Option<candidates::Settings>,
    /// Where events go, where that is on. What is wrong with it concerns `/v1/events` alone.
    pub events: Result<Option<events::Settings>, String>,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// One of them does not have its form.
    pub fn of(env: &Env) -> Result<Self, String> {
        let text = |name: &str| settings::text(env, name);
        let number = |name: &str, default: u64| settings::number(env, name, default, 1..=600_000);
        let segments = match text("SEGMENTS") {
            None => None,
            Some(text) => {
                let numbers = Numbers::parse(&text);
                Some(numbers.ok_or_else(|| format!("SEGMENTS is {text:?}: expected numbers such as 0-3,8"))?)
            }
        };
        let group = |part: &str| {
            let (binding, segments) = part.split_once('=')?;
            Some(Group {
                binding: binding.trim().to_owned(),
                segments: Numbers::parse(segments)?,
            })
        };
        let groups = text("GROUPS").unwrap_or_default();
        let parts = groups.split(';').filter(|part| !part.trim().is_empty());
        let groups: Option<Vec<Group>> = parts.map(group).collect();
        let origins = text("ALLOWED_ORIGINS").unwrap_or_default();
        let deadline_ms = number("DEADLINE_MS", DEADLINE_MS)?;
        let history = history::Settings::of(env)?;
        let features = features::Place::of(env)?;
        let wants_redis = features == features::Place::Redis
            || history.as_ref().is_some_and(history::Settings::wants_redis);
        Ok(Self {
            events: events::Settings::of(env),
            redis: wants_redis.then(|| Redis::of(env, deadline_ms)).transpose()?,
            history,
            features,
            milvus: candidates::Settings::of(env, deadline_ms)?,
            origins: Origins::parse(&origins).map_err(|error| format!("ALLOWED_ORIGINS: {error}"))?,
            deadline_ms,
            memory_bytes: number("MEMORY_MIB", MEMORY_MIB)? << 20,
            segments,
            groups: groups
                .ok_or("GROUPS: expected bindings with their segments, such as GROUP_A=0-3;GROUP_B=4-7")?,
        })
    }

    /// Whether this worker may hold a segment.
    pub fn holds(&self, number: usize) -> bool {
        let of_group = || self.groups.iter().any(|group| group.segments.contain(number));
        self.segments
            .as_ref()
            .map_or_else(|| !of_group(), |own| own.contain(number))
    }

    /// The numbers of the segments that it may hold, of `count`.
    pub fn own(&self, count: usize) -> Vec<usize> {
        (0..count).filter(|number| self.holds(*number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn numbers_and_ranges() {
        let numbers = Numbers::parse("0-3, 8").unwrap();
        let all: Vec<usize> = (0..12).filter(|number| numbers.contain(*number)).collect();
        assert_eq!(all, [0, 1, 2, 3, 8]);
        for bad in ["", "a", "3-1", "1-", "-1", "1,,2"] {
            assert_eq!(Numbers::parse(bad), None, "{bad}");
        }
    }
}

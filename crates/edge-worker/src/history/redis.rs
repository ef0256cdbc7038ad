//! Histories in Redis: a sorted set a viewer, of ids by the times of their clicks, which expires.

use super::{History, until_now};
use crate::engines::redis::{Redis, Reply, command, texts};
use crate::engines::{Engine, Fault, Kind};
use async_trait::async_trait;
use recsys_core::catalogue::ItemId;
use recsys_core::privacy::history::{MAX_KEPT, ViewerName};

/// Histories of a server.
pub struct InRedis<'a> {
    /// The server.
    pub redis: &'a Redis,
    /// Milliseconds after which a history expires that nothing was added to.
    pub expiry_ms: u64,
}

impl InRedis<'_> {
    fn key(&self, viewer: &ViewerName) -> String {
        self.redis.key("history", viewer.as_str())
    }
}

#[async_trait(?Send)]
impl History for InRedis<'_> {
    async fn add(&self, viewer: &ViewerName, clicks: &[(ItemId, i64)]) -> Result<(), Fault> {
        if clicks.is_empty() {
            return Ok(());
        }
        let key = self.key(viewer);
        // The later of two times stays.
        let mut add = command!["ZADD", key.as_str(), "GT"];
        for (item, ts) in until_now(clicks) {
            add.extend(command![ts.to_string(), item.as_str()]);
        }
        let surplus = format!("-{}", MAX_KEPT + 1);
        // All or nothing, so that nothing is kept without an end.
        let commands = [
            command!["MULTI"],
            add,
            command!["ZREMRANGEBYRANK", key.as_str(), "0", surplus],
            command!["PEXPIRE", key.as_str(), self.expiry_ms.to_string()],
            command!["EXEC"],
        ];
        self.redis.ask(&commands).await.map(drop)
    }

    async fn recent(&self, viewer: &ViewerName) -> Result<Vec<ItemId>, Fault> {
        let key = self.key(viewer);
        let replies = self.redis.ask(&[command!["ZRANGE", key, "0", "-1"]]).await?;
        ids(&replies).map_err(|kind| Fault::counted(Engine::Redis, kind))
    }

    async fn forget(&self, viewer: &ViewerName) -> Result<(), Fault> {
        self.redis
            .ask(&[command!["UNLINK", self.key(viewer)]])
            .await
            .map(drop)
    }
}

/// The ids of a reply.
fn ids(replies: &[Reply]) -> Result<Vec<ItemId>, Kind> {
    let list = texts(replies.first().ok_or(Kind::Protocol)?)?;
    let id = |text: Option<&str>| ItemId::new(text.unwrap_or_default()).map_err(|_| Kind::Mismatch);
    list.into_iter().map(id).collect()
}

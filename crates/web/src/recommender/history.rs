//! History mode: clicks go to the owner's server.

use super::Recommender;
use crate::failure::{Failure, Kind};
use crate::host::{random_name, warn};
use crate::options::Event;
use crate::store::Lines;
use recsys_core::privacy::history::{MAX_EVENTS, event_line, events_body, forget_body};

const PATH: &str = "/v1/events";

impl Recommender {
    /// Gives the viewer a name and asks the server whether it keeps histories.
    ///
    /// # Errors
    /// `Refused`: it does not. `Network`. `Storage`: the name could not be kept, so nobody could have the history erased.
    pub(super) async fn enter_history(&mut self) -> Result<(), Failure> {
        let begun = self.begin().await;
        if self.memory.viewer.is_empty() {
            self.memory.viewer = random_name() + &random_name();
        }
        self.save(begun, &Lines::none()).await?;
        self.hand_in(&[]).await
    }

    /// Sends a click or a watch. What does not arrive is sent with the next one, as long as this page is open.
    pub(super) async fn send_event(&mut self, ts: i64, event: &Event) {
        let line = match event {
            Event::Click(id, _) => event_line(ts, id, None),
            Event::Watch(id, seconds, _) => event_line(ts, id, Some(*seconds)),
            Event::Search(_) | Event::Impression(..) => return,
        };
        if self.events.len() == MAX_EVENTS {
            self.events.remove(0);
        }
        self.events.push(line);
        let events = std::mem::take(&mut self.events);
        if let Err(failure) = self.hand_in(&events).await {
            self.events = events;
            warn(&format!(
                "recsys: the server's history has to wait: {}",
                failure.message
            ));
        }
    }

    async fn hand_in(&mut self, events: &[String]) -> Result<(), Failure> {
        let body = events_body(&self.memory.viewer, events);
        let words = match events {
            [] => "your random name, and the question whether the server keeps histories",
            _ => "what you watched and when, under your random name, for the server to keep; not private",
        };
        self.net.hand_in(PATH, &body, words).await
    }

    /// Has the server forget the viewer, where it knows one.
    pub(super) async fn erase_history(&mut self) -> Result<(), Failure> {
        if self.memory.viewer.is_empty() {
            return Ok(());
        }
        let body = forget_body(&self.memory.viewer);
        match self
            .net
            .hand_in(PATH, &body, "your random name, for the server to forget you")
            .await
        {
            // The owner has turned histories off since; what is left of them expires.
            Err(failure) if failure.is(Kind::Refused) => {
                warn(&failure.message);
                Ok(())
            }
            other => other,
        }
    }
}

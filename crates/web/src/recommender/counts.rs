//! Counts out, where the page allows it.

use super::Recommender;
use crate::aggregates::words;
use crate::failure::{Failure, Kind};
use crate::host::warn;
use crate::store::Lines;
use crate::types::to_json;
use recsys_core::privacy::Mode;

impl Recommender {
    /// Whether events are counted: in standard mode only.
    pub(super) fn counting(&self) -> bool {
        self.aggregates && self.mode == Mode::Standard
    }

    /// Sends the counts that wait, where that is allowed. They leave the store before they are sent, so that no two tabs
    /// send them; what the server did not get is tried again as long as this page is open.
    ///
    /// # Errors
    /// `Storage`, `Network`; `Refused` is none: the owner has turned counts off, so they end here.
    pub async fn flush(&mut self) -> Result<(), Failure> {
        if !self.counting() {
            return Ok(());
        }
        let batch = match self.unsent.take() {
            Some(batch) => batch,
            None => {
                let begun = self.begin().await;
                let taken = std::mem::take(&mut self.memory.counts);
                self.save(begun, &Lines::none()).await?;
                taken
            }
        };
        if batch.rows() == 0 {
            return Ok(());
        }
        let body = to_json(&batch).map_err(|error| Failure::bad_reply(crate::failure::thrown(&error)))?;
        match self.net.hand_in("/v1/aggregates", &body, &words(&batch)).await {
            Ok(()) => Ok(()),
            Err(failure) if failure.is(Kind::Refused) => {
                self.aggregates = false;
                warn(&format!(
                    "recsys: counts are not sent any more: {}",
                    failure.message
                ));
                Ok(())
            }
            Err(failure) => {
                self.unsent = Some(batch);
                Err(failure)
            }
        }
    }
}

//! The exported class. `js/index.d.ts` has its types.

use crate::options::{self, Event, OpenOptions, SearchOptions};
use crate::recommender;
use crate::types::to_js;
use wasm_bindgen::prelude::*;

/// One viewer's recommender. Calls must not overlap.
#[wasm_bindgen]
pub struct Recommender {
    inner: recommender::Recommender,
}

#[wasm_bindgen]
impl Recommender {
    /// Reads the stored clicks and fetches what the mode needs.
    ///
    /// # Errors
    /// `BadOption`; in local mode also `Network`, `Refused` or `BadReply`.
    pub async fn open(options: JsValue) -> Result<Recommender, JsValue> {
        let options = OpenOptions::parse(options)?;
        let inner = recommender::Recommender::open(options).await?;
        Ok(Self { inner })
    }

    /// Takes in an event and stores it.
    ///
    /// # Errors
    /// `BadOption`, `UnknownItem`, `Storage`.
    pub async fn record(&mut self, event: JsValue) -> Result<(), JsValue> {
        Ok(self.inner.record(Event::parse(event)?).await?)
    }

    /// The best videos now.
    ///
    /// # Errors
    /// `BadOption`, `Network`, `Refused`, `BadReply`.
    pub async fn recommend(&mut self, options: JsValue) -> Result<JsValue, JsValue> {
        let k = options::slate_length(options)?;
        to_js(&self.inner.recommend(k).await?)
    }

    /// Videos that match a text.
    ///
    /// # Errors
    /// `ModeForbids`, `BadOption`, `Network`, `Refused`, `BadReply`.
    pub async fn search(&mut self, options: JsValue) -> Result<JsValue, JsValue> {
        let options = SearchOptions::parse(options)?;
        to_js(&self.inner.search(options).await?)
    }

    /// Why a video of a recent slate stands where it does.
    ///
    /// # Errors
    /// `BadOption`, `UnknownItem`.
    #[expect(clippy::needless_pass_by_value, reason = "what JavaScript passes is owned")]
    pub fn explain(&self, id: JsValue) -> Result<JsValue, JsValue> {
        let id = options::item_id(&id)?;
        to_js(&self.inner.explain(&id)?)
    }

    /// Changes what may leave the browser; on failure the old mode stays.
    ///
    /// # Errors
    /// `BadOption`, `Network`, `Refused`, `BadReply`.
    #[wasm_bindgen(js_name = setMode)]
    pub async fn set_mode(&mut self, mode: JsValue) -> Result<(), JsValue> {
        Ok(self.inner.set_mode(options::mode(&mode)?).await?)
    }

    /// The newest 200 requests, oldest first.
    ///
    /// # Errors
    /// None in practice.
    pub fn sent(&self) -> Result<JsValue, JsValue> {
        to_js(self.inner.sent())
    }

    /// Deletes all that is known of the viewer.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn forget(&mut self) -> Result<(), JsValue> {
        Ok(self.inner.forget().await?)
    }

    /// All stored data.
    ///
    /// # Errors
    /// None in practice.
    pub fn export(&self) -> Result<JsValue, JsValue> {
        to_js(&self.inner.export())
    }

    /// The browser's arm of an experiment of the bundle.
    ///
    /// # Errors
    /// `BadOption`: no text.
    #[expect(clippy::needless_pass_by_value, reason = "what JavaScript passes is owned")]
    pub fn arm(&mut self, experiment: JsValue) -> Result<Option<String>, JsValue> {
        let name = experiment.as_string();
        let name = name.ok_or_else(|| options::bad("arm: the experiment is no text; expected its name"))?;
        Ok(self.inner.arm(&name))
    }

    /// The viewer's event log as JSON Lines.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn log(&self) -> Result<String, JsValue> {
        Ok(self.inner.log().await?)
    }

    /// Sends the counts that wait, where the page and the mode allow it.
    ///
    /// # Errors
    /// `Storage`, `Network`.
    pub async fn flush(&mut self) -> Result<(), JsValue> {
        Ok(self.inner.flush().await?)
    }

    /// The shared sheets of stills.
    ///
    /// # Errors
    /// `Network`.
    pub async fn sheets(&mut self) -> Result<JsValue, JsValue> {
        to_js(&self.inner.sheets().await?)
    }
}

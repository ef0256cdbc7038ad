//! The exported class. `js/index.d.ts` has its types.

use crate::failure::Failure;
use crate::options::{self, Event, OpenOptions, RecommendOptions, SearchOptions};
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
    /// Whether candidates, words and pictures are searched for here.
    #[wasm_bindgen(getter)]
    pub fn local(&self) -> bool {
        self.inner.mode().searches_here()
    }

    /// Notes a GET that was made for everybody's sake, before it is made.
    pub fn note(&mut self, url: &str) {
        self.inner.note(url);
    }

    /// Reads the stored clicks and fetches what the mode needs.
    ///
    /// # Errors
    /// `BadOption`; in local mode also `Network`, `Refused` or `BadReply`.
    pub async fn open(options: JsValue) -> Result<Recommender, JsValue> {
        let options = OpenOptions::parse(options)?;
        let inner = recommender::Recommender::open(options).await?;
        Ok(Self { inner })
    }

    /// Calls a method of `Recommender` in `js/index.d.ts`, which has arguments, results and errors. `explain`, `sent`,
    /// `privacy`, `export` and `arm` wait for nothing.
    ///
    /// One function for all: each exported function that returns a promise would cost the module a kilobyte.
    ///
    /// # Errors
    /// Those of the method; `UnknownMethod`.
    pub async fn call(&mut self, method: String, argument: JsValue) -> Result<JsValue, JsValue> {
        let inner = &mut self.inner;
        match method.as_str() {
            "record" => inner.record(Event::parse(argument)?).await?,
            "recommend" => return to_js(&inner.recommend(RecommendOptions::parse(argument)?).await?),
            "search" => return to_js(&inner.search(SearchOptions::parse(argument)?).await?),
            "explain" => return to_js(&inner.explain(&options::item_id(&argument)?)?),
            "setMode" => inner.set_mode(options::mode(&argument)?).await?,
            "privacy" => return to_js(&inner.privacy()),
            "sent" => return to_js(inner.sent()),
            "forget" => inner.forget().await?,
            "export" => return to_js(&inner.export()),
            "arm" => return Ok(inner.arm(&options::experiment(&argument)?).into()),
            "log" => return Ok(inner.log().await?.into()),
            "flush" => inner.flush().await?,
            "sheets" => return to_js(&inner.sheets().await?),
            _ => return Err(Failure::unknown_method(&method).into()),
        }
        Ok(JsValue::UNDEFINED)
    }
}

//! Our side of `cargo xtask bench page`: core's [`rerank`] on a world given as JSON.

use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::features::{Candidate, Matrix, UserFeatures};
use recsys_core::json::{self, FromJson, Json, JsonError};
use recsys_core::policy::Policy;
use recsys_core::rerank::{Page, Ranker, rerank};
use recsys_core::session::{FactsData, Session, SessionData};
use recsys_core::trees::{format, import};
use wasm_bindgen::prelude::*;

struct World {
    now_ms: i64,
    session: SessionData,
    candidates: Vec<Item>,
}

struct Item {
    id: String,
    facts: FactsData,
    vector: Vec<f32>,
}

impl<'a> FromJson<'a> for World {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                now_ms: fields.get("now_ms")?,
                session: fields.get("session")?,
                candidates: fields.get("candidates")?,
            })
        })
    }
}

impl<'a> FromJson<'a> for Item {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                id: fields.get("id")?,
                facts: fields.get("facts")?,
                vector: fields.get("vector")?,
            })
        })
    }
}

/// A request, ready to be ranked.
#[wasm_bindgen]
pub struct Request {
    now_ms: i64,
    session: Session,
    items: Vec<(ItemId, ItemFacts, Vec<f32>)>,
    ranker: Ranker,
}

#[wasm_bindgen]
impl Request {
    /// `world` is JSON as bench/page/world.mjs makes it, `ranker` a LightGBM model's text.
    #[wasm_bindgen(constructor)]
    pub fn new(world: &str, ranker: &str) -> Result<Self, JsError> {
        let world: World = json::read(world)?;
        let items: Result<Vec<_>, JsError> = world
            .candidates
            .into_iter()
            .map(|item| Ok((ItemId::new(item.id)?, item.facts.into(), item.vector)))
            .collect();
        // The page reads the compact file.
        let file = format::to_bytes(&import::from_bytes(ranker.as_bytes())?);
        Ok(Self {
            now_ms: world.now_ms,
            session: Session::try_from(world.session)?,
            items: items?,
            ranker: Ranker::from_bytes(&file)?,
        })
    }

    /// The features matrix, row-major.
    pub fn features(&self) -> Result<Vec<f32>, JsError> {
        let user = UserFeatures::default();
        Ok(
            Matrix::fill(&self.session, &user, self.now_ms, &self.candidates())?
                .values()
                .to_vec(),
        )
    }

    /// Indices of the best `k` candidates: features, trees, policy.
    pub fn rerank(&self, k: usize) -> Result<Vec<u32>, JsError> {
        let page = Page {
            policy: &Policy::default(),
            k,
            seed: 0,
        };
        let ranked = rerank(
            &self.session,
            &UserFeatures::default(),
            self.now_ms,
            &self.candidates(),
            Some(&self.ranker),
            &page,
        )?;
        Ok(ranked.iter().map(|ranked| ranked.index as u32).collect())
    }

    fn candidates(&self) -> Vec<Candidate<'_>> {
        let items = self.items.iter();
        items
            .map(|(item, facts, vector)| Candidate {
                item,
                facts,
                card: "{}",
                vector,
            })
            .collect()
    }
}

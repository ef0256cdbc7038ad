//! What replay needs of a bundle, in memory.

use crate::bundle::Bundle;
use anyhow::{Context, Result};
use recsys_core::catalogue::{ItemFacts, ItemId};
use recsys_core::vector::UnitVector;
use std::collections::HashMap;

/// Ids, facts and vectors of a bundle, by row.
pub struct Catalogue {
    ids: Vec<ItemId>,
    rows: HashMap<ItemId, usize>,
    hashes: Vec<u32>,
    facts: Vec<ItemFacts>,
    /// JSON objects; empty where none are at hand.
    cards: Vec<String>,
    languages: HashMap<String, u16>,
    categories: Vec<String>,
    dim: usize,
    /// len × dim.
    vectors: Vec<f32>,
}

impl Catalogue {
    /// From parts of one length; `vectors` is ids × dim.
    pub fn new(
        ids: Vec<ItemId>,
        facts: Vec<ItemFacts>,
        languages: HashMap<String, u16>,
        dim: usize,
        vectors: Vec<f32>,
    ) -> Self {
        let rows = ids
            .iter()
            .cloned()
            .enumerate()
            .map(|(row, id)| (id, row))
            .collect();
        Self {
            hashes: ids.iter().map(ItemId::hash32).collect(),
            cards: vec![String::new(); ids.len()],
            ids,
            rows,
            facts,
            languages,
            categories: Vec::new(),
            dim,
            vectors,
        }
    }

    /// Reads a bundle's items, and its vectors as the shards store them.
    ///
    /// # Errors
    /// An item's id is none.
    pub fn of(bundle: &Bundle) -> Result<Self> {
        let dim = bundle.dim();
        let mut vectors = vec![0.0; bundle.len() * dim];
        for (row, vector) in vectors.chunks_exact_mut(dim).enumerate() {
            bundle.vector(row, vector);
        }
        let id = |row| ItemId::new(bundle.item_id(row)).with_context(|| format!("row {row} of the bundle"));
        let ids = (0..bundle.len()).map(id).collect::<Result<_>>()?;
        let facts = (0..bundle.len()).map(|row| bundle.facts(row)).collect();
        let languages = (0u16..)
            .zip(&bundle.dictionaries().languages)
            .map(|(code, name)| (name.clone(), code));
        let mut catalogue = Self::new(ids, facts, languages.collect(), dim, vectors);
        catalogue.categories = bundle.dictionaries().categories.clone();
        for (row, card) in catalogue.cards.iter_mut().enumerate() {
            bundle.card(row).clone_into(card);
        }
        Ok(catalogue)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The row of an item.
    pub fn row(&self, item: &ItemId) -> Option<usize> {
        self.rows.get(item).copied()
    }

    /// The id of a row.
    pub fn id(&self, row: usize) -> &ItemId {
        &self.ids[row]
    }

    /// [`ItemId::hash32`] of a row's id.
    pub fn hash(&self, row: usize) -> u32 {
        self.hashes[row]
    }

    /// The card of a row.
    pub fn card(&self, row: usize) -> &str {
        &self.cards[row]
    }

    /// The facts of a row, with the bundle's own counts.
    pub fn facts(&self, row: usize) -> ItemFacts {
        self.facts[row]
    }

    /// The vector of a row.
    pub fn vector(&self, row: usize) -> &[f32] {
        &self.vectors[row * self.dim..(row + 1) * self.dim]
    }

    /// The vector of a row, normalised.
    ///
    /// # Errors
    /// It has no direction.
    pub fn unit_vector(&self, row: usize) -> Result<UnitVector> {
        let vector = UnitVector::new(self.vector(row).to_vec());
        vector.with_context(|| {
            format!(
                "item {} in the bundle; rebuild it with `recsys index`",
                self.id(row)
            )
        })
    }

    /// The name of a category.
    pub fn category(&self, code: u16) -> Option<&str> {
        self.categories.get(usize::from(code)).map(String::as_str)
    }

    /// The code of a language.
    pub fn language(&self, name: &str) -> Option<u16> {
        self.languages.get(name).copied()
    }
}

//! Filling a bundle's collection, and checking that it can be used.

use super::client::{Change, Client};
use crate::bundle::Bundle;
use crate::progress;
use anyhow::{Context, Result, bail, ensure};
use recsys_core::milvus::{Api, Entity, Head, Metric, contents};
use std::time::{Duration, Instant};

/// How often a load begins again, where it is not known whether entities came in that must not come twice.
const ROUNDS: u32 = 3;
/// How long what was loaded may take to be found.
const SETTLE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(200);
/// Videos that are looked for by their own vectors, and how many hits each may hide among.
const SAMPLE: usize = 50;
const AMONG: usize = 10;

/// What is loaded, and where.
pub struct Load<'a> {
    pub client: &'a Client,
    pub bundle: &'a Bundle,
    pub collection: &'a str,
    pub metric: Metric,
    /// Entities of one request.
    pub batch: usize,
    /// Whether a collection that is there already gives way.
    pub replace: bool,
}

/// What it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The collection is new.
    Loaded,
    /// It took the place of another.
    Replaced,
    /// It was there, whole.
    ThereAlready,
}

/// Loads a bundle and checks what came of it.
///
/// # Errors
/// Another collection is in the way, Milvus refuses, or what it finds is not what was loaded.
pub fn load(load: &Load<'_>) -> Result<Done> {
    let Load {
        client, collection, ..
    } = load;
    let there = client.collections()?.iter().any(|name| name == collection);
    let done = match (there, load.replace) {
        (false, _) => Done::Loaded,
        (true, true) => {
            client.remove(collection)?;
            Done::Replaced
        }
        (true, false) => {
            load.check_there()?;
            Done::ThereAlready
        }
    };
    if done != Done::ThereAlready {
        load.fill()?;
    }
    load.check()?;
    Ok(done)
}

impl Load<'_> {
    /// Videos and head.
    fn entities(&self) -> usize {
        self.bundle.len() + 1
    }

    fn head(&self) -> Result<Head> {
        let manifest = self.bundle.manifest();
        Ok(Head {
            contents: contents(manifest),
            items: u32::try_from(self.bundle.len())?,
            sequence: manifest.sequence,
            mean: self.bundle.mean().to_vec(),
        })
    }

    /// Whether what a collection says of itself is true of these videos, from whichever bundle they were loaded.
    fn is_head(&self, found: Option<Head>) -> Result<bool> {
        let own = self.head()?;
        Ok(found.is_some_and(|found| {
            Head {
                sequence: own.sequence,
                ..found
            } == own
        }))
    }

    /// What is there has to be what would be loaded.
    fn check_there(&self) -> Result<()> {
        let Self {
            client, collection, ..
        } = self;
        let remedy = "load it anew with --replace, or choose another --collection";
        let found = client.describe(collection)?;
        let (dim, metric) = (self.bundle.dim(), self.metric.name());
        ensure!(
            found.dim == Some(dim),
            "{collection}: expected vectors of {dim} dimensions, found {}; {remedy}",
            found.dim.map_or_else(|| "none".to_owned(), |dim| dim.to_string())
        );
        ensure!(
            found.metric == metric,
            "{collection}: expected the metric {metric}, found {:?}; {remedy}, or name its --metric",
            found.metric
        );
        ensure!(
            self.is_head(client.head(collection)?)?,
            "{collection}: expected the videos of this bundle, found a collection that was not loaded to its end; {remedy}"
        );
        Ok(())
    }

    fn fill(&self) -> Result<()> {
        for _ in 0..ROUNDS {
            match self.fill_once()? {
                Change::Done => return Ok(()),
                Change::Unsure(why) => {
                    eprintln!("{why}; whether the last videos came in is not known, so loading begins again");
                    self.client.remove(self.collection)?;
                }
            }
        }
        bail!(
            "{}: the connection broke in each of {ROUNDS} loads; try a smaller --batch",
            self.collection
        )
    }

    fn fill_once(&self) -> Result<Change> {
        let Self {
            client,
            collection,
            bundle,
            ..
        } = self;
        client.change_again(&client.api.create(collection, bundle.dim(), self.metric))?;
        let bar = progress::bar("videos", bundle.len());
        let rows: Vec<usize> = (0..bundle.len()).collect();
        for rows in rows.chunks(self.batch.max(1)) {
            let entities = self.some(rows)?;
            if let Change::Unsure(why) = self.put(&entities)? {
                return Ok(Change::Unsure(why));
            }
            bar.inc(rows.len() as u64);
        }
        bar.finish_and_clear();
        // It comes last: what has no head is not whole.
        self.put(&[self.head()?.entity()])
    }

    fn put(&self, entities: &[Entity]) -> Result<Change> {
        let ask = self.client.api.put(self.collection, entities);
        match self.client.api {
            Api::V1 => self.client.change(&ask),
            Api::V2 => self.client.change_again(&ask).map(|()| Change::Done),
        }
    }

    fn some(&self, rows: &[usize]) -> Result<Vec<Entity>> {
        let ids = rows.iter().map(|row| self.bundle.item_id(*row));
        let found = self.bundle.segments().find(ids);
        ensure!(
            found.len() == rows.len(),
            "{}: {} of {} videos were found; rebuild the bundle",
            self.bundle.dir().display(),
            found.len(),
            rows.len()
        );
        let entity = |located: &recsys_core::segment::Located<'_>| {
            let min_age = located.segment.items().min_age(located.hit.row as usize);
            Entity::of(located, min_age).with_context(|| format!("video {:?}", located.id()))
        };
        found.iter().map(entity).collect()
    }

    /// Waits until all entities are there, and looks for some by their vectors.
    fn check(&self) -> Result<()> {
        let Self {
            client, collection, ..
        } = self;
        let (expected, begun) = (self.entities(), Instant::now());
        loop {
            let found = client.count(collection)?;
            if found == expected && client.head(collection)?.is_some() {
                break;
            }
            ensure!(
                found <= expected && begun.elapsed() < SETTLE,
                "{collection}: expected {expected} entities, found {found}; load it anew with --replace"
            );
            std::thread::sleep(LOOK);
        }
        let step = (self.bundle.len() / SAMPLE).max(1);
        let rows: Vec<usize> = (0..self.bundle.len()).step_by(step).take(SAMPLE).collect();
        let mut lost = Vec::new();
        for entity in self.some(&rows)? {
            let near = client.nearest(collection, entity.vector(), AMONG)?;
            let near: Vec<&str> = near.iter().map(|row| row.video.as_str()).collect();
            if !near.contains(&entity.video()) {
                lost.push(entity.video().to_owned());
            }
        }
        // More videos of the same picture than are asked for hide each other.
        ensure!(
            lost.len() * 10 <= rows.len(),
            "{collection}: {} of {} videos are not among the nearest to their own vectors, such as {:?}; is the index built? Load it \
             anew with --replace",
            lost.len(),
            rows.len(),
            lost.first()
        );
        Ok(())
    }
}

//! One viewer's recommender: events in, slates out.

mod counts;
mod events;
mod history;
mod modes;
mod slates;

use crate::bundle::Bundle;
use crate::failure::{Failure, Kind};
use crate::host::{now_ms, random_name, warn};
use crate::local::Local;
use crate::log::ShownSlates;
use crate::memory::{Memory, State};
use crate::net::Net;
use crate::options::{Declared, OpenOptions, PrivacyTerms};
use crate::recent::Recent;
use crate::sent::SentLog;
use crate::store::{Lines, Store, Stored};
use crate::trust::Trust;
use crate::types::{Sheet, Sprite};
use recsys_core::aggregates::Batch;
use recsys_core::catalogue::ItemId;
use recsys_core::experiments::Treatment;
use recsys_core::manifest::FileEntry;
use recsys_core::privacy::Mode;

/// The state behind the exported class.
pub struct Recommender {
    net: Net,
    trust: Trust,
    store: Store,
    memory: Memory,
    /// The memory has events that the store has not, because writing failed.
    unsaved: bool,
    /// The store has had this memory: where it is empty later, the viewer was forgotten elsewhere.
    stored: bool,
    /// Unreadable stored data was reported.
    warned: bool,
    declared: Declared,
    /// What is known of the published bundle, or why nothing is.
    bundle: Result<Bundle, String>,
    /// The bundle named by a reply for which the manifest was asked for anew.
    followed: String,
    mode: Mode,
    terms: PrivacyTerms,
    /// What is searched here: in every mode but standard, and only then.
    local: Option<Local>,
    recent: Recent,
    /// Slates that events can refer to.
    shown: ShownSlates,
    /// The newest time that an event or a slate was given.
    last_ms: i64,
    /// The page allows counts to be sent.
    aggregates: bool,
    /// Counts that left the store and were not taken by the server.
    unsent: Option<Batch>,
    /// Events that the server's history still has to take, as JSON.
    events: Vec<String>,
}

impl Recommender {
    /// Reads the store and fetches what the mode needs. A store that fails, or in standard mode a bundle that does not
    /// come, is no error yet: the calls that need it say so.
    ///
    /// # Errors
    /// In another mode than standard, a part of the bundle is missing or damaged.
    pub async fn open(options: OpenOptions) -> Result<Self, Failure> {
        let trust = Trust::new(options.keys, options.database.clone(), &options.endpoint);
        let mut recommender = Self {
            trust,
            net: Net::new(options.endpoint),
            store: Store::new(options.database),
            memory: Memory::default(),
            unsaved: false,
            stored: false,
            warned: false,
            declared: options.declared,
            bundle: Err("not fetched yet".to_owned()),
            followed: String::new(),
            mode: Mode::Standard,
            terms: options.privacy,
            local: None,
            recent: Recent::default(),
            shown: ShownSlates::default(),
            last_ms: 0,
            aggregates: options.aggregates,
            unsent: None,
            events: Vec::new(),
        };
        match recommender.store.read().await {
            Ok(stored) => recommender.adopt(stored),
            Err(failure) => warn(&failure.message),
        }
        if !options.mode.searches_here() {
            recommender.fetch_bundle().await;
        }
        recommender.set_mode(options.mode).await?;
        Ok(recommender)
    }

    /// The time of a new event or slate: now, and later than all before it, so that an order by time is the order here.
    fn tick(&mut self) -> i64 {
        self.last_ms = now_ms().max(self.last_ms.saturating_add(1));
        self.last_ms
    }

    /// What this browser shows, by the bundle's rules and its arms.
    fn treatment(&mut self) -> Treatment {
        let Ok(bundle) = &self.bundle else {
            return Treatment::default();
        };
        let Some(key) = self.memory.local_key(|| random_name() + &random_name()) else {
            return Treatment::default();
        };
        let manifest = &bundle.manifest;
        let policy = manifest.policy.as_ref();
        Treatment::of(policy, &manifest.experiments, &manifest.policy_codes, &key)
    }

    /// This browser's arm of an experiment of the bundle.
    pub fn arm(&mut self, experiment: &str) -> Option<String> {
        self.treatment().arm(experiment).map(str::to_owned)
    }

    /// Every request since `open` or `forget`.
    pub const fn sent(&self) -> &SentLog {
        &self.net.sent
    }

    /// Notes a GET that the page's half made, which is the same for everybody.
    pub fn note(&mut self, url: &str) {
        let words = "a file of the model that reads words and pictures, the same for everybody";
        self.net.sent.note("GET", url, ("", 0), words);
    }

    /// Deletes all that is known of the viewer, here and in the server's history.
    ///
    /// # Errors
    /// `Storage`: memory is empty all the same. `Network`, `Refused`: the server's history is left, and its name, so that this
    /// can be tried again.
    pub async fn forget(&mut self) -> Result<(), Failure> {
        let erased = self.erase_history().await;
        let viewer = match &erased {
            Ok(()) => String::new(),
            Err(_) => std::mem::take(&mut self.memory.viewer),
        };
        self.memory = Memory::default();
        self.memory.viewer = viewer;
        self.stored = false;
        self.recent.clear();
        self.shown.clear();
        self.unsent = None;
        self.events.clear();
        self.net.sent.clear();
        // Should the deletion fail, the next event overwrites what is left.
        self.unsaved = true;
        self.store.delete().await?;
        if erased.is_err() {
            let begun = self.begin().await;
            self.save(begun, &Lines::none()).await?;
            return erased;
        }
        self.unsaved = false;
        // The next event is somebody new's.
        if self.mode == Mode::History {
            self.mode = Mode::Standard;
        }
        Ok(())
    }

    /// All stored data, the clicked videos with their stills in the bundle at hand.
    pub fn export(&self) -> State {
        let mut state = self.memory.to_state();
        for item in &mut state.watched {
            item.sprite = self.sprite(&item.id).or(item.sprite.take());
        }
        state
    }

    /// The log as JSON Lines of docs/events.md, which have no order.
    ///
    /// # Errors
    /// `Storage`.
    pub async fn log(&self) -> Result<String, Failure> {
        let mut text = String::new();
        for line in self.store.log().await? {
            text.push_str(&line);
            text.push('\n');
        }
        Ok(text)
    }

    /// The shared sheets of stills; none where the bundle has none.
    ///
    /// # Errors
    /// The manifest is not at hand and does not come.
    pub async fn sheets(&mut self) -> Result<Vec<Sheet>, Failure> {
        if self.bundle.is_err() {
            self.fetch_bundle().await;
        }
        let bundle = self
            .bundle
            .as_ref()
            .map_err(|why| Failure::new(Kind::Network, why.clone()))?;
        let Some(sprites) = &bundle.manifest.sprites else {
            return Ok(Vec::new());
        };
        let sheet = |file: &FileEntry| Sheet {
            url: self.net.bundle_url(&file.file),
            columns: sprites.columns,
            rows: sprites.rows,
            width: sprites.width,
            height: sprites.height,
        };
        Ok(sprites.sheets.iter().map(sheet).collect())
    }

    /// Fetches manifest and ranker; on failure an older bundle stays.
    async fn fetch_bundle(&mut self) {
        match Bundle::fetch(&mut self.net, &self.trust).await {
            Ok(bundle) => self.bundle = Ok(bundle),
            Err(failure) if self.bundle.is_err() => self.bundle = Err(failure.message),
            Err(failure) => warn(&failure.message),
        }
        self.settle();
    }

    /// Makes the memory fit the bundle at hand.
    fn settle(&mut self) {
        if let Ok(bundle) = &self.bundle {
            self.memory
                .keep_compatible(bundle.manifest.dim as usize, bundle.encoder());
        }
        if let Some(local) = &self.local {
            self.memory
                .follow_bundle(local.name(), |id| local.known(id.as_str()));
        } else if let Some(bundle) = self.recent.bundle() {
            let known = |id: &ItemId| {
                let candidate = self.recent.candidate(id.as_str())?;
                Some((candidate.facts, candidate.neighbours.clone()))
            };
            self.memory.follow_bundle(bundle, known);
        }
    }

    /// Replaces the memory by what the store has.
    fn adopt(&mut self, stored: Stored) {
        match stored {
            // Forgotten in another tab, or nothing was stored yet, the key neither.
            Stored::Nothing if self.stored => {
                self.memory = Memory::default();
                self.stored = false;
            }
            Stored::Nothing => self.memory = self.memory.anew(),
            Stored::Memory(memory) => {
                self.memory = *memory;
                self.stored = true;
            }
            Stored::Unreadable(why) if !self.warned => {
                self.warned = true;
                warn(&format!(
                    "recsys: the stored clicks are not used and will be overwritten: {why}"
                ));
            }
            Stored::Unreadable(_) => {}
        }
    }

    /// Where the still of a video is, as far as is known here.
    fn sprite(&self, id: &str) -> Option<Sprite> {
        let bundle = self.bundle.as_ref().ok()?;
        let here = self.local.as_ref().and_then(|local| local.cell(id));
        let cell = here.or_else(|| {
            let same = self.recent.bundle() == Some(&bundle.name);
            same.then(|| self.recent.candidate(id))?
                .map(|candidate| candidate.cell)
        })?;
        Sprite::of(bundle.manifest.sprites.as_ref()?, cell)
    }
}

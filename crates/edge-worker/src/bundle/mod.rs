//! The bundle: read from R2 or from static assets into memory sized beforehand, and kept across requests.
//!
//! `source` reads files, `load` opens the parts of a bundle, `loaded` holds them. Here is when what is read: the manifest
//! once in a while, segments when they are asked, within a budget of memory. All reading outlives the request that
//! began it, and no request waits longer than the deadline.

mod load;
mod loaded;
mod source;

pub use loaded::{Loaded, State};

use crate::clock::now_ms;
use crate::config::Config;
use crate::{last_seen, trust};
use loaded::held;
use recsys_core::manifest;
use source::Source;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use worker::{Context, Delay, Env};

/// How long the manifest is trusted before it is asked for again, in milliseconds.
const RECHECK_MS: u64 = 15_000;
/// How long after a fault the next try waits, in milliseconds.
const RETRY_MS: u64 = 2_000;
/// A load that takes longer was cut off with its request; another request may start over, in milliseconds.
const LOAD_MS: u64 = 20_000;
/// What another worker gets for an answer at least, in milliseconds.
const LEAST_ROUND_MS: u64 = 300;
/// The longest pause between two looks at whether something has come, in milliseconds.
const PAUSE_MS: u64 = 40;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Loaded>>> = const { RefCell::new(None) };
    static CHECKED_MS: Cell<u64> = const { Cell::new(0) };
    static REFRESHING_SINCE_MS: Cell<Option<u64>> = const { Cell::new(None) };
    static LAST_FAULT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What a request needs to read files that outlive it.
pub struct Call<'a> {
    /// Bindings.
    pub env: &'a Env,
    /// Keeps reading alive behind the answer.
    pub context: &'a Context,
    /// Settings of this worker.
    pub config: Config,
    /// When the request stops waiting for what is not at hand, in milliseconds.
    until_ms: Cell<u64>,
}

impl<'a> Call<'a> {
    /// A request that comes in now.
    pub fn new(env: &'a Env, context: &'a Context, config: Config) -> Self {
        let until_ms = Cell::new(now_ms() + config.deadline_ms);
        Self {
            env,
            context,
            config,
            until_ms,
        }
    }

    /// Lets the deadline run from now: what was waited for until here has one of its own.
    pub fn begin_again(&self) {
        self.until_ms.set(now_ms() + self.config.deadline_ms);
    }

    /// Milliseconds that other workers get for an answer: half of what is left until the deadline, so that there is time to
    /// ask once more where this brings too little, but not less than they need.
    pub fn round_ms(&self) -> u64 {
        (self.until_ms.get().saturating_sub(now_ms()) / 2).max(LEAST_ROUND_MS)
    }
}

/// Waits in growing steps until the deadline.
struct Patience<'a> {
    call: &'a Call<'a>,
    pause_ms: u64,
}

impl<'a> Patience<'a> {
    const fn of(call: &'a Call<'a>) -> Self {
        Self { call, pause_ms: 1 }
    }

    /// Waits a little; false where the time is up.
    async fn pause(&mut self) -> bool {
        if now_ms() >= self.call.until_ms.get() {
            return false;
        }
        Delay::from(Duration::from_millis(self.pause_ms)).await;
        self.pause_ms = (self.pause_ms * 2).min(PAUSE_MS);
        true
    }
}

/// The bundle. Where its manifest was not looked at for a while, it is looked at again, and the newer one serves as soon
/// as it is ready; until then, and where it cannot be had, the one at hand does.
///
/// # Errors
/// No bundle is here within the deadline: what is missing.
pub async fn current(call: &Call<'_>) -> Result<Rc<Loaded>, String> {
    let mut patience = Patience::of(call);
    let mut began = false;
    loop {
        let now = now_ms();
        let at_hand = CURRENT.with_borrow(Clone::clone);
        let whole = at_hand.as_ref().is_some_and(|bundle| bundle.fault().is_none());
        let wait = if whole { RECHECK_MS } else { RETRY_MS };
        let fresh = now.saturating_sub(CHECKED_MS.get()) < wait;
        let refreshing = REFRESHING_SINCE_MS.get();
        let refreshing = refreshing.is_some_and(|since| now.saturating_sub(since) < LOAD_MS);
        match (at_hand, refreshing) {
            (Some(bundle), false) if fresh => return Ok(bundle),
            // Others go on with what there is; who found that it was time waits, so that what was removed is gone.
            (Some(bundle), true) if !began => return Ok(bundle),
            (None, false) if fresh => {
                let fault = LAST_FAULT.with_borrow(Clone::clone);
                return Err(fault.unwrap_or_else(|| "the bundle is not loaded".to_owned()));
            }
            (at_hand, false) => {
                began = true;
                REFRESHING_SINCE_MS.set(Some(now));
                call.context
                    .wait_until(refresh(call.env.clone(), call.config.clone(), at_hand));
            }
            (_, true) => {}
        }
        if !patience.pause().await {
            let at_hand = CURRENT.with_borrow(Clone::clone);
            return at_hand.ok_or_else(|| "the bundle did not come in time".to_owned());
        }
    }
}

/// [`current`], but with a look at the manifest now: another worker knows of another bundle.
///
/// # Errors
/// As [`current`].
pub async fn look_again(call: &Call<'_>) -> Result<Rc<Loaded>, String> {
    if now_ms().saturating_sub(CHECKED_MS.get()) >= RETRY_MS {
        CHECKED_MS.set(0);
    }
    current(call).await
}

/// Why what is published is not what is at hand, where that is so.
pub fn refused() -> Option<String> {
    LAST_FAULT.with_borrow(Clone::clone)
}

/// Looks for a newer bundle, and puts it in place.
async fn refresh(env: Env, config: Config, old: Option<Rc<Loaded>>) {
    let newer = newer(&env, &config, old.as_ref()).await;
    LAST_FAULT.set(newer.as_ref().err().cloned());
    if let Ok(Some(bundle)) = newer {
        CURRENT.set(Some(bundle));
    }
    CHECKED_MS.set(now_ms());
    REFRESHING_SINCE_MS.set(None);
}

/// The published bundle; `None` where it is the one at hand.
///
/// # Errors
/// It may not be used, or cannot be had, or is damaged where the one at hand is whole.
async fn newer(env: &Env, config: &Config, old: Option<&Rc<Loaded>>) -> Result<Option<Rc<Loaded>>, String> {
    let source = Source::of(env)?;
    let manifest_bytes = source::whole(&source, manifest::FILE_NAME).await?;
    if old.is_some_and(|old| old.manifest_bytes == manifest_bytes && !old.has_note()) {
        return Ok(None);
    }
    let (id, manifest) = trust::open(env, &manifest_bytes)?;
    if let Some(old) = old
        && manifest.sequence < old.manifest.sequence
    {
        return Err(last_seen::lower(old.manifest.sequence, manifest.sequence));
    }
    let place = last_seen::place(env, source.name());
    last_seen::check(&place, manifest.sequence).await?;
    let sequence = manifest.sequence;
    let next = load::bundle(&source, id, manifest, manifest_bytes, old.map(|old| &**old)).await?;
    let next = Rc::new(next);
    let Some(old) = old else {
        last_seen::raise(&place, sequence).await;
        return Ok(Some(next));
    };
    // Piece by piece: what the old one no longer needs to hold makes room for the new.
    for number in config.own(next.manifest.segments.len()) {
        if matches!(next.state(number), State::Ready)
            || !make_room(config, &next, Some(old), number, &[], true)
        {
            continue;
        }
        load::segment(&source, &next, number).await;
    }
    if let Some(fault) = next.fault().filter(|_| old.fault().is_none()) {
        return Err(fault);
    }
    last_seen::raise(&place, sequence).await;
    Ok(Some(next))
}

/// Makes room for a segment; false where there is none. With `evict` others leave for it: of `old` those that the new
/// bundle does not share, else of the bundle itself those that were asked longest ago, but none of `keep`.
fn make_room(
    config: &Config,
    bundle: &Loaded,
    old: Option<&Rc<Loaded>>,
    number: usize,
    keep: &[usize],
    evict: bool,
) -> bool {
    let Some(entry) = bundle.manifest.segments.get(number) else {
        return false;
    };
    let room = config.memory_bytes.saturating_sub(entry.bytes());
    // What it takes itself, on its way or failed, is not in its own way.
    let counted = !matches!(bundle.state(number), State::Absent) && old.is_none_or(|old| !old.shares(entry));
    let own = if counted { entry.bytes() } else { 0 };
    let total = || {
        let all = match old {
            Some(old) => held(&[bundle, old]),
            None => held(&[bundle]),
        };
        all.saturating_sub(own)
    };
    while total() > room {
        let gone = evict
            && match old {
                Some(old) => old.evict(&|number| {
                    old.manifest
                        .segments
                        .get(number)
                        .is_none_or(|entry| bundle.shares(entry))
                }),
                None => bundle.evict(&|other| other == number || keep.contains(&other)),
            };
        if !gone {
            // A segment that is too large for the budget by itself still is worth a try.
            return evict && total() == 0;
        }
    }
    true
}

/// Waits, at most until the deadline, for segments of a bundle that this worker may hold, and begins to load those that
/// nobody loads yet. Without `evict` only such are loaded for which there is room. Where they do not fit together, those that
/// came first stay.
pub async fn ensure(call: &Call<'_>, bundle: &Rc<Loaded>, numbers: &[usize], evict: bool) {
    let mut patience = Patience::of(call);
    loop {
        // Each time, so that what a request waits with does not leave for another request.
        bundle.touch(numbers);
        let now = now_ms();
        let mut waiting = false;
        for &number in numbers {
            let begin = match bundle.state(number) {
                State::Ready => false,
                State::Loading(since) => {
                    waiting |= now.saturating_sub(since) < LOAD_MS;
                    now.saturating_sub(since) >= LOAD_MS
                }
                State::Failed(at, _) => now.saturating_sub(at) >= RETRY_MS,
                State::Absent => call.config.holds(number),
            };
            if !begin {
                continue;
            }
            if !make_room(&call.config, bundle, None, number, numbers, evict) {
                // What is on its way for others can leave once it is here.
                waiting |= evict && bundle.is_loading();
            } else {
                waiting = true;
                bundle.set_state(number, State::Loading(now));
                let load = reload(call.env.clone(), Rc::clone(bundle), number);
                call.context.wait_until(load);
            }
        }
        if !waiting || !patience.pause().await {
            return;
        }
    }
}

async fn reload(env: Env, bundle: Rc<Loaded>, number: usize) {
    match Source::of(&env) {
        Ok(source) => load::segment(&source, &bundle, number).await,
        Err(error) => bundle.settle(number, vec![error]),
    }
}

//! Slates for logs without impressions: what a viewer chose, among items drawn by popularity.
//!
//! Each choice of an item that is new to its viewer becomes a slate of that item and `negatives` others, drawn without
//! replacement with probabilities in proportion to (earlier choices)^`power`, from items that the viewer has not had by
//! then and that somebody has chosen. It is the usual protocol of He et al. (WWW 2017), but with popular negatives, among
//! which popularity alone says less. Its metrics are those of a sample: Krichene & Rendle (KDD 2020) show that they can
//! order recommenders differently than metrics over the catalogue do, so `recsys eval` prints both.

use super::Catalogue;
use clap::Args as ClapArgs;
use recsys_core::catalogue::ItemId;
use recsys_core::events::{Event, EventKind, LONG_WATCH_SECONDS, Label, Shown, Slate};
use recsys_core::rng::SplitMix64;
use recsys_core::session::SeenSet;
use std::collections::{HashMap, HashSet};

/// The [`Slate::arm`] of drawn slates.
pub const SAMPLED_ARM: &str = "sampled";

/// Draws in a row that find nothing new before a slate is given up: the viewer has had nearly everything.
const MAX_MISSES: usize = 1_000;

/// Options of `train` and `eval` for logs without impressions.
#[derive(Clone, Copy, Debug, Default, ClapArgs)]
pub struct Sampling {
    /// For logs without impressions: put each item that a viewer chose among this many that others chose, drawn by
    /// popularity, and take that for a slate
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub negatives: Option<u32>,
    /// Exponent of an item's earlier choices in the probability of being drawn; 0 draws them evenly
    #[arg(long, default_value_t = 0.75, requires = "negatives", value_parser = exponent)]
    pub negatives_power: f64,
    /// Earlier choices that a viewer must have for a slate to be made
    #[arg(long, default_value_t = 1, requires = "negatives", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub history: u32,
    /// Seed of the drawing
    #[arg(long, default_value_t = 1, requires = "negatives")]
    pub negatives_seed: u64,
}

fn exponent(text: &str) -> Result<f64, String> {
    let value = text
        .parse::<f64>()
        .ok()
        .filter(|value| (0.0..=4.0).contains(value));
    value.ok_or_else(|| "expected a number from 0 to 4".to_owned())
}

/// Whether an event is a positive by itself, whatever was shown.
pub(super) fn chosen(event: &Event, label: Label) -> Option<&ItemId> {
    match (&event.kind, label) {
        (EventKind::Click { item, .. }, Label::Click) => Some(item),
        (EventKind::Watch { item, seconds, .. }, Label::Watch) if *seconds >= LONG_WATCH_SECONDS => {
            Some(item)
        }
        _ => None,
    }
}

/// A slate of its positive alone for every choice that counts, in order of time; [`Sampler::fill`] adds the others.
pub(super) fn slates(events: &[Event], catalogue: &Catalogue, label: Label, history: u32) -> Vec<Slate> {
    let mut had: HashMap<&str, HashSet<&ItemId>> = HashMap::new();
    let mut choices: HashMap<&str, u32> = HashMap::new();
    let mut slates = Vec::new();
    let mut start = 0;
    for simultaneous in events.chunk_by(|a, b| a.ts_ms == b.ts_ms) {
        for (index, event) in (start..).zip(simultaneous) {
            let Some(item) = chosen(event, label).filter(|item| catalogue.row(item).is_some()) else {
                continue;
            };
            let viewer = event.viewer.as_str();
            let new = had.get(viewer).is_none_or(|items| !items.contains(item));
            if new && choices.get(viewer).copied().unwrap_or(0) >= history {
                slates.push(Slate {
                    request: format!("event-{index}"),
                    ts_ms: event.ts_ms,
                    first_event: index,
                    arm: Some(SAMPLED_ARM.to_owned()),
                    shown: vec![Shown {
                        item: item.clone(),
                        position: 0,
                        propensity: None,
                        positive: true,
                    }],
                });
            }
        }
        for event in simultaneous {
            let viewer = event.viewer.as_str();
            if let EventKind::Click { item, .. } | EventKind::Watch { item, .. } = &event.kind {
                had.entry(viewer).or_default().insert(item);
            }
            if chosen(event, label).is_some() {
                *choices.entry(viewer).or_default() += 1;
            }
        }
        start += simultaneous.len();
    }
    slates
}

/// Draws items in proportion to a power of how often they were chosen.
pub(super) struct Sampler {
    options: Sampling,
    chosen: Vec<u32>,
    weights: Fenwick,
}

impl Sampler {
    pub(super) fn new(options: Sampling, items: usize) -> Self {
        Self {
            options,
            chosen: vec![0; items],
            weights: Fenwick::new(items),
        }
    }

    /// Counts a choice.
    pub(super) fn choose(&mut self, row: usize) {
        let weight = |times: u32| match times {
            0 => 0.0,
            times => f64::from(times).powf(self.options.negatives_power),
        };
        let times = self.chosen[row];
        self.weights.add(row, weight(times + 1) - weight(times));
        self.chosen[row] = times + 1;
    }

    /// The slate with its negatives, in random order; `None` where too few items are left to draw. The same events and
    /// options give the same slate, whichever slates are asked for.
    pub(super) fn fill(&self, slate: &Slate, catalogue: &Catalogue, seen: &SeenSet) -> Option<Slate> {
        let wanted = self.options.negatives? as usize;
        let mut rng = SplitMix64::new(
            self.options.negatives_seed ^ (slate.first_event as u64).wrapping_mul(0x9E37_79B9),
        );
        let positive = catalogue.row(&slate.shown.first()?.item)?;
        let mut rows = vec![positive];
        let mut misses = 0;
        while rows.len() <= wanted {
            let row = self.weights.draw(&mut rng)?;
            if rows.contains(&row) || self.chosen[row] == 0 || seen.contains(catalogue.id(row)) {
                misses += 1;
                if misses > MAX_MISSES {
                    return None;
                }
                continue;
            }
            misses = 0;
            rows.push(row);
        }
        rng.shuffle(&mut rows);
        let shown = |(position, row): (u32, usize)| Shown {
            item: catalogue.id(row).clone(),
            position,
            propensity: None,
            positive: row == positive,
        };
        Some(Slate {
            shown: (0..).zip(rows).map(shown).collect(),
            ..slate.clone()
        })
    }
}

/// Sums over prefixes of changing weights (Fenwick, Software: Practice and Experience 24, 1994).
struct Fenwick {
    /// One-based.
    sums: Vec<f64>,
}

impl Fenwick {
    fn new(n: usize) -> Self {
        Self {
            sums: vec![0.0; n + 1],
        }
    }

    fn add(&mut self, index: usize, amount: f64) {
        let mut at = index + 1;
        while at < self.sums.len() {
            self.sums[at] += amount;
            at += at & at.wrapping_neg();
        }
    }

    fn total(&self) -> f64 {
        let (mut at, mut sum) = (self.sums.len() - 1, 0.0);
        while at > 0 {
            sum += self.sums[at];
            at &= at - 1;
        }
        sum
    }

    /// An index with probability in proportion to its weight; `None` where all weigh nothing.
    fn draw(&self, rng: &mut SplitMix64) -> Option<usize> {
        let total = self.total();
        if total <= 0.0 {
            return None;
        }
        // 53 random bits, as a double between 0 and 1 has.
        let mut left = rng.unit() * total;
        let (mut at, mut step) = (0, (self.sums.len() - 1).next_power_of_two());
        while step > 0 {
            let next = at + step;
            if next < self.sums.len() && self.sums[next] <= left {
                left -= self.sums[next];
                at = next;
            }
            step /= 2;
        }
        Some(at.min(self.sums.len() - 2))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{catalogue, click, parse};
    use super::*;

    #[test]
    fn draws_follow_the_weights() {
        let mut weights = Fenwick::new(5);
        for (index, amount) in [(0, 1.0), (2, 4.0), (4, 3.0), (2, -2.0)] {
            weights.add(index, amount);
        }
        let mut rng = SplitMix64::new(3);
        let mut found = [0u32; 5];
        for _ in 0..60_000 {
            found[weights.draw(&mut rng).unwrap()] += 1;
        }
        let close = |count: u32, share: f64| (f64::from(count) / 60_000.0 - share).abs() < 0.01;
        assert!(
            close(found[0], 1.0 / 6.0) && close(found[2], 2.0 / 6.0) && close(found[4], 3.0 / 6.0),
            "{found:?}"
        );
        assert_eq!((found[1], found[3]), (0, 0));
        assert!(Fenwick::new(3).draw(&mut rng).is_none());
    }

    /// v chose b and c, then u a (new), a again and d.
    fn log() -> Vec<Event> {
        parse(&[
            click(0, "r", "v", "b"),
            click(1, "r", "v", "c"),
            click(2, "r", "u", "a"),
            click(3, "r", "u", "a"),
            click(4, "r", "u", "d"),
            click(4, "r", "u", "gone"),
        ])
    }

    #[test]
    fn each_new_choice_after_enough_others_is_a_slate() {
        let catalogue = catalogue();
        let found = |history| -> Vec<usize> {
            let slates = slates(&log(), &catalogue, Label::Click, history);
            slates.iter().map(|slate| slate.first_event).collect()
        };
        assert_eq!(found(1), [1, 4]);
        assert_eq!(found(2), [4]);
    }

    #[test]
    fn a_slate_holds_its_positive_and_what_others_chose() {
        let catalogue = catalogue();
        let events = log();
        let options = |negatives| Sampling {
            negatives: Some(negatives),
            negatives_power: 0.75,
            history: 1,
            negatives_seed: 1,
        };
        let slate = slates(&events, &catalogue, Label::Click, 2).remove(0);
        let mut seen = SeenSet::default();
        seen.insert(ItemId::new("a").unwrap());
        let fill = |negatives| {
            let mut sampler = Sampler::new(options(negatives), catalogue.len());
            for row in [1, 2, 0, 0] {
                sampler.choose(row);
            }
            sampler.fill(&slate, &catalogue, &seen)
        };
        let filled = fill(2).unwrap();
        let mut items: Vec<_> = filled
            .shown
            .iter()
            .map(|s| (s.item.as_str(), s.positive))
            .collect();
        items.sort_unstable();
        assert_eq!(items, [("b", false), ("c", false), ("d", true)]);
        assert_eq!(fill(2), Some(filled), "the same again");
        assert!(fill(3).is_none(), "a was had, and there is no other");
    }
}

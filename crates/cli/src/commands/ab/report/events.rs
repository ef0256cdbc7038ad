//! Arms and outcomes, from logged events.

use super::{Args, Data, Measure, Unit};
use crate::commands::log::bar;
use crate::replay::read_events;
use anyhow::{Context, Result, ensure};
use recsys_core::catalogue::ItemId;
use recsys_core::events::{Event, EventKind, Slate, join};
use recsys_core::experiments::stats::Tally;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// The name of the experiment where the log names arms alone.
const UNNAMED: &str = "events";

/// What an experiment's units saw and did.
#[derive(Default)]
struct Units<'a> {
    /// Arms and outcomes by unit; several arms where they mix.
    dealt: BTreeMap<&'a str, (BTreeSet<&'a str>, f64)>,
    /// First arm's outcomes less the second's, by unit, of interleaved pages.
    duel: BTreeMap<&'a str, f64>,
    duelists: BTreeSet<&'a str>,
}

/// Reads a log and counts each experiment that it names.
pub(super) fn read(path: &Path, args: &Args) -> Result<Vec<Data>> {
    let progress = bar("reading events", true);
    let events = read_events(path, &progress)?;
    progress.finish_and_clear();
    let at = || path.display().to_string();
    let slates = join(&events, args.outcome.into()).with_context(at)?;
    let arms = arms(&events);
    ensure!(
        !arms.is_empty(),
        "{}: no impression has an `arm`; log the arm of each (docs/experiments.md)",
        path.display()
    );
    let mut experiments: BTreeMap<&str, Units<'_>> = BTreeMap::new();
    for slate in &slates {
        add(slate, &events, &arms, args.unit, &mut experiments);
    }
    let data = experiments
        .into_iter()
        .map(|(name, units)| units.count(name, args.measure));
    data.collect::<Result<_>>().with_context(at)
}

/// The arm of each impression that has one, by request and item.
fn arms(events: &[Event]) -> HashMap<(&str, &ItemId), &str> {
    fn arm(event: &Event) -> Option<((&str, &ItemId), &str)> {
        match &event.kind {
            EventKind::Impression {
                request,
                item,
                arm: Some(arm),
                ..
            } => Some(((request, item), arm)),
            _ => None,
        }
    }
    events.iter().filter_map(arm).collect()
}

/// Adds a page to every experiment that it was part of.
fn add<'a>(
    slate: &'a Slate,
    events: &'a [Event],
    arms: &HashMap<(&'a str, &'a ItemId), &'a str>,
    unit: Unit,
    experiments: &mut BTreeMap<&'a str, Units<'a>>,
) {
    let first = &events[slate.first_event];
    let unit = match unit {
        Unit::Viewer => first.viewer.as_str(),
        Unit::Session => first.session.as_deref().unwrap_or(&first.viewer),
        Unit::Request => slate.request.as_str(),
    };
    // Outcomes by experiment and arm.
    let mut page: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    for shown in &slate.shown {
        let Some(&logged) = arms.get(&(slate.request.as_str(), &shown.item)) else {
            continue;
        };
        for part in logged.split(',') {
            let (experiment, arm) = part.split_once('=').unwrap_or((UNNAMED, part));
            let outcomes = page.entry(experiment).or_default().entry(arm).or_default();
            *outcomes += f64::from(u8::from(shown.positive));
        }
    }
    for (experiment, outcomes) in page {
        let units = experiments.entry(experiment).or_default();
        if outcomes.len() == 2 {
            units.duelists.extend(outcomes.keys());
            let mut outcomes = outcomes.into_iter();
            if let (Some((_, first)), Some((_, second))) = (outcomes.next(), outcomes.next()) {
                *units.duel.entry(unit).or_default() += first - second;
            }
            continue;
        }
        let (seen, sum) = units.dealt.entry(unit).or_default();
        for (arm, count) in outcomes {
            seen.insert(arm);
            *sum += count;
        }
    }
}

impl Units<'_> {
    fn count(self, experiment: &str, measure: Measure) -> Result<Data> {
        let mut sums: BTreeMap<&str, (u64, f64, f64)> = BTreeMap::new();
        let mut mixed = 0;
        for (arms, outcomes) in self.dealt.values() {
            let (1, Some(arm)) = (arms.len(), arms.first()) else {
                mixed += 1;
                continue;
            };
            let value = match measure {
                Measure::Any => outcomes.min(1.0),
                Measure::Count => *outcomes,
            };
            let (units, sum, squares) = sums.entry(*arm).or_default();
            *units += 1;
            *sum += value;
            *squares += value * value;
        }
        let arm = |(name, (units, sum, squares)): (&str, (u64, f64, f64))| {
            Ok((name.to_owned(), units, Tally::new(units, sum, squares)?))
        };
        let names: Vec<String> = self.duelists.iter().map(|&name| name.to_owned()).collect();
        let credits = self.duel.into_values().collect();
        Ok(Data {
            experiment: experiment.to_owned(),
            arms: sums.into_iter().map(arm).collect::<Result<_>>()?,
            duel: <[String; 2]>::try_from(names).ok().map(|names| (names, credits)),
            mixed,
        })
    }
}

//! What this isolate has counted since it started, as Prometheus reads it
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
//!
//! Every name and label is one of a fixed list: nothing of a request can become one. On Cloudflare each isolate counts for
//! itself, and its clock stands still while it computes, so that durations there are those of waiting.

use crate::degraded::{Note, Reason};
use crate::engines::{Engine, Kind, breaker};
use std::cell::RefCell;
use std::fmt::{Display, Write};

/// What is asked for.
#[derive(Clone, Copy)]
pub enum Route {
    /// `POST /v1/recs` and its alias.
    Recs,
    /// `/v1/search`.
    Search,
    /// `/v1/events`.
    Events,
    /// `/v1/aggregates`.
    Aggregates,
    /// `/v1/manifest`.
    Manifest,
    /// `/v1/segments`, of the worker in front.
    Segments,
    /// `/healthz`.
    Health,
    /// `/metrics`.
    Metrics,
    /// Anything else.
    Other,
}

impl Route {
    const ALL: [Self; 9] = [
        Self::Recs,
        Self::Search,
        Self::Events,
        Self::Aggregates,
        Self::Manifest,
        Self::Segments,
        Self::Health,
        Self::Metrics,
        Self::Other,
    ];

    /// That of a path.
    pub fn of(path: &str) -> Self {
        match path {
            "/v1/recs" | "/recs" => Self::Recs,
            "/v1/search" => Self::Search,
            "/v1/events" => Self::Events,
            "/v1/aggregates" => Self::Aggregates,
            "/v1/manifest" => Self::Manifest,
            "/v1/segments" => Self::Segments,
            "/healthz" => Self::Health,
            "/metrics" => Self::Metrics,
            _ => Self::Other,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Recs => "recs",
            Self::Search => "search",
            Self::Events => "events",
            Self::Aggregates => "aggregates",
            Self::Manifest => "manifest",
            Self::Segments => "segments",
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::Other => "other",
        }
    }
}

/// Counts that have no label.
#[derive(Clone, Copy)]
pub enum Count {
    /// Events that were taken durably.
    EventsTaken,
    /// Events that were refused, to be handed in again.
    EventsRefused,
    /// Messages of the queue that are no events.
    EventsPoisoned,
    /// Histories and pending events that were erased for viewers.
    Erased,
}

impl Count {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (
            Self::EventsTaken,
            "recsys_events_taken_total",
            "Events that were taken durably.",
        ),
        (
            Self::EventsRefused,
            "recsys_events_refused_total",
            "Events that were not taken, and whose sender was told so.",
        ),
        (
            Self::EventsPoisoned,
            "recsys_events_poisoned_total",
            "Messages of the queue that are no events.",
        ),
        (
            Self::Erased,
            "recsys_viewers_erased_total",
            "Requests of viewers to be forgotten that were carried out.",
        ),
    ];
}

/// Upper ends of the histogram's buckets, in milliseconds and as labels in seconds.
const BUCKETS: [(u64, &str); 11] = [
    (1, "0.001"),
    (5, "0.005"),
    (10, "0.01"),
    (25, "0.025"),
    (50, "0.05"),
    (100, "0.1"),
    (250, "0.25"),
    (500, "0.5"),
    (1_000, "1"),
    (2_500, "2.5"),
    (5_000, "5"),
];
/// Classes of status codes, 1xx to 5xx.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Default)]
struct Counts {
    requests: [[u64; CLASSES.len()]; Route::ALL.len()],
    durations: [[u64; BUCKETS.len()]; Route::ALL.len()],
    total_ms: [u64; Route::ALL.len()],
    degraded: [u64; Reason::ALL.len()],
    faults: [[u64; Kind::ALL.len()]; Engine::ALL.len()],
    plain: [u64; Count::ALL.len()],
}

thread_local! {
    static COUNTS: RefCell<Counts> = RefCell::default();
}

fn raise(count: &mut u64, by: u64) {
    *count = count.saturating_add(by);
}

/// Counts an answer, and how long it took in milliseconds.
pub fn answered(route: Route, status: u16, took_ms: u64) {
    COUNTS.with_borrow_mut(|counts| {
        let route = route as usize;
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        raise(&mut counts.requests[route][class], 1);
        raise(&mut counts.total_ms[route], took_ms);
        let bucket = BUCKETS.iter().position(|(end, _)| took_ms <= *end);
        if let Some(bucket) = bucket {
            raise(&mut counts.durations[route][bucket], 1);
        }
    });
}

/// Counts what an answer lacks, each reason once.
pub fn degraded(notes: &[Note]) {
    COUNTS.with_borrow_mut(|counts| {
        for reason in Reason::ALL {
            if notes.iter().any(|note| note.reason == reason) {
                raise(&mut counts.degraded[reason as usize], 1);
            }
        }
    });
}

/// Counts a fault of an engine.
pub fn fault(engine: Engine, kind: Kind) {
    COUNTS.with_borrow_mut(|counts| raise(&mut counts.faults[engine as usize][kind as usize], 1));
}

/// Adds to a count.
pub fn add(count: Count, by: u64) {
    COUNTS.with_borrow_mut(|counts| raise(&mut counts.plain[count as usize], by));
}

/// Prometheus's text, a family at a time.
#[derive(Default)]
pub struct Text(String);

impl Text {
    /// Begins a family.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text never fails.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// A sample; `labels` are written as they stand between the braces, and may be empty.
    pub fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Writes what was counted.
pub fn write(text: &mut Text) {
    COUNTS.with_borrow(|counts| {
        write_requests(text, counts);
        let name = "recsys_degraded_total";
        text.family(
            name,
            "counter",
            "Answers that say that something is missing, by reason.",
        );
        for reason in Reason::ALL {
            let label = format!("reason=\"{}\"", reason.name());
            text.sample(name, &label, counts.degraded[reason as usize]);
        }
        let name = "recsys_engine_faults_total";
        text.family(name, "counter", "Faults of engines behind this worker.");
        for (engine, faults) in Engine::ALL.iter().zip(&counts.faults) {
            for (kind, count) in Kind::ALL.iter().zip(faults).filter(|(_, count)| **count > 0) {
                let labels = format!("engine=\"{}\",kind=\"{}\"", engine.name(), kind.name());
                text.sample(name, &labels, count);
            }
        }
        for ((_, name, help), count) in Count::ALL.iter().zip(&counts.plain) {
            text.single(name, "counter", help, count);
        }
    });
    let name = "recsys_engine_resting";
    text.family(
        name,
        "gauge",
        "1 where an engine failed lately and is left alone.",
    );
    for engine in Engine::ALL {
        let label = format!("engine=\"{}\"", engine.name());
        text.sample(name, &label, u8::from(breaker::is_open(engine)));
    }
}

fn write_requests(text: &mut Text, counts: &Counts) {
    let name = "recsys_requests_total";
    text.family(name, "counter", "Answers by route and class of status.");
    for (route, classes) in Route::ALL.iter().zip(&counts.requests) {
        for (class, count) in CLASSES.iter().zip(classes).filter(|(_, count)| **count > 0) {
            let labels = format!("route=\"{}\",status=\"{class}\"", route.name());
            text.sample(name, &labels, count);
        }
    }
    let name = "recsys_request_duration_seconds";
    text.family(name, "histogram", "Time to an answer.");
    for route in Route::ALL {
        let total: u64 = counts.requests[route as usize].iter().sum();
        if total == 0 {
            continue;
        }
        let label = format!("route=\"{}\"", route.name());
        let mut below = 0;
        for ((_, end), count) in BUCKETS.iter().zip(&counts.durations[route as usize]) {
            below += count;
            text.sample(&format!("{name}_bucket"), &format!("{label},le=\"{end}\""), below);
        }
        text.sample(&format!("{name}_bucket"), &format!("{label},le=\"+Inf\""), total);
        let sum = counts.total_ms[route as usize] as f64 / 1_000.0;
        text.sample(&format!("{name}_sum"), &label, sum);
        text.sample(&format!("{name}_count"), &label, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up_and_every_family_is_declared_once() {
        for (status, ms) in [(200, 0), (200, 3), (200, 6_000), (503, 40), (0, 0), (999, 0)] {
            answered(Route::Recs, status, ms);
        }
        degraded(&[Note::new(Reason::Group, "a"), Note::new(Reason::Group, "b")]);
        fault(Engine::Redis, Kind::Full);
        let mut text = Text::default();
        write(&mut text);
        let text = text.into_string();
        let has = |line: &str| assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        has("recsys_requests_total{route=\"recs\",status=\"2xx\"} 3");
        has("recsys_request_duration_seconds_bucket{route=\"recs\",le=\"0.005\"} 4");
        has("recsys_request_duration_seconds_bucket{route=\"recs\",le=\"5\"} 5");
        has("recsys_request_duration_seconds_bucket{route=\"recs\",le=\"+Inf\"} 6");
        has("recsys_request_duration_seconds_sum{route=\"recs\"} 6.043");
        has("recsys_degraded_total{reason=\"group\"} 1");
        has("recsys_engine_faults_total{engine=\"redis\",kind=\"full\"} 1");
        let mut families: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let count = families.len();
        families.dedup();
        assert_eq!(families.len(), count);
    }
}

//! The attacks. Each gives a value for each viewer, so that its interval is one over viewers.

use super::belief;
use super::wire::{Setting, View, observe};
use super::world::{Session, Viewer, World};
use anyhow::Result;
use recsys_core::rng::SplitMix64;
use recsys_core::vector::{UnitVector, dot};
use std::collections::HashMap;

/// Guesses of an attack that names videos.
pub(super) const GUESSES: usize = 5;
/// Clicks that are told from a query, one after the other.
const ATOMS: usize = 10;

/// How sure an adversary is of each row.
pub(super) type Suspicion<'a> = Box<dyn Fn(usize) -> f64 + 'a>;

/// What a server saw of every viewer's session.
pub(super) struct Observed<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) viewers: &'a [Viewer],
    pub(super) session: Session,
    pub(super) requests: usize,
    pub(super) views: Vec<View>,
}

impl<'a> Observed<'a> {
    /// Runs the mechanism for everybody.
    ///
    /// # Errors
    /// A query does not fit the bundle.
    pub(super) fn new(
        world: &'a World<'a>,
        viewers: &'a [Viewer],
        setting: Setting,
        (session, requests): (Session, usize),
        random: &mut SplitMix64,
    ) -> Result<Self> {
        let views = viewers
            .iter()
            .map(|viewer| observe(world, setting, (viewer, session, requests), random))
            .collect::<Result<_>>()?;
        Ok(Self {
            world,
            viewers,
            session,
            requests,
            views,
        })
    }

    fn each(&self) -> impl Iterator<Item = (&Viewer, &View)> {
        self.viewers.iter().zip(&self.views)
    }

    /// Recall@5 of the clicked videos.
    pub(super) fn recovered(&self) -> Vec<f64> {
        let one = |(viewer, view): (&Viewer, &View)| {
            recall(
                &guess(self.world, view),
                &viewer.clicked(self.session, self.requests),
            )
        };
        self.each().map(one).collect()
    }

    /// Recall@5 of the five most popular videos, whatever was seen.
    pub(super) fn recovered_by_popularity(&self) -> Vec<f64> {
        let popular = self.world.top(GUESSES, |row| self.world.popularity[row]);
        let clicked = |viewer: &Viewer| viewer.clicked(self.session, self.requests);
        self.viewers
            .iter()
            .map(|viewer| recall(&popular, &clicked(viewer)))
            .collect()
    }

    /// Whether the viewer's most frequent category is guessed; viewers without categories count as 0.
    pub(super) fn category(&self) -> Vec<f64> {
        let catalogue = self.world.catalogue;
        let category = |row: &usize| catalogue.facts(*row).category;
        let one = |(viewer, view): (&Viewer, &View)| {
            let clicked = viewer.clicked(self.session, self.requests);
            let true_one = mode(clicked.iter().map(|row| (category(row), 1.0)));
            let guessed = match view {
                View::Vectors(_) => mode(guess(self.world, view).iter().map(|row| (category(row), 1.0))),
                _ => {
                    let beliefs = belief::clusters(self.world, view).unwrap_or_default();
                    let likely = self.world.likely(&beliefs);
                    mode((0..self.world.vectors.len()).map(|row| (category(&row), likely(row))))
                }
            };
            f64::from(u8::from(true_one.is_some() && true_one == guessed))
        };
        self.each().map(one).collect()
    }

    /// Cosine of the best guess at the last query's vector with the vector.
    pub(super) fn inverted(&self) -> Vec<f64> {
        let mut means: HashMap<String, Option<UnitVector>> = HashMap::new();
        let one = |(viewer, view): (&Viewer, &View)| {
            let window = viewer
                .windows(self.session, self.requests)
                .last()
                .unwrap_or_default();
            let Some(query) = self.world.query(window) else {
                return 0.0;
            };
            let guessed = match view {
                View::Vectors(queries) => queries.last().cloned(),
                _ => {
                    let beliefs = belief::clusters(self.world, view).unwrap_or_default();
                    let key = format!("{beliefs:?}");
                    means
                        .entry(key)
                        .or_insert_with(|| weighted(self.world, &beliefs))
                        .clone()
                }
            };
            guessed.map_or(0.0, |guess| f64::from(dot(guess.as_slice(), query.as_slice())))
        };
        self.each().map(one).collect()
    }

    /// How sure an adversary is that a viewer clicked a video.
    pub(super) fn suspicion(&self) -> Vec<Suspicion<'_>> {
        let one = |view: &'_ View| -> Suspicion<'_> {
            match view {
                View::Vectors(queries) => {
                    let queries = queries.clone();
                    Box::new(move |row| {
                        let vector = self.world.vectors[row].as_slice();
                        let products = queries
                            .iter()
                            .map(|query| f64::from(dot(query.as_slice(), vector)));
                        products.fold(f64::MIN, f64::max)
                    })
                }
                _ => {
                    let beliefs = belief::clusters(self.world, view).unwrap_or_default();
                    Box::new(move |row| {
                        let cluster = self.world.cluster_of[row];
                        cluster.map_or(1.0, |cluster| {
                            beliefs[cluster as usize] / self.world.prior[cluster as usize]
                        })
                    })
                }
            }
        };
        self.views.iter().map(one).collect()
    }
}

fn recall(guesses: &[usize], clicked: &[usize]) -> f64 {
    let hits = guesses.iter().filter(|row| clicked.contains(row)).count();
    hits as f64 / clicked.len().clamp(1, GUESSES) as f64
}

/// What has the most weight; the least of equals.
fn mode(weights: impl Iterator<Item = (u16, f64)>) -> Option<u16> {
    let mut sums: HashMap<u16, f64> = HashMap::new();
    for (of, weight) in weights.filter(|(of, _)| *of != u16::MAX) {
        *sums.entry(of).or_default() += weight;
    }
    let best = sums
        .into_iter()
        .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    best.map(|(of, _)| of)
}

/// The five videos that were most likely clicked.
fn guess(world: &World<'_>, view: &View) -> Vec<usize> {
    let View::Vectors(queries) = view else {
        let beliefs = belief::clusters(world, view).unwrap_or_default();
        return world.top(GUESSES, world.likely(&beliefs));
    };
    let mut votes: HashMap<usize, f64> = HashMap::new();
    for query in queries {
        for (rank, row) in (1..).zip(pursued(world, query)) {
            *votes.entry(row).or_default() += 1.0 / f64::from(rank);
        }
    }
    // What came in between two requests is most of their difference.
    for pair in queries.windows(2) {
        let [before, after] = pair else { continue };
        let difference: Vec<f32> = after
            .as_slice()
            .iter()
            .zip(before.as_slice())
            .map(|(a, b)| a - b)
            .collect();
        let newest = world.top(1, |row| {
            f64::from(dot(&difference, world.vectors[row].as_slice()))
        });
        for row in newest {
            *votes.entry(row).or_default() += 1.0;
        }
    }
    let mut rows: Vec<(usize, f64)> = votes.into_iter().collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    rows.into_iter().take(GUESSES).map(|(row, _)| row).collect()
}

/// The videos that a mean is made of, by matching pursuit: always the one that brings the sum nearest to the query.
fn pursued(world: &World<'_>, query: &UnitVector) -> Vec<usize> {
    let query = query.as_slice();
    let mut sum = vec![0f32; query.len()];
    let mut found: Vec<usize> = Vec::new();
    let products: Vec<f32> = world
        .vectors
        .iter()
        .map(|vector| dot(query, vector.as_slice()))
        .collect();
    for _ in 0..ATOMS {
        let (along, length) = (dot(&sum, query), dot(&sum, &sum));
        let nearness = |row: usize| {
            let vector = world.vectors[row].as_slice();
            let squared = length + 2.0 * dot(&sum, vector) + 1.0;
            f64::from((along + products[row]) / squared.max(1e-6).sqrt())
        };
        let best = world.top(1, |row| {
            if found.contains(&row) {
                f64::MIN
            } else {
                nearness(row)
            }
        });
        let Some(best) = best.first().copied() else { break };
        let before = along / length.max(1e-6).sqrt();
        // Another one that only leads away belongs to no click.
        if !found.is_empty() && nearness(best) <= f64::from(before) {
            break;
        }
        sum.iter_mut()
            .zip(world.vectors[best].as_slice())
            .for_each(|(sum, part)| *sum += part);
        found.push(best);
    }
    found
}

/// The mean direction of all videos by how likely each is.
fn weighted(world: &World<'_>, beliefs: &[f64]) -> Option<UnitVector> {
    let likely = world.likely(beliefs);
    let mut sum = vec![0f32; world.catalogue.vector(0).len()];
    for (row, vector) in world.vectors.iter().enumerate() {
        let weight = likely(row) as f32;
        sum.iter_mut()
            .zip(vector.as_slice())
            .for_each(|(sum, part)| *sum += weight * part);
    }
    UnitVector::new(sum).ok()
}

/// A profile of a session; the product of two says how alike they are.
type Profile = Vec<f64>;

/// Ways to see a session, each with another idea of what comes again.
const WAYS: [fn(&Observed<'_>) -> Vec<Profile>; 3] = [by_belief, by_first_belief, by_what_was_asked];

/// For each viewer the probability that its second session is told from everybody's by its first one, times the number of
/// viewers: 1 is chance. Equal scores are drawn among. Of several ways to compare the one that tells most.
pub(super) fn linked(first: &Observed<'_>, second: &Observed<'_>) -> Vec<f64> {
    let tried = WAYS
        .iter()
        .map(|profiles| told(&profiles(first), &profiles(second)));
    let sum = |told: &Vec<f64>| told.iter().sum::<f64>();
    tried.max_by(|a, b| sum(a).total_cmp(&sum(b))).unwrap_or_default()
}

fn told(first: &[Profile], second: &[Profile]) -> Vec<f64> {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let one = |(own, profile): (usize, &Profile)| {
        let scores: Vec<f64> = first.iter().map(|other| product(other, profile)).collect();
        let best = scores.iter().copied().fold(f64::MIN, f64::max);
        let equals = |score: &&f64| (**score - best).abs() <= 1e-9 * best.abs();
        let ties = scores.iter().filter(equals).count();
        let hit = scores.get(own).is_some_and(|score| equals(&score));
        if hit {
            first.len() as f64 / ties.max(1) as f64
        } else {
            0.0
        }
    };
    second.iter().enumerate().map(one).collect()
}

fn direction<'v>(queries: impl IntoIterator<Item = &'v UnitVector>) -> Profile {
    let mean = recsys_core::vector::mean_direction(queries).map(UnitVector::into_vec);
    mean.unwrap_or_default().into_iter().map(f64::from).collect()
}

/// What is believed of the clusters: the product of two is how much likelier one cluster for both is than two.
fn believed(world: &World<'_>, view: &View) -> Profile {
    let beliefs = belief::clusters(world, view).unwrap_or_default();
    beliefs
        .iter()
        .zip(&world.prior)
        .map(|(belief, prior)| belief / prior.sqrt())
        .collect()
}

fn by_belief(observed: &Observed<'_>) -> Vec<Profile> {
    let one = |view: &View| match view {
        View::Vectors(queries) => direction(queries),
        _ => believed(observed.world, view),
    };
    observed.views.iter().map(one).collect()
}

/// Of the first request alone, before a taste moved.
fn by_first_belief(observed: &Observed<'_>) -> Vec<Profile> {
    let one = |view: &View| match view {
        View::Vectors(queries) => direction(queries.first()),
        View::Sets(sets) => believed(
            observed.world,
            &View::Sets(sets.iter().take(1).cloned().collect()),
        ),
        _ => believed(observed.world, view),
    };
    observed.views.iter().map(one).collect()
}

/// Which clusters were asked for, the rarer the more it weighs; of vectors the last one.
fn by_what_was_asked(observed: &Observed<'_>) -> Vec<Profile> {
    let mut counts = vec![1.0; observed.world.prior.len()];
    for cluster in observed.views.iter().flat_map(View::asked) {
        counts[cluster as usize] += 1.0;
    }
    let sessions = observed.views.len() as f64 + 1.0;
    let one = |view: &View| match view {
        View::Vectors(queries) => direction(queries.last()),
        _ => {
            let clusters = view.asked();
            let weight = |(cluster, count): (usize, &f64)| match clusters.contains(&(cluster as u32)) {
                true => (sessions / count).ln().max(1e-3).sqrt(),
                false => 0.0,
            };
            counts.iter().enumerate().map(weight).collect()
        }
    };
    observed.views.iter().map(one).collect()
}

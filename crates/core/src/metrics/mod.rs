//! Quality of rankings, and how sure one can be of it.
//!
//! Definitions follow Manning, Raghavan & Schütze, *Introduction to Information Retrieval* (2008), chapter 8, and for
//! NDCG Järvelin & Kekäläinen, *Cumulated gain-based evaluation of IR techniques* (ACM TOIS 20(4), 2002).

mod bootstrap;

use crate::vector::dot;
pub use bootstrap::{Interval, bootstrap_mean, bootstrap_ratio};

/// How a graded relevance becomes a gain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gain {
    /// The relevance itself (Järvelin & Kekäläinen; scikit-learn's `ndcg_score`).
    Linear,
    /// 2^relevance − 1 (Burges et al., ICML 2005; LightGBM). The same as linear for 0 and 1.
    Exponential,
}

impl Gain {
    fn of(self, relevance: f64) -> f64 {
        match self {
            Self::Linear => relevance,
            Self::Exponential => libm::exp2(relevance) - 1.0,
        }
    }
}

/// One ranking with its relevances: finite, 0 is irrelevant, 1 relevant, more is more so.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    ranked: &'a [f64],
    relevant: &'a [f64],
}

impl<'a> Judged<'a> {
    /// `ranked`: relevance of each ranked item, best rank first. `relevant`: the relevances of all items, ranked or not,
    /// in any order; zeros may be left out.
    ///
    /// `None` where no item is relevant: then no ranking is better than another.
    #[must_use]
    pub fn new(ranked: &'a [f64], relevant: &'a [f64]) -> Option<Self> {
        relevant
            .iter()
            .any(|&r| r > 0.0)
            .then_some(Self { ranked, relevant })
    }

    /// Relevant items among the first k, over all relevant items.
    #[must_use]
    pub fn recall(&self, k: usize) -> f64 {
        let all = self.relevant.iter().filter(|&&r| r > 0.0).count();
        self.hits(k) as f64 / all as f64
    }

    /// Relevant items among the first k, over k, also where fewer than k are ranked. 0 for k = 0.
    #[must_use]
    pub fn precision(&self, k: usize) -> f64 {
        if k == 0 {
            0.0
        } else {
            self.hits(k) as f64 / k as f64
        }
    }

    /// One over the rank of the first relevant item among the first k, 0 if there is none there. Its mean over
    /// rankings is the MRR (Voorhees, TREC-8, 1999).
    #[must_use]
    pub fn reciprocal_rank(&self, k: usize) -> f64 {
        let first = self.ranked.iter().take(k).position(|&r| r > 0.0);
        first.map_or(0.0, |place| 1.0 / (place + 1) as f64)
    }

    /// Discounted cumulated gain of the first k over that of the best possible first k: Σ gain / log2(rank + 1).
    /// 0 for k = 0.
    #[must_use]
    pub fn ndcg(&self, k: usize, gain: Gain) -> f64 {
        let mut ideal = self.relevant.to_vec();
        ideal.sort_by(|a, b| b.total_cmp(a));
        let best = dcg(&ideal, k, gain);
        if best > 0.0 {
            dcg(self.ranked, k, gain) / best
        } else {
            0.0
        }
    }

    fn hits(&self, k: usize) -> usize {
        self.ranked.iter().take(k).filter(|&&r| r > 0.0).count()
    }
}

/// Discounted cumulated gain of the first k.
fn dcg(ranked: &[f64], k: usize, gain: Gain) -> f64 {
    let term = |(place, &relevance): (usize, &f64)| gain.of(relevance) / libm::log2(place as f64 + 2.0);
    ranked.iter().take(k).enumerate().map(term).sum()
}

/// Share of a catalogue of `items` that occurs in at least one list (Herlocker et al., ACM TOIS 22(1), 2004). The lists
/// hold rows of the catalogue; others are ignored. 0 for an empty catalogue.
#[must_use]
pub fn coverage<'a>(lists: impl IntoIterator<Item = &'a [usize]>, items: usize) -> f64 {
    let mut shown = vec![false; items];
    for &row in lists.into_iter().flatten() {
        if let Some(shown) = shown.get_mut(row) {
            *shown = true;
        }
    }
    if items == 0 {
        0.0
    } else {
        shown.iter().filter(|&&shown| shown).count() as f64 / items as f64
    }
}

/// Mean of 1 − cosine over all pairs of a list's unit vectors (Smyth & McClave, ICCBR 2001). `None` below two vectors.
#[must_use]
pub fn intra_list_diversity(vectors: &[&[f32]]) -> Option<f64> {
    let pairs = vectors
        .iter()
        .enumerate()
        .flat_map(|(i, a)| vectors[..i].iter().map(move |b| (a, b)));
    let (mut sum, mut count) = (0.0, 0u32);
    for (a, b) in pairs {
        sum += 1.0 - f64::from(dot(a, b));
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

/// Mean self-information of a list in bits: −log2 of each item's share of all choices (Vargas & Castells, RecSys 2011),
/// smoothed by one choice of each of `items`. `chosen` are the list's own counts, `total` those of all items together.
/// `None` for an empty list.
#[must_use]
pub fn novelty(chosen: &[f64], total: f64, items: usize) -> Option<f64> {
    let all = total + items as f64;
    let bits = |&count: &f64| libm::log2(all / (count + 1.0));
    (!chosen.is_empty()).then(|| chosen.iter().map(bits).sum::<f64>() / chosen.len() as f64)
}

#[cfg(test)]
mod tests;

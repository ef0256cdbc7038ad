//! The rules in their order: from scores to a list.

use super::Policy;
use super::boosts::added;
use super::caps::Room;
use super::exploration::{Draw, Exploration};
use super::mmr::{Item, by_score, choose};
use crate::features::Candidate;

/// Why an item is where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// By its score, and variety.
    Ranked,
    /// The owner pinned it there.
    Pinned,
    /// By chance.
    Explored,
}

/// One place of a list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Index into the candidates.
    pub index: usize,
    /// Why it is here.
    pub slot: Slot,
    /// Probability, above 0 and at most 1, that a page of these candidates shows the item anywhere. Below 1 only where
    /// the policy explores.
    pub propensity: f64,
}

/// What a list is made of.
pub(crate) struct Pool<'a> {
    /// The candidates.
    pub(crate) candidates: &'a [Candidate<'a>],
    /// Their scores.
    pub(crate) scores: &'a [f32],
    /// Which of them may be shown.
    pub(crate) allowed: &'a dyn Fn(usize) -> bool,
    /// Milliseconds since 1970-01-01 UTC.
    pub(crate) now_ms: i64,
}

/// The list of at most `k` items that a policy makes of a pool, best first. `seed` decides what is explored.
pub(crate) fn arrange(policy: &Policy, pool: &Pool<'_>, k: usize, seed: u64) -> Vec<Placed> {
    let depth = policy.pool.max(k);
    let (order, scores) = order(policy, pool, depth);
    let pins = pins(policy, pool, &order, k);
    let pinned = |index: &usize| pins.iter().any(|(pin, _)| pin == index);
    let free: Vec<usize> = order.into_iter().filter(|index| !pinned(index)).collect();
    let items: Vec<Item<'_>> = free.iter().map(|&index| item(pool, &scores, index)).collect();

    let mut room = Room::new(policy.caps);
    for &(index, _) in &pins {
        room.take(pool.candidates[index].facts);
    }
    let beside: Vec<&[f32]> = pins
        .iter()
        .map(|&(index, _)| pool.candidates[index].vector)
        .collect();
    let places = k.saturating_sub(pins.len());
    let ranked = choose(&items, depth, &beside, policy.lambda, places, &mut room.clone());
    let draw = policy
        .exploration
        .as_ref()
        .and_then(|exploration| draw(exploration, &pins, k, &items, &ranked, &room, seed));
    let placed = |slot, propensity: f64| {
        let free = &free;
        move |place: usize| Placed {
            index: free[place],
            slot,
            propensity,
        }
    };
    let pins = pins.iter().map(|&(index, place)| {
        let pin = Placed {
            index,
            slot: Slot::Pinned,
            propensity: 1.0,
        };
        (pin, place)
    });
    let Some((draw, explored_places, kept)) = draw else {
        return merge(pins.collect(), ranked.into_iter().map(placed(Slot::Ranked, 1.0)));
    };
    let certain = ranked.iter().take(kept).copied().map(placed(Slot::Ranked, 1.0));
    let Some(drawn) = &draw.drawn else {
        let chance = |&place: &usize| placed(Slot::Ranked, draw.propensity(place, true))(place);
        let rest = ranked.iter().skip(kept).map(chance);
        return merge(pins.collect(), certain.chain(rest));
    };
    let explored = drawn.iter().zip(explored_places).map(|(&item, place)| {
        let propensity = draw.propensity(item, ranked.contains(&item));
        (placed(Slot::Explored, propensity)(item), place)
    });
    merge(pins.chain(explored).collect(), certain)
}

/// The allowed candidates, best first, and the scores that say so: with boosts, where there are some.
fn order(policy: &Policy, pool: &Pool<'_>, depth: usize) -> (Vec<usize>, Vec<f32>) {
    let sorted = |scores: &[f32]| -> Vec<usize> {
        let order = by_score(scores).into_iter();
        order.filter(|&index| (pool.allowed)(index)).collect()
    };
    let plain = sorted(pool.scores);
    if policy.boosts.is_empty() && policy.freshness.is_none() {
        return (plain, pool.scores.to_vec());
    }
    let at = |place: usize| plain.get(place).map_or(f32::NAN, |&index| pool.scores[index]);
    let range = at(0) - at(plain.len().min(depth).saturating_sub(1));
    // Where all scores are the same, any unit will do.
    let range = if range > 0.0 && range.is_finite() {
        range
    } else {
        1.0
    };
    let boosted = |(candidate, score): (&Candidate<'_>, &f32)| {
        let what = (candidate.item, candidate.facts);
        score + range * added(&policy.boosts, policy.freshness, what, pool.now_ms)
    };
    let scores: Vec<f32> = pool.candidates.iter().zip(pool.scores).map(boosted).collect();
    (sorted(&scores), scores)
}

fn item<'a>(pool: &Pool<'a>, scores: &[f32], index: usize) -> Item<'a> {
    let Candidate { vector, facts, .. } = pool.candidates[index];
    Item {
        relevance: scores[index],
        vector,
        facts,
    }
}

/// The pins that can be shown: candidate and place.
fn pins(policy: &Policy, pool: &Pool<'_>, order: &[usize], k: usize) -> Vec<(usize, usize)> {
    let place = |(item, place): &(crate::catalogue::ItemId, usize)| {
        let found = order.iter().find(|&&index| pool.candidates[index].item == item)?;
        (*place < k).then_some((*found, *place))
    };
    policy.pins.iter().filter_map(place).collect()
}

/// What is explored, where, and how many of the ranked items are certain of their places. Nothing where the pool is not
/// larger than the places: then there is nothing to choose.
fn draw(
    exploration: &Exploration,
    pins: &[(usize, usize)],
    k: usize,
    items: &[Item<'_>],
    ranked: &[usize],
    room: &Room,
    seed: u64,
) -> Option<(Draw, Vec<usize>, usize)> {
    let length = k.min(pins.len() + ranked.len());
    let taken = |place: &usize| pins.iter().any(|(_, pinned)| pinned == place);
    let places = exploration.places.iter().copied();
    let places: Vec<usize> = places.filter(|place| *place < length && !taken(place)).collect();
    let kept = ranked.len().saturating_sub(places.len());
    let certain = ranked.get(..kept).unwrap_or_default();
    let mut room = room.clone();
    for &place in certain {
        room.take(items[place].facts);
    }
    // Each item of the pool takes its room at once. So whichever are drawn, they fit together, and the draw is uniform.
    let mut pool = Vec::with_capacity(exploration.pool);
    for (place, item) in items.iter().enumerate() {
        if pool.len() == exploration.pool {
            break;
        }
        if !certain.contains(&place) && room.fits(item.facts) {
            room.take(item.facts);
            pool.push(place);
        }
    }
    if places.is_empty() || pool.len() <= places.len() {
        return None;
    }
    Some((
        Draw::new(pool, places.len(), exploration.rate, seed),
        places,
        kept,
    ))
}

/// Puts items with places of their own among the others; where those run out, they move up, the first place first.
fn merge(mut fixed: Vec<(Placed, usize)>, mut others: impl Iterator<Item = Placed>) -> Vec<Placed> {
    let mut list = Vec::new();
    loop {
        let first = (0..fixed.len()).min_by_key(|&i| fixed[i].1);
        let here = first.filter(|&i| fixed[i].1 <= list.len());
        let next = match (here, first) {
            (Some(i), _) => Some(fixed.swap_remove(i).0),
            (None, Some(i)) => others.next().or_else(|| Some(fixed.swap_remove(i).0)),
            (None, None) => others.next(),
        };
        match next {
            Some(placed) => list.push(placed),
            None => return list,
        }
    }
}

//! What must hold for every model that a reader accepts, and, in [`holds`], for every other file.

pub mod clip;

use recsys_core::bytes::AlignedBytes;
use recsys_core::rng::SplitMix64;
use recsys_core::trees::{Model, format};

/// The same as in the core's tests of damaged bundles.
#[path = "../../crates/core/tests/bundle/holds.rs"]
pub mod holds;

/// Rows that are scored together: blocks of the fast kernel, and a rest.
const ROWS: usize = 71;
/// Wider models are not scored: an input should take milliseconds.
const MAX_WIDTH: usize = 256;
/// Larger models are not explained.
const MAX_EXPLAINED: usize = 4096;

/// Values that decisions turn on.
const SPECIAL: [f32; 16] = [
    f32::NAN,
    0.0,
    -0.0,
    1.0,
    -1.0,
    -0.5,
    1e-35,
    -1e-35,
    1.000_001e-35,
    f32::MIN_POSITIVE,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::MAX,
    f32::MIN,
    4_294_967_296.0,
    31.5,
];

/// The ranker file holds the model; rows score alike alone (walked) and together (by leaf masks), bit for bit; and
/// contributions add up to the score.
///
/// # Panics
/// Where one of these does not hold.
pub fn check(model: &Model, seed: u64) {
    let bytes = format::to_bytes(model);
    let read = format::from_bytes(&bytes).expect("what the writer wrote");
    assert_eq!(read, *model, "the ranker file holds another model");
    assert_eq!(format::to_bytes(&read), bytes, "one model has two files");
    let (features, classes) = (model.feature_count(), model.class_count());
    if features.max(classes) > MAX_WIDTH {
        return;
    }
    let rows = rows(features, seed);
    let mut together = vec![f32::NAN; ROWS * classes];
    model.score(&rows, &mut together).expect("lengths that fit");
    for (row, together) in rows.chunks_exact(features).zip(together.chunks_exact(classes)) {
        let mut alone = vec![f32::NAN; classes];
        model.score(row, &mut alone).expect("lengths that fit");
        let bits = |scores: &[f32]| scores.iter().map(|score| score.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&alone), bits(together), "row {row:?}");
    }
    let rows = rows.chunks_exact(features).take(3);
    if model.has_covers() && bytes.len() <= MAX_EXPLAINED {
        rows.for_each(|row| check_contributions(model, row));
    }
}

fn check_contributions(model: &Model, row: &[f32]) {
    let (features, classes) = (model.feature_count(), model.class_count());
    let explainer = model.explainer().expect("a model with covers");
    let mut contributions = vec![f64::NAN; classes * (features + 1)];
    explainer
        .contributions(row, &mut contributions)
        .expect("lengths that fit");
    let mut scores = vec![f32::NAN; classes];
    model.score(row, &mut scores).expect("lengths that fit");
    let reach = model.leaf_reach();
    for ((own, score), base) in contributions
        .chunks_exact(features + 1)
        .zip(scores)
        .zip(model.base())
    {
        let (sum, score) = (own.iter().sum::<f64>(), f64::from(score));
        let tolerance = 1e-6 * (reach + f64::from(base.abs()));
        // A score beyond f32 is infinite; the sum is f64.
        let apart = if score.is_infinite() {
            0.0
        } else {
            (sum - score).abs()
        };
        assert!(
            sum.is_finite() && apart <= tolerance,
            "{sum} is not {score}, row {row:?}"
        );
    }
}

fn rows(features: usize, seed: u64) -> Vec<f32> {
    let mut rng = SplitMix64::new(seed);
    let value = |_| match rng.below(4) {
        0 => SPECIAL[rng.below(SPECIAL.len())],
        1 => rng.below(100) as f32,
        2 => rng.below(2001) as f32 / 1000.0 - 1.0,
        // Any bits at all.
        _ => f32::from_bits(rng.next_u64() as u32),
    };
    (0..ROWS * features).map(value).collect()
}

/// A seed from an input, so that an input always gives the same rows (FNV-1a).
pub fn seed(data: &[u8]) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    data.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// The file of an input: its own length, which no mutation would get right, is put in where the header has it.
pub fn of_own_length(data: &[u8]) -> AlignedBytes {
    let mut file = AlignedBytes::copy_of(data);
    let length = (data.len() as u64).to_le_bytes();
    if let Some(field) = file.as_mut_slice().get_mut(8..16) {
        field.copy_from_slice(&length);
    }
    file
}

/// Runs an importer's input, if it is one: the importer refuses it or gives a model that holds.
pub fn import(data: &[u8], is_input: bool) -> libfuzzer_sys::Corpus {
    if !is_input {
        return libfuzzer_sys::Corpus::Reject;
    }
    if let Ok(model) = recsys_core::trees::import::from_bytes(data) {
        check(&model, seed(data));
    }
    libfuzzer_sys::Corpus::Keep
}

use super::*;

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
}

/// Relevances in the order of falling scores.
fn ranked(relevance: &[f64], scores: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order.into_iter().map(|i| relevance[i]).collect()
}

#[test]
fn ndcg_is_that_of_scikit_learn() {
    // The examples of sklearn.metrics.ndcg_score's documentation, recomputed with scikit-learn 1.x.
    let relevance = [10.0, 0.0, 0.0, 1.0, 5.0];
    let first = ranked(&relevance, &[0.1, 0.2, 0.3, 4.0, 70.0]);
    let judged = Judged::new(&first, &relevance).unwrap();
    close(judged.ndcg(5, Gain::Linear), 0.695_694_044_381_307_6);
    close(judged.ndcg(4, Gain::Linear), 0.412_381_881_753_453_1);
    let second = ranked(&relevance, &[0.05, 1.1, 1.0, 0.5, 0.0]);
    let judged = Judged::new(&second, &relevance).unwrap();
    close(judged.ndcg(5, Gain::Linear), 0.493_680_191_377_376);
    close(judged.ndcg(4, Gain::Linear), 0.352_024_110_063_448_8);
    // Binary relevance, k below and above the length.
    let binary = [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0];
    let judged = Judged::new(&binary, &binary).unwrap();
    close(judged.ndcg(5, Gain::Linear), 0.477_623_703_503_218_1);
    close(judged.ndcg(10, Gain::Linear), 0.634_049_945_510_803_5);
    close(judged.ndcg(10, Gain::Exponential), judged.ndcg(10, Gain::Linear));
}

#[test]
fn ndcg_of_the_textbook_list() {
    // Relevances 3, 2, 3, 0, 1, 2: DCG 6.861, NDCG .961 (linear) and, by scikit-learn on 2^rel − 1, .949.
    let list = [3.0, 2.0, 3.0, 0.0, 1.0, 2.0];
    close(dcg(&list, 6, Gain::Linear), 6.861_126_688_593_501);
    let judged = Judged::new(&list, &list).unwrap();
    close(judged.ndcg(6, Gain::Linear), 0.960_808_194_336_061_6);
    close(judged.ndcg(3, Gain::Linear), 0.977_781_361_630_554_5);
    close(judged.ndcg(6, Gain::Exponential), 0.948_810_748_567_898_3);
}

#[test]
fn counts_at_k() {
    let list = [0.0, 1.0, 0.0, 2.0, 0.0];
    // A third relevant item was not ranked at all.
    let judged = Judged::new(&list, &[1.0, 2.0, 1.0]).unwrap();
    close(judged.recall(1), 0.0);
    close(judged.recall(4), 2.0 / 3.0);
    close(judged.recall(100), 2.0 / 3.0);
    close(judged.precision(2), 0.5);
    close(judged.precision(10), 0.2);
    close(judged.reciprocal_rank(1), 0.0);
    close(judged.reciprocal_rank(10), 0.5);
    for zero in [
        judged.recall(0),
        judged.precision(0),
        judged.reciprocal_rank(0),
        judged.ndcg(0, Gain::Linear),
    ] {
        close(zero, 0.0);
    }
}

#[test]
fn without_a_relevant_item_there_is_nothing_to_judge() {
    assert!(Judged::new(&[0.0], &[0.0]).is_none());
    assert!(Judged::new(&[], &[]).is_none());
    close(Judged::new(&[], &[1.0]).unwrap().ndcg(10, Gain::Linear), 0.0);
}

#[test]
fn the_ideal_order_is_best() {
    let mut list: [f64; 5] = [0.0, 3.0, 1.0, 0.0, 2.0];
    let all = list;
    list.sort_by(|a, b| b.total_cmp(a));
    for gain in [Gain::Linear, Gain::Exponential] {
        for k in 1..7 {
            close(Judged::new(&list, &all).unwrap().ndcg(k, gain), 1.0);
            assert!(Judged::new(&all, &all).unwrap().ndcg(k, gain) < 1.0);
        }
    }
}

#[test]
fn coverage_counts_each_item_once() {
    let lists: [&[usize]; 3] = [&[0, 1], &[1, 2], &[99]];
    close(coverage(lists, 4), 0.75);
    close(coverage(lists, 0), 0.0);
}

#[test]
fn diversity_is_the_mean_distance_of_pairs() {
    let (east, north, west): ([f32; 2], [f32; 2], [f32; 2]) = ([1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]);
    close(
        intra_list_diversity(&[&east, &north, &west]).unwrap(),
        (1.0 + 1.0 + 2.0) / 3.0,
    );
    close(intra_list_diversity(&[&east, &east]).unwrap(), 0.0);
    assert_eq!(intra_list_diversity(&[&east]), None);
}

#[test]
fn novelty_is_the_mean_of_bits() {
    // Four items, 12 choices: shares (7 + 1) / 16 and (0 + 1) / 16 are one bit and four.
    assert_eq!(novelty(&[7.0, 0.0], 12.0, 4), Some(2.5));
    assert_eq!(novelty(&[], 12.0, 4), None);
}

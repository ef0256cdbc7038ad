//! The kernel on its own: shapes, blocks, and the meaning of a node.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use recsys_core::trees::{Activation, Builder, Model, Output, Split, Test};

/// One tree of one split: 1 on the left, -1 on the right.
fn stump(make: impl FnOnce(&mut Builder) -> Split) -> Model {
    let mut builder = Builder::new(1, Vec::new(), Output::IDENTITY, vec![0.0]).unwrap();
    let split = make(&mut builder);
    builder.split(split).unwrap();
    builder.leaf(1.0).unwrap();
    builder.leaf(-1.0).unwrap();
    builder.end_class().unwrap();
    builder.finish().unwrap()
}

fn left(model: &Model, x: f32) -> bool {
    let mut out = [0.0];
    model.score(&[x], &mut out).unwrap();
    out == [1.0]
}

#[test]
fn numerical_splits_send_at_most_left_and_missing_by_default() {
    for missing_left in [false, true] {
        let test = Test::AtMost {
            threshold: 1.5,
            zero_is_missing: false,
        };
        let model = stump(|_| Split {
            feature: 0,
            test,
            missing_left,
        });
        assert!(left(&model, 1.5) && left(&model, f32::NEG_INFINITY) && left(&model, 0.0));
        assert!(!left(&model, 1.5f32.next_up()) && !left(&model, f32::INFINITY));
        assert_eq!(left(&model, f32::NAN), missing_left);

        let test = Test::AtMost {
            threshold: 1.5,
            zero_is_missing: true,
        };
        let model = stump(|_| Split {
            feature: 0,
            test,
            missing_left,
        });
        for missing in [f32::NAN, 0.0, -0.0, 1e-35, -1e-35, 1e-45] {
            assert_eq!(left(&model, missing), missing_left, "{missing}");
        }
        assert!(left(&model, 1e-35f32.next_up()) && left(&model, -1e-34));
    }
}

#[test]
fn categorical_splits_send_their_set_left() {
    for truncates_negative in [false, true] {
        // Categories 0, 3 and 33.
        let model = stump(|builder| {
            let set = builder.add_set(&[0b1001, 0b10]).unwrap();
            Split {
                feature: 0,
                test: Test::In {
                    set,
                    truncates_negative,
                },
                missing_left: true,
            }
        });
        for (x, expected) in [
            (0.0, true),
            (-0.0, true),
            (3.0, true),
            (3.99, true),
            (33.0, true),
            (f32::NAN, true),
            (1.0, false),
            (64.0, false),
            (-1.0, false),
            (-3.0, false),
            (4_294_967_296.0, false),
            (f32::INFINITY, false),
            (f32::NEG_INFINITY, false),
            (-0.5, truncates_negative),
            ((-1.0f32).next_up(), truncates_negative),
        ] {
            assert_eq!(left(&model, x), expected, "{x}");
        }
    }
}

#[test]
fn a_row_scores_the_same_alone_and_in_any_block() {
    let mut builder =
        Builder::new(2, Vec::new(), Activation::Softmax.into(), vec![0.1, 10.0, -10.0]).unwrap();
    for class in 0..3 {
        for tree in 0..5 {
            let test = Test::AtMost {
                threshold: (class * 5 + tree) as f32 * 9.0,
                zero_is_missing: false,
            };
            builder
                .split(Split {
                    feature: tree % 2,
                    test,
                    missing_left: false,
                })
                .unwrap();
            builder.leaf(0.1 * (tree + 1) as f32).unwrap();
            builder.leaf(-0.3 * (class + 1) as f32).unwrap();
        }
        builder.end_class().unwrap();
    }
    let model = builder.finish().unwrap();
    let rows: Vec<f32> = (0..130 * 2).map(|i| (i * 37 % 131) as f32).collect();
    let alone: Vec<f32> = rows
        .chunks(2)
        .flat_map(|row| {
            let mut out = [0.0; 3];
            model.score(row, &mut out).unwrap();
            out
        })
        .collect();
    for n in [0, 1, 63, 64, 65, 128, 130] {
        let mut out = vec![f32::NAN; n * 3];
        model.score(&rows[..n * 2], &mut out).unwrap();
        assert_eq!(out, alone[..n * 3], "{n} rows");
    }
    // Classes start from their own base and see their own trees only.
    assert!(
        alone
            .chunks(3)
            .all(|row| row[1] > 5.0 && row[2] < -5.0 && row[0].abs() < 5.0)
    );
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let test = Test::AtMost {
        threshold: 0.0,
        zero_is_missing: false,
    };
    let mut builder = Builder::new(2, Vec::new(), Output::IDENTITY, vec![0.0]).unwrap();
    builder
        .split(Split {
            feature: 1,
            test,
            missing_left: false,
        })
        .unwrap();
    builder.leaf(1.0).unwrap();
    builder.leaf(2.0).unwrap();
    builder.end_class().unwrap();
    let model = builder.finish().unwrap();
    for (rows, out) in [(3, 1), (2, 0), (2, 2), (0, 1)] {
        let error = model.score(&vec![0.0; rows], &mut vec![0.0; out]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("found {rows} values and room for {out}")),
            "{error}"
        );
    }
    assert_eq!(model.leaf_reach(), 2.0);
}

#[test]
fn outputs_turn_margins_into_predictions() {
    let apply = |output: Output, mut scores: Vec<f32>| {
        output.apply(&mut scores);
        scores
    };
    let near =
        |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(near(&apply(Output::IDENTITY, vec![3.0]), &[3.0]));
    assert!(near(
        &apply(
            Output {
                activation: Activation::Logistic,
                scale: 2.0
            },
            vec![0.0, 0.5, -1000.0]
        ),
        &[0.5, 0.731_058_6, 0.0]
    ));
    assert!(near(
        &apply(Activation::Exponential.into(), vec![1.0]),
        &[std::f32::consts::E]
    ));
    assert!(near(&apply(Activation::SignedSquare.into(), vec![-3.0]), &[-9.0]));
    assert!(near(
        &apply(Activation::Softplus.into(), vec![0.0, 100.0]),
        &[std::f32::consts::LN_2, 100.0]
    ));
    assert!(near(
        &apply(Activation::Softmax.into(), vec![1000.0, 1000.0]),
        &[0.5, 0.5]
    ));
}

//! The ranker file: every cut, every flipped bit, and every kind of node.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use recsys_core::trees::format::{MAGIC, VERSION, from_bytes, to_bytes};
use recsys_core::trees::{Activation, Builder, Model, Output, Split, Test};

fn numerical(feature: usize, threshold: f32, missing_left: bool) -> Split {
    Split {
        feature,
        test: Test::AtMost {
            threshold,
            zero_is_missing: false,
        },
        missing_left,
    }
}

/// Two classes, names, both kinds of splits, a single leaf, a chain, infinite and zero thresholds.
fn small_model(covers: bool) -> Model {
    let mut covered = 0.0;
    let mut leaf = |builder: &mut Builder, value| {
        covered += 1000.0;
        if covers {
            builder.covered_leaf(value, covered).unwrap();
        } else {
            builder.leaf(value).unwrap();
        }
    };
    let names = vec!["age".to_owned(), "ctr".to_owned(), "größe".to_owned()];
    let mut builder = Builder::new(3, names, Activation::Softmax.into(), vec![0.25, -1.0]).unwrap();
    let set = builder.add_set(&[0b1010, 1 << 31]).unwrap();
    builder.add_set(&[]).unwrap();
    builder.split(numerical(0, 1.5, true)).unwrap();
    builder.split(numerical(0, f32::INFINITY, false)).unwrap();
    leaf(&mut builder, 0.5);
    leaf(&mut builder, -0.5);
    let test = Test::In {
        set,
        truncates_negative: true,
    };
    builder
        .split(Split {
            feature: 2,
            test,
            missing_left: false,
        })
        .unwrap();
    leaf(&mut builder, 1e-30);
    leaf(&mut builder, 3.0);
    leaf(&mut builder, 7.0);
    builder.end_class().unwrap();
    let test = Test::AtMost {
        threshold: -0.0,
        zero_is_missing: true,
    };
    builder
        .split(Split {
            feature: 1,
            test,
            missing_left: true,
        })
        .unwrap();
    leaf(&mut builder, -2.0);
    leaf(&mut builder, 2.0);
    builder.end_class().unwrap();
    builder.finish().unwrap()
}

#[test]
fn a_model_comes_back_as_it_went() {
    let model = small_model(true);
    let bytes = to_bytes(&model);
    assert_eq!(from_bytes(&bytes).unwrap(), model);
    assert_eq!(bytes[..4], MAGIC);
    assert_eq!(bytes[4..8], VERSION.to_le_bytes());
    assert_eq!(bytes[8..16], (bytes.len() as u64).to_le_bytes());
}

#[test]
fn a_file_of_version_1_is_the_same_model_without_covers() {
    let old = include_bytes!("fixtures/ranker/v1-small.bin");
    assert_eq!(from_bytes(old).unwrap(), small_model(false));
    let mut newer = old.to_vec();
    newer[4] = 3;
    let error = from_bytes(&newer).unwrap_err().to_string();
    assert!(
        error.starts_with("ranker: byte 4: version: expected 1 to 2, found 3"),
        "{error}"
    );
}

/// The documented layout, byte for byte: a change here is a change of version.
#[test]
fn the_bytes_of_the_smallest_split_are_these() {
    let mut builder = Builder::new(
        1,
        vec!["x".into()],
        Output {
            activation: Activation::Logistic,
            scale: 2.0,
        },
        vec![0.5],
    )
    .unwrap();
    builder.split(numerical(0, 1.0, true)).unwrap();
    builder.covered_leaf(-1.0, 7.0).unwrap();
    builder.covered_leaf(1.0, 300.0).unwrap();
    builder.end_class().unwrap();
    let mut expected = b"RTRE".to_vec();
    expected.extend([2, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0]); // version, length
    expected.extend([1, 0, 0, 0, 0, 0, 0, 0x40]); // logistic, scale
    for count in [1u32, 1, 1, 1, 3, 1, 0, 0, 3, 2] {
        expected.extend(count.to_le_bytes()); // operand bytes, C, F, T, N, D, S, W, B, V
    }
    expected.extend(0.5f32.to_le_bytes());
    expected.extend([1, 0, 0, 0]); // trees of the class
    expected.extend([1, 0, b'x']);
    expected.extend([1, 0, 0, 0]); // thresholds of the feature
    expected.extend(1f32.to_le_bytes());
    expected.extend([0b11, 0, 0]); // tags
    expected.extend([0, 0]); // feature, rank
    expected.extend((-1f32).to_le_bytes());
    expected.extend(1f32.to_le_bytes());
    expected.extend([7, 0, 44, 1]); // covers
    assert_eq!(to_bytes(&builder.finish().unwrap()), expected);
}

#[test]
fn models_with_many_features_and_thresholds_take_wider_columns() {
    let mut builder = Builder::new(300, Vec::new(), Output::IDENTITY, vec![0.0]).unwrap();
    for i in 0..70_000 {
        builder.split(numerical(299, i as f32, i % 2 == 0)).unwrap();
        builder.leaf(i as f32).unwrap();
    }
    builder.leaf(-1.0).unwrap();
    builder.end_class().unwrap();
    let model = builder.finish().unwrap();
    let bytes = to_bytes(&model);
    assert_eq!(bytes[24], 3, "bytes of an operand");
    let read = from_bytes(&bytes).unwrap();
    assert_eq!(read, model);
    let mut row = vec![f32::NAN; 300];
    row[299] = 12_345.5;
    let mut out = [0.0];
    read.score(&row, &mut out).unwrap();
    assert_eq!(out, [12_346.0]);
}

#[test]
fn every_cut_and_every_longer_file_is_refused() {
    let bytes = to_bytes(&small_model(true));
    for end in 0..bytes.len() {
        assert!(from_bytes(&bytes[..end]).is_err(), "cut at {end}");
        // Also where the stated length was edited to match.
        let mut cut = bytes[..end].to_vec();
        if let Some(length) = cut.get_mut(8..16) {
            length.copy_from_slice(&(end as u64).to_le_bytes());
            assert!(from_bytes(&cut).is_err(), "cut at {end}, length edited");
        }
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(from_bytes(&longer).is_err());
    let length = (longer.len() as u64).to_le_bytes();
    longer[8..16].copy_from_slice(&length);
    assert_eq!(from_bytes(&longer).unwrap_err().what, "end of file");
}

#[test]
fn every_changed_byte_is_refused_or_makes_a_model_that_scores() {
    let mut bytes = to_bytes(&small_model(true));
    let mut refused = 0;
    for at in 0..bytes.len() {
        let original = bytes[at];
        for value in 0..=255 {
            bytes[at] = value;
            match from_bytes(&bytes) {
                Ok(model) => {
                    let rows = vec![2.5; 3 * model.feature_count()];
                    let mut out = vec![f32::NAN; 3 * model.class_count()];
                    model.score(&rows, &mut out).unwrap();
                    assert!(out.iter().all(|score| score.is_finite()), "byte {at} = {value}");
                    // Whatever was accepted is a model like any other.
                    assert_eq!(
                        from_bytes(&to_bytes(&model)).unwrap(),
                        model,
                        "byte {at} = {value}"
                    );
                }
                Err(_) => refused += 1,
            }
        }
        bytes[at] = original;
    }
    println!("{refused} of {} files were refused", bytes.len() * 256);
    assert!(refused > bytes.len() * 100);
}

#[test]
fn claims_of_size_are_refused_before_allocation() {
    let bytes = to_bytes(&small_model(true));
    for (at, what) in [
        (28, "classes"),
        (32, "features"),
        (36, "trees"),
        (40, "nodes"),
        (44, "thresholds"),
    ] {
        let mut claimed = bytes.clone();
        claimed[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = from_bytes(&claimed).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("ranker: byte {at}: number of {what}")),
            "{error}"
        );
    }
}

#[test]
fn the_builder_refuses_what_is_no_forest() {
    let new = || Builder::new(2, Vec::new(), Output::IDENTITY, vec![0.0]).unwrap();
    let what = |result: Result<(), recsys_core::trees::BuildError>| result.unwrap_err().what;
    assert_eq!(what(new().split(numerical(2, 0.0, false))), "feature of a split");
    assert_eq!(what(new().split(numerical(0, f32::NAN, false))), "threshold");
    assert_eq!(what(new().leaf(f32::INFINITY)), "leaf value");
    let test = Test::In {
        set: 0,
        truncates_negative: false,
    };
    assert_eq!(
        what(new().split(Split {
            feature: 0,
            test,
            missing_left: false
        })),
        "category set of a split"
    );
    let mut open = new();
    open.split(numerical(0, 0.0, false)).unwrap();
    assert_eq!(what(open.end_class()), "children that the last tree lacks");
    assert_eq!(new().finish().unwrap_err().what, "number of closed classes");
    let mut empty = new();
    empty.end_class().unwrap();
    assert_eq!(what(empty.leaf(1.0)), "class of a tree");
    assert_eq!(empty.finish().unwrap_err().what, "number of trees");
    let model = |features, names: &[&str], output: Output, base: &[f32]| {
        Builder::new(
            features,
            names.iter().map(|n| (*n).to_owned()).collect(),
            output,
            base.to_vec(),
        )
        .unwrap_err()
        .what
    };
    assert_eq!(model(0, &[], Output::IDENTITY, &[0.0]), "number of features");
    assert_eq!(
        model(2, &["a"], Output::IDENTITY, &[0.0]),
        "number of feature names"
    );
    assert_eq!(
        model(1, &[""], Output::IDENTITY, &[0.0]),
        "length of a feature's name in bytes"
    );
    assert_eq!(model(1, &[], Output::IDENTITY, &[]), "number of classes");
    assert_eq!(model(1, &[], Output::IDENTITY, &[f32::NAN]), "base score");
    assert_eq!(
        model(1, &[], Activation::Softmax.into(), &[0.0]),
        "number of classes of a softmax"
    );
    assert_eq!(
        model(
            1,
            &[],
            Output {
                activation: Activation::Logistic,
                scale: 0.0
            },
            &[0.0]
        ),
        "scale of the output"
    );
}

//! Model to bytes.

use super::{BYTE_FEATURES, HEADER_BYTES, MAGIC, SPLIT, VERSION};
use crate::trees::model::{Link, Model, Node, Output, flags};

/// The bytes of a ranker file, as the [module](super) lays them out.
pub fn to_bytes(model: &Model) -> Vec<u8> {
    let thresholds = thresholds_by_feature(model);
    let operands: Vec<u32> = model.nodes.iter().map(|node| operand(node, &thresholds)).collect();
    let width = match operands.iter().max() {
        Some(0x1_0000..) => 4,
        Some(0x100..) => 2,
        _ => 1,
    };
    let mut names = Vec::new();
    for name in &model.names {
        names.extend((name.len() as u16).to_le_bytes());
        names.extend(name.as_bytes());
    }

    let (kind, slope) = output_code(model.output);
    let mut out = Vec::with_capacity(HEADER_BYTES + names.len() + 8 * model.nodes.len() + 8 * model.leaves.len());
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend([kind, width as u8]);
    out.extend(slope.to_le_bytes());
    let distinct = thresholds.iter().map(Vec::len).sum();
    let nodes = model.nodes.len() + model.leaves.len();
    let sets = model.set_ends.len();
    let counts = [model.base.len(), model.features, model.roots.len(), nodes, distinct, sets];
    put_counts(&mut out, counts.into_iter().chain([model.words.len(), names.len()]));

    put_floats(&mut out, &model.base);
    put_counts(&mut out, lengths(&model.class_ends));
    out.extend(names);
    put_counts(&mut out, thresholds.iter().map(Vec::len));
    thresholds.iter().for_each(|of_feature| put_floats(&mut out, of_feature));
    lengths(&model.set_ends).for_each(|words| out.extend((words as u16).to_le_bytes()));
    model.words.iter().for_each(|word| out.extend(word.to_le_bytes()));
    model.roots.iter().for_each(|root| put_tags(&mut out, model, *root));
    let feature_width = if model.features <= BYTE_FEATURES { 1 } else { 2 };
    model.nodes.iter().for_each(|node| out.extend(&node.feature.to_le_bytes()[..feature_width]));
    operands.iter().for_each(|operand| out.extend(&operand.to_le_bytes()[..width]));
    put_floats(&mut out, &model.leaves);
    out
}

fn output_code(output: Output) -> (u8, f32) {
    match output {
        Output::Identity => (0, 1.0),
        Output::Logistic { slope } => (1, slope),
        Output::Exponential => (2, 1.0),
        Output::SignedSquare => (3, 1.0),
        Output::Softplus => (4, 1.0),
        Output::Softmax => (5, 1.0),
    }
}

fn thresholds_by_feature(model: &Model) -> Vec<Vec<f32>> {
    let mut thresholds = vec![Vec::new(); model.features];
    for node in model.nodes.iter().filter(|node| node.flags & flags::CATEGORICAL == 0) {
        thresholds[usize::from(node.feature)].push(f32::from_bits(node.operand));
    }
    for of_feature in &mut thresholds {
        of_feature.sort_unstable_by(f32::total_cmp);
        of_feature.dedup();
    }
    thresholds
}

fn operand(node: &Node, thresholds: &[Vec<f32>]) -> u32 {
    if node.flags & flags::CATEGORICAL != 0 {
        return node.operand;
    }
    let threshold = f32::from_bits(node.operand);
    thresholds[usize::from(node.feature)].partition_point(|t| *t < threshold) as u32
}

/// Appends the tags of the tree at `root`, in preorder.
fn put_tags(out: &mut Vec<u8>, model: &Model, root: Link) {
    let mut ahead = vec![root];
    while let Some(link) = ahead.pop() {
        match link.resolve() {
            Ok(_) => out.push(0),
            Err(split) => {
                let node = &model.nodes[split];
                out.push(node.flags | SPLIT);
                ahead.extend(node.children.iter().rev());
            }
        }
    }
}

/// From ends to lengths.
fn lengths(ends: &[usize]) -> impl Iterator<Item = usize> {
    let starts = [0].into_iter().chain(ends.iter().copied());
    ends.iter().zip(starts).map(|(end, start)| end - start)
}

fn put_counts(out: &mut Vec<u8>, counts: impl Iterator<Item = usize>) {
    counts.for_each(|count| out.extend((count as u32).to_le_bytes()));
}

fn put_floats(out: &mut Vec<u8>, values: &[f32]) {
    values.iter().for_each(|value| out.extend(value.to_le_bytes()));
}

//! Model to bytes.

use super::{BYTE_FEATURES, FLOAT_COVERS, MAGIC, SPLIT, VERSION};
use crate::bytes::Sink;
use crate::trees::bitsliced::thresholds;
use crate::trees::model::{Link, Model, Node, flags};
use crate::trees::output::Activation;

/// The bytes of a ranker file, as the [module](super) lays them out.
pub fn to_bytes(model: &Model) -> Vec<u8> {
    let thresholds = thresholds(model);
    let operands: Vec<u32> = model
        .nodes
        .iter()
        .map(|node| operand(node, &thresholds))
        .collect();
    let width = operands.iter().max().map_or(1, |top| width(*top));
    let covers = cover_kind(&model.covers);
    let mut names = Vec::new();
    for name in &model.names {
        names.extend((name.len() as u16).to_le_bytes());
        names.extend(name.as_bytes());
    }

    let distinct = thresholds.iter().map(Vec::len).sum();
    let nodes = model.nodes.len() + model.leaves.len();
    let sets = model.set_ends.len();

    let mut out = Sink::new(MAGIC, VERSION);
    put_counts(&mut out, [activation_code(model.output.activation)]);
    put_floats(&mut out, &[model.output.scale]);
    put_counts(
        &mut out,
        [width, model.base.len(), model.features, model.roots.len(), nodes],
    );
    put_counts(&mut out, [distinct, sets, model.words.len(), names.len(), covers]);
    put_floats(&mut out, &model.base);
    put_counts(&mut out, lengths(&model.class_ends));
    out.raw(&names);
    put_counts(&mut out, thresholds.iter().map(Vec::len));
    thresholds
        .iter()
        .for_each(|of_feature| put_floats(&mut out, of_feature));
    lengths(&model.set_ends).for_each(|words| out.raw(&(words as u16).to_le_bytes()));
    model.words.iter().for_each(|word| out.u32(*word));
    model
        .roots
        .iter()
        .for_each(|root| put_tags(&mut out, model, *root));
    let feature_width = if model.features <= BYTE_FEATURES { 1 } else { 2 };
    model
        .nodes
        .iter()
        .for_each(|node| out.raw(&node.feature.to_le_bytes()[..feature_width]));
    operands
        .iter()
        .for_each(|operand| out.raw(&operand.to_le_bytes()[..width]));
    put_floats(&mut out, &model.leaves);
    match covers {
        FLOAT_COVERS => put_floats(&mut out, &model.covers),
        bytes => model
            .covers
            .iter()
            .for_each(|cover| out.raw(&(*cover as u32).to_le_bytes()[..bytes])),
    }
    out.finish()
}

/// Bytes that a number takes: 1 to 4.
fn width(number: u32) -> usize {
    (number.max(1).ilog2() / 8 + 1) as usize
}

/// The smallest form that holds every cover as it is.
fn cover_kind(covers: &[f32]) -> usize {
    // Every f32 below this limit that has no fraction is a u32.
    const LIMIT: f32 = 4_294_967_296.0;
    let top = covers.iter().copied().fold(0.0, f32::max);
    match covers {
        [] => 0,
        _ if top < LIMIT && covers.iter().all(|cover| cover.fract() == 0.0) => width(top as u32),
        _ => FLOAT_COVERS,
    }
}

fn activation_code(activation: Activation) -> usize {
    match activation {
        Activation::Identity => 0,
        Activation::Logistic => 1,
        Activation::Exponential => 2,
        Activation::SignedSquare => 3,
        Activation::Softplus => 4,
        Activation::Softmax => 5,
    }
}

fn operand(node: &Node, thresholds: &[Vec<f32>]) -> u32 {
    if node.flags & flags::CATEGORICAL != 0 {
        return node.operand;
    }
    let threshold = f32::from_bits(node.operand);
    thresholds[usize::from(node.feature)].partition_point(|t| *t < threshold) as u32
}

/// Appends the tags of the tree at `root`, in preorder.
fn put_tags(out: &mut Sink, model: &Model, root: Link) {
    let mut ahead = vec![root];
    while let Some(link) = ahead.pop() {
        match link.resolve() {
            Ok(_) => out.raw(&[0]),
            Err(split) => {
                let node = &model.nodes[split];
                out.raw(&[node.flags | SPLIT]);
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

fn put_counts(out: &mut Sink, counts: impl IntoIterator<Item = usize>) {
    counts.into_iter().for_each(|count| out.u32(count as u32));
}

fn put_floats(out: &mut Sink, values: &[f32]) {
    values.iter().for_each(|value| out.u32(value.to_bits()));
}

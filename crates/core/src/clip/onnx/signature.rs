//! What a graph reads and gives, by its own declaration.

use crate::clip::encoder::{ClipError, TowerName};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, ModelProto, ValueInfoProto};
use tract_onnx::prelude::DatumType;

/// What a tower's graph reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Normalised planes `[n, 3, size, size]`; no size where the graph leaves it open.
    Planes { size: Option<usize> },
    /// Rows of a token table, `[n, tokens, width]`.
    Rows { width: Option<usize> },
    /// Token ids `[n, length]`; no length where the graph leaves it open.
    Ids { length: Option<usize>, datum: DatumType },
}

/// The input that is an attention mask: 1 for each token, 0 for padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Whether it stands before the ids.
    pub first: bool,
    pub datum: DatumType,
}

/// A graph's inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    pub reads: Reads,
    pub mask: Option<Mask>,
}

/// A value as the graph declares it.
struct Declared<'a> {
    name: &'a str,
    datum: Option<DatumType>,
    dims: Vec<Option<usize>>,
}

impl<'a> Declared<'a> {
    fn of(value: &'a ValueInfoProto) -> Self {
        let tensor = value.r#type.as_ref().and_then(|kind| kind.value.as_ref());
        let Some(Type::TensorType(tensor)) = tensor else {
            return Self {
                name: &value.name,
                datum: None,
                dims: Vec::new(),
            };
        };
        let datum = match DataType::try_from(tensor.elem_type) {
            Ok(DataType::Float) => Some(DatumType::F32),
            Ok(DataType::Int32) => Some(DatumType::I32),
            Ok(DataType::Int64) => Some(DatumType::I64),
            _ => None,
        };
        let dims = tensor.shape.iter().flat_map(|shape| &shape.dim);
        let known = dims.map(|dim| match dim.value {
            Some(Dimension::DimValue(n)) => usize::try_from(n).ok().filter(|n| *n > 0),
            _ => None,
        });
        Self {
            name: &value.name,
            datum,
            dims: known.collect(),
        }
    }

    fn says(&self) -> String {
        let dims: Vec<String> = self
            .dims
            .iter()
            .map(|dim| dim.map_or_else(|| "?".to_owned(), |n| n.to_string()))
            .collect();
        let datum = self
            .datum
            .map_or_else(|| "another type".to_owned(), |datum| format!("{datum:?}"));
        format!("{} {datum} [{}]", self.name, dims.join(", "))
    }
}

/// An error that names what the graph declares.
fn unlike(tower: TowerName, expected: &str, found: &[Declared<'_>]) -> ClipError {
    let found: Vec<String> = found.iter().map(Declared::says).collect();
    ClipError::Graph {
        tower,
        message: format!("expected {expected}, found {}", found.join(", ")),
    }
}

/// The graph, checked to have what its outputs name.
fn graph(tower: TowerName, model: &ModelProto) -> Result<&GraphProto, ClipError> {
    let Some(graph) = &model.graph else {
        return Err(unlike(tower, "a graph", &[]));
    };
    let made = graph.node.iter().flat_map(|node| &node.output);
    let given = graph.input.iter().map(|value| &value.name);
    let kept = graph.initializer.iter().map(|tensor| &tensor.name);
    let known: std::collections::HashSet<&String> = made.chain(given).chain(kept).collect();
    let stray = |value: &&ValueInfoProto| !known.contains(&value.name);
    match graph.output.iter().find(stray) {
        None => Ok(graph),
        Some(value) => Err(unlike(
            tower,
            "outputs that the graph computes",
            &[Declared::of(value)],
        )),
    }
}

/// Names of the outputs, in the graph's order.
pub fn outputs(model: &ModelProto) -> Vec<String> {
    let outputs = model.graph.iter().flat_map(|graph| &graph.output);
    outputs.map(|value| value.name.clone()).collect()
}

impl Signature {
    /// Reads the declarations.
    ///
    /// # Errors
    /// They are of no such tower.
    pub fn of(tower: TowerName, model: &ModelProto) -> Result<Self, ClipError> {
        let graph = graph(tower, model)?;
        let filled = |value: &&ValueInfoProto| !graph.initializer.iter().any(|t| t.name == value.name);
        let inputs: Vec<Declared<'_>> = graph.input.iter().filter(filled).map(Declared::of).collect();
        let found = match tower {
            TowerName::Image => image(&inputs),
            TowerName::Text => text(&inputs),
        };
        let expected = match tower {
            TowerName::Image => "one input, pixels F32 [n, 3, side, side]",
            TowerName::Text => {
                "token ids [n, tokens] of type I64, I32 or F32, with an attention_mask or without, or rows of a token table \
                 F32 [n, tokens, width]"
            }
        };
        let other = "and not a graph of both towers: take the graph of this tower alone";
        found.ok_or_else(|| unlike(tower, &format!("{expected} {other}"), &inputs))
    }
}

fn image(inputs: &[Declared<'_>]) -> Option<Signature> {
    let [pixels] = inputs else { return None };
    let [_, channels, height, width] = pixels.dims[..] else {
        return None;
    };
    let square = height.is_none() || width.is_none() || height == width;
    let fits = square && channels.is_none_or(|n| n == 3) && pixels.datum == Some(DatumType::F32);
    fits.then_some(Signature {
        reads: Reads::Planes {
            size: height.or(width),
        },
        mask: None,
    })
}

fn text(inputs: &[Declared<'_>]) -> Option<Signature> {
    let is_mask = |input: &Declared<'_>| input.name == "attention_mask";
    let (tokens, mask) = match inputs {
        [tokens] => (tokens, None),
        [mask, tokens] if is_mask(mask) => (tokens, Some((mask, true))),
        [tokens, mask] if is_mask(mask) => (tokens, Some((mask, false))),
        _ => return None,
    };
    let datum = tokens.datum?;
    let reads = match (&tokens.dims[..], mask) {
        ([_, length], _) => Reads::Ids {
            length: *length,
            datum,
        },
        ([_, _, width], None) if datum == DatumType::F32 => Reads::Rows { width: *width },
        _ => return None,
    };
    let mask = match mask {
        None => None,
        Some((mask, first)) => Some(Mask {
            first,
            datum: mask.datum?,
        }),
    };
    Some(Signature { reads, mask })
}

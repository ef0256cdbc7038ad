//! Towers as ONNX graphs, on tract: for models that are no plain transformers. Native only.

mod signature;

pub use signature::{Reads, Signature};

use super::encoder::{ClipError, TowerName, same};
use signature::Mask;
use std::sync::Arc;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

/// Token ids as a graph wants them.
struct Ids {
    datum: DatumType,
    mask: Option<Mask>,
    /// The length that texts are filled up to.
    padded: Option<usize>,
}

/// What goes in.
enum Input {
    /// `[1, 3, size, size]`
    Planes { size: usize },
    /// `[1, tokens, width]`
    Rows { width: usize },
    /// `[1, tokens]`
    Ids(Ids),
}

/// A graph, ready to run.
pub struct Graph {
    plan: Arc<TypedRunnableModel>,
    tower: TowerName,
    input: Input,
    dim: usize,
}

/// What the file declares, and its protocol buffer.
pub fn read(tower: TowerName, onnx: &[u8]) -> Result<(ModelProto, Signature), ClipError> {
    let model = tract_onnx::onnx()
        .proto_model_for_read(&mut &*onnx)
        .map_err(failed(tower))?;
    let signature = Signature::of(tower, &model)?;
    Ok((model, signature))
}

impl Graph {
    /// An image tower: normalised planes in, `[1, 3, size, size]`.
    pub fn image(onnx: &[u8], size: usize) -> Result<Self, ClipError> {
        let (model, signature) = read(TowerName::Image, onnx)?;
        if let Reads::Planes { size: Some(declared) } = signature.reads {
            same(TowerName::Image, "side of a picture", size, declared)?;
        }
        let shape = [1, 3, size, size].map(|n| n.to_dim());
        let input = Input::Planes { size };
        Self::load(TowerName::Image, &model, input, |_| {
            vec![InferenceFact::dt_shape(f32::datum_type(), shape)]
        })
    }

    /// A text tower that reads rows of the token table, `[1, tokens, width]`.
    pub fn rows(onnx: &[u8], width: usize) -> Result<Self, ClipError> {
        let (model, signature) = read(TowerName::Text, onnx)?;
        match signature.reads {
            Reads::Rows { width: declared } => {
                same(TowerName::Text, "width", width, declared.unwrap_or(width))?;
            }
            _ => return Err(other(TowerName::Text, "rows of a token table", "token ids")),
        }
        let input = Input::Rows { width };
        Self::load(TowerName::Text, &model, input, |symbols| {
            let shape = [1.to_dim(), symbols.sym("L").to_dim(), width.to_dim()];
            vec![InferenceFact::dt_shape(f32::datum_type(), shape)]
        })
    }

    /// A text tower that reads token ids, `[1, tokens]`; filled up to `padded` with zeros, or as long as the text is.
    pub fn ids(onnx: &[u8], padded: Option<usize>) -> Result<Self, ClipError> {
        let (model, signature) = read(TowerName::Text, onnx)?;
        let Reads::Ids { datum, .. } = signature.reads else {
            return Err(other(TowerName::Text, "token ids", "rows of a token table"));
        };
        let mask = signature.mask;
        let input = Input::Ids(Ids { datum, mask, padded });
        Self::load(TowerName::Text, &model, input, |symbols| {
            let length = padded.map_or_else(|| symbols.sym("L").to_dim(), |n| n.to_dim());
            let fact = |datum| InferenceFact::dt_shape(datum, [1.to_dim(), length.clone()]);
            in_order(fact(datum), mask.map(|mask| (fact(mask.datum), mask.first)))
        })
    }

    /// `facts` are those of the inputs. Their symbols come from the model's own scope: one of another scope dies with it.
    fn load(
        tower: TowerName,
        proto: &ModelProto,
        input: Input,
        facts: impl FnOnce(&SymbolScope) -> Vec<InferenceFact>,
    ) -> Result<Self, ClipError> {
        let typed = || {
            // What exporters note about values in between has their own symbols, which do not fit these facts.
            let onnx = tract_onnx::onnx().with_ignore_value_info(true);
            let mut model = onnx.model_for_proto_model(proto)?;
            for (at, fact) in facts(&model.symbols).into_iter().enumerate() {
                model.set_input_fact(at, fact)?;
            }
            model.into_typed()
        };
        let mut model = typed().map_err(failed(tower))?;
        let (at, dim) = output(tower, proto, &model)?;
        let runnable = || {
            let outlet = model.output_outlets()?.get(at).copied();
            model.select_output_outlets(outlet.as_slice())?;
            model.into_optimized()?.into_runnable()
        };
        let plan = runnable().map_err(failed(tower))?;
        Ok(Self {
            plan,
            tower,
            input,
            dim,
        })
    }

    /// Dimensions of the output.
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// The output for planes or rows.
    pub fn run(&self, values: &[f32]) -> Result<Vec<f32>, ClipError> {
        let shape = match &self.input {
            Input::Planes { size } => vec![1, 3, *size, *size],
            Input::Rows { width } => vec![1, values.len() / (*width).max(1), *width],
            Input::Ids(_) => return Err(other(self.tower, "token ids", "numbers")),
        };
        let input = Tensor::from_shape(&shape, values).map_err(failed(self.tower))?;
        self.outputs(tvec!(input.into()))
    }

    /// The output for token ids.
    pub fn run_ids(&self, ids: &[u32]) -> Result<Vec<f32>, ClipError> {
        let Input::Ids(wanted) = &self.input else {
            return Err(other(self.tower, "numbers", "token ids"));
        };
        let length = wanted.padded.unwrap_or(ids.len());
        let inputs = || -> TractResult<TVec<TValue>> {
            let tokens = filled(ids.iter().map(|id| i64::from(*id)), length, wanted.datum)?;
            let ones = ids.iter().map(|_| 1);
            let mask = match wanted.mask {
                None => None,
                Some(mask) => Some((filled(ones, length, mask.datum)?, mask.first)),
            };
            Ok(in_order(tokens, mask).into())
        };
        self.outputs(inputs().map_err(failed(self.tower))?)
    }

    fn outputs(&self, inputs: TVec<TValue>) -> Result<Vec<f32>, ClipError> {
        let outputs = self.plan.run(inputs).map_err(failed(self.tower))?;
        let Some(output) = outputs.first() else {
            return Ok(Vec::new());
        };
        let view = output.to_plain_array_view::<f32>().map_err(failed(self.tower))?;
        Ok(view.iter().copied().collect())
    }
}

/// `[1, length]` of a type, with zeros at the end.
fn filled(values: impl Iterator<Item = i64>, length: usize, datum: DatumType) -> TractResult<TValue> {
    let values: Vec<i64> = values.chain(std::iter::repeat(0)).take(length).collect();
    let tensor = Tensor::from_shape(&[1, length], &values)?;
    Ok(tensor.cast_to_dt(datum)?.into_owned().into_tvalue())
}

/// The tokens, and before or after them the mask.
fn in_order<T>(tokens: T, mask: Option<(T, bool)>) -> Vec<T> {
    match mask {
        None => vec![tokens],
        Some((mask, true)) => vec![mask, tokens],
        Some((mask, false)) => vec![tokens, mask],
    }
}

/// Which output is the vector, and its dimensions: by its name, or the only one of shape `[1, dim]`.
fn output(tower: TowerName, proto: &ModelProto, model: &TypedModel) -> Result<(usize, usize), ClipError> {
    let name = match tower {
        TowerName::Image => "image_embeds",
        TowerName::Text => "text_embeds",
    };
    let names = signature::outputs(proto);
    let mut fitting = Vec::new();
    let mut found = Vec::new();
    for (at, its) in names.iter().enumerate() {
        let fact = model.output_fact(at).map_err(failed(tower))?;
        found.push(format!("{its} {fact:?}"));
        let shape = fact.shape.as_concrete().unwrap_or_default();
        if let ([1, dim], true) = (shape, fact.datum_type == f32::datum_type()) {
            fitting.push((at, *dim, its == name));
        }
    }
    let named = fitting.iter().find(|(.., named)| *named);
    match (named, &fitting[..]) {
        (Some((at, dim, _)), _) | (None, [(at, dim, _)]) => Ok((*at, *dim)),
        _ => Err(ClipError::Graph {
            tower,
            message: format!(
                "expected an output {name}, or only one of shape [1, dimensions] and type F32, found {}",
                found.join("; ")
            ),
        }),
    }
}

fn other(tower: TowerName, expected: &str, found: &str) -> ClipError {
    ClipError::Other {
        tower,
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

fn failed(tower: TowerName) -> impl Fn(TractError) -> ClipError {
    move |error| ClipError::Graph {
        tower,
        message: format!("{error:#}").chars().take(500).collect(),
    }
}

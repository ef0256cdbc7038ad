//! Towers as ONNX graphs, on tract: for models that are no plain transformers. Native only.

use super::encoder::{ClipError, TowerName};
use std::sync::Arc;
use tract_onnx::prelude::*;

/// A graph, ready to run.
pub struct Graph {
    plan: Arc<TypedRunnableModel>,
    tower: TowerName,
}

impl Graph {
    /// A text tower: rows of the token table in, `[1, tokens, width]`.
    pub fn text(onnx: &[u8], width: usize) -> Result<Self, ClipError> {
        Self::load(TowerName::Text, onnx, |symbols| {
            [1.to_dim(), symbols.sym("L").to_dim(), width.to_dim()]
        })
    }

    /// An image tower: normalised planes in, `[1, 3, size, size]`.
    pub fn image(onnx: &[u8], size: usize) -> Result<Self, ClipError> {
        Self::load(TowerName::Image, onnx, |_| {
            [1.to_dim(), 3.to_dim(), size.to_dim(), size.to_dim()]
        })
    }

    /// `shape` is the input's. Its symbols come from the model's own scope: one of another scope dies with that scope.
    fn load<const RANK: usize>(
        tower: TowerName,
        onnx: &[u8],
        shape: impl FnOnce(&SymbolScope) -> [TDim; RANK],
    ) -> Result<Self, ClipError> {
        let plan = tract_onnx::onnx()
            .model_for_read(&mut &*onnx)
            .and_then(|m| {
                let fact = InferenceFact::dt_shape(f32::datum_type(), shape(&m.symbols));
                m.with_input_fact(0, fact)
            })
            .and_then(|m| m.into_optimized())
            .and_then(|m| m.into_runnable())
            .map_err(failed(tower))?;
        Ok(Self { plan, tower })
    }

    /// The first output's values.
    pub fn run(&self, shape: &[usize], values: &[f32]) -> Result<Vec<f32>, ClipError> {
        let input = Tensor::from_shape(shape, values).map_err(failed(self.tower))?;
        let outputs = self.plan.run(tvec!(input.into())).map_err(failed(self.tower))?;
        let Some(output) = outputs.first() else {
            return Ok(Vec::new());
        };
        let view = output.to_plain_array_view::<f32>().map_err(failed(self.tower))?;
        Ok(view.iter().copied().collect())
    }
}

fn failed(tower: TowerName) -> impl Fn(TractError) -> ClipError {
    move |error| ClipError::Graph {
        tower,
        message: format!("{error:#}"),
    }
}

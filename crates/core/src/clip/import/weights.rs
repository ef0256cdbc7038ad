//! `model.safetensors`, by the names that Hugging Face's `CLIPModel` gives its tensors.

use super::{EXPORT, FETCH_AGAIN, ImportError, WEIGHTS, refused};
use crate::bytes::AlignedBytes;
use crate::clip::token_table;
use crate::clip::tower::{Linear, Shape, Writer, pack};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

/// An open file.
pub struct Weights<'a>(SafeTensors<'a>);

impl<'a> Weights<'a> {
    /// Checks the header against the bytes.
    pub fn open(bytes: &'a [u8]) -> Result<Self, ImportError> {
        let file = SafeTensors::deserialize(bytes);
        file.map(Self).map_err(|error| {
            refused(
                WEIGHTS,
                "header",
                "that of a safetensors file",
                error,
                FETCH_AGAIN,
            )
        })
    }

    /// A tensor's values, row by row.
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ImportError> {
        let tensor = self.0.tensor(name).map_err(|_| {
            let expected = format!("a tensor of shape {shape:?}");
            refused(
                WEIGHTS,
                name,
                expected,
                "none",
                "take the whole model's file, not one tower's",
            )
        })?;
        if tensor.shape() != shape {
            let expected = format!("shape {shape:?}, by config.json");
            return Err(refused(
                WEIGHTS,
                name,
                expected,
                format!("{:?}", tensor.shape()),
                FETCH_AGAIN,
            ));
        }
        let data = tensor.data();
        let (halves, words) = (data.as_chunks::<2>().0.iter(), data.as_chunks::<4>().0.iter());
        let values: Vec<f32> = match tensor.dtype() {
            Dtype::F32 => words.map(|bytes| f32::from_le_bytes(*bytes)).collect(),
            Dtype::F16 => halves.map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
            Dtype::BF16 => halves.map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect(),
            other => {
                let found = format!("{other:?}");
                return Err(refused(
                    WEIGHTS,
                    name,
                    "numbers of type F32, F16 or BF16",
                    found,
                    EXPORT,
                ));
            }
        };
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(at) => {
                let found = values.get(at).copied().unwrap_or(f32::NAN);
                let what = format!("{name}, value {at}");
                Err(refused(WEIGHTS, what, "a finite number", found, FETCH_AGAIN))
            }
        }
    }

    /// The token table's file. A row of zeros says nothing: its token counts as one that the model does not know.
    pub fn token_table(&self, rows: usize, width: usize) -> Result<Vec<u8>, ImportError> {
        let name = "text_model.embeddings.token_embedding.weight";
        let values = self.tensor(name, &[rows, width])?;
        let known = |(_, row): &(u32, &[f32])| row.iter().any(|value| *value != 0.0);
        Ok(token_table::to_bytes(
            (0..).zip(values.chunks_exact(width)).filter(known),
        ))
    }

    /// The text tower's file.
    pub fn text_tower(&self, shape: &Shape) -> Result<AlignedBytes, ImportError> {
        let mut tower = Tower::new(self, "text_model", shape);
        tower.floats(
            "embeddings.position_embedding.weight",
            &[shape.positions, shape.width],
        )?;
        tower.layers()?;
        tower.norm("final_layer_norm")?;
        tower.finish("text_projection.weight")
    }

    /// The image tower's file.
    pub fn image_tower(&self, shape: &Shape) -> Result<AlignedBytes, ImportError> {
        let (width, patch) = (shape.width, shape.patch());
        let mut tower = Tower::new(self, "vision_model", shape);
        tower.floats("embeddings.class_embedding", &[width])?;
        let name = "vision_model.embeddings.patch_embedding.weight";
        let values = self.tensor(name, &[width, 3, patch, patch])?;
        tower.linear(name, &values, 3 * patch * patch, &[])?;
        // So it is spelled.
        tower.norm("pre_layrnorm")?;
        tower.floats("embeddings.position_embedding.weight", &[shape.positions, width])?;
        tower.layers()?;
        tower.norm("post_layernorm")?;
        tower.finish("visual_projection.weight")
    }
}

/// A tower under way.
struct Tower<'a> {
    weights: &'a Weights<'a>,
    prefix: &'static str,
    shape: &'a Shape,
    writer: Writer,
}

impl<'a> Tower<'a> {
    fn new(weights: &'a Weights<'a>, prefix: &'static str, shape: &'a Shape) -> Self {
        let writer = Writer::new(shape);
        Self {
            weights,
            prefix,
            shape,
            writer,
        }
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ImportError> {
        self.weights.tensor(&format!("{}.{name}", self.prefix), shape)
    }

    fn floats(&mut self, name: &str, shape: &[usize]) -> Result<(), ImportError> {
        let values = self.tensor(name, shape)?;
        self.writer.floats(&values);
        Ok(())
    }

    fn norm(&mut self, name: &str) -> Result<(), ImportError> {
        for part in ["weight", "bias"] {
            self.floats(&format!("{name}.{part}"), &[self.shape.width])?;
        }
        Ok(())
    }

    fn linear(
        &mut self,
        name: &str,
        weights: &[f32],
        inputs: usize,
        bias: &[f32],
    ) -> Result<(), ImportError> {
        let Some((codes, scales)) = pack(weights, inputs) else {
            let found = format!("{inputs} and {}", weights.len() / inputs.max(1));
            let expected = "an even number of inputs and a multiple of 8 outputs";
            return Err(refused(WEIGHTS, name, expected, found, EXPORT));
        };
        let (codes, scales) = (&codes[..], &scales[..]);
        self.writer.linear(Linear { codes, scales, bias });
        Ok(())
    }

    /// Linear layers of the same input, side by side.
    fn joined(&mut self, names: &[String], inputs: usize, outputs: usize) -> Result<(), ImportError> {
        let (mut weights, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weights.extend(self.tensor(&format!("{name}.weight"), &[outputs, inputs])?);
            bias.extend(self.tensor(&format!("{name}.bias"), &[outputs])?);
        }
        self.linear(&names.join(", "), &weights, inputs, &bias)
    }

    fn layers(&mut self) -> Result<(), ImportError> {
        let (width, hidden) = (self.shape.width, self.shape.hidden);
        for layer in 0..self.shape.layers {
            let at = |name: &str| format!("encoder.layers.{layer}.{name}");
            self.norm(&at("layer_norm1"))?;
            let attention = ["q_proj", "k_proj", "v_proj"].map(|part| at(&format!("self_attn.{part}")));
            self.joined(&attention, width, width)?;
            self.joined(&[at("self_attn.out_proj")], width, width)?;
            self.norm(&at("layer_norm2"))?;
            self.joined(&[at("mlp.fc1")], width, hidden)?;
            self.joined(&[at("mlp.fc2")], hidden, width)?;
        }
        Ok(())
    }

    /// Adds the projection, which belongs to no tower by its name.
    fn finish(mut self, projection: &str) -> Result<AlignedBytes, ImportError> {
        let values = self
            .weights
            .tensor(projection, &[self.shape.dim, self.shape.width])?;
        self.linear(projection, &values, self.shape.width, &[])?;
        Ok(self.writer.finish()?)
    }
}

//! `config.json`. Hugging Face leaves out what is as in OpenAI's ViT-B/32.

use super::{CONFIG, EXPORT, ImportError, VOCABULARY, check_vocabulary, object, part, refused};
use crate::clip::tower::{Activation, Input, Shape};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(default)]
struct Transformer {
    hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    hidden_act: String,
    layer_norm_eps: f32,
}

impl Default for Transformer {
    fn default() -> Self {
        Self {
            hidden_size: 512,
            intermediate_size: 2_048,
            num_attention_heads: 8,
            num_hidden_layers: 12,
            hidden_act: "quick_gelu".to_owned(),
            layer_norm_eps: 1e-5,
        }
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct Text {
    max_position_embeddings: usize,
    vocab_size: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            max_position_embeddings: 77,
            vocab_size: VOCABULARY,
        }
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct Vision {
    image_size: usize,
    patch_size: usize,
    num_channels: usize,
}

impl Default for Vision {
    fn default() -> Self {
        Self {
            image_size: 224,
            patch_size: 32,
            num_channels: 3,
        }
    }
}

/// `config.json`.
pub struct Config {
    dim: usize,
    text: (Transformer, Text),
    vision: (Transformer, Vision),
}

impl Config {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ImportError> {
        let all = object(CONFIG, bytes)?;
        let kind = all.get("model_type").and_then(Value::as_str).unwrap_or("clip");
        if kind != "clip" {
            return Err(refused(CONFIG, "model_type", "clip", kind, EXPORT));
        }
        let nothing = Value::Object(serde_json::Map::new());
        let field = |name: &str| all.get(name).filter(|value| !value.is_null()).unwrap_or(&nothing);
        let (text, vision) = (field("text_config"), field("vision_config"));
        let mut image: Transformer = part(CONFIG, "vision_config", vision)?;
        // The one default that differs between the towers.
        for (name, value, slot) in [
            ("hidden_size", 768, &mut image.hidden_size),
            ("intermediate_size", 3_072, &mut image.intermediate_size),
            ("num_attention_heads", 12, &mut image.num_attention_heads),
        ] {
            if vision.get(name).is_none() {
                *slot = value;
            }
        }
        let dim = match all.get("projection_dim") {
            None => 512,
            Some(value) => part(CONFIG, "projection_dim", value)?,
        };
        let config = Self {
            dim,
            text: (
                part(CONFIG, "text_config", text)?,
                part(CONFIG, "text_config", text)?,
            ),
            vision: (image, part(CONFIG, "vision_config", vision)?),
        };
        check_vocabulary(config.vocabulary(), EXPORT)?;
        let channels = config.vision.1.num_channels;
        if channels != 3 {
            return Err(refused(CONFIG, "vision_config.num_channels", 3, channels, EXPORT));
        }
        Ok(config)
    }

    /// Rows of the token table.
    pub const fn vocabulary(&self) -> usize {
        self.text.1.vocab_size
    }

    /// Side of a picture in pixels.
    pub const fn image_size(&self) -> usize {
        self.vision.1.image_size
    }

    /// The text tower's shape.
    pub fn text_shape(&self) -> Result<Shape, ImportError> {
        let (transformer, text) = &self.text;
        let context = text.max_position_embeddings;
        if !(3..=77).contains(&context) {
            let what = "text_config.max_position_embeddings";
            return Err(refused(CONFIG, what, "3 to 77", context, EXPORT));
        }
        self.shape("text_config", transformer, Input::Text, context)
    }

    /// The image tower's shape.
    pub fn image_shape(&self) -> Result<Shape, ImportError> {
        let (
            transformer,
            Vision {
                image_size,
                patch_size,
                ..
            },
        ) = &self.vision;
        let (size, patch) = (*image_size, *patch_size);
        let fits = (1..=1024).contains(&size) && (2..=64).contains(&patch) && size.is_multiple_of(patch);
        if !fits {
            let found = format!("{size} and {patch}");
            let expected = "a picture of at most 1024 pixels and patches that divide it";
            return Err(refused(
                CONFIG,
                "vision_config.image_size and patch_size",
                expected,
                found,
                EXPORT,
            ));
        }
        let positions = (size / patch).pow(2) + 1;
        self.shape(
            "vision_config",
            transformer,
            Input::Image { size, patch },
            positions,
        )
    }

    fn shape(
        &self,
        part: &str,
        transformer: &Transformer,
        input: Input,
        positions: usize,
    ) -> Result<Shape, ImportError> {
        let activation = match transformer.hidden_act.as_str() {
            "quick_gelu" => Activation::QuickGelu,
            "gelu" => Activation::Gelu,
            other => {
                let what = format!("{part}.hidden_act");
                return Err(refused(CONFIG, what, "quick_gelu or gelu", other, EXPORT));
            }
        };
        let shape = Shape {
            input,
            positions,
            width: transformer.hidden_size,
            heads: transformer.num_attention_heads,
            layers: transformer.num_hidden_layers,
            hidden: transformer.intermediate_size,
            dim: self.dim,
            activation,
            epsilon: transformer.layer_norm_eps,
        };
        match shape.check() {
            None => Ok(shape),
            Some((what, expected, found)) => Err(refused(
                CONFIG,
                format!("{part}: {what}"),
                expected,
                found,
                EXPORT,
            )),
        }
    }
}

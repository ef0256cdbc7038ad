//! A model directory's manifest, `model.json`: the files of both towers and how their input is made.

use super::preprocess::Filter;
pub use crate::manifest::FileEntry as ModelFile;
use serde::Deserialize;
use thiserror::Error;

/// The manifest's file name inside a model directory.
pub const FILE_NAME: &str = "model.json";

/// The image tower: a file of [`super::tower`], or ONNX with input `[n, 3, size, size]` f32 and output `[n, dim]` f32, not
/// normalised.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ImageTower {
    /// The tower's file.
    #[serde(flatten)]
    pub tower: ModelFile,
    /// Width and height of the input in pixels.
    pub size: u32,
    /// Mean to subtract from each channel (red, green, blue; values 0..1).
    pub mean: [f32; 3],
    /// Deviation to divide each channel by.
    pub std: [f32; 3],
    /// How the picture is resized; bicubic where the manifest has none.
    #[serde(default, rename = "resize")]
    pub filter: Filter,
}

/// What becomes of tokens that the table has no row for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownTokens {
    /// They are left out.
    Drop,
}

/// What a text tower reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextInput {
    /// Rows of a token table, `[1, tokens, width]` f32; the last token is the end token, no padding.
    Rows {
        /// The token table.
        tokens: ModelFile,
        /// What becomes of tokens without a row.
        unknown: UnknownTokens,
    },
    /// Token ids, `[1, tokens]`: an ONNX graph with its own table.
    Ids {
        /// Whether texts are filled up to the context with zeros after the end token. Where not, only as many tokens are run as
        /// the text has.
        padded: bool,
    },
}

/// The text tower: a file of [`super::tower`], or ONNX with output `[1, dim]` f32, not normalised.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "TextFields")]
pub struct TextTower {
    /// The tower's file.
    pub tower: ModelFile,
    /// What it reads.
    pub input: TextInput,
    /// The most tokens of a text, start and end included.
    pub context: u32,
}

impl TextTower {
    /// The token table's file, where the tower reads one's rows.
    #[must_use]
    pub const fn tokens(&self) -> Option<&ModelFile> {
        match &self.input {
            TextInput::Rows { tokens, .. } => Some(tokens),
            TextInput::Ids { .. } => None,
        }
    }
}

/// `input` of a text tower.
#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum InputName {
    /// Manifests of before there were ids say `embeddings`, or nothing.
    #[default]
    #[serde(alias = "embeddings")]
    Rows,
    Ids,
}

/// A text tower as it stands in the manifest.
#[derive(Deserialize)]
struct TextFields {
    #[serde(flatten)]
    tower: ModelFile,
    #[serde(default)]
    input: InputName,
    tokens: Option<ModelFile>,
    unknown_tokens: Option<UnknownTokens>,
    padded: Option<bool>,
    context: u32,
}

impl TryFrom<TextFields> for TextTower {
    type Error = &'static str;

    fn try_from(fields: TextFields) -> Result<Self, &'static str> {
        let input = match (fields.input, fields.tokens, fields.padded) {
            (InputName::Rows, Some(tokens), None) => TextInput::Rows {
                tokens,
                unknown: fields
                    .unknown_tokens
                    .ok_or("text: missing field `unknown_tokens`")?,
            },
            (InputName::Rows, None, _) => return Err("text: missing field `tokens`"),
            (InputName::Rows, _, Some(_)) => return Err("text: `padded` goes with `input` \"ids\" alone"),
            (InputName::Ids, None, Some(padded)) => TextInput::Ids { padded },
            (InputName::Ids, Some(_), _) => return Err("text: `tokens` goes with `input` \"rows\" alone"),
            (InputName::Ids, _, None) => return Err("text: missing field `padded`"),
        };
        Ok(Self {
            tower: fields.tower,
            input,
            context: fields.context,
        })
    }
}

/// A model directory's manifest.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Model {
    /// The model's name.
    pub name: String,
    /// Dimensions of the vectors, 8 to 2,048.
    pub dim: u32,
    /// The image tower.
    pub image: ImageTower,
    /// The text tower.
    pub text: TextTower,
}

/// Why a model's manifest was refused.
#[derive(Debug, Error)]
pub enum ModelError {
    /// Not JSON of the right form.
    #[error("model.json: {0}; expected the manifest of a model directory, see docs/models.md")]
    Json(#[from] serde_json::Error),
    /// A field outside its limits.
    #[error("model.json: {field}: expected {expected}, found {found}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What was found.
        found: String,
    },
}

impl Model {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// Not JSON of the right form, or a field outside its limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelError> {
        let model: Self = serde_json::from_slice(bytes)?;
        let check = |ok: bool, field: &'static str, expected: &'static str, found: &dyn ToString| match ok {
            true => Ok(()),
            false => Err(ModelError::Field {
                field,
                expected,
                found: found.to_string(),
            }),
        };
        check(
            (8..=crate::shard::MAX_DIM).contains(&model.dim),
            "dim",
            "8 to 2048",
            &model.dim,
        )?;
        check(
            (1..=1024).contains(&model.image.size),
            "image.size",
            "1 to 1024",
            &model.image.size,
        )?;
        check(
            (3..=77).contains(&model.text.context),
            "text.context",
            "3 to 77",
            &model.text.context,
        )?;
        let deviations = model.image.std.iter().all(|s| s.is_finite() && *s > 0.0);
        check(
            deviations,
            "image.std",
            "numbers above 0",
            &format!("{:?}", model.image.std),
        )?;
        let files = [&model.image.tower, &model.text.tower];
        for file in files.into_iter().chain(model.text.tokens()) {
            if let Some((field, expected, found)) = file.fault() {
                return Err(ModelError::Field {
                    field,
                    expected,
                    found,
                });
            }
        }
        Ok(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manifest with this text tower.
    fn with(text: &str) -> Result<TextInput, String> {
        let file = r#""file": "a", "sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "bytes": 1"#;
        let image = format!(r#"{{ {file}, "size": 8, "mean": [0, 0, 0], "std": [1, 1, 1] }}"#);
        let text = format!(r#"{{ {file}, "context": 77, {text} }}"#);
        let manifest = format!(r#"{{ "name": "m", "dim": 8, "image": {image}, "text": {text} }}"#);
        let model = Model::parse(manifest.as_bytes()).map_err(|error| error.to_string())?;
        assert_eq!(model.image.filter, Filter::Bicubic);
        Ok(model.text.input)
    }

    const TOKENS: &str = r#""unknown_tokens": "drop", "tokens": { "file": "t", "sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", "bytes": 2 }"#;

    #[test]
    fn a_text_tower_reads_rows_or_ids() {
        for input in ["", r#""input": "rows","#, r#""input": "embeddings","#] {
            let rows = with(&format!("{input} {TOKENS}")).unwrap();
            assert!(matches!(rows, TextInput::Rows { tokens, .. } if tokens.file == "t"));
        }
        for padded in [true, false] {
            let ids = with(&format!(r#""input": "ids", "padded": {padded}"#)).unwrap();
            assert_eq!(ids, TextInput::Ids { padded });
        }
    }

    #[test]
    fn a_text_tower_of_neither_is_refused() {
        for (fields, expected) in [
            (r#""input": "words""#.to_owned(), "unknown variant `words`"),
            (r#""unknown_tokens": "drop""#.to_owned(), "missing field `tokens`"),
            (r#""input": "ids""#.to_owned(), "missing field `padded`"),
            (
                TOKENS.replace(r#""unknown_tokens": "drop","#, ""),
                "missing field `unknown_tokens`",
            ),
            (format!(r#""input": "ids", {TOKENS}"#), "`tokens` goes with"),
            (format!(r#""padded": true, {TOKENS}"#), "`padded` goes with"),
        ] {
            let said = with(&fields).unwrap_err();
            assert!(said.contains(expected), "{fields}: {said}");
        }
    }
}

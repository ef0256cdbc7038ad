//! `preprocessor_config.json`.

use super::{FETCH_AGAIN, ImportError, PREPROCESSOR, object, part, refused};
use crate::clip::preprocess::Filter;
use serde_json::Value;

/// For steps that this project does not have.
const OTHERWISE: &str = "no other preprocessing runs; check that the file belongs to this model";

/// What is done to a picture.
pub struct Preprocessing {
    /// Side of a picture in pixels, where a file says so.
    pub size: Option<usize>,
    /// Subtracted from each channel.
    pub mean: [f32; 3],
    /// Each channel is divided by it.
    pub std: [f32; 3],
    /// How it is resized.
    pub filter: Filter,
}

impl Preprocessing {
    /// Reads the file; without one, OpenAI's. `size` is what the model says of itself, in pixels.
    pub fn parse(bytes: Option<&[u8]>, size: Option<usize>) -> Result<Self, ImportError> {
        let mut own = Self {
            size,
            mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
            filter: Filter::Bicubic,
        };
        let Some(bytes) = bytes else {
            return Ok(own);
        };
        let all = object(PREPROCESSOR, bytes)?;
        for step in ["do_resize", "do_center_crop", "do_rescale", "do_convert_rgb"] {
            if all.get(step) == Some(&Value::Bool(false)) {
                return Err(refused(PREPROCESSOR, step, "true", "false", OTHERWISE));
            }
        }
        own.filter = match all.get("resample").map(Value::as_u64) {
            None | Some(Some(3)) => Filter::Bicubic,
            Some(Some(2)) => Filter::Bilinear,
            _ => {
                let found = all.get("resample").unwrap_or(&Value::Null);
                let expected = "3, bicubic, or 2, bilinear";
                return Err(refused(PREPROCESSOR, "resample", expected, found, OTHERWISE));
            }
        };
        own.sides(&all)?;
        own.scale(&all)?;
        Ok(own)
    }

    /// The picture's shorter side becomes as long as the crop's.
    fn sides(&mut self, all: &Value) -> Result<(), ImportError> {
        for (field, names) in [
            ("size", &["shortest_edge"][..]),
            ("crop_size", &["height", "width"]),
        ] {
            let Some(value) = all.get(field) else { continue };
            let number = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
            let named = || {
                let mut sides = names.iter().map(|name| value.get(*name).and_then(number));
                let first = sides.next().flatten();
                first.filter(|first| sides.all(|side| side == Some(*first)))
            };
            let side = number(value).or_else(named);
            match (side, self.size) {
                (Some(found), None) => self.size = Some(found),
                (Some(found), Some(known)) if found == known => {}
                (_, known) => {
                    let what = names.join(" and ");
                    let expected = known.map_or_else(
                        || format!("a number, as {what}"),
                        |known| format!("{known}, as {what}, for that is the model's side of a picture"),
                    );
                    return Err(refused(PREPROCESSOR, field, expected, value, OTHERWISE));
                }
            }
        }
        Ok(())
    }

    /// Mean and deviation of each channel; 0 and 1 where the model wants values from 0 to 1.
    fn scale(&mut self, all: &Value) -> Result<(), ImportError> {
        if all.get("do_normalize") == Some(&Value::Bool(false)) {
            (self.mean, self.std) = ([0.0; 3], [1.0; 3]);
            return Ok(());
        }
        for (name, slot) in [("image_mean", &mut self.mean), ("image_std", &mut self.std)] {
            if let Some(value) = all.get(name) {
                *slot = part(PREPROCESSOR, name, value)?;
            }
        }
        let deviations = self.std.iter().all(|std| std.is_finite() && *std > 0.0);
        if deviations && self.mean.iter().all(|mean| mean.is_finite()) {
            return Ok(());
        }
        let found = format!("{:?} and {:?}", self.mean, self.std);
        let expected = "finite numbers, deviations above 0";
        let what = "image_mean and image_std";
        Err(refused(PREPROCESSOR, what, expected, found, FETCH_AGAIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, size: Option<usize>) -> Result<Preprocessing, String> {
        Preprocessing::parse(Some(text.as_bytes()), size).map_err(|error| error.to_string())
    }

    #[test]
    fn openais_older_and_newer_forms_are_the_same() {
        let older = include_str!("../../../tests/fixtures/clip/preprocessor-openai.json");
        let newer = r#"{"crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 224}}"#;
        for text in [older, newer, "{}"] {
            let read = parse(text, Some(224)).unwrap();
            assert_eq!((read.mean[0], read.std[2]), (0.481_454_66, 0.275_777_1));
            assert_eq!((read.size, read.filter), (Some(224), Filter::Bicubic));
        }
    }

    #[test]
    fn mobileclips_has_no_normalisation_and_is_bilinear() {
        let text = include_str!("../../../tests/fixtures/clip/preprocessor-mobileclip.json");
        let read = parse(text, None).unwrap();
        assert_eq!((read.mean, read.std), ([0.0; 3], [1.0; 3]));
        assert_eq!((read.size, read.filter), (Some(256), Filter::Bilinear));
    }

    #[test]
    fn what_is_done_otherwise_is_refused_by_its_field() {
        for (text, words) in [
            (r#"{"do_center_crop": false}"#, "do_center_crop: expected true"),
            (
                r#"{"resample": 1}"#,
                "resample: expected 3, bicubic, or 2, bilinear, found 1",
            ),
            (r#"{"size": 256}"#, "size: expected 224"),
            (
                r#"{"size": {"height": 224, "width": 224}}"#,
                "size: expected 224, as shortest_edge",
            ),
            (
                r#"{"crop_size": {"height": 224, "width": 192}}"#,
                "crop_size: expected 224",
            ),
            (r#"{"image_std": [0, 1, 1]}"#, "deviations above 0"),
            (
                r#"{"image_mean": [0.5]}"#,
                "image_mean: expected fields as CLIP's",
            ),
            ("[]", "the file: expected a JSON object"),
            (r#"{"size": 22"#, "the file: expected a JSON object"),
        ] {
            let said = parse(text, Some(224)).err().unwrap();
            assert!(
                said.starts_with("preprocessor_config.json: ") && said.contains(words),
                "{text}: {said}"
            );
        }
        assert!(parse(r#"{"size": "large"}"#, None).is_err());
    }
}

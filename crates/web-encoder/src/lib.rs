//! `encoder.wasm`: words and pictures into vectors in the viewer's browser. Files come from `js/encoder.js`, which fetches and
//! keeps them; here they are checked against the model's manifest.

use js_sys::{Array, Error, Uint8Array};
use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::model::{Model, ModelFile};
use recsys_core::clip::tower::Scratch;
use recsys_core::clip::{ImageEncoder, TextEncoder};
use recsys_core::manifest::sha256_hex;
use std::fmt::Display;
use wasm_bindgen::prelude::*;

/// The most pixels of a picture: as RGBA and as RGB they take 7 bytes each while it is resized.
const MAX_PIXELS: u64 = 16 << 20;

/// A model, and what of it is loaded.
#[wasm_bindgen]
pub struct Towers {
    model: Model,
    sha256: String,
    text: Option<TextEncoder>,
    image: Option<ImageEncoder>,
    scratch: Scratch,
}

#[wasm_bindgen]
impl Towers {
    /// From the bytes of `model.json`.
    ///
    /// # Errors
    /// `BadModel`.
    #[wasm_bindgen(constructor)]
    pub fn new(manifest: &[u8]) -> Result<Towers, JsValue> {
        Ok(Self {
            model: Model::parse(manifest).map_err(bad_model)?,
            sha256: sha256_hex(manifest),
            text: None,
            image: None,
            scratch: Scratch::default(),
        })
    }

    /// SHA-256 of the manifest, by which bundles refer to the model.
    #[wasm_bindgen(getter)]
    pub fn sha256(&self) -> String {
        self.sha256.clone()
    }

    /// The names of the files of the text tower, in the order of [`Towers::load_text`].
    #[wasm_bindgen(js_name = textFiles)]
    pub fn text_files(&self) -> Array {
        let text = &self.model.text;
        std::iter::once(&text.tower)
            .chain(text.tokens())
            .map(|entry| JsValue::from_str(&entry.file))
            .collect()
    }

    /// The name of the image tower's file.
    #[wasm_bindgen(js_name = imageFile)]
    pub fn image_file(&self) -> String {
        self.model.image.tower.file.clone()
    }

    /// Takes in the text tower.
    ///
    /// # Errors
    /// `BadModel`: a file is not what the manifest says.
    #[wasm_bindgen(js_name = loadText)]
    pub fn load_text(&mut self, tower: &Uint8Array, tokens: Option<Uint8Array>) -> Result<(), JsValue> {
        let text = &self.model.text;
        let tower = checked(&text.tower, tower)?;
        let tokens = match (text.tokens(), &tokens) {
            (Some(entry), Some(file)) => Some(checked(entry, file)?),
            _ => None,
        };
        self.text = Some(TextEncoder::new(&self.model, tower, tokens).map_err(bad_model)?);
        Ok(())
    }

    /// Takes in the image tower.
    ///
    /// # Errors
    /// `BadModel`: the file is not what the manifest says.
    #[wasm_bindgen(js_name = loadImage)]
    pub fn load_image(&mut self, tower: &Uint8Array) -> Result<(), JsValue> {
        let tower = checked(&self.model.image.tower, tower)?;
        self.image = Some(ImageEncoder::new(&self.model, tower).map_err(bad_model)?);
        Ok(())
    }

    /// A text's unit vector.
    ///
    /// # Errors
    /// `Refused`: the model knows no word of it. `BadModel`: the text tower is not loaded.
    pub fn text(&mut self, text: &str) -> Result<Vec<f32>, JsValue> {
        let tower = self
            .text
            .as_ref()
            .ok_or_else(|| bad_model("the text tower is not loaded"))?;
        tower
            .encode(text, &mut self.scratch)
            .map_err(|error| failure("Refused", error))
    }

    /// A picture's unit vector, from RGBA as a canvas gives it.
    ///
    /// # Errors
    /// `Refused`: no picture of that size. `BadModel`: the image tower is not loaded.
    pub fn picture(&mut self, rgba: &Uint8Array, width: u32, height: u32) -> Result<Vec<f32>, JsValue> {
        let tower = self
            .image
            .as_ref()
            .ok_or_else(|| bad_model("the image tower is not loaded"))?;
        let pixels = u64::from(width) * u64::from(height);
        if pixels > MAX_PIXELS || u64::from(rgba.length()) != 4 * pixels {
            let message = format!(
                "a picture of {width}×{height} pixels; expected at most {MAX_PIXELS} pixels, 4 bytes each"
            );
            return Err(failure("Refused", message));
        }
        let rgba = rgba.to_vec();
        let (pixels, _) = rgba.as_chunks::<4>();
        let rgb: Vec<u8> = pixels.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect();
        drop(rgba);
        let vector = tower.encode(&rgb, width, height, &mut self.scratch);
        vector.map_err(|error| failure("Refused", error))
    }

    /// Bytes of the module's linear memory, which never shrinks.
    #[wasm_bindgen(getter, js_name = memoryBytes)]
    pub fn memory_bytes(&self) -> usize {
        const PAGE: usize = 64 << 10;
        core::arch::wasm32::memory_size(0) * PAGE
    }
}

/// A file's bytes, once, where they are those of the manifest.
fn checked(entry: &ModelFile, file: &Uint8Array) -> Result<AlignedBytes, JsValue> {
    let length = file.length() as usize;
    if length as u64 != entry.bytes {
        return Err(bad_model(format!(
            "{}: expected {} bytes, found {length}",
            entry.file, entry.bytes
        )));
    }
    let mut bytes = AlignedBytes::zeroed(length);
    file.copy_to(bytes.as_mut_slice());
    entry.check(bytes.as_slice()).map_err(bad_model)?;
    Ok(bytes)
}

fn bad_model(message: impl Display) -> JsValue {
    failure("BadModel", message)
}

fn failure(name: &str, message: impl Display) -> JsValue {
    let error = Error::new(&message.to_string());
    error.set_name(name);
    error.into()
}

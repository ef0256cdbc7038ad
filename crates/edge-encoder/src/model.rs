//! The model directory, read from static assets; each tower is loaded on first use and kept.

use recsys_core::bytes::AlignedBytes;
use recsys_core::clip::model::{FILE_NAME, Model, ModelFile};
use recsys_core::clip::picture::Picture;
use recsys_core::clip::tower::Scratch;
use recsys_core::clip::{ImageEncoder, TextEncoder};
use recsys_core::manifest::sha256_hex;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use worker::Env;

/// Why there is no answer.
pub enum Fault {
    /// What was sent cannot be encoded.
    Input(String),
    /// The model cannot be used.
    Model(String),
}

impl From<worker::Error> for Fault {
    fn from(error: worker::Error) -> Self {
        Self::Model(error.to_string())
    }
}

/// The model with its text tower, and its image tower once it was asked for.
pub struct Towers {
    model: Model,
    sha256: String,
    text: TextEncoder,
    image: OnceCell<ImageEncoder>,
    scratch: RefCell<Scratch>,
}

thread_local! {
    static TOWERS: RefCell<Option<Rc<Towers>>> = const { RefCell::new(None) };
}

/// The model, loaded by the first request.
pub async fn towers(env: &Env) -> Result<Rc<Towers>, Fault> {
    if let Some(towers) = TOWERS.with_borrow(Clone::clone) {
        return Ok(towers);
    }
    let bytes = asset(env, FILE_NAME).await?;
    let model = Model::parse(&bytes).map_err(|e| Fault::Model(e.to_string()))?;
    let tower = checked(env, &model.text.tower).await?;
    let tokens = checked(env, &model.text.tokens).await?;
    let text = TextEncoder::new(&model, tower, tokens).map_err(|e| Fault::Model(e.to_string()))?;
    let towers = Rc::new(Towers {
        model,
        sha256: sha256_hex(&bytes),
        text,
        image: OnceCell::new(),
        scratch: RefCell::default(),
    });
    TOWERS.set(Some(Rc::clone(&towers)));
    Ok(towers)
}

impl Towers {
    /// SHA-256 of the model's manifest, by which bundles refer to it.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// A text's vector.
    pub fn encode_text(&self, text: &str) -> Result<Vec<f32>, Fault> {
        let vector = self.text.encode(text, &mut self.scratch.borrow_mut());
        vector.map_err(|e| Fault::Input(e.to_string()))
    }

    /// A picture's vector.
    pub async fn encode_image(&self, env: &Env, picture: &Picture) -> Result<Vec<f32>, Fault> {
        let image = self.image(env).await?;
        let vector = image.encode(
            &picture.rgb,
            picture.width,
            picture.height,
            &mut self.scratch.borrow_mut(),
        );
        vector.map_err(|e| Fault::Input(e.to_string()))
    }

    /// The image tower.
    async fn image(&self, env: &Env) -> Result<&ImageEncoder, Fault> {
        if self.image.get().is_none() {
            let file = checked(env, &self.model.image.tower).await?;
            let tower = ImageEncoder::new(&self.model, file).map_err(|e| Fault::Model(e.to_string()))?;
            // Another request may have been first; its tower is the same.
            let _ = self.image.set(tower);
        }
        self.image
            .get()
            .ok_or_else(|| Fault::Model("the image tower is not loaded".to_owned()))
    }
}

async fn asset(env: &Env, name: &str) -> Result<Vec<u8>, Fault> {
    let mut response = env
        .assets("ASSETS")?
        .fetch(format!("http://assets.local/{name}"), None)
        .await?;
    if response.status_code() != 200 {
        return Err(Fault::Model(format!(
            "{name}: status {} from the static assets",
            response.status_code()
        )));
    }
    Ok(response.bytes().await?)
}

async fn checked(env: &Env, file: &ModelFile) -> Result<AlignedBytes, Fault> {
    let bytes = asset(env, &file.file).await?;
    let found = sha256_hex(&bytes);
    if found != file.sha256 {
        return Err(Fault::Model(format!(
            "{}: expected SHA-256 {}, found {found}",
            file.file, file.sha256
        )));
    }
    Ok(AlignedBytes::copy_of(&bytes))
}

//! The model: each tower on first use, as far as there is room.

use crate::fault::Fault;
use crate::files;
use recsys_core::clip::model::{FILE_NAME, Model};
use recsys_core::clip::picture::{Picture, PictureLimits};
use recsys_core::clip::tower::{MOST_IN_WASM, MOST_OF_BOTH, Scratch};
use recsys_core::clip::{ClipError, ImageEncoder, TextEncoder};
use recsys_core::manifest::sha256_hex;
use std::cell::{Cell, OnceCell, RefCell};
use std::time::Duration;
use worker::{Date, Delay, Env};

/// The most bytes of files of one tower: what is left of [`MOST_IN_WASM`] is for code and for what is computed.
const MOST_OF_ONE: u64 = MOST_IN_WASM - (10 << 20);
/// The most bytes of files and of a picture that is being decoded, in an isolate of 128 MB.
const MOST_MEMORY: u64 = 108 << 20;
/// A load that takes longer was cut off with its request; another request may start over, in milliseconds.
const LOAD_MS: u64 = 20_000;
/// Between two looks at whether a load of another request has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Image,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
        }
    }

    /// The variable `TOWER`: the only tower that this worker is to have.
    fn only(env: &Env) -> Result<Option<Self>, Fault> {
        let Ok(variable) = env.var("TOWER") else {
            return Ok(None);
        };
        match variable.to_string().as_str() {
            "text" => Ok(Some(Self::Text)),
            "image" => Ok(Some(Self::Image)),
            other => Err(Fault::Model(format!(
                "the variable TOWER: expected text or image, found `{other}`"
            ))),
        }
    }
}

/// The model, and what of it is loaded.
pub struct Encoders {
    model: Model,
    only: Option<Kind>,
    sha256: String,
    text: OnceCell<TextEncoder>,
    image: OnceCell<ImageEncoder>,
    scratch: RefCell<Scratch>,
}

thread_local! {
    // As long as the isolate.
    static ENCODERS: &'static OnceCell<Encoders> = Box::leak(Box::default());
    static LOADING_SINCE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// While it lives no other request loads anything: two copies of a tower would not fit.
struct Turn;

impl Turn {
    async fn wait() -> Self {
        loop {
            let now = Date::now().as_millis();
            match LOADING_SINCE.get() {
                Some(since) if now < since + LOAD_MS => Delay::from(PAUSE).await,
                _ => {
                    LOADING_SINCE.set(Some(now));
                    return Self;
                }
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        LOADING_SINCE.set(None);
    }
}

/// What a cell has, or what is loaded into it: by one request, while the others wait.
async fn kept<T>(cell: &OnceCell<T>, load: impl AsyncFnOnce() -> Result<T, Fault>) -> Result<&T, Fault> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let _turn = Turn::wait().await;
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = load().await?;
    Ok(cell.get_or_init(|| value))
}

/// The model, whose manifest the first request reads.
pub async fn encoders(env: &Env) -> Result<&'static Encoders, Fault> {
    let load = async || {
        let bytes = files::manifest(env, FILE_NAME).await?;
        Ok(Encoders {
            model: Model::parse(&bytes).map_err(|e| Fault::Model(e.to_string()))?,
            only: Kind::only(env)?,
            sha256: sha256_hex(&bytes),
            text: OnceCell::new(),
            image: OnceCell::new(),
            scratch: RefCell::default(),
        })
    };
    kept(ENCODERS.with(|cell| *cell), load).await
}

impl Encoders {
    /// SHA-256 of the model's manifest, by which bundles refer to it.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What a picture may take beside the towers.
    pub fn picture_limits(&self) -> PictureLimits {
        let beside = match self.text.get().is_some() && self.fit_together() {
            true => self.text_bytes(),
            false => 0,
        };
        let left = MOST_MEMORY.saturating_sub(self.image_bytes() + beside);
        PictureLimits {
            memory: left.min(PictureLimits::EDGE.memory),
            ..PictureLimits::EDGE
        }
    }

    /// A text's vector.
    pub async fn encode_text(&self, env: &Env, text: &str) -> Result<Vec<f32>, Fault> {
        let encoder = self.text(env).await?;
        let vector = encoder.encode(text, &mut self.scratch.borrow_mut());
        vector.map_err(refused)
    }

    /// A picture's vector.
    pub async fn encode_image(&self, env: &Env, picture: &Picture) -> Result<Vec<f32>, Fault> {
        let encoder = self.image(env).await?;
        let mut scratch = self.scratch.borrow_mut();
        let vector = encoder.encode(&picture.rgb, picture.width, picture.height, &mut scratch);
        vector.map_err(refused)
    }

    /// Loads a tower, where none is.
    pub async fn ready(&self, env: &Env) -> Result<(), Fault> {
        match self.only {
            Some(Kind::Image) => drop(self.image(env).await?),
            _ if self.image.get().is_some() => {}
            _ => drop(self.text(env).await?),
        }
        Ok(())
    }

    /// The text tower.
    async fn text(&self, env: &Env) -> Result<&TextEncoder, Fault> {
        let load = async || {
            self.check_room(Kind::Text, self.text_bytes(), self.image.get().is_some())?;
            let tower = files::file(env, &self.model.text.tower).await?;
            let tokens = match self.model.text.tokens() {
                Some(tokens) => Some(files::file(env, tokens).await?),
                None => None,
            };
            TextEncoder::new(&self.model, tower, tokens).map_err(unusable)
        };
        kept(&self.text, load).await
    }

    /// The image tower.
    async fn image(&self, env: &Env) -> Result<&ImageEncoder, Fault> {
        let load = async || {
            self.check_room(Kind::Image, self.image_bytes(), self.text.get().is_some())?;
            let tower = files::file(env, &self.model.image.tower).await?;
            ImageEncoder::new(&self.model, tower).map_err(unusable)
        };
        kept(&self.image, load).await
    }

    fn text_bytes(&self) -> u64 {
        self.model.text.tower.bytes + self.model.text.tokens().map_or(0, |tokens| tokens.bytes)
    }

    fn image_bytes(&self) -> u64 {
        self.model.image.tower.bytes
    }

    fn fit_together(&self) -> bool {
        self.text_bytes() + self.image_bytes() <= MOST_OF_BOTH
    }

    /// Refuses a tower that is another worker's, or has no room, alone or beside the other one. The other one's would not serve:
    /// memory does not shrink, and what a tower leaves is in pieces.
    fn check_room(&self, kind: Kind, bytes: u64, beside: bool) -> Result<(), Fault> {
        let tower = kind.name();
        if let Some(only) = self.only.filter(|only| *only != kind) {
            return Err(Fault::Model(format!(
                "{tower} tower: this worker has the {} tower alone, as its variable TOWER says; bind one of the other kind too \
                 (docs/models.md)",
                only.name()
            )));
        }
        let refuse = |found: u64, what: &str, most: u64, remedy: &str| {
            let message =
                format!("{tower} tower: {found} bytes{what}, and a worker has room for {most}; {remedy}");
            Err(Fault::Model(message))
        };
        if bytes > MOST_OF_ONE {
            return refuse(bytes, "", MOST_OF_ONE, "take a smaller model (docs/models.md)");
        }
        if beside && !self.fit_together() {
            let both = self.text_bytes() + self.image_bytes();
            return refuse(
                both,
                " with the other one, which this worker holds already",
                MOST_OF_BOTH,
                "deploy two workers, one for each tower (docs/models.md)",
            );
        }
        Ok(())
    }
}

fn refused(error: ClipError) -> Fault {
    Fault::Input(error.to_string())
}

fn unusable(error: ClipError) -> Fault {
    Fault::Model(error.to_string())
}

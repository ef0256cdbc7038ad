//! What a page may pass, parsed once.

use crate::failure::Failure;
use crate::fields::Fields;
use js_sys::{Float32Array, Uint8Array};
use recsys_core::catalogue::ItemId;
use recsys_core::envelope::{KeyError, PublicKey};
use recsys_core::events::EntryUser;
use recsys_core::features::{AgeBand, Device, Gender};
use recsys_core::json::{self, Shown};
use recsys_core::privacy::{Mode, NAMES, bucket, noised};
use recsys_core::segment::Conditions;
use wasm_bindgen::JsValue;
use web_sys::Url;

/// The longest slate: a request brings 200 candidates, of which seen ones leave.
const MAX_K: u32 = 100;
const DEFAULT_K: u32 = 20;
const DEFAULT_DATABASE: &str = "recsys";
/// The longest epoch, in days.
const MAX_EPOCH_DAYS: u32 = 366;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What the viewer, or the site on the viewer's behalf, declares. Never sent.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Age band.
    pub age_band: Option<AgeBand>,
    /// Gender.
    pub gender: Option<Gender>,
    /// A group of the site's own.
    pub segment: Option<u8>,
    /// Class of device.
    pub device: Option<Device>,
    /// A language as the catalogue writes it.
    pub language: Option<String>,
    /// What was parsed, as it was written.
    texts: Texts,
}

#[derive(Clone, Debug, Default)]
struct Texts {
    age_band: Option<String>,
    gender: Option<String>,
    device: Option<String>,
}

impl Declared {
    /// As events have it.
    pub fn user(&self) -> EntryUser<'_> {
        EntryUser {
            age_band: self.texts.age_band.as_deref(),
            gender: self.texts.gender.as_deref(),
            segment: self.segment,
            device: self.texts.device.as_deref(),
            language: self.language.as_deref(),
            ..EntryUser::default()
        }
    }
}

/// What the site's owner sets for the modes with clusters.
#[derive(Clone, Copy, Debug)]
pub struct PrivacyTerms {
    /// Noised mode; the length of its epochs is that of bucket mode too.
    pub noised: noised::Terms,
    /// Clusters of a set in bucket mode.
    pub bucket: usize,
}

impl PrivacyTerms {
    fn parse(fields: &Fields) -> Result<Self, Failure> {
        let fields = fields.nested("privacy", "open, privacy")?;
        let default = noised::Terms::default();
        let number = |name, default: f64, range: std::ops::RangeInclusive<f64>, expected| {
            let found = fields.number(name)?.unwrap_or(default);
            range
                .contains(&found)
                .then_some(found)
                .ok_or_else(|| fields.refuse(name, expected))
        };
        let days = fields.whole("epochDays", 1..=MAX_EPOCH_DAYS)?;
        Ok(Self {
            noised: noised::Terms {
                epsilon: number("epsilon", default.epsilon, noised::EPSILON, "0.01 to 16")?,
                budget: number("budget", default.budget, 0.0..=1e4, "0 to 10,000")?,
                epoch_ms: days.map_or(default.epoch_ms, |days| i64::from(days) * DAY_MS),
            },
            bucket: fields
                .whole("bucket", 1..=64)?
                .map_or(bucket::DEFAULT_SIZE, |size| size as usize),
        })
    }
}

/// Options of `open`.
pub struct OpenOptions {
    /// Absolute URL before `/v1/…`, without a slash at its end.
    pub endpoint: String,
    /// Privacy mode to start in.
    pub mode: Mode,
    /// User features.
    pub declared: Declared,
    /// Name of the IndexedDB database.
    pub database: String,
    /// Whether counts may be sent.
    pub aggregates: bool,
    /// Keys of which one must have signed the bundle; none where nothing is demanded.
    pub keys: Vec<PublicKey>,
    /// Settings of the modes with clusters.
    pub privacy: PrivacyTerms,
}

impl OpenOptions {
    /// Reads the options.
    ///
    /// # Errors
    /// `BadOption` with the field's name.
    pub fn parse(value: JsValue) -> Result<Self, Failure> {
        let fields = Fields::of("open", value)?;
        let user = fields.nested("userFeatures", "open, userFeatures")?;
        let texts = Texts {
            age_band: user.text("ageBand")?,
            gender: user.text("gender")?,
            device: user.text("device")?,
        };
        let age_band = texts.age_band.as_deref().map(AgeBand::parse).transpose();
        let age_band =
            age_band.map_err(|_| user.refuse("ageBand", "a band such as \"25-34\", \"65+\" or \"<18\""))?;
        let gender = texts.gender.as_deref().map(str::parse).transpose();
        let gender = gender.map_err(|_| user.refuse("gender", "\"female\", \"male\" or \"other\""))?;
        let device = texts.device.as_deref().map(str::parse).transpose();
        let device =
            device.map_err(|_| user.refuse("device", "\"phone\", \"tablet\", \"desktop\" or \"tv\""))?;
        let mode = match fields.text("mode")? {
            None => Mode::default(),
            Some(name) => name.parse().map_err(|_| fields.refuse("mode", NAMES))?,
        };
        let database = fields
            .text("database")?
            .unwrap_or_else(|| DEFAULT_DATABASE.to_owned());
        let segment = user
            .whole("segment", 0..=255)?
            .and_then(|number| u8::try_from(number).ok());
        let language = user.text("language")?;
        Ok(Self {
            endpoint: endpoint(&fields)?,
            mode,
            declared: Declared {
                age_band,
                gender,
                segment,
                device,
                language,
                texts,
            },
            database,
            aggregates: fields.flag("aggregates")?,
            keys: keys(&fields)?,
            privacy: PrivacyTerms::parse(&fields)?,
        })
    }
}

fn keys(fields: &Fields) -> Result<Vec<PublicKey>, Failure> {
    let refuse = |error: KeyError| fields.refuse("keys", &error.to_string());
    let keys = fields.texts("keys")?;
    keys.iter()
        .map(|key| PublicKey::parse(key).map_err(refuse))
        .collect()
}

fn endpoint(fields: &Fields) -> Result<String, Failure> {
    const EXPECTED: &str = "the site's address, such as `location.origin`";
    let text = fields.required_text("endpoint", EXPECTED)?;
    let url = Url::new(&text).map_err(|_| fields.refuse("endpoint", EXPECTED))?;
    if !matches!(url.protocol().as_str(), "http:" | "https:") {
        return Err(fields.refuse("endpoint", EXPECTED));
    }
    Ok(format!(
        "{}{}",
        url.origin(),
        url.pathname().trim_end_matches('/')
    ))
}

/// The mode that `setMode` is given.
///
/// # Errors
/// `BadOption`: no mode's name.
pub fn mode(value: &JsValue) -> Result<Mode, Failure> {
    let name = value.as_string().unwrap_or_default();
    name.parse().map_err(|_| {
        let found = if name.is_empty() {
            "no text".to_owned()
        } else {
            Shown::from(&name).to_string()
        };
        bad(format!("setMode: the mode is {found}; expected {NAMES}"))
    })
}

/// The id that `explain` is given.
///
/// # Errors
/// `BadOption`: no item id.
pub fn item_id(value: &JsValue) -> Result<ItemId, Failure> {
    let Some(id) = value.as_string() else {
        return Err(bad(
            "explain: the id is no text; expected the `id` of a video of the last slate",
        ));
    };
    ItemId::new(id).map_err(|error| bad(format!("explain: {error}")))
}

/// The name that `arm` is given.
///
/// # Errors
/// `BadOption`: no text.
pub fn experiment(value: &JsValue) -> Result<String, Failure> {
    let name = value.as_string();
    name.ok_or_else(|| bad("arm: the experiment is no text; expected its name"))
}

/// A refused argument.
fn bad(message: impl Into<String>) -> Failure {
    Failure::new(crate::failure::Kind::BadOption, message)
}

/// Options of `recommend`.
pub struct RecommendOptions {
    /// Length of the slate.
    pub k: usize,
    /// Conditions on every video, as JSON and read.
    pub filter: Option<(String, Conditions)>,
}

impl RecommendOptions {
    /// Reads the options.
    ///
    /// # Errors
    /// `BadOption` with the field's name.
    pub fn parse(value: JsValue) -> Result<Self, Failure> {
        let fields = Fields::of("recommend", value)?;
        let filter = match fields.json("filter")? {
            None => None,
            Some(text) => {
                let conditions = json::read(&text);
                let conditions: Conditions =
                    conditions.map_err(|error| bad(format!("recommend, filter: {error}")))?;
                Some((text, conditions)).filter(|(_, conditions)| !conditions.is_empty())
            }
        };
        Ok(Self {
            k: length(&fields)?,
            filter,
        })
    }
}

fn length(fields: &Fields) -> Result<usize, Failure> {
    Ok(fields.whole("k", 1..=MAX_K)?.unwrap_or(DEFAULT_K) as usize)
}

/// What a search is for.
pub enum Sought {
    /// Words; trimmed, not empty.
    Words(String),
    /// A picture file and its media type.
    Picture(Uint8Array, String),
    /// What an encoder in this browser made of either: the vector, and the SHA-256 of the model; empty where none is known.
    Vector(Vec<f32>, String),
}

/// Options of `search`.
pub struct SearchOptions {
    /// What it is for.
    pub sought: Sought,
    /// Length of the slate.
    pub k: usize,
}

impl SearchOptions {
    /// Reads the options.
    ///
    /// # Errors
    /// `BadOption` with the field's name.
    pub fn parse(value: JsValue) -> Result<Self, Failure> {
        const EXPECTED: &str = "the words to search for, or `picture`";
        let fields = Fields::of("search", value)?;
        let k = length(&fields)?;
        let sought = if let Some(vector) = fields.array::<Float32Array>("vector") {
            Sought::Vector(vector.to_vec(), fields.text("model")?.unwrap_or_default())
        } else if let Some(picture) = fields.array("picture") {
            Sought::Picture(picture, fields.text("type")?.unwrap_or_default())
        } else {
            let text = fields.required_text("text", EXPECTED)?.trim().to_owned();
            if text.is_empty() {
                return Err(fields.refuse("text", EXPECTED));
            }
            Sought::Words(text)
        };
        Ok(Self { sought, k })
    }
}

/// One event of `record`.
#[derive(Clone, Debug)]
pub enum Event {
    /// A video was chosen, in a slate where that is known.
    Click(ItemId, Option<String>),
    /// A video was played for so many seconds, 0 or more; in a slate where that is known.
    Watch(ItemId, f32, Option<String>),
    /// A search was made, with these words.
    Search(String),
    /// Videos of a slate were shown: all of it, where there are no ids.
    Impression(Vec<ItemId>, Option<String>),
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// `BadOption` with the field's name.
    pub fn parse(value: JsValue) -> Result<Self, Failure> {
        const KINDS: &str = "\"click\", \"watch\", \"search\" or \"impression\"";
        let fields = Fields::of("record", value)?;
        let id = |field, id| ItemId::new(id).map_err(|error| fields.refuse(field, &error.to_string()));
        let item = || id("item", fields.required_text("item", "the id of a video")?);
        let request = || fields.text("request");
        match fields.required_text("event", KINDS)?.as_str() {
            "click" => Ok(Self::Click(item()?, request()?)),
            "watch" => {
                let seconds = fields.number("watchSeconds")?.filter(|seconds| *seconds >= 0.0);
                let seconds = seconds
                    .map(|seconds| seconds as f32)
                    .filter(|seconds| seconds.is_finite());
                let refuse = || fields.refuse("watchSeconds", "seconds, 0 or more");
                Ok(Self::Watch(item()?, seconds.ok_or_else(refuse)?, request()?))
            }
            "search" => Ok(Self::Search(fields.text("query")?.unwrap_or_default())),
            "impression" => {
                let one = fields.text("item")?.into_iter();
                let all = one.chain(fields.texts("items")?);
                let items = all.map(|text| id("items", text)).collect::<Result<Vec<_>, _>>()?;
                let request = request()?;
                if items.is_empty() && request.is_none() {
                    return Err(fields.refuse("request", "the `request` of a slate, or an `item` of one"));
                }
                Ok(Self::Impression(items, request))
            }
            _ => Err(fields.refuse("event", KINDS)),
        }
    }
}

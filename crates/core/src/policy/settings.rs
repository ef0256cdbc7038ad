//! The rules as the owner writes them: JSON, in names instead of codes.

use super::{Caps, Exploration, Freshness, Lambda, Policy, Rule};
use crate::catalogue::ItemId;
use crate::json::{self, FromJson, Json, JsonError, Shown};
use serde::Serialize;
use thiserror::Error;

const MAX_POOL: usize = 10_000;
const MAX_BOOSTS: usize = 256;
const MAX_PINS: usize = 64;
/// The longest list that places can be given in.
const MAX_POSITION: usize = 100;
const MAX_DAYS: f32 = 36_500.0;

/// A policy in the manifest. A field that is absent has its default; one that is not known is refused, because a rule
/// that silently does nothing is worse than an error.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Drop items that the viewer has had; default yes.
    pub exclude_seen: bool,
    /// Weight of relevance against variety, 0 to 1; default 0.9.
    pub lambda: f32,
    /// Candidates that take part in maximal marginal relevance, 1 to 10,000; default 100.
    pub pool: usize,
    /// The most items of a group in one list.
    #[serde(skip_serializing_if = "is_default")]
    pub caps: CapSettings,
    /// What is added to scores, at most 256.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub boosts: Vec<Boost>,
    /// What new uploads gain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<FreshnessSettings>,
    /// Items with a place of their own, at most 64.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Pin>,
    /// Places for chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exploration: Option<ExplorationSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        let policy = Policy::default();
        Self {
            exclude_seen: policy.exclude_seen,
            lambda: policy.lambda.get(),
            pool: policy.pool,
            caps: CapSettings::default(),
            boosts: Vec::new(),
            freshness: None,
            pins: Vec::new(),
            exploration: None,
        }
    }
}

impl<'a> FromJson<'a> for Settings {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let default = Self::default();
        let names = &[
            "excludeSeen",
            "lambda",
            "pool",
            "caps",
            "boosts",
            "freshness",
            "pins",
            "exploration",
        ];
        json.strict_object(names, |fields| {
            Ok(Self {
                exclude_seen: fields.get_or("excludeSeen", default.exclude_seen)?,
                lambda: fields.get_or("lambda", default.lambda)?,
                pool: fields.get_or("pool", default.pool)?,
                caps: fields.get_or("caps", default.caps)?,
                boosts: fields.get_or("boosts", default.boosts)?,
                freshness: fields.get_or("freshness", default.freshness)?,
                pins: fields.get_or("pins", default.pins)?,
                exploration: fields.get_or("exploration", default.exploration)?,
            })
        })
    }
}

/// The most items of one creator, or of one category, in one list; at least 1 each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CapSettings {
    /// Of one creator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_creator: Option<usize>,
    /// Of one category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_category: Option<usize>,
}

impl<'a> FromJson<'a> for CapSettings {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &["perCreator", "perCategory"];
        json.strict_object(names, |fields| {
            Ok(Self {
                per_creator: fields.get("perCreator")?,
                per_category: fields.get("perCategory")?,
            })
        })
    }
}

/// Adds to the scores of the videos that meet all of its conditions, of which it has at least one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Boost {
    /// Only this category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Only this creator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// Only this language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Only the video of this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// Only videos uploaded at most this many days ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_than_days: Option<f32>,
    /// What is added, as a share of the scores' range over the page's pool: −1 to 1, not 0.
    pub add: f32,
}

impl<'a> FromJson<'a> for Boost {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &["category", "creator", "language", "item", "newerThanDays", "add"];
        json.strict_object(names, |fields| {
            Ok(Self {
                category: fields.get("category")?,
                creator: fields.get("creator")?,
                language: fields.get("language")?,
                item: fields.get("item")?,
                newer_than_days: fields.get("newerThanDays")?,
                add: fields.get_or("add", 0.0)?,
            })
        })
    }
}

/// What new uploads gain, halved after each half-life.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FreshnessSettings {
    /// At the upload, as a share of the scores' range: above 0 and at most 1.
    pub weight: f32,
    /// Days, above 0.
    pub half_life_days: f32,
}

impl<'a> FromJson<'a> for FreshnessSettings {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &["weight", "halfLifeDays"];
        json.strict_object(names, |fields| {
            Ok(Self {
                weight: fields.get("weight")?,
                half_life_days: fields.get("halfLifeDays")?,
            })
        })
    }
}

/// A video with a place of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    /// The video's id.
    pub item: String,
    /// 1 is first, at most 100.
    pub position: usize,
}

impl<'a> FromJson<'a> for Pin {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &["item", "position"];
        json.strict_object(names, |fields| {
            Ok(Self {
                item: fields.get("item")?,
                position: fields.get("position")?,
            })
        })
    }
}

/// Places for chance.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExplorationSettings {
    /// 1 is first; each 1 to 100, none twice and none a pin's.
    pub positions: Vec<usize>,
    /// Candidates to draw from, more than positions and at most 10,000; default 50.
    pub pool: usize,
    /// Share of the pages that explore, above 0 and at most 1; default 1.
    pub rate: f64,
}

impl<'a> FromJson<'a> for ExplorationSettings {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        let names = &["positions", "pool", "rate"];
        json.strict_object(names, |fields| {
            Ok(Self {
                positions: fields.get("positions")?,
                pool: fields.get_or("pool", 50)?,
                rate: fields.get_or("rate", 1.0)?,
            })
        })
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The codes of the names that a manifest's policies use, in the bundle's item table: pairs of name and code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Codes {
    /// Categories.
    pub categories: Vec<(String, u32)>,
    /// Creators.
    pub creators: Vec<(String, u32)>,
    /// Languages.
    pub languages: Vec<(String, u32)>,
}

impl<'a> FromJson<'a> for Codes {
    fn from_json(json: Json<'a>) -> Result<Self, JsonError> {
        json.object(|fields| {
            Ok(Self {
                categories: fields.get_or("categories", Vec::new())?,
                creators: fields.get_or("creators", Vec::new())?,
                languages: fields.get_or("languages", Vec::new())?,
            })
        })
    }
}

impl Codes {
    /// Whether no name has a code.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A rule that cannot be kept.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("policy: {field}: expected {expected}, found {found}")]
pub struct PolicyError {
    field: &'static str,
    expected: &'static str,
    found: String,
}

impl Settings {
    /// Reads a policy file and checks it.
    ///
    /// # Errors
    /// Not JSON, with line and column; not of this form, with the field; or a number out of its range.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let settings: Self = json::read_bytes(bytes).map_err(|error| PolicyError {
            field: "the file",
            expected: "a JSON object as docs/ranking.md describes it",
            found: error.to_string(),
        })?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks every number and id.
    ///
    /// # Errors
    /// The first one that is out of its range.
    pub fn check(&self) -> Result<(), PolicyError> {
        ensure(Lambda::new(self.lambda).is_ok(), "lambda", "0 to 1", self.lambda)?;
        ensure(
            (1..=MAX_POOL).contains(&self.pool),
            "pool",
            "1 to 10,000",
            self.pool,
        )?;
        for (field, cap) in [
            ("caps.perCreator", self.caps.per_creator),
            ("caps.perCategory", self.caps.per_category),
        ] {
            ensure(cap != Some(0), field, "at least 1, or no such field", 0usize)?;
        }
        ensure(
            self.boosts.len() <= MAX_BOOSTS,
            "boosts",
            "at most 256",
            self.boosts.len(),
        )?;
        self.boosts.iter().try_for_each(Boost::check)?;
        if let Some(FreshnessSettings {
            weight,
            half_life_days,
        }) = self.freshness
        {
            ensure(
                weight > 0.0 && weight <= 1.0,
                "freshness.weight",
                "above 0 and at most 1",
                weight,
            )?;
            days("freshness.halfLifeDays", half_life_days)?;
        }
        self.check_pins()?;
        self.exploration
            .as_ref()
            .map_or(Ok(()), |exploration| self.check_exploration(exploration))
    }

    fn check_pins(&self) -> Result<(), PolicyError> {
        ensure(self.pins.len() <= MAX_PINS, "pins", "at most 64", self.pins.len())?;
        for (i, pin) in self.pins.iter().enumerate() {
            item("pins.item", &pin.item)?;
            position("pins.position", pin.position)?;
            let others = self.pins.iter().take(i);
            let clear = others.clone().all(|other| other.position != pin.position);
            ensure(clear, "pins.position", "one video a position", pin.position)?;
            let once = others.clone().all(|other| other.item != pin.item);
            ensure(once, "pins.item", "one position a video", pin.item.as_str())?;
        }
        Ok(())
    }

    fn check_exploration(&self, exploration: &ExplorationSettings) -> Result<(), PolicyError> {
        let ExplorationSettings {
            positions,
            pool,
            rate,
        } = exploration;
        let field = "exploration.positions";
        ensure(!positions.is_empty(), field, "at least one", "none")?;
        for (i, place) in positions.iter().enumerate() {
            position(field, *place)?;
            let once = positions.iter().take(i).all(|other| other != place);
            ensure(once, field, "no position twice", *place)?;
            let free = self.pins.iter().all(|pin| pin.position != *place);
            ensure(free, field, "positions without a pin", *place)?;
        }
        let room = (positions.len() + 1..=MAX_POOL).contains(pool);
        ensure(
            room,
            "exploration.pool",
            "more than positions, at most 10,000",
            *pool,
        )?;
        ensure(
            *rate > 0.0 && *rate <= 1.0,
            "exploration.rate",
            "above 0 and at most 1",
            *rate,
        )
    }

    /// The names of all boosts: categories, creators, languages.
    #[must_use]
    pub fn names(&self) -> [Vec<&str>; 3] {
        let of = |name: fn(&Boost) -> Option<&String>| {
            self.boosts.iter().filter_map(name).map(String::as_str).collect()
        };
        [
            of(|boost| boost.category.as_ref()),
            of(|boost| boost.creator.as_ref()),
            of(|boost| boost.language.as_ref()),
        ]
    }

    /// The ids of all boosts and pins.
    pub fn items(&self) -> impl Iterator<Item = &str> {
        let boosted = self.boosts.iter().filter_map(|boost| boost.item.as_deref());
        boosted.chain(self.pins.iter().map(|pin| pin.item.as_str()))
    }

    /// The policy in a bundle's codes, and the names without a code, whose rules are left out.
    #[must_use]
    pub fn resolve(&self, codes: &Codes) -> (Policy, Vec<String>) {
        let mut unknown = Vec::new();
        let boosts = self
            .boosts
            .iter()
            .filter_map(|boost| boost.resolve(codes, &mut unknown))
            .collect();
        let place = |position: &usize| position.checked_sub(1);
        let pin = |pin: &Pin| Some((ItemId::new(pin.item.as_str()).ok()?, place(&pin.position)?));
        let exploration = self.exploration.as_ref().map(|exploration| Exploration {
            places: exploration.positions.iter().filter_map(place).collect(),
            pool: exploration.pool,
            rate: exploration.rate,
        });
        let policy = Policy {
            exclude_seen: self.exclude_seen,
            lambda: Lambda::new(self.lambda).unwrap_or_default(),
            pool: self.pool,
            caps: Caps {
                per_creator: self.caps.per_creator,
                per_category: self.caps.per_category,
            },
            boosts,
            freshness: self.freshness.map(|f| Freshness {
                weight: f.weight,
                half_life_days: f.half_life_days,
            }),
            pins: self.pins.iter().filter_map(pin).collect(),
            exploration,
        };
        (policy, unknown)
    }
}

impl Boost {
    fn check(&self) -> Result<(), PolicyError> {
        let Self {
            category,
            creator,
            language,
            item: id,
            newer_than_days,
            add,
        } = self;
        let named = [category, creator, language, id]
            .iter()
            .any(|name| name.is_some());
        let expected = "category, creator, language, item or newerThanDays";
        ensure(
            named || newer_than_days.is_some(),
            "boosts",
            expected,
            "none of them",
        )?;
        ensure(
            (-1.0..=1.0).contains(add) && *add != 0.0,
            "boosts.add",
            "-1 to 1, not 0",
            *add,
        )?;
        id.as_deref().map_or(Ok(()), |id| item("boosts.item", id))?;
        newer_than_days.map_or(Ok(()), |n| days("boosts.newerThanDays", n))
    }

    /// `None`, and the name among `unknown`, where a name has no code.
    fn resolve(&self, codes: &Codes, unknown: &mut Vec<String>) -> Option<Rule> {
        let mut code = |name: &Option<String>, codes: &[(String, u32)]| match name {
            None => Some(None),
            Some(name) => {
                let code = codes
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|&(_, code)| code);
                if code.is_none() {
                    unknown.push(name.clone());
                }
                code.map(Some)
            }
        };
        let category = code(&self.category, &codes.categories)?;
        let creator = code(&self.creator, &codes.creators)?;
        let language = code(&self.language, &codes.languages)?;
        let short = |code: Option<u32>| code.map(u16::try_from).transpose().ok();
        Some(Rule {
            category: short(category)?,
            creator,
            language: short(language)?,
            item: self.item.as_deref().map(ItemId::new).transpose().ok()?,
            newer_than_days: self.newer_than_days,
            add: self.add,
        })
    }
}

/// What was found, for an error: a text as it is, a number in its shortest form.
enum Found<'a> {
    Text(&'a str),
    Whole(usize),
    Number(Shown<'a>),
}

impl<'a> From<&'a str> for Found<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<usize> for Found<'_> {
    fn from(number: usize) -> Self {
        Self::Whole(number)
    }
}

impl From<f32> for Found<'_> {
    fn from(number: f32) -> Self {
        Self::Number(number.into())
    }
}

impl From<f64> for Found<'_> {
    fn from(number: f64) -> Self {
        Self::Number(number.into())
    }
}

fn ensure<'a>(
    ok: bool,
    field: &'static str,
    expected: &'static str,
    found: impl Into<Found<'a>>,
) -> Result<(), PolicyError> {
    if ok {
        return Ok(());
    }
    let found = match found.into() {
        Found::Text(text) => text.to_owned(),
        Found::Whole(number) => number.to_string(),
        Found::Number(number) => number.to_string(),
    };
    Err(PolicyError {
        field,
        expected,
        found,
    })
}

fn item(field: &'static str, id: &str) -> Result<(), PolicyError> {
    ensure(ItemId::new(id).is_ok(), field, "the id of a video", id)
}

fn position(field: &'static str, position: usize) -> Result<(), PolicyError> {
    ensure(
        (1..=MAX_POSITION).contains(&position),
        field,
        "1 to 100",
        position,
    )
}

fn days(field: &'static str, days: f32) -> Result<(), PolicyError> {
    ensure(
        days > 0.0 && days <= MAX_DAYS,
        field,
        "days above 0 and at most 36,500",
        days,
    )
}

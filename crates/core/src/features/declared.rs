//! What a viewer, or the site on the viewer's behalf, may declare. All of it is optional and stays in the browser.

use crate::catalogue::ItemFacts;
use crate::json::Shown;
use std::str::FromStr;
use thiserror::Error;

/// Declared facts of a viewer and of the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UserFeatures {
    /// Age band.
    pub age_band: Option<AgeBand>,
    /// Gender.
    pub gender: Option<Gender>,
    /// Index into the bundle's list of languages.
    pub language: Option<u16>,
    /// A group of the site's own, such as a subscription: a category, not a quantity.
    pub segment: Option<u8>,
    /// What the page is shown on.
    pub device: Option<Device>,
}

impl UserFeatures {
    /// The `language` of a viewer who declared one in which no video at hand is.
    pub const OTHER_LANGUAGE: u16 = ItemFacts::NO_CODE - 1;
}

/// A declared value that is none of those allowed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{} is no {what}; expected {expected}", Shown::from(.found))]
pub struct DeclaredError {
    what: &'static str,
    expected: &'static str,
    found: String,
}

/// A gender, as the viewer chose to declare it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Gender {
    Female,
    Male,
    Other,
}

impl Gender {
    /// Its number as a category.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl FromStr for Gender {
    type Err = DeclaredError;

    fn from_str(text: &str) -> Result<Self, DeclaredError> {
        match text {
            "female" => Ok(Self::Female),
            "male" => Ok(Self::Male),
            "other" => Ok(Self::Other),
            _ => Err(DeclaredError {
                what: "gender",
                expected: "\"female\", \"male\" or \"other\"",
                found: text.to_owned(),
            }),
        }
    }
}

/// A class of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Device {
    Phone,
    Tablet,
    Desktop,
    Tv,
}

impl Device {
    /// Its number as a category.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl FromStr for Device {
    type Err = DeclaredError;

    fn from_str(text: &str) -> Result<Self, DeclaredError> {
        match text {
            "phone" => Ok(Self::Phone),
            "tablet" => Ok(Self::Tablet),
            "desktop" => Ok(Self::Desktop),
            "tv" => Ok(Self::Tv),
            _ => Err(DeclaredError {
                what: "device",
                expected: "\"phone\", \"tablet\", \"desktop\" or \"tv\"",
                found: text.to_owned(),
            }),
        }
    }
}

/// An age band, known by its lower bound in whole years, 0 to 120.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeBand(u8);

/// Text that names no age band.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{} is no age band; write it as \"25-34\", \"65+\" or \"<18\", in years up to 120", Shown::from(.0))]
pub struct AgeBandError(String);

impl AgeBand {
    /// Reads `"25-34"`, `"65+"` or `"<18"`.
    ///
    /// # Errors
    /// Any other text, a band that ends before it starts, or an age above 120.
    pub fn parse(text: &str) -> Result<Self, AgeBandError> {
        let years = |digits: &str| {
            let plain = digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse::<u8>().ok().filter(|&years| plain && years <= 120)
        };
        let lower = if let Some(upper) = text.strip_prefix('<') {
            years(upper).map(|_| 0)
        } else if let Some(lower) = text.strip_suffix('+') {
            years(lower)
        } else {
            let bounds = text
                .split_once('-')
                .and_then(|(low, high)| years(low).zip(years(high)));
            bounds.filter(|(low, high)| low <= high).map(|(low, _)| low)
        };
        lower.map(Self).ok_or_else(|| AgeBandError(text.to_owned()))
    }

    /// The band's youngest age in years.
    #[must_use]
    pub fn lower_years(self) -> u8 {
        self.0
    }
}

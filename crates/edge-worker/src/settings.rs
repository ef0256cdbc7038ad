//! Variables and secrets of the wrangler file, of the command line or of a container's environment.

use worker::Env;
use worker::js_sys::Reflect;

/// The text of a variable or secret, empty too; `None` where it is not set or is no text. A container binds variables that its
/// environment lacks to `null`.
pub fn given(env: &Env, name: &str) -> Option<String> {
    Reflect::get(env, &name.into()).ok()?.as_string()
}

/// The text of a variable or secret, where there is one that is not empty.
pub fn text(env: &Env, name: &str) -> Option<String> {
    given(env, name).filter(|text| !text.is_empty())
}

/// Whether a variable says `true`.
pub fn is_on(env: &Env, name: &str) -> bool {
    text(env, name).is_some_and(|text| text == "true")
}

/// One of several words, the first where the variable is not set.
///
/// # Errors
/// It is none of them.
pub fn word<T: Copy>(env: &Env, name: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = text(env, name);
    let wanted = found.as_deref().or(words.first().map(|(word, _)| *word));
    let known = words.iter().find(|(word, _)| Some(*word) == wanted);
    known.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("{name}: expected {}, found another word", words.join(" or "))
    })
}

/// A whole number within bounds.
///
/// # Errors
/// It is none, or lies outside of them.
pub fn number(
    env: &Env,
    name: &str,
    default: u64,
    allowed: std::ops::RangeInclusive<u64>,
) -> Result<u64, String> {
    let Some(text) = text(env, name) else {
        return Ok(default);
    };
    let number = text.parse().ok().filter(|number| allowed.contains(number));
    let (least, most) = (allowed.start(), allowed.end());
    number
        .ok_or_else(|| format!("{name}: expected a whole number from {least} to {most}, found another text"))
}

/// An address of `http` or `https` without a query, with no slash at its end.
///
/// # Errors
/// It is not set or is none; what was found is not quoted, since a password may stand in it.
pub fn web_address(env: &Env, name: &str) -> Result<String, String> {
    let expected =
        || format!("{name}: expected an address such as http://10.0.0.7:8082 or https://host.example/path");
    let text = text(env, name).ok_or_else(|| format!("{}, found none", expected()))?;
    let url = worker::Url::parse(&text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    let plain = |url: &worker::Url| {
        url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    };
    match url.filter(plain) {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => Err(format!(
            "{}, found another text; a password does not belong into it but into a secret",
            expected()
        )),
    }
}

//! Paths for those alone who know a token.

use crate::problem::Problem;
use crate::settings;
use subtle::ConstantTimeEq;
use worker::{Env, Request};

/// A shorter secret counts as none, in bytes.
const MIN_BYTES: usize = 16;

/// Lets a request pass that has the token of this secret as `Authorization: Bearer …`.
///
/// # Errors
/// No token is set, or another one came.
pub fn check(env: &Env, secret: &str, request: &Request) -> Result<(), Problem> {
    let token = settings::text(env, secret).filter(|token| token.len() >= MIN_BYTES);
    let token = token.ok_or_else(|| {
        Problem::forbidden(format!(
            "no token of at least {MIN_BYTES} bytes is set on this site; set one with `wrangler secret put {secret}`"
        ))
    })?;
    let header = request.headers().get("authorization")?.unwrap_or_default();
    let (scheme, given) = header.split_once(' ').unwrap_or_default();
    let same = given.as_bytes().ct_eq(token.as_bytes());
    match scheme.eq_ignore_ascii_case("bearer") && bool::from(same) {
        true => Ok(()),
        false => Err(Problem::unauthorised()),
    }
}

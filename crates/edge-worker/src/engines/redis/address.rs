//! `REDIS_URL` (<https://www.iana.org/assignments/uri-schemes/prov/redis>, and `rediss` for TLS).

use percent_encoding::percent_decode_str;
use worker::Url;

const DEFAULT_PORT: u16 = 6379;

/// Where a server is, and how it is entered. It has no `Debug`, so that no log can show the password.
#[derive(Clone)]
pub struct Address {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user; the server's default one where there is none.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The number of the database.
    pub database: u16,
}

impl Address {
    /// Reads `redis[s]://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`.
    ///
    /// # Errors
    /// The text is none, which is not quoted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = |what: &str| {
            format!(
                "REDIS_URL: expected redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS, found {what}; \
                 in a password write the characters : / ? # [ ] @ % as %3A and so on"
            )
        };
        if text.is_empty() {
            return Err(refused("none"));
        }
        let url = Url::parse(text).map_err(|_| refused("a text that is no address"))?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(refused("another scheme")),
        };
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8();
            text.map(|text| text.into_owned())
                .map_err(|_| refused("a name or password that is no UTF-8"))
        };
        let database = url.path().trim_start_matches('/');
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("an address with ? or #"));
        }
        let password = url.password().map(decoded).transpose()?;
        if password.is_none() && !url.username().is_empty() {
            return Err(refused("a user without a password"));
        }
        Ok(Self {
            tls,
            host: url
                .host_str()
                .filter(|host| !host.is_empty())
                .ok_or_else(|| refused("no host"))?
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: url.port().unwrap_or(DEFAULT_PORT),
            user: Some(decoded(url.username())?).filter(|user| !user.is_empty()),
            password,
            database: match database {
                "" => 0,
                number => number
                    .parse()
                    .map_err(|_| refused("a database that is no number"))?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read_and_what_is_wrong_is_not_quoted() {
        let full = Address::parse("rediss://me:p%3Aw%2F@cache.example:7000/2").unwrap();
        let parts = (full.tls, full.host.as_str(), full.port, full.database);
        assert_eq!(parts, (true, "cache.example", 7000, 2));
        assert_eq!(
            (full.user.as_deref(), full.password.as_deref()),
            (Some("me"), Some("p:w/"))
        );
        let plain = Address::parse("redis://:pw@127.0.0.1").unwrap();
        assert_eq!(
            (plain.user, plain.password.as_deref(), plain.port),
            (None, Some("pw"), 6379)
        );
        assert_eq!(Address::parse("redis://[::1]:1").unwrap().host, "::1");
        for bad in [
            "",
            "s3cret",
            "http://s3cret",
            "redis://",
            "redis://s3cret@host",
            "redis://h/s3cret",
            "redis://h/70000",
            "redis://h?s3cret",
            "redis://:%ff@h",
        ] {
            let error = Address::parse(bad)
                .err()
                .unwrap_or_else(|| panic!("accepted: {bad}"));
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}

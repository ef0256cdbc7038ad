//! The two forms of Kafka's REST proxy: what is sent, and what an answer says of each record.
//!
//! v2 (<https://docs.confluent.io/platform/current/kafka-rest/api.html>) takes one JSON object with all records and answers with a
//! list of offsets. v3 takes JSON objects one after the other, a record each, and answers with as many reports.

use crate::engines::Kind;
use serde::Deserialize;

/// Which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `POST /topics/{topic}`.
    V2,
    /// `POST /v3/clusters/{cluster}/topics/{topic}/records`.
    V3,
}

impl Version {
    /// The media type of what is sent.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::V2 => "application/vnd.kafka.json.v2+json",
            Self::V3 => "application/json",
        }
    }

    /// The media type of what is answered.
    pub const fn accept(self) -> &'static str {
        match self {
            Self::V2 => "application/vnd.kafka.v2+json",
            Self::V3 => "application/json",
        }
    }
}

/// The body that sends some records: keys, and values that are JSON already. A key is JSON too, a text in quotes, in both
/// forms, so that both put a viewer into the same partition.
pub fn body<'a>(version: Version, records: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let quoted = |key: &str| serde_json::to_string(key).unwrap_or_default();
    match version {
        Version::V2 => {
            let records: Vec<String> = records
                .map(|(key, value)| format!("{{\"key\":{},\"value\":{value}}}", quoted(key)))
                .collect();
            format!("{{\"records\":[{}]}}", records.join(","))
        }
        Version::V3 => records
            .map(|(key, value)| {
                let key = quoted(key);
                format!(
                    "{{\"key\":{{\"type\":\"JSON\",\"data\":{key}}},\"value\":{{\"type\":\"JSON\",\"data\":{value}}}}}\n"
                )
            })
            .collect(),
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The broker has it.
    Confirmed,
    /// The proxy refuses it, and would again.
    Refused,
    /// The proxy says that the broker does not take it now.
    NotNow,
    /// It may be there or not, and is sent again.
    Unknown,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Of each record, in their order.
    pub outcomes: Vec<Outcome>,
    /// Why records are to be sent again, where some are.
    pub fault: Option<Kind>,
    /// Whether the request was too large, and smaller ones may pass.
    pub too_large: bool,
}

impl Verdict {
    /// Nothing is known of any record.
    pub fn unknown(records: usize, fault: Kind) -> Self {
        Self {
            outcomes: vec![Outcome::Unknown; records],
            fault: Some(fault),
            too_large: false,
        }
    }

    /// As if the proxy refused each record, where it refuses a request of one alone.
    pub fn refusing_all(self) -> Self {
        Self {
            outcomes: vec![Outcome::Refused; self.outcomes.len()],
            fault: None,
            too_large: false,
        }
    }
}

/// What an answer to a request of so many records says. `complete` is false where the connection broke before its end.
pub fn verdict(version: Version, status: u16, answer: &[u8], complete: bool, records: usize) -> Verdict {
    if !(200..300).contains(&status) {
        return refused(version, status, answer, records);
    }
    let reports = match version {
        Version::V2 => of_v2(answer),
        Version::V3 => of_v3(answer),
    };
    // An answer with more reports than there were records is not one to this request.
    let reports = reports.filter(|reports| reports.len() <= records);
    let broken = match complete {
        true => Kind::Protocol,
        false => Kind::Unreachable,
    };
    let Some(reports) = reports else {
        return Verdict::unknown(records, broken);
    };
    let mut verdict = Verdict::unknown(records, broken);
    if reports.len() == records {
        verdict.fault = None;
    }
    for (outcome, report) in verdict.outcomes.iter_mut().zip(&reports) {
        let (found, fault) = report.judge(version);
        *outcome = found;
        if matches!(found, Outcome::NotNow | Outcome::Unknown) {
            verdict.fault = Some(fault);
        }
    }
    verdict
}

/// What a status other than 2xx says. Karapace answers with 422 where a single record failed, and reports all of them: what is
/// confirmed there is, while its codes do not tell what would fail again from what fails now.
fn refused(version: Version, status: u16, answer: &[u8], records: usize) -> Verdict {
    let mut verdict = Verdict::unknown(records, of_status(i64::from(status)).1);
    verdict.too_large = status == 413;
    let reports = match version {
        Version::V2 => of_v2(answer).filter(|reports| reports.len() == records),
        Version::V3 => None,
    };
    for (outcome, report) in verdict.outcomes.iter_mut().zip(reports.iter().flatten()) {
        *outcome = match report.judge(version).0 {
            Outcome::Confirmed => Outcome::Confirmed,
            _ => Outcome::NotNow,
        };
    }
    verdict
}

/// What stands in an answer of one record.
#[derive(Deserialize)]
struct Report {
    offset: Option<i64>,
    error_code: Option<i64>,
}

/// `error_code`s of v2 where the broker refuses a record and would again: as documented, and as Confluent's proxy sends it.
const NOT_RETRIABLE: [i64; 2] = [1, 50_002];
/// `error_code`s of v2 where the broker may take it later, likewise.
const RETRIABLE: [i64; 2] = [2, 50_003];

impl Report {
    fn judge(&self, version: Version) -> (Outcome, Kind) {
        let stored = self.offset.is_some_and(|offset| offset >= 0);
        match (version, self.error_code) {
            (Version::V2, None) | (Version::V3, Some(200..300)) if stored => {
                (Outcome::Confirmed, Kind::Protocol)
            }
            (Version::V2, Some(code)) if NOT_RETRIABLE.contains(&code) => (Outcome::Refused, Kind::Protocol),
            (Version::V2, Some(code)) if RETRIABLE.contains(&code) => (Outcome::NotNow, Kind::Busy),
            (_, Some(code)) => match of_status(code) {
                (Outcome::Unknown, kind) if !(200..300).contains(&code) => (Outcome::NotNow, kind),
                other => other,
            },
            (_, None) => (Outcome::Unknown, Kind::Protocol),
        }
    }
}

/// What a status of HTTP says of a record, or a code of five digits that begins with one.
const fn of_status(code: i64) -> (Outcome, Kind) {
    let status = if code >= 10_000 { code / 100 } else { code };
    match status {
        401 | 403 => (Outcome::Unknown, Kind::Credentials),
        404 => (Outcome::Unknown, Kind::Missing),
        408 | 425 | 429 => (Outcome::Unknown, Kind::Busy),
        400..500 => (Outcome::Refused, Kind::Protocol),
        500..600 => (Outcome::Unknown, Kind::Busy),
        _ => (Outcome::Unknown, Kind::Protocol),
    }
}

fn of_v2(answer: &[u8]) -> Option<Vec<Report>> {
    #[derive(Deserialize)]
    struct Produced {
        offsets: Vec<Report>,
    }
    let produced: Produced = serde_json::from_slice(answer).ok()?;
    Some(produced.offsets)
}

/// As many reports as came whole.
fn of_v3(answer: &[u8]) -> Option<Vec<Report>> {
    let reports = serde_json::Deserializer::from_slice(answer).into_iter::<Report>();
    Some(reports.map_while(Result::ok).collect())
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Confirmed, NotNow, Refused, Unknown};
    use super::*;

    const LINE: &str = r#"{"event":"click","ts":1,"session":"v\"1"}"#;

    #[test]
    fn both_bodies_are_json_with_keys_and_values() {
        let records = [("a\"b", LINE), ("c", "{}")];
        let v2: serde_json::Value = serde_json::from_str(&body(Version::V2, records.into_iter())).unwrap();
        assert_eq!(v2["records"][0]["key"], "a\"b");
        assert_eq!(v2["records"][0]["value"]["session"], "v\"1");
        assert_eq!(v2["records"].as_array().map(Vec::len), Some(2));
        let v3 = body(Version::V3, records.into_iter());
        let v3: Vec<serde_json::Value> = serde_json::Deserializer::from_str(&v3)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(v3.len(), 2);
        assert_eq!(
            (&v3[0]["key"]["type"], &v3[0]["key"]["data"]),
            (&"JSON".into(), &"a\"b".into())
        );
        assert_eq!(v3[0]["value"]["data"]["event"], "click");
    }

    fn v2(answer: &str, records: usize) -> Verdict {
        verdict(Version::V2, 200, answer.as_bytes(), true, records)
    }

    #[test]
    fn v2_confirms_what_has_an_offset_and_nothing_else() {
        let all = v2(
            r#"{"key_schema_id":null,"offsets":[{"partition":0,"offset":7,"error_code":null,"error":null},{"partition":1,"offset":0}]}"#,
            2,
        );
        assert_eq!((all.outcomes, all.fault), (vec![Confirmed, Confirmed], None));
        let mixed = v2(
            r#"{"offsets":[{"offset":7},{"error_code":1,"error":"too large"},{"error_code":2,"error":"busy"},
                {"offset":null},{"error_code":42201},{"error_code":40301},{"offset":-1}]}"#,
            7,
        );
        let expected = vec![Confirmed, Refused, NotNow, Unknown, Refused, NotNow, Unknown];
        assert_eq!(mixed.outcomes, expected);
        assert!(mixed.fault.is_some());
        let credentials = v2(r#"{"offsets":[{"offset":1},{"error_code":40301}]}"#, 2);
        assert_eq!(credentials.fault, Some(Kind::Credentials));
        let refused = v2(r#"{"offsets":[{"offset":1},{"error_code":1}]}"#, 2);
        assert_eq!(
            (refused.outcomes, refused.fault),
            (vec![Confirmed, Refused], None)
        );
    }

    #[test]
    fn half_an_answer_of_v2_confirms_no_more_than_it_says() {
        let fewer = v2(r#"{"offsets":[{"offset":1}]}"#, 3);
        assert_eq!(
            (fewer.outcomes, fewer.fault),
            (vec![Confirmed, Unknown, Unknown], Some(Kind::Protocol))
        );
        for none in [
            r#"{"offsets":[{"offset":1},{"offset":2},{"offset":3},{"offset":4}]}"#,
            r#"{"offsets":[{"offset":1},{"of"#,
            r#"{"offsets":[{"offset":"1"}]}"#,
            r#"{"offsets":7}"#,
            "{}",
            "",
            "<html>",
        ] {
            assert_eq!(v2(none, 3), Verdict::unknown(3, Kind::Protocol), "{none}");
        }
        let cut = verdict(Version::V2, 200, b"{\"offsets\":[", false, 1);
        assert_eq!(cut, Verdict::unknown(1, Kind::Unreachable));
    }

    #[test]
    fn v3_is_a_stream_and_its_whole_reports_count() {
        let good = |offset: i64| {
            format!(
                "{{\"error_code\":200,\"cluster_id\":\"c\",\"topic_name\":\"t\",\"partition_id\":0,\"offset\":{offset},\"timestamp\":\"2026-01-01T00:00:00Z\",\"key\":{{\"type\":\"JSON\",\"size\":3}}}}"
            )
        };
        let v3 =
            |answer: &str, complete, records| verdict(Version::V3, 200, answer.as_bytes(), complete, records);
        let all = v3(&format!("{}\r\n{}", good(0), good(1)), true, 2);
        assert_eq!((all.outcomes, all.fault), (vec![Confirmed, Confirmed], None));
        let whole = format!("{}{}", good(0), good(1));
        for cut in good(0).len()..whole.len() {
            let half = v3(&whole[..cut], false, 2);
            assert_eq!(half.outcomes, [Confirmed, Unknown], "{cut}");
            assert_eq!(half.fault, Some(Kind::Unreachable));
        }
        let bad = format!(
            "{}{}{}",
            good(3),
            r#"{"error_code":400,"message":"no"}"#,
            r#"{"error_code":50301,"message":"no"}"#
        );
        let mixed = v3(&bad, true, 3);
        assert_eq!(
            (mixed.outcomes, mixed.fault),
            (vec![Confirmed, Refused, NotNow], Some(Kind::Busy))
        );
        assert_eq!(v3(&whole, true, 1), Verdict::unknown(1, Kind::Protocol));
        assert_eq!(v3("", true, 2).outcomes, [Unknown, Unknown]);
        assert_eq!(
            v3("{\"error_code\":200}", true, 1).outcomes,
            [Unknown],
            "stored where?"
        );
        assert_eq!(v3("{\"offset\":5}", true, 1).outcomes, [Unknown]);
    }

    #[test]
    fn a_refusal_of_the_whole_request_drops_nothing() {
        for (status, kind) in [
            (401, Kind::Credentials),
            (403, Kind::Credentials),
            (404, Kind::Missing),
            (400, Kind::Protocol),
            (422, Kind::Protocol),
            (429, Kind::Busy),
            (500, Kind::Busy),
            (503, Kind::Busy),
            (302, Kind::Protocol),
        ] {
            for body in ["", "{\"error_code\":1}", r#"{"offsets":[{"offset":1}]}"#] {
                let found = verdict(Version::V2, status, body.as_bytes(), true, 2);
                assert_eq!(found, Verdict::unknown(2, kind), "{status} {body}");
            }
        }
        // As Karapace says that the second of two failed.
        let body =
            br#"{"offsets":[{"offset":7,"partition":0},{"error_code":1,"error":"KafkaTimeoutError"}]}"#;
        let found = verdict(Version::V2, 422, body, true, 2);
        assert_eq!(
            (found.outcomes, found.fault),
            (vec![Confirmed, NotNow], Some(Kind::Protocol))
        );
        let large = verdict(Version::V3, 413, b"", true, 2);
        assert!(large.too_large && large.outcomes == [Unknown, Unknown]);
    }
}

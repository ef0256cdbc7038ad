//! Standard mode: the server searches, the browser ranks.
//!
//! A request holds the mean vector of the viewer's recent clicks and nothing else of the viewer. That keeps ids,
//! history and user features in the browser as a matter of policy. It hides neither the viewer's address nor the
//! taste that the vector describes: a server that knows the catalogue can guess clicked videos from the vector.

/// What standard mode promises.
pub const CLAIM: &str = "The mean vector of your recent clicks goes to the server; no id, no cookie, no history. \
    This is a policy, not anonymity: the server sees the vector and your address.";

/// Candidates asked for, whatever the viewer has seen: the browser drops seen videos itself, so neither their ids nor
/// their number shows in a request.
pub const CANDIDATES: u32 = 200;

/// The exact body of a `POST /v1/recs`.
///
/// With a query, `{"vector":[…],"k":k}`: each number is the shortest decimal that reads back as the same f32. Without
/// one, `{"k":k}`, which asks for popular videos. Values that are not finite become `null`, as in every JSON writer;
/// the server refuses them. `filter` is what the page wants to see at all, a JSON object; it is sent as it stands.
#[must_use]
pub fn request_body(query: Option<&[f32]>, k: u32, filter: Option<&str>) -> String {
    // Numbers are always JSON.
    let vector = |vector: &[f32]| serde_json::to_string(vector).unwrap_or_default();
    let vector = query.map_or_else(String::new, |query| format!("\"vector\":{},", vector(query)));
    let filter = filter.map_or_else(String::new, |filter| format!(",\"filter\":{filter}"));
    format!("{{{vector}\"k\":{k}{filter}}}")
}

/// [`request_body`] in words. `clicks` is how many clicks the mean is over, `dim` the vector's length; with no click the
/// request is the same for everybody.
#[must_use]
pub fn request_words(clicks: usize, dim: usize) -> String {
    match clicks {
        0 => "a request for popular videos, the same for everybody; no id, no cookie".to_owned(),
        1 => format!("the vector of your last click ({dim} numbers); no id, no cookie"),
        _ => format!("the mean vector of your last {clicks} clicks ({dim} numbers); no id, no cookie"),
    }
}

/// The exact body of a search: the words that the viewer typed, and nothing of the clicks.
#[must_use]
pub fn search_body(text: &str, k: u32) -> String {
    // A string is always JSON.
    let text = serde_json::to_string(text).unwrap_or_default();
    format!("{{\"text\":{text},\"k\":{k}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parsed(body: &str) -> Value {
        serde_json::from_str(body).unwrap()
    }

    #[test]
    fn a_query_reads_back_bit_for_bit() {
        let vector = [0.1f32, -1.0, 1e-12, f32::MIN_POSITIVE, 0.333_333_34, -0.0];
        let body = parsed(&request_body(Some(&vector), CANDIDATES, None));
        let read: Vec<f32> = serde_json::from_value(body["vector"].clone()).unwrap();
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read), bits(&vector));
        assert_eq!(body["k"], 200);
        assert_eq!(body.as_object().unwrap().len(), 2, "nothing else is sent");
    }

    #[test]
    fn without_clicks_the_body_is_the_same_for_everybody() {
        assert_eq!(request_body(None, 200, None), "{\"k\":200}");
        assert_eq!(
            request_body(None, 9, Some(r#"{"age":6}"#)),
            r#"{"k":9,"filter":{"age":6}}"#
        );
    }

    #[test]
    fn what_is_not_finite_stays_json() {
        let body = parsed(&request_body(Some(&[f32::NAN, 1.0, f32::INFINITY]), 1, None));
        assert_eq!(body["vector"], json!([null, 1.0, null]));
    }

    #[test]
    fn a_search_sends_the_words_alone() {
        let text = "a \"red\" fox\n\u{1}é";
        assert_eq!(parsed(&search_body(text, 8)), json!({ "text": text, "k": 8 }));
    }

    #[test]
    fn words_tell_what_the_mean_is_over() {
        assert!(request_words(0, 0).contains("popular"));
        assert!(request_words(1, 128).starts_with("the vector of your last click (128 numbers)"));
        assert!(request_words(3, 128).starts_with("the mean vector of your last 3 clicks (128 numbers)"));
    }
}

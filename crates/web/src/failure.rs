//! What goes wrong, as an `Error` that a page can test by its name.

use recsys_core::json::Shown;
use wasm_bindgen::JsValue;

/// The `name` of a thrown error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An argument is not what the types say.
    BadOption,
    /// There is no such method.
    UnknownMethod,
    /// The id is of no video that this browser knows.
    UnknownItem,
    /// No answer from the server, or one that says that it can't.
    Network,
    /// The server understood the request and refuses it.
    Refused,
    /// The server's answer is not what its format says.
    BadReply,
    /// The privacy mode does not allow the call.
    ModeForbids,
    /// The browser's store failed; the event counts until the page is closed.
    Storage,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::BadOption => "BadOption",
            Self::UnknownMethod => "UnknownMethod",
            Self::UnknownItem => "UnknownItem",
            Self::Network => "Network",
            Self::Refused => "Refused",
            Self::BadReply => "BadReply",
            Self::ModeForbids => "ModeForbids",
            Self::Storage => "Storage",
        }
    }
}

/// One failed call.
#[derive(Clone, Debug)]
pub struct Failure {
    kind: Kind,
    /// What was expected, what was found, and what to do.
    pub message: String,
}

impl Failure {
    /// A failure with its message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message }
    }

    /// Whether it is of a kind.
    pub fn is(&self, kind: Kind) -> bool {
        self.kind == kind
    }

    /// Bytes of the server that are not what their format says.
    #[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
    pub fn bad_reply(error: impl ToString) -> Self {
        Self::new(Kind::BadReply, error.to_string())
    }

    /// A method that there is not.
    pub fn unknown_method(method: &str) -> Self {
        Self::new(
            Kind::UnknownMethod,
            format!("a Recommender has no method `{method}`"),
        )
    }

    /// A slate that is not at hand, or has other videos.
    pub fn unknown_slate() -> Self {
        let message = "no slate at hand has these videos; pass the `request` of a slate that `recommend` has returned \
            since this page was opened, and videos of it";
        Self::new(Kind::UnknownItem, message)
    }

    /// An id that is in no slate, nor anywhere else in this browser.
    pub fn unknown_item(id: &str) -> Self {
        let advice =
            "pass the id of a video that `recommend` or `search` has returned since this page was opened";
        Self::new(
            Kind::UnknownItem,
            format!("the video {} is not known here; {advice}", Shown::from(id)),
        )
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        let error = js_sys::Error::new(&failure.message);
        error.set_name(failure.kind.name());
        error.into()
    }
}

/// The message of whatever JavaScript threw.
pub fn thrown(value: &JsValue) -> String {
    let error: Option<&js_sys::Error> = wasm_bindgen::JsCast::dyn_ref(value);
    error.map_or_else(
        || value.as_string().unwrap_or_else(|| "an unknown error".to_owned()),
        |error| String::from(error.message()),
    )
}

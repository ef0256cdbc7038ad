//! Why there is no answer.

/// Whose fault it is.
pub enum Fault {
    /// What was sent cannot be encoded.
    Input(String),
    /// The model cannot be used.
    Model(String),
}

impl From<worker::Error> for Fault {
    fn from(error: worker::Error) -> Self {
        Self::Model(error.to_string())
    }
}

//! Everything that this worker logs. A line has fixed words and numbers of the site's own, so that no part of a request
//! can stand in one; `clippy.toml` refuses the macros that log everywhere else.

/// A line of the log.
#[derive(Clone, Copy)]
pub enum Line {
    /// The data centre's cache did not take the highest sequence that was served.
    NotRemembered {
        /// The sequence.
        sequence: u64,
    },
    /// The runtime failed to count a request for the rate limit, and it passed.
    NotCounted,
}

impl Line {
    /// Writes it.
    #[allow(clippy::disallowed_macros)]
    pub fn write(self) {
        match self {
            Self::NotRemembered { sequence } => {
                worker::console_warn!("the cache did not take the sequence {sequence}");
            }
            Self::NotCounted => {
                worker::console_warn!("the rate limit did not count a request, which passed");
            }
        }
    }
}

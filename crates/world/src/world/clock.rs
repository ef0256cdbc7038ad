//! Dates of the simulated world. All fixed, so that a world does not depend on the day it is made.

/// Days from 1970-01-01 to 2026-06-30, the last upload.
pub(super) const LAST_UPLOAD_DAY: i64 = 20_634;
/// Days over which videos were uploaded.
pub(super) const UPLOAD_DAYS: i64 = 730;
/// Days from 1970-01-01 to 2026-06-01, the first day of the log.
pub(super) const FIRST_LOG_DAY: i64 = 20_605;
/// Days of the log; the last is 2026-07-30.
pub(super) const LOG_DAYS: i64 = 60;

pub(super) const DAY_MS: i64 = 86_400_000;

/// `days` since 1970-01-01 as an ISO 8601 date (Howard Hinnant's `civil_from_days`).
pub(super) fn iso_date(days: i64) -> String {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Seconds as an ISO 8601 duration.
pub(super) fn iso_duration(seconds: u32) -> String {
    match (seconds / 60, seconds % 60) {
        (0, s) => format!("PT{s}S"),
        (m, 0) => format!("PT{m}M"),
        (m, s) => format!("PT{m}M{s}S"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_durations() {
        assert_eq!(iso_date(0), "1970-01-01");
        assert_eq!(iso_date(19_782), "2024-02-29");
        assert_eq!(iso_date(LAST_UPLOAD_DAY), "2026-06-30");
        assert_eq!(iso_date(FIRST_LOG_DAY), "2026-06-01");
        assert_eq!(iso_date(FIRST_LOG_DAY + LOG_DAYS - 1), "2026-07-30");
        assert_eq!(iso_duration(45), "PT45S");
        assert_eq!(iso_duration(120), "PT2M");
        assert_eq!(iso_duration(754), "PT12M34S");
    }
}

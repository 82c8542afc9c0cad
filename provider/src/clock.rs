//! The local time, for diagnostics only.
//!
//! Log and trace lines carry it. No rule depends on it: what is too late is for
//! the server to say.

/// The local time, RFC 3339 in UTC with microseconds: Terraform's plugin client
/// takes a log line for plain text if its time has more digits, or fewer.
pub(crate) fn stamp() -> String {
    format!("{:.6}", jiff::Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_has_six_digits_of_a_second() {
        assert_eq!(stamp().len(), "2026-11-20T21:31:26.000000Z".len());
    }
}

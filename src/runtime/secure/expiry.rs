//! Until when a certificate is valid.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::model::Time;

use super::der::{GENERALIZED_TIME, Reader, SEQUENCE, UTC_TIME};

/// The tag of the version of a certificate, which the oldest ones do not have.
const VERSION: u8 = 0xa0;

/// `notAfter` of a certificate in DER; None where it cannot be found.
pub fn not_after(certificate: &[u8]) -> Option<Time> {
    let mut signed = Reader(Reader(certificate).expect(SEQUENCE)?);
    let mut fields = Reader(signed.expect(SEQUENCE)?);
    // Serial number, algorithm and issuer come before it.
    let before = if fields.next()?.0 == VERSION { 3 } else { 2 };
    for _ in 0..before {
        fields.next()?;
    }
    let mut validity = Reader(fields.expect(SEQUENCE)?);
    validity.next()?;
    let (tag, text) = validity.next()?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// A time as RFC 5280 has them: to the second, and in UTC.
fn time(tag: u8, text: &str) -> Option<Time> {
    let digits = text.strip_suffix('Z')?;
    let whole = match tag {
        // Years of two digits are from 1950 to 2049.
        UTC_TIME if digits.len() == 12 && digits >= "50" => format!("19{digits}"),
        UTC_TIME if digits.len() == 12 => format!("20{digits}"),
        GENERALIZED_TIME if digits.len() == 14 => digits.to_owned(),
        _ => return None,
    };
    let read = DateTime::strptime("%Y%m%d%H%M%S", whole).ok()?;
    // The last second of the year 9999 stands for no end at all, and is a day too late for jiff.
    let at = TimeZone::UTC.to_timestamp(read).unwrap_or(Timestamp::MAX);
    Some(at.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_certificates_have_them() {
        for (tag, text, read) in [
            (UTC_TIME, "260301120000Z", Some("2026-03-01T12:00:00Z")),
            (UTC_TIME, "491231235959Z", Some("2049-12-31T23:59:59Z")),
            (UTC_TIME, "500101000000Z", Some("1950-01-01T00:00:00Z")),
            (
                GENERALIZED_TIME,
                "20500101000000Z",
                Some("2050-01-01T00:00:00Z"),
            ),
            (
                GENERALIZED_TIME,
                "99991231235959Z",
                Some("9999-12-30T22:00:00.999999Z"),
            ),
            (UTC_TIME, "2603011200Z", None),
            (UTC_TIME, "260301120000+0100", None),
            (UTC_TIME, "261301120000Z", None),
            (GENERALIZED_TIME, "20260301120000.5Z", None),
            (SEQUENCE, "260301120000Z", None),
        ] {
            let expected = read.map(|text| text.parse().expect("a time"));
            assert_eq!(time(tag, text), expected, "{text}");
        }
    }
}

//! Until when a certificate is valid.

use jiff::Timestamp;
use x509_cert::{Certificate, der::Decode};

use crate::model::Time;

/// `notAfter` of a certificate in DER; None where it cannot be read. The last second of the year
/// 9999 stands for no end at all (RFC 5280, 4.1.2.5), and is a day too late for the clock here.
pub fn not_after(certificate: &[u8]) -> Option<Time> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let end = certificate.tbs_certificate().validity().not_after;
    let seconds = i64::try_from(end.to_unix_duration().as_secs()).ok()?;
    let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    Some(at.into())
}

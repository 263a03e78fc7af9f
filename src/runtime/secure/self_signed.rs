//! A certificate that the process makes for itself, as Kubernetes' components do where they are
//! given none.
//!
//! It keeps listeners out, and says nothing of who answers: another process has another one, so
//! clients do not verify it. It is kept in memory only.

use std::{net::IpAddr, time::Duration};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

use crate::model::Time;

/// How long a certificate is valid.
pub const VALIDITY: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long before now its validity begins: clocks differ.
const EARLIER: Duration = Duration::from_secs(3600);

/// A certificate and its key, both in DER.
pub struct SelfSigned {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// The key, as PKCS #8.
    pub key: Vec<u8>,
}

impl SelfSigned {
    /// A certificate with a new key for these names, of which the first is the subject's, and these
    /// addresses, from now on. A name that no certificate can hold is left out: nobody verifies it.
    pub fn new(names: &[String], addresses: &[IpAddr], now: Time) -> SelfSigned {
        let mut params = CertificateParams::default();
        let since_1970 = |at: Time| date_time_ymd(1970, 1, 1) + at.since(Time::default());
        params.not_before = since_1970(now - EARLIER);
        params.not_after = since_1970(now + VALIDITY);
        let mut subject = DistinguishedName::new();
        let name = names.first().map_or("", String::as_str);
        subject.push(DnType::CommonName, name);
        params.distinguished_name = subject;
        let dns = names
            .iter()
            .filter_map(|name| name.as_str().try_into().ok());
        let ip = addresses.iter().map(|address| SanType::IpAddress(*address));
        params.subject_alt_names = dns.map(SanType::DnsName).chain(ip).collect();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().expect("the operating system has random numbers");
        let certificate = params
            .self_signed(&key)
            .expect("a key can sign what it was made for");
        SelfSigned {
            certificate: certificate.der().to_vec(),
            key: key.serialize_der(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::secure::expiry::not_after;

    #[test]
    fn a_certificate_is_valid_for_a_year_in_this_century_and_the_next() {
        for now in [
            "2026-11-30T17:00:00Z",
            "2049-06-01T00:00:00Z",
            "2103-01-01T00:00:00Z",
        ] {
            let now: Time = now.parse().expect("a time");
            let made = SelfSigned::new(&["a".to_owned()], &[], now);
            assert_eq!(not_after(&made.certificate), Some(now + VALIDITY));
            for end in 0..made.certificate.len() {
                assert_eq!(not_after(&made.certificate[..end]), None, "cut at {end}");
            }
        }
    }

    #[test]
    fn a_certificate_without_an_end_is_valid_for_as_long_as_the_clock_goes() {
        let mut params = CertificateParams::default();
        // What RFC 5280 has for no end.
        params.not_after = date_time_ymd(9999, 12, 31) + Duration::from_secs(24 * 3600 - 1);
        let key = KeyPair::generate().expect("a key");
        let made = params.self_signed(&key).expect("a certificate");
        assert_eq!(not_after(made.der()), Some(jiff::Timestamp::MAX.into()));
    }

    #[test]
    fn each_has_a_key_and_a_number_of_its_own() {
        let [a, b] = [(); 2].map(|()| SelfSigned::new(&[], &[], Time::from_secs(0)));
        assert_ne!(a.key, b.key);
        assert_ne!(a.certificate, b.certificate);
    }
}

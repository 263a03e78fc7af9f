//! A certificate that the process makes for itself, as Kubernetes' components do where they are
//! given none.
//!
//! It keeps listeners out, and says nothing of who answers: another process has another one, so
//! clients do not verify it. It is kept in memory only.

use std::{net::IpAddr, time::Duration};

use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};

use crate::model::Time;

use super::der::{
    BIT_STRING, BOOLEAN, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, UTC_TIME,
    UTF8_STRING, bits, value, values,
};

/// How long a certificate is valid.
pub const VALIDITY: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long before now its validity begins: clocks differ.
const EARLIER: Duration = Duration::from_secs(3600);

/// `ecdsa-with-SHA256`
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
/// `id-ecPublicKey`
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// `secp256r1`
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// `id-at-commonName`
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
/// `id-ce-keyUsage`
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
/// `id-ce-subjectAltName`
const ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
/// `id-ce-basicConstraints`
const CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
/// `id-ce-extKeyUsage`
const EXTENDED_USAGE: &[u8] = &[0x55, 0x1d, 37];
/// `id-kp-serverAuth`
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];

/// A certificate and its key, both in DER.
pub struct SelfSigned {
    /// The certificate.
    pub certificate: Vec<u8>,
    /// The key, as PKCS #8.
    pub key: Vec<u8>,
}

impl SelfSigned {
    /// A certificate with a new key for these names, of which the first is the subject's, and these
    /// addresses, from now on.
    pub fn new(names: &[String], addresses: &[IpAddr], now: Time) -> SelfSigned {
        let random = SystemRandom::new();
        let unlikely = "the operating system has random numbers";
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect(unlikely);
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).expect(unlikely);
        let mut serial = [0; 16];
        random.fill(&mut serial).expect(unlikely);
        // A positive number of just this length.
        serial[0] = serial[0] & 0x3f | 0x40;

        let signed_with = value(SEQUENCE, &value(OID, ECDSA_SHA256));
        let name = names.first().map_or("", String::as_str);
        let name = [value(OID, COMMON_NAME), value(UTF8_STRING, name.as_bytes())].concat();
        let name = value(SEQUENCE, &value(SET, &value(SEQUENCE, &name)));
        let public = [
            values(SEQUENCE, &[&value(OID, EC_PUBLIC_KEY), &value(OID, P256)]),
            bits(pair.public_key().as_ref()),
        ];
        let content = values(
            SEQUENCE,
            &[
                // Version 3, counted from 0.
                &value(0xa0, &value(INTEGER, &[2])),
                &value(INTEGER, &serial),
                &signed_with,
                &name,
                &values(SEQUENCE, &[&time(now - EARLIER), &time(now + VALIDITY)]),
                &name,
                &value(SEQUENCE, &public.concat()),
                &value(0xa3, &extensions(names, addresses)),
            ],
        );
        let signature = pair.sign(&random, &content).expect(unlikely);
        SelfSigned {
            certificate: values(
                SEQUENCE,
                &[&content, &signed_with, &bits(signature.as_ref())],
            ),
            key: key.as_ref().to_vec(),
        }
    }
}

fn extensions(names: &[String], addresses: &[IpAddr]) -> Vec<u8> {
    let critical = value(BOOLEAN, &[0xff]);
    let extension = |of: &[u8], critical: &[u8], content: &[u8]| {
        values(
            SEQUENCE,
            &[&value(OID, of), critical, &value(OCTET_STRING, content)],
        )
    };
    let names = names.iter().map(|name| value(0x82, name.as_bytes()));
    let addresses = addresses.iter().map(|address| match address {
        IpAddr::V4(four) => value(0x87, &four.octets()),
        IpAddr::V6(six) => value(0x87, &six.octets()),
    });
    let also: Vec<u8> = names.chain(addresses).flatten().collect();
    values(
        SEQUENCE,
        &[
            // No certificate authority.
            &extension(CONSTRAINTS, &critical, &value(SEQUENCE, &[])),
            // Of the first byte of the bits 7 are unused, and the first is digitalSignature.
            &extension(KEY_USAGE, &critical, &value(BIT_STRING, &[7, 0x80])),
            &extension(
                EXTENDED_USAGE,
                &[],
                &value(SEQUENCE, &value(OID, SERVER_AUTH)),
            ),
            &extension(ALT_NAME, &[], &value(SEQUENCE, &also)),
        ],
    )
}

/// A time as RFC 5280 wants it: years of two digits until 2049.
fn time(at: Time) -> Vec<u8> {
    let text = at.timestamp().strftime("%Y%m%d%H%M%SZ").to_string();
    match text.strip_prefix("20") {
        Some(short) if short < "50" => value(UTC_TIME, short.as_bytes()),
        _ => value(GENERALIZED_TIME, text.as_bytes()),
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
    fn a_certificate_in_which_any_byte_is_wrong_is_read_or_not_and_ends_nothing() {
        let made = SelfSigned::new(&["a".to_owned()], &[], Time::from_secs(1_800_000_000));
        for at in 0..made.certificate.len() {
            let mut damaged = made.certificate.clone();
            for byte in 0..=u8::MAX {
                damaged[at] = byte;
                let _ = not_after(&damaged);
            }
        }
    }

    #[test]
    fn each_has_a_key_and_a_number_of_its_own() {
        let [a, b] = [(); 2].map(|()| SelfSigned::new(&[], &[], Time::from_secs(0)));
        assert_ne!(a.key, b.key);
        assert_ne!(a.certificate, b.certificate);
    }
}

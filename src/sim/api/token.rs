//! Continue tokens, which lead from one page of a list to the next: JSON in base64, as the server
//! writes them.

use serde_json::{Value, json};

use super::body::syntax_error;
use super::status::{ApiStatus, Result};
use super::store::Name;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The version of the format, `v` in a token.
const FORMAT: &str = "meta.k8s.io/v1";

/// The token for the page that begins with this key, of a list at this version.
pub fn write(version: u64, (namespace, name): &Name) -> String {
    let token = json!({"v": FORMAT, "rv": version, "start": format!("{namespace}/{name}")});
    encode(token.to_string().as_bytes())
}

/// Reads a token: the version of the list, and the first key of the page.
pub fn read(token: &str) -> Result<(u64, Name)> {
    let refused = |why: &str| {
        ApiStatus::bad_request(format!(
            "invalid continue token: continue key is not valid: {why}"
        ))
    };
    let bytes =
        decode(token).map_err(|at| refused(&format!("illegal base64 data at input byte {at}")))?;
    let token: Value =
        serde_json::from_slice(&bytes).map_err(|_| refused(&syntax_error(&bytes)))?;
    if token["v"] != FORMAT {
        let format = token["v"].as_str().unwrap_or_default();
        return Err(refused(&format!(
            "server does not recognize this encoded version {format}"
        )));
    }
    let start = token["start"].as_str().and_then(|key| key.split_once('/'));
    match (token["rv"].as_u64(), start) {
        (Some(version), Some((namespace, name))) => Ok((version, (namespace.into(), name.into()))),
        _ => Err(refused(
            "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
        )),
    }
}

/// Base64 for URLs, without padding.
fn encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| {
            bits << 8 | usize::from(*chunk.get(at).unwrap_or(&0))
        });
        for at in 0..=chunk.len() {
            out.push(char::from(ALPHABET[bits >> (18 - 6 * at) & 63]));
        }
    }
    out
}

/// Decodes [`encode`]. The error is the place of the first wrong letter.
fn decode(text: &str) -> Result<Vec<u8>, usize> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for (at, letter) in text.bytes().enumerate() {
        let value = ALPHABET.iter().position(|l| *l == letter).ok_or(at)?;
        bits = bits << 6 | u32::try_from(value).unwrap_or(0);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 255) as u8);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for name in ["a", "ab", "abc"] {
            let key = ("namespace".to_owned(), name.to_owned());
            assert_eq!(read(&write(17, &key)), Ok((17, key)));
        }
        assert_eq!(decode(&encode(b"\x00\xff~?")), Ok(b"\x00\xff~?".to_vec()));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for (token, why) in [
            ("a*b", "illegal base64 data at input byte 1"),
            ("e30", "server does not recognize this encoded version "),
            (
                "garbage",
                "invalid character '\\u0081' looking for beginning of value",
            ),
        ] {
            let refused = read(token).unwrap_err();
            assert!(refused.message.ends_with(why), "{token}: {refused}");
        }
    }
}

//! The token of a request: `Authorization: Bearer TOKEN`.

use http::{HeaderMap, header::AUTHORIZATION};

/// The token, where there is one. As for Kubernetes' components the first header counts, and the
/// scheme in whatever case.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let mut words = value.trim().split(' ');
    let scheme = words.next()?;
    let token = words.next()?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_what_follows_bearer_and_nothing_else_is_one() {
        for (header, expected) in [
            (&b"Bearer abc"[..], Some("abc")),
            (b"bearer abc", Some("abc")),
            (b"BEARER abc", Some("abc")),
            (b"  Bearer abc  ", Some("abc")),
            (b"Bearer abc def", Some("abc")),
            (b"Bearer eyJ.eyJ.s-_g=", Some("eyJ.eyJ.s-_g=")),
            (b"Bearer", None),
            (b"Bearer ", None),
            (b"Bearer  abc", None),
            (b"Bearerabc", None),
            (b"Basic dTpw", None),
            (b"abc", None),
            (b"", None),
            (b"Bearer \xff\xfe", None),
        ] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(header).expect("a header");
            headers.insert(AUTHORIZATION, value);
            assert_eq!(token(&headers), expected, "{}", header.escape_ascii());
        }
        assert_eq!(token(&HeaderMap::new()), None);
        let mut two = HeaderMap::new();
        two.append(AUTHORIZATION, HeaderValue::from_static("Bearer a"));
        two.append(AUTHORIZATION, HeaderValue::from_static("Bearer b"));
        assert_eq!(token(&two), Some("a"));
    }
}

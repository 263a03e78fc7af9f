//! Image references: the tag, which decides the default pull policy.

/// Whether the default pull policy of an image is `Always`: with the tag `latest`, or with neither
/// tag nor digest. A reference that cannot be parsed has the default `IfNotPresent`.
pub fn pulled_always(image: &str) -> bool {
    tag(image) == Some("latest")
}

/// The tag of an image; `latest` where the reference has neither tag nor digest. None for a
/// reference with a digest alone, and for one that cannot be parsed.
pub fn tag(image: &str) -> Option<&str> {
    if image.len() == 64
        && image
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    {
        return None;
    }
    let (named, digest) = match image.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (image, None),
    };
    let after_slash = named.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match named[after_slash..].split_once(':') {
        Some((_, tag)) => (&named[..named.len() - tag.len() - 1], Some(tag)),
        None => (named, None),
    };
    let path = match name.split_once('/') {
        Some((domain, path)) if is_domain(domain) => domain_is_valid(domain).then_some(path)?,
        _ => name,
    };
    let valid = name.len() <= 255
        && path.split('/').all(component_is_valid)
        && tag.is_none_or(tag_is_valid)
        && digest.is_none_or(digest_is_valid);
    match (tag, digest) {
        _ if !valid => None,
        (None, None) => Some("latest"),
        (tag, _) => tag,
    }
}

/// Whether the part before the first slash is a registry.
fn is_domain(text: &str) -> bool {
    text.contains(['.', ':']) || text == "localhost" || text.bytes().any(|b| b.is_ascii_uppercase())
}

fn domain_is_valid(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let address = |inside: &str| {
        !inside.is_empty() && inside.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
    };
    let host_is_valid = match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(inside) => address(inside),
        None => host.split('.').all(label),
    };
    host_is_valid && port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
}

/// Lower-case letters and digits, with `.`, `_`, `__` or dashes between them.
fn component_is_valid(component: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    alphanumeric(*first)
        && alphanumeric(*last)
        && component
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|separator| {
                matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-')
            })
}

fn tag_is_valid(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn digest_is_valid(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        let part = |part: &str| {
            part.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
                && part.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        algorithm.split(['-', '_', '+', '.']).all(part)
            && hex.len() >= 32
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let digest = format!("@sha256:{}", "a".repeat(64));
        for (image, always) in [
            ("nginx", true),
            ("nginx:latest", true),
            ("nginx:1.27", false),
            ("registry:5000/nginx", true),
            ("registry:5000/nginx:1", false),
            ("registry.k8s.io/a/b__c/d-e:latest", true),
            ("localhost/x", true),
            ("Nginx", false),
            ("", false),
            ("nginx:", false),
            ("UPPER/x", true),
            ("a//b", false),
            (&format!("nginx{digest}"), false),
            (&format!("nginx:latest{digest}"), true),
            (&"a".repeat(64), false),
            ("[::1]:5000/x", true),
        ] {
            assert_eq!(pulled_always(image), always, "{image}");
        }
    }
}

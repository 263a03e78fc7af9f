//! The forms of names, labels and so on, and the messages about texts that break them.

/// A rule for a text: returns the messages about it, none if it is valid.
pub type Rule = fn(&str) -> Vec<String>;

const LABEL_PATTERN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const KEY_PATTERN: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

fn with_pattern(what: &str, examples: &[&str], pattern: &str) -> String {
    // The server's list of examples has a comma too many before each `or`; it is kept.
    let examples: Vec<_> = examples.iter().map(|e| format!("'{e}', ")).collect();
    let examples = examples.join(" or ");
    format!("{what} (e.g. {examples}regex used for validation is '{pattern}')")
}

/// Whether `text` begins and ends with an alphanumeric character, and has only these and `inside`
/// between.
fn framed(text: &str, alphanumeric: fn(&u8) -> bool, inside: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(alphanumeric) && bytes.last().is_some_and(alphanumeric);
    ends && bytes.iter().all(|b| alphanumeric(b) || inside.contains(b))
}

fn lower(b: &u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

fn is_label(text: &str) -> bool {
    framed(text, lower, b"-")
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_key(text: &str) -> bool {
    framed(text, u8::is_ascii_alphanumeric, b"-_.")
}

fn no_more_than(most: usize, unit: &str) -> String {
    format!("must be no more than {most} {unit}")
}

/// A DNS label (RFC 1123).
pub fn dns_label(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > 63 {
        wrong.push(no_more_than(63, "characters"));
    }
    if is_label(text) {
    } else if is_subdomain(text) {
        wrong.push("must not contain dots".to_owned());
    } else {
        const WHAT: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
                            and must start and end with an alphanumeric character";
        wrong.push(with_pattern(WHAT, &["my-name", "123-abc"], LABEL_PATTERN));
    }
    wrong
}

/// A DNS subdomain (RFC 1123).
pub fn dns_subdomain(text: &str) -> Vec<String> {
    subdomain(text, "characters")
}

/// A DNS subdomain whose labels may begin with an underscore and have some inside.
pub fn dns_subdomain_with_underscores(text: &str) -> Vec<String> {
    const LABEL: &str = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
    const WHAT: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' \
                        or '.', and must start and end with an alphanumeric character";
    let mut wrong = Vec::new();
    if text.len() > 253 {
        wrong.push(no_more_than(253, "characters"));
    }
    let label = |label: &str| framed(label.strip_prefix('_').unwrap_or(label), lower, b"-_");
    if !text.split('.').all(label) {
        let pattern = format!("{LABEL}(\\.{LABEL})*");
        wrong.push(with_pattern(WHAT, &["example.com"], &pattern));
    }
    wrong
}

/// A name that is generated from this prefix, as far as it can be checked: a dash at its end does
/// not end the name. The server's mask removes one more character.
pub fn masked(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            let mut kept = rest.to_owned();
            kept.pop();
            kept + "a"
        }
        _ => prefix.to_owned(),
    }
}

/// The key of a ConfigMap or Secret.
pub fn config_key(text: &str) -> Vec<String> {
    const WHAT: &str =
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    let mut wrong = Vec::new();
    if text.len() > 253 {
        wrong.push(no_more_than(253, "characters"));
    }
    let inside = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if text.is_empty() || !text.bytes().all(inside) {
        let examples = ["key.name", "KEY_NAME", "key-name"];
        wrong.push(with_pattern(WHAT, &examples, "[-._a-zA-Z0-9]+"));
    }
    match text {
        "." | ".." => wrong.push(format!("must not be '{text}'")),
        _ if text.starts_with("..") => wrong.push("must not start with '..'".to_owned()),
        _ => {}
    }
    wrong
}

/// The name of an HTTP header.
pub fn header_name(text: &str) -> Vec<String> {
    const WHAT: &str = "a valid HTTP header must consist of alphanumeric characters or '-'";
    let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if !text.is_empty() && text.bytes().all(inside) {
        return Vec::new();
    }
    vec![with_pattern(WHAT, &["X-Header-Name"], "[-A-Za-z0-9]+")]
}

/// The older and the newer code report the length in different words.
fn subdomain(text: &str, unit: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > 253 {
        wrong.push(no_more_than(253, unit));
    }
    if !is_subdomain(text) {
        const WHAT: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' \
                            or '.', and must start and end with an alphanumeric character";
        let pattern = format!("{LABEL_PATTERN}(\\.{LABEL_PATTERN})*");
        wrong.push(with_pattern(WHAT, &["example.com"], &pattern));
    }
    wrong
}

/// The key of a label, also called a qualified name.
pub fn label_key(text: &str) -> Vec<String> {
    const WHAT: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                        alphanumeric character";
    // Each write of an object checks its keys, and nearly all are right.
    let form = || with_pattern(WHAT, &["MyName", "my.name", "123-abc"], KEY_PATTERN);
    let mut wrong = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((prefix, name)) if !name.contains('/') => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                let said = subdomain(prefix, "bytes").into_iter();
                wrong.extend(said.map(|why| format!("prefix part {why}")));
            }
            name
        }
        _ => {
            let form = form();
            return vec![format!(
                "a valid label key {form} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        wrong.push(format!("name part {}", no_more_than(63, "bytes")));
    }
    if !is_key(name) {
        wrong.push(format!("name part {}", form()));
    }
    wrong
}

/// The value of a label.
pub fn label_value(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > 63 {
        wrong.push(no_more_than(63, "bytes"));
    }
    if !text.is_empty() && !is_key(text) {
        const WHAT: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
                            '.', and must start and end with an alphanumeric character";
        let pattern = format!("({KEY_PATTERN})?");
        wrong.push(with_pattern(
            WHAT,
            &["MyValue", "my_value", "12345"],
            &pattern,
        ));
    }
    wrong
}

/// The name of a port.
pub fn port_name(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut rule = |broken: bool, why: &str| {
        if broken {
            wrong.push(why.to_owned());
        }
    };
    let bytes = text.as_bytes();
    rule(bytes.len() > 15, &no_more_than(15, "characters"));
    rule(
        bytes.is_empty() || !bytes.iter().all(|b| lower(b) || *b == b'-'),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    );
    rule(
        !bytes.iter().any(u8::is_ascii_lowercase),
        "must contain at least one letter (a-z)",
    );
    rule(text.contains("--"), "must not contain consecutive hyphens");
    rule(
        text.starts_with('-') || text.ends_with('-'),
        "must not begin or end with a hyphen",
    );
    wrong
}

/// The name of an environment variable that is not empty.
pub fn env_name(text: &str) -> Vec<String> {
    const WHY: &str = "a valid environment variable name must consist only of printable ASCII characters other than \
                       '='";
    let printable = |b: u8| (b' '..=b'~').contains(&b) && b != b'=';
    if text.bytes().all(printable) {
        Vec::new()
    } else {
        vec![WHY.to_owned()]
    }
}

/// A percentage, such as `10%`.
pub fn percent(text: &str) -> Vec<String> {
    if share(text).is_some() {
        return Vec::new();
    }
    const WHAT: &str = "a valid percent string must be a numeric string followed by an ending '%'";
    vec![with_pattern(WHAT, &["1%", "93%"], "[0-9]+%")]
}

/// The number of a percentage, at most the largest number.
pub fn share(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('%')?;
    let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    whole.then(|| digits.parse().unwrap_or(i64::MAX))
}

/// A name that fits into a path.
pub fn path_segment(text: &str) -> Vec<String> {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    let held = ["/", "%"].into_iter().filter(|c| text.contains(c));
    held.map(|c| format!("may not contain '{c}'")).collect()
}

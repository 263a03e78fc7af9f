//! Requirements on labels, as label selectors and node affinity's matchExpressions share them.

use super::{Labels, Str};

/// Why a requirement cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// What a requirement asks of the label's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Test {
    /// One of these.
    In(Vec<Str>),
    /// Absent, or none of these.
    NotIn(Vec<Str>),
    /// Present.
    Exists,
    /// Absent.
    DoesNotExist,
    /// An integer above this.
    Gt(i64),
    /// An integer below this.
    Lt(i64),
}

/// One requirement on one label.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requirement {
    /// The label's key.
    pub key: Str,
    /// What its value must satisfy.
    pub test: Test,
}

impl Requirement {
    /// Checks and compiles a requirement by the rules of `labels.NewRequirement`.
    ///
    /// `Gt` and `Lt` are node affinity's; label selectors must not pass them.
    pub fn new(
        key: &str,
        operator: &str,
        values: &[impl AsRef<str>],
    ) -> Result<Requirement, Malformed> {
        let fail = |why: String| Err(Malformed(format!("requirement on {key:?}: {why}")));
        if let Err(why) = check_key(key) {
            return fail(why);
        }
        for v in values {
            if let Err(why) = check_value(v.as_ref()) {
                return fail(why);
            }
        }
        let shared = || {
            values
                .iter()
                .map(|v| v.as_ref().into())
                .collect::<Vec<Str>>()
        };
        let number = || match values {
            [v] => parse_int(v.as_ref()).ok_or_else(|| format!("{:?} is no integer", v.as_ref())),
            _ => Err(format!("{operator} takes exactly one value")),
        };
        let test = match operator {
            "In" | "NotIn" if values.is_empty() => {
                return fail(format!("{operator} takes at least one value"));
            }
            "In" => Test::In(shared()),
            "NotIn" => Test::NotIn(shared()),
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                return fail(format!("{operator} takes no values"));
            }
            "Exists" => Test::Exists,
            "DoesNotExist" => Test::DoesNotExist,
            "Gt" | "Lt" => match number() {
                Ok(n) if operator == "Gt" => Test::Gt(n),
                Ok(n) => Test::Lt(n),
                Err(why) => return fail(why),
            },
            other => return fail(format!("unknown operator {other:?}")),
        };
        Ok(Requirement {
            key: key.into(),
            test,
        })
    }

    /// An exact match, as in `matchLabels` and `nodeSelector`: its key and value are not checked further.
    pub fn equals(key: &str, value: &str) -> Requirement {
        Requirement {
            key: key.into(),
            test: Test::In(vec![value.into()]),
        }
    }

    /// Whether the labels satisfy it. A label that is no integer fails `Gt` and `Lt`.
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match &self.test {
            Test::In(values) => value.is_some_and(|v| values.iter().any(|w| &**w == v)),
            Test::NotIn(values) => value.is_none_or(|v| values.iter().all(|w| &**w != v)),
            Test::Exists => value.is_some(),
            Test::DoesNotExist => value.is_none(),
            Test::Gt(n) => value.and_then(parse_int).is_some_and(|v| v > *n),
            Test::Lt(n) => value.and_then(parse_int).is_some_and(|v| v < *n),
        }
    }
}

impl std::fmt::Display for Requirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = &self.key;
        match &self.test {
            Test::In(v) if v.len() == 1 => write!(f, "{key}={}", v[0]),
            Test::In(v) => write!(f, "{key} in ({})", v.join(",")),
            Test::NotIn(v) => write!(f, "{key} notin ({})", v.join(",")),
            Test::Exists => write!(f, "{key}"),
            Test::DoesNotExist => write!(f, "!{key}"),
            Test::Gt(n) => write!(f, "{key}>{n}"),
            Test::Lt(n) => write!(f, "{key}<{n}"),
        }
    }
}

/// A compiled label selector: all requirements hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selector {
    /// The empty selector, which selects everything.
    Everything,
    /// No selector at all, which selects nothing.
    Nothing,
    /// All of these.
    All(Vec<Requirement>),
}

impl Selector {
    /// Whether the labels are selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        match self {
            Selector::Everything => true,
            Selector::Nothing => false,
            Selector::All(requirements) => requirements.iter().all(|r| r.matches(labels)),
        }
    }
}

impl std::fmt::Display for Selector {
    /// As the API's `labelSelector` parameter takes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Selector::All(requirements) = self {
            for (i, r) in requirements.iter().enumerate() {
                write!(f, "{}{r}", if i == 0 { "" } else { "," })?;
            }
        }
        Ok(())
    }
}

/// Go's `strconv.ParseInt(text, 10, 64)`.
pub fn parse_int(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A qualified name: an optional DNS prefix and `/`, then at most 63 of `[A-Za-z0-9._-]`, alphanumeric at both ends.
fn check_key(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((_, rest)) if rest.contains('/') => {
            return Err("a label key has at most one slash".into());
        }
        Some((p, n)) => (Some(p), n),
        None => (None, key),
    };
    if let Some(p) = prefix
        && !(p.len() <= 253 && p.split('.').all(is_dns_label))
    {
        return Err(format!("the label key's prefix {p:?} is no DNS subdomain"));
    }
    if name.is_empty() || !is_label_text(name) {
        return Err(format!("{name:?} is no label name"));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), String> {
    if value.is_empty() || is_label_text(value) {
        Ok(())
    } else {
        Err(format!("{value:?} is no label value"))
    }
}

fn is_label_text(text: &str) -> bool {
    let alnum = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && alnum(bytes.first())
        && alnum(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// A label of a DNS subdomain. Its length is checked with the whole.
fn is_dns_label(text: &str) -> bool {
    let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(plain)
        && bytes.last().is_some_and(plain)
        && bytes.iter().all(|b| plain(b) || *b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().copied().collect()
    }

    #[test]
    fn each_operator_by_table() {
        let l = labels(&[
            ("zone", "a"),
            ("cores", "8"),
            ("empty", ""),
            ("word", "x1"),
            ("plus", "+9"),
        ]);
        for (key, op, values, expected) in [
            ("zone", "In", &["a", "b"][..], true),
            ("zone", "In", &["b"], false),
            ("gone", "In", &["a"], false),
            ("gone", "In", &[""], false),
            ("empty", "In", &[""], true),
            ("zone", "NotIn", &["a"], false),
            ("zone", "NotIn", &["b"], true),
            ("gone", "NotIn", &["b"], true),
            ("zone", "Exists", &[], true),
            ("gone", "Exists", &[], false),
            ("zone", "DoesNotExist", &[], false),
            ("gone", "DoesNotExist", &[], true),
            ("cores", "Gt", &["7"], true),
            ("cores", "Gt", &["8"], false),
            ("cores", "Lt", &["9"], true),
            ("cores", "Lt", &["8"], false),
            ("word", "Gt", &["0"], false),
            ("word", "Lt", &["0"], false),
            ("gone", "Lt", &["5"], false),
        ] {
            let r = Requirement::new(key, op, values).unwrap();
            assert_eq!(r.matches(&l), expected, "{key} {op} {values:?}");
        }
    }

    #[test]
    fn what_the_api_machinery_refuses_is_malformed() {
        let long = "x".repeat(64);
        for (key, op, values) in [
            ("zone", "In", &[][..]),
            ("zone", "NotIn", &[]),
            ("zone", "Exists", &["a"]),
            ("zone", "DoesNotExist", &["a"]),
            ("zone", "Gt", &["a"]),
            ("zone", "Gt", &["1", "2"]),
            ("zone", "Gt", &[]),
            ("zone", "Lt", &["9223372036854775808"]),
            ("zone", "Is", &["a"]),
            ("", "Exists", &[]),
            ("-zone", "Exists", &[]),
            ("zone/", "Exists", &[]),
            ("A.b/zone", "Exists", &[]),
            ("a/b/c", "Exists", &[]),
            (&long, "Exists", &[]),
            ("zone", "In", &["a b"]),
            ("zone", "In", &["-a"]),
            ("zone", "In", &[&long]),
        ] {
            assert!(
                Requirement::new(key, op, values).is_err(),
                "{key} {op} {values:?}"
            );
        }
        assert!(Requirement::new("Example.com/Zone", "Exists", &[] as &[&str]).is_err());
        assert!(Requirement::new("example.com/Zone_1.x", "Exists", &[] as &[&str]).is_ok());
    }
}

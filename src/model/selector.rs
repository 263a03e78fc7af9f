//! Requirements on labels: of label selectors, of nodeSelector, and of node affinity's
//! matchExpressions.

use super::{Labels, Str};

/// Why a requirement cannot be used: a sentence that names the key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// What a requirement asks of the value of a label: its operator and its values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Test {
    /// The label has one of these values.
    In(Vec<Str>),
    /// The label is absent or has none of these values.
    NotIn(Vec<Str>),
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
    /// The label is an integer above this one.
    Gt(i64),
    /// The label is an integer below this one.
    Lt(i64),
}

/// One requirement on one label. It is displayed as the API's `labelSelector` parameter takes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requirement {
    /// The key of the label.
    pub key: Str,
    /// What the label has to satisfy.
    pub test: Test,
}

impl Requirement {
    /// Makes a requirement of `key`, `operator` and `values` as the API has them.
    ///
    /// The rules are those of `labels.NewRequirement`: key and values have the form of labels, `In`
    /// and `NotIn` take at least one value, `Exists` and `DoesNotExist` take none, `Gt` and `Lt`
    /// take one integer. `Gt` and `Lt` exist in node affinity only; the caller refuses them in
    /// label selectors.
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

    /// An exact match, as in `nodeSelector`. Key and value are not checked.
    pub fn equals(key: &str, value: &str) -> Requirement {
        Requirement {
            key: key.into(),
            test: Test::In(vec![value.into()]),
        }
    }

    /// Whether the labels satisfy the requirement. A label that is absent or no integer fails `Gt`
    /// and `Lt`.
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

/// A label selector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selector {
    /// The empty selector (`{}`), which selects every object.
    Everything,
    /// An absent selector, which selects no object.
    Nothing,
    /// Selects an object that satisfies all of these requirements.
    All(Vec<Requirement>),
}

impl Selector {
    /// Whether an object with these labels is selected.
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

/// A decimal integer of 64 bits with an optional sign, as Go's `strconv.ParseInt(text, 10, 64)`
/// reads it. None for anything else.
pub fn parse_int(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Checks a label key: an optional DNS subdomain and `/`, then 1 to 63 of `[A-Za-z0-9._-]` with an
/// alphanumeric character at both ends.
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

/// Whether the text is one label of a DNS subdomain. The length is checked for the whole subdomain.
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

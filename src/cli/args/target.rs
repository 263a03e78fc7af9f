//! The name of a DaemonSet, in all the forms that people know from kubectl.

use std::{fmt, str::FromStr};

/// The forms that are understood, for errors.
const FORMS: &str = "NAMESPACE/NAME, NAME, ds/NAME or `ds NAME` is needed";

/// A DaemonSet by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its namespace, where given.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// The DaemonSet or DaemonSets that a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing in particular: the one DaemonSet that there is.
    TheOnlyOne,
    /// This DaemonSet.
    One(Target),
    /// Every DaemonSet that `-n` and `-l` leave, one line each.
    Each,
}

impl Target {
    /// Whether the DaemonSet of this namespace and name is meant.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace.as_deref().is_none_or(|n| n == namespace)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    /// `NAME` or `NAMESPACE/NAME`, either with the resource before it (`ds/NAME`). So a namespace
    /// that is called `ds` is given by `--namespace`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = match text.split_once('/') {
            Some((resource, rest)) if is_resource(resource) => rest,
            _ => text,
        };
        let (space, name) = match text.split_once('/') {
            Some((space, name)) => (Some(namespace(space)?).filter(|s| !s.is_empty()), name),
            None => (None, text),
        };
        if name.is_empty() || name.contains('/') {
            return Err(FORMS.to_owned());
        }
        if !is_name(name) {
            return Err(format!(
                "{name:?} is no name of a DaemonSet (at most 253 lower case letters, digits, dashes and dots); {FORMS}"
            ));
        }
        Ok(Target {
            namespace: space,
            name: name.to_owned(),
        })
    }
}

/// The DaemonSet that is named by words or by `-d`; an error where both name one and differ.
pub(super) fn named(words: &[String], flag: Option<&Target>) -> Result<Asked, String> {
    match (of_words(words)?, flag) {
        (Asked::One(word), Some(flag)) if word != *flag => Err(format!(
            "two DaemonSets are named, {word} and -d {flag} (or its environment variable): leave one out"
        )),
        (Asked::TheOnlyOne, Some(flag)) => Ok(Asked::One(flag.clone())),
        (Asked::Each, Some(flag)) => Err(format!(
            "`ds` alone means all DaemonSets, and -d {flag} names one: leave one out"
        )),
        (asked, _) => Ok(asked),
    }
}

/// Reads the words after the command: none, a target, or a resource and perhaps a target.
fn of_words(words: &[String]) -> Result<Asked, String> {
    let is_file = |word: &&String| [".yaml", ".yml", ".json"].iter().any(|e| word.ends_with(e));
    if let Some(file) = words.iter().find(is_file) {
        return Err(format!(
            "{file} looks like a file: each file needs its own -f, as in -f {file}"
        ));
    }
    match words {
        [] => Ok(Asked::TheOnlyOne),
        [resource] if is_resource(resource) => Ok(Asked::Each),
        [word] => Ok(Asked::One(word.parse()?)),
        [resource, word] if is_resource(resource) => Ok(Asked::One(word.parse()?)),
        _ => Err(format!(
            "{:?} is not understood: {FORMS}, and one DaemonSet only",
            words.join(" ")
        )),
    }
}

/// Whether it is one of the names by which kubectl knows the resource, in any case.
pub(super) fn is_resource(word: &str) -> bool {
    const NAMES: [&str; 7] = [
        "ds",
        "daemonset",
        "daemonsets",
        "daemonset.apps",
        "daemonsets.apps",
        "daemonset.v1.apps",
        "daemonsets.v1.apps",
    ];
    NAMES.iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// Whether the API server takes it as the name of a DaemonSet: a DNS subdomain.
fn is_name(text: &str) -> bool {
    let part = |part: &str| {
        let end = |b: Option<&u8>| b.is_some_and(|b| *b != b'-');
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let bytes = part.as_bytes();
        part.bytes().all(plain) && end(bytes.first()) && end(bytes.last())
    };
    text.len() <= 253 && text.split('.').all(part)
}

/// A namespace: it becomes part of paths, so it must be one.
pub(super) fn namespace(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.bytes().all(plain) && text.len() <= 63 {
        Ok(text.to_owned())
    } else {
        Err(
            "a namespace has at most 63 lower case letters, digits and dashes, and only one can be given"
                .to_owned(),
        )
    }
}

//! Takes out of answers what is random or belongs to one run, and keeps what it tells: which UIDs
//! are the same, which versions are newer than which.
//!
//! | found | becomes |
//! |---|---|
//! | a UID | `uid-1`, `uid-2`, in order of first appearance |
//! | an object's version | `v1`, `v2`, in order of first appearance; one that is older than some seen before names the next newer one, too: `v5<v3` |
//! | the version of a list or bookmark | `list version`: other writers move it |
//! | a time that no request named | `time`; of a deletion `time+30s`, with the grace period |
//! | the end of a generated name | `<generated-1>` |
//! | a continue token | `more` |
//! | a namespace of the run | `<ns>`, `<ns2>` |
//! | what is wrong in one map, in any order | the same, sorted |
//! | `managedFields`, null, `{}` and `[]` | nothing |

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::causes;
use super::exceptions::EXCEPTIONS;
use super::play::Answer;
use super::step::Step;

/// UIDs, versions and names that the answers of one run had so far.
pub struct Normal {
    names: Vec<(String, String)>,
    literals: String,
    uids: BTreeMap<String, usize>,
    versions: BTreeMap<u64, usize>,
    count: usize,
}

impl Normal {
    /// For answers to `steps`, played with these names for its namespaces.
    pub fn new(steps: &[Step], names: &[(&'static str, String)]) -> Self {
        let requests: Vec<String> = steps
            .iter()
            .map(|s| serde_json::to_string(s).expect("steps are JSON"))
            .collect();
        Normal {
            names: names
                .iter()
                .map(|(symbol, name)| (name.clone(), (*symbol).to_owned()))
                .collect(),
            literals: requests.join("\n"),
            uids: BTreeMap::new(),
            versions: BTreeMap::new(),
            count: 0,
        }
    }

    /// All answers of a run, in order. What watches said counts as said at their steps' places in
    /// time after everything else, which is when it was read.
    pub fn run(mut self, steps: &[Step], answers: &[Answer]) -> Vec<Answer> {
        let mut out: Vec<Answer> = answers.to_vec();
        for watches in [false, true] {
            for (step, answer) in steps.iter().zip(&mut out) {
                if step.is_watch() == watches {
                    self.learn(step, &answer.body);
                    for exception in EXCEPTIONS {
                        (exception.apply)(step, answer);
                    }
                    answer.body = self.value("", &answer.body).unwrap_or(Value::Null);
                }
            }
        }
        out
    }

    /// Finds generated names.
    fn learn(&mut self, step: &Step, value: &Value) {
        let stem = |object: &Value| {
            let meta = &object["metadata"];
            let named = meta["name"].as_str().is_some_and(|name| !name.is_empty());
            let stem = meta["generateName"]
                .as_str()
                .filter(|stem| !named && !stem.is_empty());
            stem.map(str::to_owned)
        };
        // An error names what the request did not.
        if let Some(stem) = step.body.as_ref().and_then(stem)
            && step.request.starts_with("POST ")
            && let Some(name) = value["details"]["name"].as_str()
        {
            let stem = self.actual(&stem);
            self.generated(name, &stem);
        }
        self.learn_from(value);
    }

    fn learn_from(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.learn_from(item)),
            Value::Object(fields) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str);
                if let (Some(name), Some(stem)) = (text("name"), text("generateName")) {
                    self.generated(name, stem);
                }
                fields.values().for_each(|field| self.learn_from(field));
            }
            _ => {}
        }
    }

    fn generated(&mut self, name: &str, stem: &str) {
        const MOST: usize = 63 - 5;
        let stem = &stem[..stem.len().min(MOST)];
        let new = !self.names.iter().any(|(known, _)| known == name);
        if new && name.strip_prefix(stem).is_some_and(|end| end.len() == 5) {
            self.count += 1;
            let symbol = self.symbols(&format!("{stem}<generated-{}>", self.count));
            // Before the namespaces, of which it may be made.
            self.names.insert(0, (name.to_owned(), symbol));
        }
    }

    /// The text with symbols for names.
    fn symbols(&self, text: &str) -> String {
        self.names
            .iter()
            .fold(text.to_owned(), |text, (name, symbol)| {
                text.replace(name, symbol)
            })
    }

    /// The text with names for symbols.
    fn actual(&self, text: &str) -> String {
        self.names
            .iter()
            .fold(text.to_owned(), |text, (name, symbol)| {
                text.replace(symbol, name)
            })
    }

    /// The value below `key`, or nothing where there is nothing left of it.
    fn value(&mut self, key: &str, value: &Value) -> Option<Value> {
        match value {
            Value::Null => None,
            Value::Array(items) => {
                let items: Vec<Value> = items
                    .iter()
                    .map(|item| self.value("", item).unwrap_or(Value::Null))
                    .collect();
                (!items.is_empty()).then_some(Value::Array(items))
            }
            Value::Object(fields) => self.object(fields),
            Value::String(text) => Some(Value::String(self.string(key, text))),
            other => Some(other.clone()),
        }
    }

    fn object(&mut self, fields: &Map<String, Value>) -> Option<Value> {
        let kind = fields
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let ordered = (kind == "Status").then(|| causes::in_order(fields));
        let fields = ordered.as_ref().unwrap_or(fields);
        let moving = kind.ends_with("List") || fields.get("type").is_some_and(|t| t == "BOOKMARK");
        let grace = fields
            .get("deletionGracePeriodSeconds")
            .and_then(Value::as_i64);
        let mut out = Map::new();
        // In a fixed order, whatever the map's: the order of first appearance must be the same
        // everywhere.
        let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
        for (key, value) in sorted {
            let value = match (key.as_str(), value) {
                ("managedFields", _) => None,
                ("metadata", Value::Object(meta)) if moving => self.value(key, &unversioned(meta)),
                ("object", Value::Object(object)) if moving => {
                    let mut object = object.clone();
                    if let Some(Value::Object(meta)) = object.get("metadata") {
                        let meta = unversioned(meta);
                        object.insert("metadata".to_owned(), meta);
                    }
                    self.value(key, &Value::Object(object))
                }
                ("deletionTimestamp", Value::String(time)) => {
                    Some(deletion(time, grace, fields.get("creationTimestamp")))
                }
                _ => self.value(key, value),
            };
            out.extend(value.map(|value| (key.clone(), value)));
        }
        (!out.is_empty()).then_some(Value::Object(out))
    }

    fn string(&mut self, key: &str, text: &str) -> String {
        if key == "resourceVersion" {
            return self.version(text);
        }
        if is_time(text) && !self.literals.contains(text) {
            return "time".to_owned();
        }
        let text = self.uids_in(text);
        let mut text = self.symbols(&text);
        if key == "message" {
            for before in [
                "in the precondition (",
                "in record (",
                "resource version: ",
                "current: ",
                "in object meta: ",
                "in precondition: ",
                "too old resource version: 1 (",
            ] {
                text = self.version_after(&text, before);
            }
        }
        text
    }

    /// Whether a request named this version itself.
    fn sent(&self, version: &str) -> bool {
        let ways = [
            format!("\"resourceVersion\":\"{version}\""),
            format!("\"resourceVersion\",\"{version}\""),
        ];
        ways.iter().any(|way| self.literals.contains(way))
    }

    fn version(&mut self, text: &str) -> String {
        if text.is_empty() || text == "0" || self.sent(text) {
            return text.to_owned();
        }
        if text == MOVING {
            return text.to_owned();
        }
        let Ok(version) = text.parse::<u64>() else {
            return format!("not a version: {text}");
        };
        let next = self.versions.len() + 1;
        if let Some(symbol) = self.versions.get(&version) {
            return format!("v{symbol}");
        }
        let newer = self
            .versions
            .range(version..)
            .next()
            .map(|(_, symbol)| *symbol);
        self.versions.insert(version, next);
        match newer {
            // Said once: later it is known.
            Some(newer) => format!("v{next}<v{newer}"),
            None => format!("v{next}"),
        }
    }

    /// A version in the text of an error is known, or of the whole server and moves.
    fn version_after(&self, text: &str, before: &str) -> String {
        let Some((head, tail)) = text.split_once(before) else {
            return text.to_owned();
        };
        let end = tail
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .unwrap_or(tail.len());
        if tail[..end].parse::<u64>().is_err() {
            return text.to_owned();
        }
        let known = tail[..end]
            .parse()
            .ok()
            .and_then(|version: u64| self.versions.get(&version));
        let symbol = match known {
            // The version of the whole store, which other writers move.
            _ if before == "current: " => "version".to_owned(),
            Some(symbol) => format!("v{symbol}"),
            None if self.sent(&tail[..end]) => tail[..end].to_owned(),
            None => "version".to_owned(),
        };
        format!("{head}{before}{symbol}{}", &tail[end..])
    }

    fn uids_in(&mut self, text: &str) -> String {
        const LENGTH: usize = 36;
        let mut out = String::new();
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            if let Some(uid) = rest.get(..LENGTH).filter(|uid| is_uid(uid)) {
                if self.literals.contains(uid) || uid.starts_with("00000000") {
                    out += uid;
                } else {
                    let next = self.uids.len() + 1;
                    out += &format!("uid-{}", self.uids.entry(uid.to_owned()).or_insert(next));
                }
                at += LENGTH;
            } else {
                let c = rest.chars().next().unwrap_or_default();
                out.push(c);
                at += c.len_utf8();
            }
        }
        out
    }
}

/// Stands for versions that other writers move.
const MOVING: &str = "list version";

/// The metadata of a list or bookmark, whose version and token are its own.
fn unversioned(meta: &Map<String, Value>) -> Value {
    let mut meta = meta.clone();
    if meta
        .get("resourceVersion")
        .and_then(Value::as_str)
        .is_some_and(|v| v.parse::<u64>().is_ok_and(|v| v > 0))
    {
        meta.insert("resourceVersion".to_owned(), Value::from(MOVING));
    }
    if meta
        .get("continue")
        .and_then(Value::as_str)
        .is_some_and(|token| !token.is_empty())
    {
        meta.insert("continue".to_owned(), Value::from("more"));
    }
    Value::Object(meta)
}

fn is_uid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

fn is_time(text: &str) -> bool {
    text.len() >= 20 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok()
}

/// The end of an object lies its grace period after the request, and the request after its
/// creation.
fn deletion(time: &str, grace: Option<i64>, created: Option<&Value>) -> Value {
    let seconds = |text: &str| {
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(|time| time.as_second())
    };
    let created = created.and_then(Value::as_str).and_then(seconds);
    let grace = grace.unwrap_or_default();
    match (seconds(time), created) {
        (Some(time), Some(created)) if (0..600).contains(&(time - grace - created)) => {
            Value::from(format!("time+{grace}s"))
        }
        _ => Value::from(format!("{time}, which is not {grace} s after a request")),
    }
}

#[cfg(test)]
#[path = "normal_tests.rs"]
mod tests;

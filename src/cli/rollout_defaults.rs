//! The file of `--rollout-defaults`: a YAML list of rules, or JSON.
//!
//! A file with a mistake is refused as a whole, because half of its rules would be a guess at what
//! somebody meant. The error names line, rule, field and value, and what would be right.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path, sync::Arc};

use serde_json::{Map, Value};

use crate::{
    model::{
        Control, DefaultRule, ExcludeNodes, Existing, LabelSelector, NamePattern, RolloutDefaults,
        Str,
        control::{LONGEST, PREFIX},
    },
    runtime::rollout_defaults::DefaultsFile,
    wire::shortened,
};

use super::{documents, yaml};

/// The fields of a rule.
const FIELDS: [&str; 5] = ["namespaces", "names", "set", "excludeNodes", "existing"];

/// The same, as an error lists them.
const FIELDS_LISTED: &str = "namespaces, names, set, excludeNodes and existing";

/// The value that cancels what earlier rules say.
const OFF: &str = "off";

/// The most bytes of a file: as many as a ConfigMap can have.
const MAX_BYTES: u64 = 1 << 20;

/// The most bytes of an error, which quotes the value.
const SHOWN: usize = 800;

/// A mistake in a rule.
struct Mistake {
    /// The path of the field in the file.
    at: String,
    /// What is wrong, and what would be right.
    words: String,
}

/// Reads a file: its text, and what that says. The error names the file.
pub fn read(file: &Path) -> Result<(Vec<u8>, RolloutDefaults), String> {
    let named = |why: String| format!("--rollout-defaults {}: {why}", file.display());
    let text = bytes(file).map_err(named)?;
    let defaults = parse(&text).map_err(named)?;
    Ok((text, defaults))
}

/// Reads a file that is to be read again at intervals.
pub fn follow(file: &Path) -> Result<DefaultsFile, String> {
    let (text, defaults) = read(file)?;
    let name = file.display().to_string();
    let file = file.to_owned();
    Ok(DefaultsFile {
        name,
        read: Arc::new(move || {
            // Whoever writes into a pipe may never come again.
            let is_file = file.metadata().map_err(|why| why.to_string())?.is_file();
            if !is_file {
                return Err("it is no regular file any more".to_owned());
            }
            bytes(&file)
        }),
        parse,
        text,
        defaults,
    })
}

fn bytes(file: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let opened = File::open(file).map(|file| file.take(MAX_BYTES + 1));
    let read = opened.and_then(|mut file| file.read_to_end(&mut text));
    match read {
        Err(why) => Err(why.to_string()),
        Ok(_) if text.len() as u64 > MAX_BYTES => Err(format!(
            "it is longer than {MAX_BYTES} bytes, more than a ConfigMap can hold"
        )),
        Ok(_) => Ok(text),
    }
}

/// Reads the text of a file. One without content has no rules.
pub fn parse(text: &[u8]) -> Result<RolloutDefaults, String> {
    parse_whole(text).map_err(|why| shortened(why, SHOWN))
}

fn parse_whole(text: &[u8]) -> Result<RolloutDefaults, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())?;
    let documents = documents::split(text);
    let documents = documents.map_err(|e| format!("line {}: {}", e.line, e.message))?;
    let document = match &documents[..] {
        [] => return Ok(RolloutDefaults::default()),
        [one] => one,
        many => {
            return Err(format!(
                "it has {} documents, and one list of rules is needed",
                many.len()
            ));
        }
    };
    let before = text[..document.range.start].matches('\n').count();
    let chunk = format!("{}\n", &text[document.range.clone()]);
    if let Some(twice) = yaml::first_repeated(&chunk) {
        let lines: Vec<String> = twice
            .lines
            .iter()
            .map(|n| (n + before).to_string())
            .collect();
        return Err(format!(
            "{:?} is there more than once, in lines {}",
            twice.key,
            lines.join(" and ")
        ));
    }
    let value: Value = serde_json::from_str(document.json.get()).map_err(|why| why.to_string())?;
    rules(&value).map_err(|mistake| {
        let located = yaml::Located::read(&chunk);
        let line = located.and_then(|mut text| text.line_of(&[], &mistake.at));
        let line = line.map(|line| format!("line {}: ", line + before));
        format!("{}{}", line.unwrap_or_default(), mistake.words)
    })
}

fn rules(value: &Value) -> Result<RolloutDefaults, Mistake> {
    let Value::Array(items) = value else {
        return Err(Mistake {
            at: String::new(),
            words: format!("a list of rules is needed, not {}", what(value)),
        });
    };
    let rules = items.iter().enumerate().map(|(at, item)| {
        rule(item).map_err(|mistake| Mistake {
            at: format!("[{at}].{}", mistake.at),
            words: format!("rule {}: {}", at + 1, mistake.words),
        })
    });
    Ok(RolloutDefaults::new(rules.collect::<Result<_, _>>()?))
}

fn rule(value: &Value) -> Result<DefaultRule, Mistake> {
    let whole = |words: String| Mistake {
        at: String::new(),
        words,
    };
    let Value::Object(fields) = value else {
        return Err(whole(format!(
            "a mapping with {FIELDS_LISTED} is needed, not {}",
            what(value)
        )));
    };
    for field in fields.keys() {
        if !FIELDS.contains(&field.as_str()) {
            return Err(Mistake {
                at: field.clone(),
                words: format!("{field}: a rule has no such field; it has {FIELDS_LISTED}"),
            });
        }
    }
    let rule = DefaultRule {
        namespaces: patterns(fields, "namespaces")?,
        names: patterns(fields, "names")?,
        set: set(fields)?,
        exclude_nodes: exclude_nodes(fields)?,
    };
    if rule.set.is_empty() && rule.exclude_nodes.is_none() {
        return Err(whole(
            "it says nothing: set or excludeNodes is needed".to_owned(),
        ));
    }
    Ok(rule)
}

fn mistake<T>(field: &str, words: String) -> Result<T, Mistake> {
    Err(Mistake {
        at: field.to_owned(),
        words: format!("{field}: {words}"),
    })
}

/// Names of namespaces or DaemonSets; none where the field is not there.
fn patterns(fields: &Map<String, Value>, field: &str) -> Result<Vec<NamePattern>, Mistake> {
    let items = match fields.get(field) {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(other) => return mistake(field, format!("a list is needed, not {}", what(other))),
    };
    if items.is_empty() {
        return mistake(
            field,
            "an empty list is for nothing; leave the field out, and the rule is for all".to_owned(),
        );
    }
    let patterns = items.iter().map(|item| {
        let pattern = item.as_str().and_then(NamePattern::parse);
        pattern.map_or_else(
            || {
                mistake(
                    field,
                    format!("{item} is no name; * in a name stands for any text"),
                )
            },
            Ok,
        )
    });
    patterns.collect()
}

/// The keys of `set`, all of which can be read.
fn set(fields: &Map<String, Value>) -> Result<BTreeMap<Str, Str>, Mistake> {
    let keys = match fields.get("set") {
        None => return Ok(BTreeMap::new()),
        Some(Value::Object(keys)) => keys,
        Some(other) => {
            let words = format!("a mapping of keys is needed, not {}", what(other));
            return mistake("set", words);
        }
    };
    if keys.is_empty() {
        return mistake("set", "it is empty: leave it out, or set a key".to_owned());
    }
    let mut set = BTreeMap::new();
    for (key, value) in keys {
        let wrong = |words: String| Mistake {
            at: format!("set[{key}]"),
            words: format!("set: {words}"),
        };
        if let Some(short) = key.strip_prefix(PREFIX) {
            return Err(wrong(format!(
                "{key}: keys have no prefix here, {short} is needed"
            )));
        }
        let Some(text) = text(value) else {
            return Err(wrong(format!(
                "{key}: a text is needed, in quotes where YAML reads something else, not {}",
                what(value)
            )));
        };
        if let Some(invalid) = Control::check(key, &text) {
            // In its words about an annotation.
            let words = invalid.to_string();
            let annotation = format!("annotation {PREFIX}");
            let words = words.strip_prefix(&annotation).unwrap_or(&words);
            return Err(wrong(words.to_owned()));
        }
        set.insert(key.as_str().into(), text.into());
    }
    Ok(set)
}

fn exclude_nodes(fields: &Map<String, Value>) -> Result<Option<ExcludeNodes>, Mistake> {
    let existing = match fields.get("existing") {
        None => None,
        Some(value) => match value.as_str() {
            Some("keep") => Some(Existing::Keep),
            Some("remove") => Some(Existing::Remove),
            _ => {
                let words = format!("{value} is not a valid value, keep or remove is needed");
                return mistake("existing", words);
            }
        },
    };
    let alone = || {
        mistake(
            "existing",
            "it has no meaning without excludeNodes".to_owned(),
        )
    };
    let Some(value) = fields.get("excludeNodes") else {
        return existing.map_or(Ok(None), |_| alone());
    };
    let field = "excludeNodes";
    match text(value).as_deref() {
        Some(OFF) if existing.is_some() => mistake(
            "existing",
            "it has no meaning with excludeNodes: off".to_owned(),
        ),
        Some(OFF) => Ok(Some(ExcludeNodes::Off)),
        Some(text) if text.len() > LONGEST => {
            mistake(field, "a selector of at most 16 KiB is needed".to_owned())
        }
        Some(text) => match LabelSelector::parse(text) {
            // What selects everything was hardly meant.
            Ok(selector) if selector == LabelSelector::default() => mistake(
                field,
                "an empty selector would exclude all nodes; a label selector or off is needed"
                    .to_owned(),
            ),
            Ok(selector) => Ok(Some(ExcludeNodes::Nodes {
                selector,
                text: text.into(),
                existing: existing.unwrap_or_default(),
            })),
            Err(why) => mistake(
                field,
                format!("{value} is no label selector, as in pool=virtual,!gpu: {why}"),
            ),
        },
        None => mistake(
            field,
            format!("a label selector as text is needed, not {}", what(value)),
        ),
    }
}

/// A value as an annotation would have it: YAML reads `off` as false, and `3` as a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(false) => Some(OFF.to_owned()),
        Value::Bool(true) => Some("true".to_owned()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// The kind of a value, for errors.
fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests;

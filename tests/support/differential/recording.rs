//! The recorded answers of the real API server, one line of JSON for a sequence.
//!
//! Large parts that occur again and again (a pod's spec, filled in) stand once in the first line,
//! and by name, `"#12"`, where they occur.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::play::Answer;
use super::step::{Sequence, Step};

/// Parts of at least this many bytes are worth a name.
const LARGE: usize = 100;

/// A sequence and the answers to it, normalised.
#[derive(Clone, PartialEq, Debug)]
pub struct Recorded {
    /// The requests.
    pub sequence: Sequence,
    pub answers: Vec<Answer>,
}

/// The text of a file.
pub fn write(all: &[Recorded]) -> String {
    let mut counts = BTreeMap::new();
    let lines: Vec<Value> = all.iter().map(to_json).collect();
    lines.iter().for_each(|line| count(line, &mut counts));
    let often = counts
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .map(|(text, _)| text);
    // The larger first: what is inside of another is then replaced inside of that one only.
    let mut often: Vec<String> = often.collect();
    often.sort_by_key(|text| (text.len(), text.clone()));
    let names: BTreeMap<String, String> = often
        .into_iter()
        .enumerate()
        .map(|(index, text)| (text, format!("#{index}")))
        .collect();
    let mut used = BTreeMap::new();
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| shorten(line, &names, &mut used))
        .collect();
    let table: Map<String, Value> = used.into_iter().collect();
    let mut out = format!("{}\n", canonical(&Value::Object(table)));
    for line in lines {
        out += &canonical(&line).to_string();
        out.push('\n');
    }
    out
}

/// The content of a file.
pub fn read(text: &str) -> Vec<Recorded> {
    let mut lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a line is JSON"));
    let table = lines.next().unwrap_or_default();
    lines
        .map(|line| from_json(&lengthen(&line, &table)))
        .collect()
}

fn to_json(recorded: &Recorded) -> Value {
    let pairs = recorded.sequence.steps.iter().zip(&recorded.answers);
    let steps: Vec<Value> = pairs
        .map(|(step, answer)| {
            let mut step = serde_json::to_value(step).expect("steps are JSON");
            step["code"] = json!(answer.code);
            step["answer"] = answer.body.clone();
            step
        })
        .collect();
    json!({"name": recorded.sequence.name, "steps": steps})
}

fn from_json(line: &Value) -> Recorded {
    let mut steps = Vec::new();
    let mut answers = Vec::new();
    for both in line["steps"].as_array().expect("there are steps") {
        steps.push(serde_json::from_value::<Step>(both.clone()).expect("a step"));
        answers.push(Answer {
            code: both["code"]
                .as_u64()
                .and_then(|code| u16::try_from(code).ok())
                .expect("a code"),
            body: both["answer"].clone(),
        });
    }
    let name = line["name"].as_str().expect("a name").to_owned();
    Recorded {
        sequence: Sequence { name, steps },
        answers,
    }
}

fn count(value: &Value, counts: &mut BTreeMap<String, usize>) {
    if let Value::Object(_) = value {
        let text = canonical(value).to_string();
        if text.len() >= LARGE {
            let seen = counts.entry(text).or_default();
            *seen += 1;
            if *seen > 1 {
                return; // what is inside is not written again
            }
        }
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|field| count(field, counts)),
        Value::Array(items) => items.iter().for_each(|item| count(item, counts)),
        _ => {}
    }
}

fn shorten(
    value: &Value,
    names: &BTreeMap<String, String>,
    used: &mut BTreeMap<String, Value>,
) -> Value {
    let inside = |used: &mut BTreeMap<String, Value>| match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(k, v)| (k.clone(), shorten(v, names, used)))
            .collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| shorten(item, names, used))
            .collect(),
        other => other.clone(),
    };
    if value.is_object()
        && let Some(name) = names.get(&canonical(value).to_string())
    {
        if !used.contains_key(name) {
            let short = inside(used);
            used.insert(name.clone(), short);
        }
        return Value::from(name.clone());
    }
    inside(used)
}

fn lengthen(value: &Value, table: &Value) -> Value {
    match value {
        Value::String(name) if name.starts_with('#') => lengthen(&table[name.as_str()], table),
        Value::Object(fields) => fields
            .iter()
            .map(|(k, v)| (k.clone(), lengthen(v, table)))
            .collect(),
        Value::Array(items) => items.iter().map(|item| lengthen(item, table)).collect(),
        other => other.clone(),
    }
}

/// Keys sorted, whatever the map's order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            sorted
                .into_iter()
                .map(|(k, v)| (k.clone(), canonical(v)))
                .collect()
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differential::step::{PODS, create, get, sequence};

    #[test]
    fn what_is_written_is_read_and_stands_once() {
        let spec = json!({"inner": {"text": "x".repeat(LARGE)}, "more": 1});
        let answer = |n: u64| Answer {
            code: 200,
            body: json!({"spec": spec, "n": n}),
        };
        let steps = [
            create(PODS, json!({"spec": spec})).save("a"),
            get(PODS, "a").query("a", "b c"),
        ];
        let recorded = Recorded {
            sequence: sequence("a \"name\"", steps),
            answers: vec![answer(1), answer(2)],
        };
        let text = write(&[recorded.clone(), recorded.clone()]);
        assert_eq!(read(&text), [recorded.clone(), recorded]);
        assert_eq!(text.matches("xxxx").count(), LARGE / 4, "{text}");
        assert_eq!(text.lines().count(), 3);
    }
}

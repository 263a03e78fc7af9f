//! The value of the key `resources`: rules in JSON.

use std::sync::Arc;

use crate::model::{ResourceClass, ResourceRule, json::Json};

use super::values;

/// What the value has to be, as a phrase.
pub const WANTED: &str = "a JSON list of rules, each with nodes (a label selector) and containers \
                          (requests and limits by name), or off";

/// Why a value cannot be read.
pub enum Malformed {
    /// It is no list at all.
    Shape,
    /// What is wrong, and where.
    Inside(String),
}

/// The rules of a value.
pub fn rules(value: &str) -> Result<Vec<Arc<ResourceRule>>, Malformed> {
    // A block of a YAML manifest ends with a line break.
    let value = value.trim_matches([' ', '\t', '\r', '\n']);
    if !value.starts_with('[') || !value.ends_with(']') {
        return Err(Malformed::Shape);
    }
    let rules = match Json::parse(value) {
        Ok(Json::List(rules)) if !rules.is_empty() => rules,
        Ok(_) => return Err(Malformed::Inside("at least one rule is needed".into())),
        Err(why) => return Err(Malformed::Inside(why)),
    };
    let rules = rules.iter().enumerate();
    let rules = rules.map(|(at, json)| rule(json, at).map(Arc::new));
    rules.collect::<Result<_, _>>().map_err(Malformed::Inside)
}

fn rule(json: &Json, at: usize) -> Result<ResourceRule, String> {
    let Json::Object(fields) = json else {
        return Err(format!("[{at}]: an object is needed"));
    };
    let (mut nodes, mut class) = (None, None);
    for (key, json) in fields {
        let path = format!("[{at}].{key}");
        match (key.as_str(), json) {
            ("nodes", Json::Text(text)) => {
                let selector = values::selector(text);
                let needed = || format!("{path}: a label selector as pool=edge,!gpu is needed");
                nodes = Some((text.as_str().into(), selector.ok_or_else(needed)?));
            }
            ("nodes", _) => return Err(format!("{path}: a text is needed")),
            ("containers", json) => class = Some(ResourceClass::read(json, &path)?),
            _ => return Err(format!("{path}: only nodes and containers are known")),
        }
    }
    let (Some((nodes, selector)), Some(class)) = (nodes, class) else {
        return Err(format!("[{at}]: nodes and containers are needed"));
    };
    Ok(ResourceRule {
        number: at + 1,
        nodes,
        selector,
        mark: class.text(),
        class: Arc::new(class),
    })
}

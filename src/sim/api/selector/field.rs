//! Field selectors: `spec.nodeName=a,status.phase!=Running`.

use serde_json::Value;

use super::super::resource::{EVENTS, NAMESPACES, NEW_EVENTS, NODES, PODS, Resource};
use super::super::status::{ApiStatus, Result};

/// A parsed `fieldSelector`, all of whose terms must hold. Without terms it selects everything.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct FieldSelector(Vec<Term>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Term {
    /// The field, by the name that [`value`] knows.
    field: String,
    value: String,
    equal: bool,
}

impl FieldSelector {
    /// Parses the parameter. A malformed one, or a field by which the resource cannot be selected,
    /// is a `BadRequest`.
    pub fn parse(resource: &Resource, text: &str) -> Result<FieldSelector> {
        let mut parts = split(text);
        // The order decides which of several errors is reported.
        parts.sort_unstable();
        let mut terms = Vec::new();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let Some((field, equal, value)) = term(part) else {
                let why = format!("invalid selector: '{text}'; can't understand '{part}'");
                return Err(ApiStatus::bad_request(why));
            };
            let value = unescaped(value)
                .map_err(|why| ApiStatus::bad_request(format!("invalid field selector: {why}")))?;
            // Upstream drops a term without field and value before it looks up the field.
            if !(field.is_empty() && value.is_empty()) {
                terms.push((field, equal, value));
            }
        }
        let terms = terms.into_iter().map(|(field, equal, value)| {
            let field = known(resource, field)?;
            Ok(Term {
                field,
                value,
                equal,
            })
        });
        Ok(FieldSelector(terms.collect::<Result<_>>()?))
    }

    /// Whether the object matches. A missing field is the empty text, a missing flag `false`.
    pub fn matches(&self, object: &Value) -> bool {
        self.0
            .iter()
            .all(|term| (value(object, &term.field) == term.value) == term.equal)
    }

    /// The value that it requires of a field, if any: lists of one name or one namespace need to
    /// look at nothing else.
    pub fn required(&self, field: &str) -> Option<&str> {
        let mut terms = self.0.iter();
        terms
            .find(|term| term.equal && term.field == field)
            .map(|term| &*term.value)
    }
}

/// Splits at each comma that has no backslash before it.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Field, whether it must be equal, and value. Fields have no escapes, so the first operator
/// counts.
fn term(part: &str) -> Option<(&str, bool, &str)> {
    part.char_indices().find_map(|(at, _)| {
        let rest = &part[at..];
        [("!=", false), ("==", true), ("=", true)]
            .into_iter()
            .find_map(|(operator, equal)| {
                let value = rest.strip_prefix(operator)?;
                Some((&part[..at], equal, value))
            })
    })
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut whole = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => whole.push(c),
                Some(c) => return Err(format!("invalid escape sequence: \\{c}")),
                None => return Err("invalid escape sequence: \\".to_owned()),
            },
            // The message has the character's number.
            ',' | '=' => return Err(format!("unescaped character in value: {}", u32::from(c))),
            c => whole.push(c),
        }
    }
    Ok(whole)
}

const NAME: &str = "metadata.name";
const NAMESPACE: &str = "metadata.namespace";

/// The fields of these resources. All others have only the fields that every object has.
const FIELDS: &[(&Resource, &[&str])] = &[
    (
        &PODS,
        &[
            NAME,
            NAMESPACE,
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
    ),
    (&NODES, &[NAME, "spec.unschedulable"]),
    (&NAMESPACES, &[NAME, "status.phase"]),
    (
        &EVENTS,
        &[
            NAME,
            NAMESPACE,
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    (
        &NEW_EVENTS,
        &[
            NAME,
            NAMESPACE,
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
    ),
];

/// The name by which [`value`] knows a field. An error if the resource cannot be selected by it.
fn known(resource: &Resource, field: &str) -> Result<String> {
    let of_its_own = FIELDS.iter().find(|(r, _)| *r == resource);
    let why = match of_its_own {
        // The old name of `spec.nodeName`.
        Some((r, _)) if **r == PODS && field == "spec.host" => {
            return Ok("spec.nodeName".to_owned());
        }
        Some((_, fields)) if fields.contains(&field) => return Ok(field.to_owned()),
        Some(_) => format!("field label not supported: {field}"),
        None if [NAME, NAMESPACE].contains(&field) => return Ok(field.to_owned()),
        None => {
            format!("{field:?} is not a known field selector: only {NAME:?}, {NAMESPACE:?}")
        }
    };
    Err(ApiStatus::bad_request(why))
}

/// The text of a field. Events may be in either form.
fn value(object: &Value, field: &str) -> String {
    let at = |path: &str| {
        let pointer = format!("/{}", path.replace('.', "/"));
        let found = object.pointer(&pointer).and_then(Value::as_str);
        found.map(str::to_owned)
    };
    let flag = |path: &str| {
        let pointer = format!("/{}", path.replace('.', "/"));
        let found = object.pointer(&pointer).and_then(Value::as_bool);
        found.unwrap_or(false).to_string()
    };
    let reporter = || at("reportingComponent").or_else(|| at("reportingController"));
    let found = match field {
        "spec.hostNetwork" | "spec.unschedulable" => return flag(field),
        // The first of several addresses.
        "status.podIP" => at("status.podIPs.0.ip"),
        // The field is allowed, but no object has a value.
        "status.podIPs" => None,
        "reportingComponent" | "reportingController" => reporter(),
        "source" => at("source.component")
            .or_else(|| at("deprecatedSource.component"))
            .filter(|source| !source.is_empty())
            .or_else(reporter),
        _ => match field.split_once('.') {
            Some(("involvedObject" | "regarding", rest)) => {
                at(&format!("involvedObject.{rest}")).or_else(|| at(&format!("regarding.{rest}")))
            }
            _ => at(field),
        },
    };
    found.unwrap_or_default()
}

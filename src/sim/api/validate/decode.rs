//! Decoding: checks that an object's fields have the types of its kind, in the server's words.
//!
//! The types are those of k8s-openapi. Its decoder reports the line at which it stopped; the object
//! is written with one field a line, so the line identifies the field. The names of the server's
//! types are known for pods and DaemonSets (`wire`); elsewhere the message has only the field's
//! type.

use k8s_openapi::api::{apps, coordination, core, events};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::resource::{self, Resource};
use super::super::status::ApiStatus;
use crate::stored::{field_type, quantity};

/// Refuses an object that cannot be decoded. Unknown fields are no error.
pub fn decode(resource: &Resource, object: &Value) -> Result<(), ApiStatus> {
    check_types(resource, object).map_err(|why| refusal(resource, &why))
}

/// As [`decode`]; the error is only the reason.
pub fn check_types(resource: &Resource, object: &Value) -> Result<(), String> {
    if !object.is_object() {
        return Err("json: cannot unmarshal into Go value".to_owned());
    }
    let mut object = object.clone();
    let with_quantities = [&resource::PODS, &resource::DAEMON_SETS, &resource::NODES];
    if with_quantities.contains(&resource) {
        for key in ["spec", "status"] {
            quantities(&mut object[key])?;
        }
    }
    micro_times(&object)?;
    let read = match resource {
        r if *r == resource::PODS => read::<core::v1::Pod>,
        r if *r == resource::NODES => read::<core::v1::Node>,
        r if *r == resource::NAMESPACES => read::<core::v1::Namespace>,
        r if *r == resource::EVENTS => read::<core::v1::Event>,
        r if *r == resource::NEW_EVENTS => read::<events::v1::Event>,
        r if *r == resource::DAEMON_SETS => read::<apps::v1::DaemonSet>,
        r if *r == resource::CONTROLLER_REVISIONS => read::<apps::v1::ControllerRevision>,
        _ => read::<coordination::v1::Lease>,
    };
    read(&object).map_err(|error| explain(resource, &object, &error))
}

fn refusal(resource: &Resource, why: &str) -> ApiStatus {
    let (kind, version) = (resource.kind, resource.version);
    ApiStatus::bad_request(format!(
        "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"
    ))
}

/// The fields whose values are quantities by resource.
const LISTS: [&str; 5] = ["requests", "limits", "capacity", "allocatable", "overhead"];

fn read<T: DeserializeOwned>(object: &Value) -> serde_json::Result<()> {
    if T::deserialize(object).is_ok() {
        return Ok(()); // the usual case: only an error needs a line
    }
    let text = serde_json::to_string_pretty(object)?;
    serde_json::from_str::<T>(&text).map(|_| ())
}

/// Checks quantities, and turns numbers, which the server accepts, into texts.
fn quantities(value: &mut Value) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(quantities),
        Value::Object(fields) => {
            for (key, inside) in fields {
                match inside {
                    Value::Object(list) if LISTS.contains(&key.as_str()) => {
                        list.values_mut().try_for_each(one)?;
                    }
                    inside if matches!(key.as_str(), "sizeLimit" | "divisor") => one(inside)?,
                    inside => quantities(inside)?,
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn one(quantity: &mut Value) -> Result<(), String> {
    let text = match &*quantity {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Ok(()),
    };
    if quantity::canonical(&text).is_none() {
        const WHY: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
        return Err(WHY.to_owned());
    }
    *quantity = json!(text);
    Ok(())
}

/// Checks the times of Leases and events, which must have six decimal places.
fn micro_times(object: &Value) -> Result<(), String> {
    let (spec, series) = (&object["spec"], &object["series"]);
    for (owner, key) in [
        (spec, "acquireTime"),
        (spec, "renewTime"),
        (object, "eventTime"),
        (series, "lastObservedTime"),
    ] {
        let Some(text) = owner[key].as_str() else {
            continue;
        };
        let refused = |rest: &str, wanted: &str| {
            Err(format!(
                "parsing time \"{text}\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"{rest}\" as \
                 \"{wanted}\""
            ))
        };
        if text.parse::<jiff::Timestamp>().is_err() {
            return refused(text, "2006");
        }
        let rest = text.get("2006-01-02T15:04:05".len()..).unwrap_or_default();
        let fraction = rest.strip_prefix('.').unwrap_or_default();
        let places = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if places < 6 {
            return refused(rest, ".000000");
        }
        if places > 6 {
            return refused(&fraction[6..], "Z07:00");
        }
    }
    Ok(())
}

/// One step of a path in an object.
#[derive(Clone)]
enum Step {
    Field(String),
    Item,
}

/// The value that begins at line `wanted` of the object's text, and its path.
fn locate<'a>(
    value: &'a Value,
    at: &mut usize,
    wanted: usize,
    way: &mut Vec<Step>,
) -> Option<&'a Value> {
    if *at == wanted {
        return Some(value);
    }
    let inside: Vec<(Step, &Value)> = match value {
        Value::Object(fields) => {
            let step = |(key, value): (&String, _)| (Step::Field(key.clone()), value);
            fields.iter().map(|(k, v)| step((k, v))).collect()
        }
        Value::Array(items) => items.iter().map(|item| (Step::Item, item)).collect(),
        _ => return None,
    };
    let hollow = inside.is_empty();
    for (step, value) in inside {
        *at += 1;
        way.push(step);
        if let Some(found) = locate(value, at, wanted, way) {
            return Some(found);
        }
        way.pop();
    }
    *at += usize::from(!hollow); // the closing bracket
    None
}

/// The error in Go's words.
fn explain(resource: &Resource, object: &Value, error: &serde_json::Error) -> String {
    let mut way = Vec::new();
    let said = error.to_string();
    let Some(found) = locate(object, &mut 1, error.line(), &mut way) else {
        return said;
    };
    if let Value::String(text) = found
        && !said.starts_with("invalid type")
    {
        return format!(
            "parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\" as \"2006\""
        );
    }
    let expected = said.split("expected ").nth(1).unwrap_or_default();
    let expected = expected.split(" at line").next().unwrap_or_default();
    let (owner, path, element) = names(resource, &way);
    let wanted = match expected {
        "i32" => "int32".to_owned(),
        "i64" => "int64".to_owned(),
        "a string" => "string".to_owned(),
        "a boolean" => "bool".to_owned(),
        "a sequence" => format!("[]{element}"),
        "a map"
            if path
                .rsplit('.')
                .next()
                .is_some_and(|key| LISTS.contains(&key)) =>
        {
            "v1.ResourceList".to_owned()
        }
        "a map" => "map[string]string".to_owned(),
        other => format!("v1.{other}"),
    };
    let got = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if wanted.starts_with("int") => format!("number {number}"),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    };
    if owner.is_empty() {
        return format!("json: cannot unmarshal {got} into Go value of type {wanted}");
    }
    format!("json: cannot unmarshal {got} into Go struct field {owner}.{path} of type {wanted}")
}

/// The type that has the field; the path to the field as Go names it (without positions, and no
/// further than a map); and the type of the items if the field is a list.
fn names(resource: &Resource, way: &[Step]) -> (String, String, String) {
    let mut owner = resource.kind.to_owned();
    let mut next = Some(owner.clone());
    let mut path = Vec::new();
    for step in way {
        let Step::Field(key) = step else { continue };
        let Some(this) = next else {
            // The path ends inside of a map, and of a type that is not known.
            break;
        };
        next = type_of(resource, &this, key);
        owner = this;
        path.push(key.as_str());
    }
    let element = match next.as_deref() {
        None | Some("") => "string".to_owned(),
        Some(name) => format!("v1.{name}"),
    };
    (owner, path.join("."), element)
}

/// The type of the value (of the items, if it is a list) in the field `key` of the type `owner`.
fn type_of(resource: &Resource, owner: &str, key: &str) -> Option<String> {
    if owner == resource.kind {
        let name = match key {
            "metadata" => "ObjectMeta".to_owned(),
            "spec" => format!("{owner}Spec"),
            "status" => format!("{owner}Status"),
            _ => return None,
        };
        return Some(name);
    }
    let known = match (owner, key) {
        ("NodeSpec", "taints") => "Taint",
        ("NodeStatus", "conditions") => "NodeCondition",
        ("NodeStatus", "addresses") => "NodeAddress",
        ("PodStatus", "conditions") => "PodCondition",
        ("PodStatus", "containerStatuses" | "initContainerStatuses") => "ContainerStatus",
        _ => field_type(owner, key)?,
    };
    Some(known.to_owned())
}

//! Fields that the type of an object does not have. The server drops them, or refuses the object
//! where the client asks for strict validation (`fieldValidation=Strict`).
//!
//! The types are those of [`stored::types`](crate::stored::types). A null counts as a field, as it
//! does for the server. What is inside of a value of a wrong type is not looked at:
//! [`super::decode`] refuses such a value. Names are compared letter by letter: `Containers` is
//! unknown.

use std::fmt;

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::super::resource::Resource;
use super::super::status::ApiStatus;
use super::decode;
use crate::stored::types::{self, Shape, Type};
use crate::wire::raw::RawObject;

/// The most unknown fields that the server names.
pub const MOST_NAMED: usize = 100;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Item(usize),
}

/// The path of a field that the type does not have. As text it is the path in the server's form,
/// `spec.template.spec.containers[0].imagePullPolcy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField(Vec<Step>);

impl UnknownField {
    /// The path without the numbers of list items: the same for all values of one type.
    pub fn without_indices(&self) -> String {
        let names = self.0.iter().filter_map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            Step::Item(_) => None,
        });
        names.collect::<Vec<_>>().join(".")
    }

    /// Removes the field from the object in which it was found.
    pub fn remove_from(&self, object: &mut Value) {
        let Some((Step::Field(name), way)) = self.0.split_last() else {
            return;
        };
        let owner = way.iter().try_fold(object, |value, step| match step {
            Step::Field(name) => value.get_mut(name),
            Step::Item(index) => value.get_mut(index),
        });
        if let Some(fields) = owner.and_then(Value::as_object_mut) {
            fields.remove(name);
        }
    }
}

/// The text of the object in which the fields were found, without them; all else stays as it was
/// written. Each level is written once, however many fields there are.
pub fn removed_from_text(
    fields: &[UnknownField],
    json: &RawValue,
) -> serde_json::Result<Box<RawValue>> {
    let ways: Vec<&[Step]> = fields.iter().map(|field| &field.0[..]).collect();
    without(json, &ways)
}

/// The text without what is at the ends of the ways, of which those that begin alike follow each
/// other.
fn without(json: &RawValue, ways: &[&[Step]]) -> serde_json::Result<Box<RawValue>> {
    let mut groups = Vec::new();
    for ways in ways.chunk_by(|one, next| one.first() == next.first()) {
        let rests: Vec<&[Step]> = ways.iter().filter_map(|way| way.get(1..)).collect();
        groups.extend(ways[0].first().map(|step| (step, rests)));
    }
    if let Some((Step::Item(_), _)) = groups.first() {
        let mut items: Vec<Box<RawValue>> = serde_json::from_str(json.get())?;
        for (step, rests) in &groups {
            if let Step::Item(index) = step
                && let Some(item) = items.get_mut(*index)
            {
                *item = without(item, rests)?;
            }
        }
        return to_raw_value(&items);
    }
    if groups.is_empty() {
        return Ok(json.to_owned());
    }
    let mut object = RawObject::parse(json)?;
    for (step, rests) in &groups {
        let Step::Field(name) = step else { continue };
        match object.remove(name) {
            Some(inside) if rests.iter().all(|rest| !rest.is_empty()) => {
                object.set(name, without(&inside, rests)?);
            }
            _ => {}
        }
    }
    Ok(object.to_raw())
}

impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if i == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The unknown fields of an object, in the order of its keys. The server goes by the order of the
/// request, and kubectl sorts the keys of what it sends.
pub fn find(resource: &Resource, object: &Value) -> Vec<UnknownField> {
    let mut found = Vec::new();
    in_struct(object, decode::root(resource), &Way::Start, &mut found);
    // Every object has these.
    let is_type = |field: &UnknownField| {
        let name = field.to_string();
        name == "kind" || name == "apiVersion"
    };
    found.retain(|field| !is_type(field));
    found
}

fn in_struct(value: &Value, name: &str, way: &Way<'_>, found: &mut Vec<UnknownField>) {
    let (Some(known), Value::Object(fields)) = (types::find(name), value) else {
        return;
    };
    for (key, inside) in fields {
        let way = Way::Field(way, key);
        let Some(field) = known.field(key) else {
            found.push(UnknownField(way.steps()));
            continue;
        };
        let Type::Struct(of) = field.of else {
            continue;
        };
        match (field.shape, inside) {
            (Shape::List, Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    in_struct(item, of, &Way::Item(&way, index), found);
                }
            }
            (Shape::Map, Value::Object(values)) => {
                for (key, value) in values {
                    in_struct(value, of, &Way::Field(&way, key), found);
                }
            }
            (Shape::Plain | Shape::Pointer, inside) => in_struct(inside, of, &way, found),
            (Shape::List | Shape::Map, _) => {}
        }
    }
}

/// The object without its unknown fields: what the server keeps of it.
pub fn without_unknown(resource: &Resource, mut object: Value) -> Value {
    for field in find(resource, &object) {
        field.remove_from(&mut object);
    }
    object
}

/// The server's words about unknown fields, as warnings have them and as the refusal lists them.
pub fn words(fields: &[UnknownField]) -> Vec<String> {
    let named = fields.iter().take(MOST_NAMED);
    named
        .map(|field| format!("unknown field {:?}", field.to_string()))
        .collect()
}

/// The refusal of an object for its unknown fields.
pub fn refusal(resource: &Resource, fields: &[UnknownField]) -> ApiStatus {
    let (kind, version) = (resource.kind, resource.version);
    ApiStatus::bad_request(format!(
        "{kind} in version \"{version}\" cannot be handled as a {kind}: strict decoding error: {}",
        words(fields).join(", ")
    ))
}

/// The way from the object to a value in it.
enum Way<'a> {
    Start,
    Field(&'a Way<'a>, &'a str),
    Item(&'a Way<'a>, usize),
}

impl Way<'_> {
    fn steps(&self) -> Vec<Step> {
        let (before, step) = match self {
            Way::Start => return Vec::new(),
            Way::Field(before, name) => (before, Step::Field((*name).to_owned())),
            Way::Item(before, index) => (before, Step::Item(*index)),
        };
        let mut steps = before.steps();
        steps.push(step);
        steps
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::resource;
    use super::*;

    fn found(object: &Value) -> Vec<String> {
        let fields = find(&resource::DAEMON_SETS, object);
        fields.iter().map(UnknownField::to_string).collect()
    }

    #[test]
    fn a_value_of_another_type_hides_no_unknown_field() {
        let object = json!({
            "metadata": {"labels": [1], "generation": "x", "zeta": null},
            "spec": {
                "minReadySeconds": 1.5,
                "selector": "text",
                "template": {"spec": {
                    "containers": [null, {"name": 7, "tty": "yes", "resources": {
                        "limits": {"cpu": 1, "memory": 1.5e9}, "requests": null, "request": {}
                    }}],
                    "volumes": {"name": "v"}
                }}
            }
        });
        let expected = [
            "metadata.zeta",
            "spec.template.spec.containers[1].resources.request",
        ];
        assert_eq!(found(&object), expected);
        assert_eq!(found(&json!([])), Vec::<String>::new());
    }

    #[test]
    fn unknown_fields_are_removed_and_all_else_stays() {
        let kept = json!({
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"annotations": {"a": ""}, "creationTimestamp": null},
            "spec": {"template": {"spec": {
                "containers": [{"env": [], "livenessProbe": {"httpGet": {"port": "http"}}}],
                "nodeSelector": {},
                "volumes": null
            }}}
        });
        let mut object = kept.clone();
        object["metadata"]["lables"] = json!({});
        object["Spec"] = Value::Null;
        object["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["get"] = json!([1]);
        assert_eq!(without_unknown(&resource::DAEMON_SETS, object), kept);
        assert_eq!(without_unknown(&resource::DAEMON_SETS, kept.clone()), kept);
    }

    #[test]
    fn a_text_keeps_its_notation_when_a_field_is_removed() {
        let text =
            r#"{"spec":{"template":{"spec":{"containers":[{"a":1},{"tty":1.50e1,"b":{}}]}}}}"#;
        let fields = find(&resource::DAEMON_SETS, &serde_json::from_str(text).unwrap());
        let json = RawValue::from_string(text.to_owned()).unwrap();
        let json = removed_from_text(&fields, &json).unwrap();
        let expected = r#"{"spec":{"template":{"spec":{"containers":[{},{"tty":1.50e1}]}}}}"#;
        assert_eq!(json.get(), expected);
    }

    #[test]
    fn a_path_without_indices_is_one_for_all_items() {
        let object = json!({"spec": {"template": {"spec": {"containers": [{}, {"later": 1}]}}}});
        let field = &find(&resource::DAEMON_SETS, &object)[0];
        assert_eq!(
            field.without_indices(),
            "spec.template.spec.containers.later"
        );
    }

    #[test]
    fn the_server_names_a_hundred_fields_and_no_more() {
        let many: serde_json::Map<String, Value> =
            (0..150).map(|i| (format!("f{i:03}"), json!(i))).collect();
        let fields = find(&resource::DAEMON_SETS, &json!({"spec": many}));
        let said = refusal(&resource::DAEMON_SETS, &fields).message;
        assert!(said.ends_with("unknown field \"spec.f099\""), "{said}");
        assert_eq!(said.matches("unknown field").count(), 100);
    }

    #[test]
    fn nothing_in_raw_data_is_unknown() {
        let revision = json!({"data": {"spec": {"any": [{"thing": 1}]}}, "date": 1, "revision": 1});
        let fields = find(&resource::CONTROLLER_REVISIONS, &revision);
        assert_eq!(fields.len(), 1);
        assert_eq!(fields[0].to_string(), "date");
    }
}

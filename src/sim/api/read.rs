//! Reading: one object, or a list in pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::events;
use super::options::check_list;
use super::path::{Query, Target};
use super::resource::{self, Resource};
use super::selector::{FieldSelector, LabelSelector};
use super::status::{Result, Status};
use super::store::{Name, Store};
use super::token;

/// An object as an answer has it: with `kind` and `apiVersion`, in the form of this resource.
pub fn shown(resource: &Resource, object: &Value) -> Value {
    named(resource, item(resource, object))
}

/// As [`shown`], of an object that is in the form of this resource already.
pub fn shown_as_is(resource: &Resource, object: &Value) -> Value {
    named(resource, object.clone())
}

fn named(resource: &Resource, mut object: Value) -> Value {
    object["kind"] = resource.kind.into();
    object["apiVersion"] = resource.api_version().into();
    object
}

/// An object as a list has it: in the form of this resource.
pub fn item(resource: &Resource, object: &Value) -> Value {
    if *resource == resource::NEW_EVENTS {
        events::to_new(object)
    } else {
        object.clone()
    }
}

/// One object.
pub fn get(store: &Store, target: &Target, query: &Query) -> Result<Value> {
    let asked = query.get("resourceVersion");
    version(asked).map_err(|why| bad_version(asked, &why))?;
    not_in_the_future(store, asked)?;
    let Target {
        resource,
        namespace,
        name,
        ..
    } = target;
    match store.get(resource, namespace, name) {
        Some(object) => Ok(shown(resource, object)),
        None => Err(Status::not_found(resource, name)),
    }
}

/// Which objects are meant.
pub struct Selection {
    namespace: String,
    labels: LabelSelector,
    fields: FieldSelector,
    /// The one name, and the one node, that the selector leaves: the server has indexes for these, and sees nothing
    /// else.
    single: [Option<String>; 2],
    /// Whether there are selectors at all.
    pub narrowed: bool,
}

impl Selection {
    /// Of a list or watch.
    pub fn new(target: &Target, query: &Query) -> Result<Selection> {
        let mut fields = query.get("fieldSelector").to_owned();
        if !target.name.is_empty() {
            // A watch of one object.
            let comma = if fields.is_empty() { "" } else { "," };
            fields = format!("{fields}{comma}metadata.name={}", target.name);
        }
        Ok(Selection {
            namespace: target.namespace.clone(),
            labels: LabelSelector::parse(query.get("labelSelector"))?,
            single: ["metadata.name=", "spec.nodeName="].map(|index| {
                let mut all = fields.split(',');
                let value = all.find_map(|field| field.strip_prefix(index))?;
                Some(value.trim_start_matches('=').to_owned())
            }),
            narrowed: !fields.is_empty() || !query.get("labelSelector").is_empty(),
            fields: FieldSelector::parse(target.resource, &fields)?,
        })
    }

    /// Whether an object is in the namespace that is meant, and has the name where only one may.
    fn is_near(&self, object: &Value) -> bool {
        for (index, (part, key)) in [("metadata", "name"), ("spec", "nodeName")]
            .iter()
            .enumerate()
        {
            let is = object[part][key].as_str().unwrap_or_default();
            if self.single[index].as_ref().is_some_and(|one| one != is) {
                return false;
            }
        }
        self.namespace.is_empty() || object["metadata"]["namespace"] == self.namespace.as_str()
    }

    /// Whether it selects this object.
    pub fn has(&self, object: &Value) -> bool {
        self.is_near(object) && self.labels.matches(object) && self.fields.matches(object)
    }
}

/// A list, or one page of it.
pub fn list(store: &Store, target: &Target, query: &Query) -> Result<Value> {
    let selection = Selection::new(target, query)?;
    check_list(query, false)?;
    let asked = query.get("resourceVersion");
    if let Err(why) = version(asked) {
        let said = bad_version(asked, &why).message;
        return Err(Status::bad_request(format!(
            "invalid resource version: {said}"
        )));
    }
    let token = query.get("continue");
    let exact = query.get("resourceVersionMatch") == "Exact";
    if !token.is_empty() && !matches!(asked, "" | "0") {
        let message = "specifying resource version is not allowed when using continue";
        return Err(Status::bad_request(message));
    }
    let (version, start) = if token.is_empty() {
        not_in_the_future(store, asked)?;
        match asked.parse() {
            Ok(version)
                if exact
                    || asked != "0"
                        && query.has("limit")
                        && query.get("resourceVersionMatch").is_empty() =>
            {
                (version, None)
            }
            _ => (store.version(), None),
        }
    } else {
        let (version, start) = token::read(token)?;
        (version, Some(start))
    };
    let rows = rows_at(store, target.resource, version, !token.is_empty())?;
    let limit = query.number("limit").filter(|l| *l > 0);
    let limit = limit.map_or(usize::MAX, |l| usize::try_from(l).unwrap_or(usize::MAX));
    // Whether there is more is asked before what is selected: the last page may be empty.
    let mut rest = rows
        .iter()
        .filter(|(key, _)| start.as_ref().is_none_or(|s| *key >= s))
        .filter(|(_, object)| selection.is_near(object))
        .peekable();
    let mut items = Vec::new();
    while items.len() < limit
        && let Some((_, object)) = rest.next()
    {
        items.extend(selection.has(object).then(|| item(target.resource, object)));
    }
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if let Some((key, _)) = rest.peek() {
        metadata["continue"] = token::write(version, key).into();
        if !selection.narrowed {
            metadata["remainingItemCount"] = rest.count().into();
        }
    }
    Ok(json!({
        "kind": format!("{}List", target.resource.kind),
        "apiVersion": target.resource.api_version(),
        "metadata": metadata,
        "items": items,
    }))
}

fn rows_at(
    store: &Store,
    resource: &Resource,
    version: u64,
    continued: bool,
) -> Result<BTreeMap<Name, Arc<Value>>> {
    if version == store.version() {
        return Ok(store.all(resource).clone());
    }
    store.at(resource, version).ok_or_else(|| {
        Status::expired(if continued {
            "The provided continue parameter is too old to display a consistent list result. You can start a new list \
             without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
             results. Continuing with the provided token results in an inconsistent list - objects that were created, \
             modified, or deleted between the time the first chunk was returned and now may show up in the list."
        } else {
            "The resourceVersion for the provided list is too old."
        })
    })
}

/// A version as a request names it: none is 0. The error is Go's.
pub fn version(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse()
        .map_err(|_| format!("strconv.ParseUint: parsing \"{text}\": invalid syntax"))
}

/// A version that is none: the error is not one for people.
pub fn bad_version(text: &str, why: &str) -> Status {
    let message = format!("resourceVersion: Invalid value: \"{text}\": {why}");
    Status::new(500, "", message)
}

/// A version that is not there yet is not waited for.
pub fn not_in_the_future(store: &Store, version: &str) -> Result<()> {
    match version.parse::<u64>() {
        Ok(asked) if asked > store.version() => {
            let message = format!(
                "Timeout: Too large resource version: {asked}, current: {}",
                store.version()
            );
            let mut status = Status::new(504, "Timeout", message);
            status.details = json!({
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                "retryAfterSeconds": 1,
            });
            Err(status)
        }
        _ => Ok(()),
    }
}

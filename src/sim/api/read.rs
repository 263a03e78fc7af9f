//! Reads: one object, or a list in pages.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::core::Body;
use super::form::{item_text, shown_text};
use super::options::check_list;
use super::path::{Query, Target};
use super::protobuf;
use super::resource::Resource;
use super::selection::Selection;
use super::status::{ApiStatus, Result};
use super::store::{Name, Store};
use super::token;
use super::version::{check_not_future, invalid_version, version};

/// GET of one object.
pub fn get(store: &Store, target: &Target, query: &Query, in_protobuf: bool) -> Result<Body> {
    let asked = query.get("resourceVersion");
    version(asked).map_err(|why| invalid_version(asked, &why))?;
    check_not_future(store, asked)?;
    let Target {
        resource,
        namespace,
        name,
        ..
    } = target;
    match store.get(resource, namespace, name) {
        Some(object) if in_protobuf => {
            let message = store.message(object, resource);
            let enveloped = protobuf::envelope(resource.kind, &message);
            Ok(Body::Protobuf(enveloped.into()))
        }
        Some(object) => Ok(Body::Text(shown_text(store, resource, object))),
        None => Err(ApiStatus::not_found(resource, name)),
    }
}

/// GET of a collection: a list, or one page of it.
pub fn list(store: &Store, target: &Target, query: &Query, in_protobuf: bool) -> Result<Body> {
    let selection = Selection::new(target, query)?;
    check_list(query, false)?;
    let asked = query.get("resourceVersion");
    if let Err(why) = version(asked) {
        let said = invalid_version(asked, &why).message;
        return Err(ApiStatus::bad_request(format!(
            "invalid resource version: {said}"
        )));
    }
    let token = query.get("continue");
    let exact = query.get("resourceVersionMatch") == "Exact";
    if !token.is_empty() && !matches!(asked, "" | "0") {
        let message = "specifying resource version is not allowed when using continue";
        return Err(ApiStatus::bad_request(message));
    }
    let (version, start) = if token.is_empty() {
        check_not_future(store, asked)?;
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
    // The server decides whether there is more before it applies selectors, so the last page may be
    // empty.
    let mut rest = rows
        .iter()
        .filter(|(key, _)| start.as_ref().is_none_or(|s| *key >= s))
        .filter(|(_, object)| selection.in_scope(object))
        .peekable();
    let mut items: Vec<&Arc<Value>> = Vec::new();
    while items.len() < limit
        && let Some((_, object)) = rest.next()
    {
        items.extend(selection.has(object).then_some(object));
    }
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if let Some((key, _)) = rest.peek() {
        metadata["continue"] = token::write(version, key).into();
        if !selection.narrowed {
            metadata["remainingItemCount"] = rest.count().into();
        }
    }
    let (kind, version) = (target.resource.kind, target.resource.api_version());
    if in_protobuf {
        let message = |object: &&Arc<Value>| store.message(object, target.resource);
        let items: Vec<Bytes> = items.iter().map(message).collect();
        let items = items.iter().map(|item| &item[..]);
        return Ok(Body::Protobuf(
            protobuf::list(kind, &metadata, items).into(),
        ));
    }
    let text = |object: &&Arc<Value>| item_text(store, target.resource, object);
    let items: Vec<Arc<str>> = items.iter().map(text).collect();
    let items = items.join(",");
    Ok(Body::Text(format!(
        "{{\"kind\":\"{kind}List\",\"apiVersion\":\"{version}\",\"metadata\":{metadata},\"items\":[{items}]}}"
    )))
}

fn rows_at<'a>(
    store: &'a Store,
    resource: &Resource,
    version: u64,
    continued: bool,
) -> Result<Cow<'a, BTreeMap<Name, Arc<Value>>>> {
    if version == store.version() {
        return Ok(Cow::Borrowed(store.all(resource)));
    }
    store.at(resource, version).map(Cow::Owned).ok_or_else(|| {
        ApiStatus::expired(if continued {
            "The provided continue parameter is too old to display a consistent list result. You can start a new list \
             without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
             results. Continuing with the provided token results in an inconsistent list - objects that were created, \
             modified, or deleted between the time the first chunk was returned and now may show up in the list."
        } else {
            "The resourceVersion for the provided list is too old."
        })
    })
}

//! Deletes: at once, after a grace period (pods), or once all finalizers are removed.

use serde_json::{Value, json};

use super::core::{Answer, Core, Moment};
use super::delete_options::DeleteOptions;
use super::fields::text;
use super::finalizers::{has_content, has_finalizers};
use super::form::shown;
use super::grace::{self, Grace, raise_generation};
use super::path::{Query, Target};
use super::resource::{self, Resource};
use super::selection::Selection;
use super::status::{ApiStatus, Result};

/// The namespaces that cannot be deleted.
const PROTECTED: [&str; 3] = ["default", "kube-public", "kube-system"];

/// DELETE of one object.
pub fn delete(
    core: &mut Core,
    target: &Target,
    query: &Query,
    body: &[u8],
    moment: &Moment,
) -> Result<Answer> {
    let options = DeleteOptions::read(query, body)?;
    delete_one(
        core,
        target.resource,
        &target.namespace,
        &target.name,
        &options,
        moment,
    )
    .map(Answer::ok)
}

/// DELETE of a collection: of all objects that the selectors select.
pub fn delete_collection(
    core: &mut Core,
    target: &Target,
    query: &Query,
    body: &[u8],
    moment: &Moment,
) -> Result<Answer> {
    let options = DeleteOptions::read(query, body)?;
    let selection = Selection::new(target, query)?;
    let rows = core.store.all(target.resource).iter();
    let names: Vec<(String, String)> = rows
        .filter(|(_, object)| selection.has(object))
        .map(|(key, _)| key.clone())
        .collect();
    let mut items = Vec::new();
    for (namespace, name) in names {
        if let Some(object) = core.store.get(target.resource, &namespace, &name) {
            items.push((**object).clone());
        }
        delete_one(core, target.resource, &namespace, &name, &options, moment)?;
    }
    Ok(Answer::ok(json!({
        "kind": format!("{}List", target.resource.kind),
        "apiVersion": target.resource.api_version(),
        "metadata": {"resourceVersion": core.store.version().to_string()},
        "items": items,
    })))
}

/// Deletes one object. Returns what is shown of it.
pub fn delete_one(
    core: &mut Core,
    resource: &'static Resource,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
    moment: &Moment,
) -> Result<Value> {
    let Some(old) = core.store.get(resource, namespace, name).cloned() else {
        return Err(ApiStatus::not_found(resource, name));
    };
    if *resource == resource::NAMESPACES && PROTECTED.contains(&name) {
        let why = "this namespace may not be deleted";
        return Err(ApiStatus::forbidden(resource, name, why));
    }
    check_preconditions(resource, name, options, &old)?;
    let mut object = (*old).clone();
    if *resource == resource::NAMESPACES && mark_namespace_terminating(&mut object, options, moment)
    {
        return Ok(shown(
            resource,
            &keep(core, resource, object, options, moment),
        ));
    }
    if *resource == resource::NAMESPACES && has_content(&object) {
        return Ok(shown(resource, &old));
    }
    let grace = match *resource == resource::PODS {
        true => grace::grant(&mut object, options.grace, moment),
        false => Grace::None,
    };
    if grace == Grace::RunsAlready {
        return Ok(shown(resource, &old));
    }
    options.set_finalizers(resource, &mut object);
    let held = has_finalizers(&object);
    if held && grace == Grace::None {
        mark_terminating(&mut object, moment);
    }
    if object != *old {
        object = keep(core, resource, object, options, moment);
    }
    if held || matches!(grace, Grace::Seconds(1..)) {
        return Ok(shown(resource, &object));
    }
    if !options.dry_run {
        object = (*core.remove(resource, object, moment)).clone();
    }
    if *resource == resource::PODS {
        return Ok(shown(resource, &object));
    }
    let mut details =
        json!({"name": name, "kind": resource.plural, "uid": object["metadata"]["uid"]});
    if !resource.group.is_empty() {
        details["group"] = resource.group.into();
    }
    Ok(
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
    )
}

/// Writes an object, unless it is a dry run. Returns its new state.
fn keep(
    core: &mut Core,
    resource: &'static Resource,
    object: Value,
    options: &DeleteOptions,
    moment: &Moment,
) -> Value {
    if options.dry_run {
        object
    } else {
        (*core.put(resource, object, moment)).clone()
    }
}

/// Checks the preconditions on UID and resourceVersion.
fn check_preconditions(
    resource: &Resource,
    name: &str,
    options: &DeleteOptions,
    object: &Value,
) -> Result<()> {
    for (what, wanted, field, perhaps) in [
        ("UID", &options.uid, "uid", "deleted and then recreated"),
        (
            "ResourceVersion",
            &options.version,
            "resourceVersion",
            "modified",
        ),
    ] {
        let is = text(&object["metadata"], field);
        if wanted.is_empty() || *wanted == is {
            continue;
        }
        if *resource == resource::NAMESPACES {
            let why = format!(
                "Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {is}"
            );
            return Err(ApiStatus::conflict(resource, name, &why));
        }
        let why = format!(
            "the {what} in the precondition ({wanted}) does not match the {what} in record ({is}). \
             The object might have been {perhaps}"
        );
        // Errors name both forms of events by the stored one.
        let is_event = *resource == resource::NEW_EVENTS;
        let resource = if is_event {
            &resource::EVENTS
        } else {
            resource
        };
        return Err(ApiStatus::conflict_of_kind(resource, name, &why));
    }
    Ok(())
}

/// Marks a namespace as terminating, so that its controller empties it. False if it was terminating
/// already.
fn mark_namespace_terminating(
    namespace: &mut Value,
    options: &DeleteOptions,
    moment: &Moment,
) -> bool {
    if namespace["metadata"]["deletionTimestamp"].is_string() {
        return false;
    }
    namespace["metadata"]["deletionTimestamp"] = moment.seconds().into();
    namespace["status"]["phase"] = "Terminating".into();
    options.set_finalizers(&resource::NAMESPACES, namespace);
    true
}

/// Marks an object as terminating that waits for its finalizers.
fn mark_terminating(object: &mut Value, moment: &Moment) {
    let metadata = &mut object["metadata"];
    if metadata["deletionTimestamp"].is_string() {
        return;
    }
    raise_generation(metadata);
    metadata["deletionTimestamp"] = moment.seconds().into();
    metadata["deletionGracePeriodSeconds"] = 0.into();
}

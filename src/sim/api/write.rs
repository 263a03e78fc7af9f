//! Writes: create, update and patch.

use std::sync::Arc;

use rand::Rng;
use serde_json::{Value, json};

use super::body::{self, bare, read, without_nulls};
use super::core::{Answer, Core, Moment};
use super::fields::{copy, name, remove, text};
use super::finalizers::can_be_removed;
use super::form::{item, named_as, shown, shown_as_is, shown_text, stored};
use super::patch::{self, PatchKind};
use super::path::{Query, Target};
use super::precondition::{check_namespace, precondition_failed};
use super::resource::{self, Resource};
use super::status::{ApiStatus, ErrorType, FieldError, Result};
use super::{defaults, scheduling, validate, version};

/// The alphabet of generated names.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// The base of a generated name is cut here: 63 less the five characters that are added.
const MAX_BASE: usize = 58;

/// POST to a collection.
pub fn create(
    core: &mut Core,
    target: &Target,
    query: &Query,
    body: &[u8],
    moment: &Moment,
) -> Result<Answer> {
    let resource = target.resource;
    super::options::check_write("CreateOptions", query)?;
    let object = read(resource, body)?;
    make(core, target, query, object, moment)
}

fn make(
    core: &mut Core,
    target: &Target,
    query: &Query,
    mut object: Value,
    moment: &Moment,
) -> Result<Answer> {
    let resource = target.resource;
    in_namespace(target, &mut object)?;
    if resource.namespaced {
        check_namespace(core, resource, &target.namespace, &object)?;
    }
    let is_pod = *resource == resource::PODS;
    if !(is_pod && core.priority_classes.admit(&mut object)?) {
        defaults::admit(resource, &object)?;
    }
    let uid = core.uid();
    generate_name(core, &mut object);
    let metadata = &mut object["metadata"];
    for gone in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
    ] {
        remove(metadata, gone);
    }
    metadata["uid"] = uid.into();
    metadata["creationTimestamp"] = moment.seconds().into();
    defaults::create(resource, &mut object);
    if is_pod {
        scheduling::set_gated_condition(&mut object, moment);
    }
    let name = name(&object).to_owned();
    let errors = validate::create(resource, &object);
    if !errors.is_empty() {
        return Err(ApiStatus::invalid(resource, &name, &errors));
    }
    if !text(&object["metadata"], "resourceVersion").is_empty() {
        let message = "resourceVersion should not be set on objects to be created";
        return Err(ApiStatus::new(500, "", message));
    }
    if let Some(holder) = core.store.get(resource, &target.namespace, &name) {
        let mut status = ApiStatus::already_exists(resource, &name);
        if holder["metadata"]["deletionTimestamp"].is_string() {
            status.message = format!("object is being deleted: {}", status.message);
        }
        return Err(status);
    }
    if query.is_dry_run() {
        return Ok(Answer::created(shown(resource, &object)));
    }
    let kept = core.put(resource, stored(resource, object), moment);
    let text = shown_text(&core.store, resource, &kept);
    Ok(Answer::created(text))
}

/// PUT of an object or its subresource.
pub fn update(
    core: &mut Core,
    target: &Target,
    query: &Query,
    body: &[u8],
    moment: &Moment,
) -> Result<Answer> {
    let resource = target.resource;
    super::options::check_write("UpdateOptions", query)?;
    let mut object = read(resource, body)?;
    in_namespace(target, &mut object)?;
    let sent = name(&object).to_owned();
    if sent.is_empty() {
        return Err(ApiStatus::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            target.name
        )));
    }
    if sent != target.name {
        return Err(ApiStatus::bad_request(format!(
            "the name of the object ({sent}) does not match the name on the URL ({})",
            target.name
        )));
    }
    let refused = |mut status: ApiStatus| {
        if query.is_dry_run() {
            // Under a dry run another layer of the server reports this.
            status.message = status.message.replace("Key: /registry", "Key: ");
        }
        status
    };
    let old = core.store.get(resource, &target.namespace, &sent);
    let Some(old) = old.map(|old| item(resource, old)) else {
        let may_create = *resource == resource::LEASES
            || *resource == resource::EVENTS
            || *resource == resource::NEW_EVENTS;
        if may_create && target.subresource.is_empty() {
            let uid = text(&object["metadata"], "uid");
            if !uid.is_empty() {
                return Err(refused(precondition_failed(
                    target,
                    &sent,
                    "UID",
                    (&uid, ""),
                )));
            }
            remove(&mut object["metadata"], "resourceVersion");
            return make(core, target, query, object, moment);
        }
        return Err(ApiStatus::not_found(resource, &sent));
    };
    let uid = text(&object["metadata"], "uid");
    if !uid.is_empty() && object["metadata"]["uid"] != old["metadata"]["uid"] {
        let is = text(&old["metadata"], "uid");
        return Err(refused(precondition_failed(
            target,
            &sent,
            "UID",
            (&uid, &is),
        )));
    }
    if text(&object["metadata"], "resourceVersion").is_empty() && *resource == resource::LEASES {
        let error = FieldError {
            error_type: ErrorType::Invalid,
            field: "metadata.resourceVersion".into(),
            value: json!(0),
            detail: "must be specified for an update".into(),
        };
        let mut status = ApiStatus::invalid(resource, &sent, &[error]);
        // Unlike other errors of this kind, this one names the resource.
        let (kind, plural) = (resource.qualified_kind(), resource.qualified());
        status.message = status.message.replacen(&kind, &plural, 1);
        status.details["kind"] = resource.plural.into();
        return Err(status);
    }
    save(core, target, query, &old, object, moment)
}

/// PATCH of an object or its subresource.
pub fn patch(
    core: &mut Core,
    target: &Target,
    query: &Query,
    content_type: &str,
    body: &[u8],
    moment: &Moment,
) -> Result<Answer> {
    let resource = target.resource;
    let kind = PatchKind::of(content_type)?;
    super::options::check_write("PatchOptions", query)?;
    let old = core
        .store
        .get(resource, &target.namespace, &target.name)
        .map(|old| item(resource, old));
    let Some(old) = old else {
        return Err(ApiStatus::not_found(resource, &target.name));
    };
    let patch = patch::read(body)?;
    let (original, left) = apart(resource, kind, &old, &patch);
    let mut patched = patch::apply_read(resource, kind, original, patch)?;
    let of_another_kind = [
        ("kind", resource.kind.to_owned()),
        ("apiVersion", resource.api_version()),
    ]
    .iter()
    .any(|(field, wanted)| patched[*field] != wanted.as_str());
    if of_another_kind {
        put_back(&mut patched, left);
        return Err(invalid_patch(
            &patched,
            &body::not_this_kind(resource, &patched),
        ));
    }
    let unchanged = set_aside(&mut patched, &old);
    if let Err(why) = validate::check_types(resource, &patched) {
        put_back(&mut patched, unchanged);
        put_back(&mut patched, left);
        return Err(invalid_patch(&patched, &why));
    }
    validate::fill_nulls(resource, &mut patched);
    let mut object = bare(validate::without_unknown(resource, patched));
    put_back(&mut object, unchanged);
    let kept = defaults::kept_member(resource, target.subresource);
    put_back(&mut object, left.filter(|(key, _)| kept != Some(&**key)));
    in_namespace(target, &mut object)?;
    if name(&object) != target.name {
        return Err(ApiStatus::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            name(&object),
            target.name
        )));
    }
    save(core, target, query, &old, object, moment)
}

/// Takes out the members that a patch leaves as they are: whatever is stored has the right types,
/// and reading it is most of the work.
fn set_aside(patched: &mut Value, old: &Value) -> Vec<(String, Value)> {
    let mut aside = Vec::new();
    if let Some(members) = patched.as_object_mut() {
        members.retain(|key, value| {
            let is_same = key != "metadata" && old.get(key) == Some(&*value);
            if is_same {
                aside.push((key.clone(), std::mem::take(value)));
            }
            !is_same
        });
    }
    aside
}

fn put_back(object: &mut Value, members: impl IntoIterator<Item = (String, Value)>) {
    if let Some(object) = object.as_object_mut() {
        object.extend(members);
    }
}

/// What a patch is applied to, and the members that it does not name and so leaves as they are:
/// they are not read and checked again, which is most of the work. Of events all members are read,
/// because some have a null there, and so are those that a list of operations or a directive may
/// be about.
fn apart<'a>(
    resource: &Resource,
    kind: PatchKind,
    old: &'a Value,
    patch: &Value,
) -> (Value, impl Iterator<Item = (String, Value)> + use<'a>) {
    let is_event = *resource == resource::EVENTS || *resource == resource::NEW_EVENTS;
    let patch = patch.as_object().filter(|patch| {
        let has_directive = patch.keys().any(|key| key.starts_with('$'));
        kind != PatchKind::Json && !is_event && !has_directive
    });
    let members = || old.as_object().into_iter().flatten();
    let is_named =
        |key: &str| patch.is_none_or(|patch| key == "metadata" || patch.contains_key(key));
    let named = members().filter(|(key, _)| is_named(key));
    let named = named.map(|(key, value)| (key.clone(), value.clone()));
    let left: Vec<_> = members().filter(|(key, _)| !is_named(key)).collect();
    let left = left
        .into_iter()
        .map(|(key, value)| (key.clone(), value.clone()));
    (named_as(resource, named.collect()), left)
}

/// The refusal of a patch after which the object is no longer of this kind.
fn invalid_patch(patched: &Value, why: &str) -> ApiStatus {
    let error = FieldError {
        error_type: ErrorType::Invalid,
        field: "patch".into(),
        value: patched.to_string().into(),
        detail: why.into(),
    };
    let mut status = ApiStatus::new(422, "Invalid", format!(" \"\" is invalid: {error}"));
    status.details = json!({"causes": [error.cause()]});
    status
}

/// Replaces the old state by a new one, as far as this resource and subresource may change it. Both
/// states are in the form of this resource.
fn save(
    core: &mut Core,
    target: &Target,
    query: &Query,
    old: &Arc<Value>,
    mut object: Value,
    moment: &Moment,
) -> Result<Answer> {
    let resource = target.resource;
    let version = text(&object["metadata"], "resourceVersion");
    if let Err(why) = version::version(&version) {
        return Err(ApiStatus::new(500, "", why));
    }
    let is_other = object["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"];
    if !version.is_empty() && version != "0" && is_other {
        return Err(ApiStatus::modified(resource, &target.name));
    }
    object["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
    carry_over(resource, target.subresource, old, &mut object);
    let errors = validate::update(resource, &object, old, target.subresource);
    if !errors.is_empty() {
        return Err(ApiStatus::invalid(resource, &target.name, &errors));
    }
    // Most writes change the status.
    if object.get("status") == old.get("status") && object == **old {
        return Ok(Answer::ok(shown_as_is(resource, old)));
    }
    if query.is_dry_run() {
        return Ok(Answer::ok(shown_as_is(resource, &object)));
    }
    if can_be_removed(resource, old, &object) {
        // Watches deliver the state before this write; the client gets its own.
        core.remove(resource, stored(resource, (**old).clone()), moment);
        return Ok(Answer::ok(shown_as_is(resource, &object)));
    }
    let kept = core.put(resource, stored(resource, object), moment);
    let text = shown_text(&core.store, resource, &kept);
    Ok(Answer::ok(text))
}

/// Copies the fields that a write of this subresource cannot change from the old state.
fn carry_over(resource: &'static Resource, subresource: &str, old: &Value, object: &mut Value) {
    copy(
        &old["metadata"],
        &mut object["metadata"],
        "creationTimestamp",
    );
    if !old["metadata"]["deletionTimestamp"].is_null() {
        copy(
            &old["metadata"],
            &mut object["metadata"],
            "deletionTimestamp",
        );
    }
    for field in ["uid", "deletionGracePeriodSeconds"] {
        if object["metadata"][field].is_null() {
            copy(&old["metadata"], &mut object["metadata"], field);
        }
    }
    remove(&mut object["metadata"], "managedFields");
    remove(&mut object["metadata"], "selfLink");
    if subresource == "finalize" {
        let finalizers = object["spec"]["finalizers"].clone();
        copy(old, object, "spec");
        copy(old, object, "status");
        object["spec"]["finalizers"] = finalizers;
        without_nulls(object);
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name(object).into();
        return;
    }
    without_nulls(object);
    if subresource == "resize" {
        super::resize::carry_over(old, object);
    }
    defaults::update(resource, object, old, subresource);
}

fn in_namespace(target: &Target, object: &mut Value) -> Result<()> {
    let sent = text(&object["metadata"], "namespace");
    if target.resource.namespaced && !sent.is_empty() && sent != target.namespace {
        return Err(ApiStatus::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if target.resource.namespaced {
        object["metadata"]["namespace"] = target.namespace.clone().into();
    } else {
        remove(&mut object["metadata"], "namespace");
    }
    Ok(())
}

fn generate_name(core: &mut Core, object: &mut Value) {
    let base = text(&object["metadata"], "generateName");
    if !name(object).is_empty() || base.is_empty() {
        return;
    }
    let mut made: String = base.chars().take(MAX_BASE).collect();
    for _ in 0..5 {
        let at = core.rng.random_range(0..ALPHABET.len());
        made.push(char::from(ALPHABET[at]));
    }
    object["metadata"]["name"] = made.into();
}

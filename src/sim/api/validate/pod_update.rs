//! The fields of a pod that may be changed. Left out: what else may change while a pod has
//! scheduling gates, such as its node selector.

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, number, present, text};
use super::{metadata, placement, pod};

/// The message about a field that cannot be changed. The server adds the difference of the two
/// states, printed as Go types; it is left out here, and the text ends with the line.
const FIXED: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].\
                     image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
                     `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n";

/// Checks an update of a pod's metadata or spec.
pub fn update(errors: &mut Errors, new: &Value, old: &Value) {
    metadata::update_strictly(errors, new, old);
    pod::whole(errors, new);
    let (spec, before) = (&new["spec"], &old["spec"]);
    for key in ["containers", "initContainers"] {
        if !images(errors, spec, before, key) {
            return;
        }
    }
    if !deadline(errors, spec, before) {
        return;
    }
    tolerations(errors, spec, before);
    scheduling_gates(errors, spec, before);
    if comparable(spec, before) != *before {
        errors.forbidden("spec", FIXED);
    }
}

/// Checks containers: images may change, containers are neither added nor removed. False if the
/// server checks nothing else then.
fn images(errors: &mut Errors, spec: &Value, before: &Value, key: &str) -> bool {
    let containers = each(spec, "spec", key);
    if containers.len() != each(before, "spec", key).len() {
        let why = "pod updates may not add or remove containers";
        errors.forbidden(format!("spec.{key}"), why);
        return false;
    }
    for (path, container) in containers {
        let image = text(container, "image");
        if image.is_empty() {
            errors.required(format!("{path}.image"), "");
        }
        if image.trim() != image {
            let why = "must not have leading or trailing whitespace";
            errors.invalid(format!("{path}.image"), image, why);
        }
    }
    true
}

/// Checks the deadline: it may be set, and become earlier. False if the server checks nothing else
/// then.
fn deadline(errors: &mut Errors, spec: &Value, before: &Value) -> bool {
    const KEY: &str = "activeDeadlineSeconds";
    let path = format!("spec.{KEY}");
    let was = number(before, KEY);
    match number(spec, KEY) {
        Some(seconds) if !(0..=i64::from(i32::MAX)).contains(&seconds) => {
            errors.between(path, seconds, 0, i64::from(i32::MAX));
            return false;
        }
        Some(seconds) if was.is_some_and(|was| was < seconds) => {
            let why = "must be less than or equal to previous value";
            errors.invalid(path, seconds, why);
            return false;
        }
        None if was.is_some() => {
            let why = "must not update from a positive integer to nil value";
            errors.invalid(path, Value::Null, why);
        }
        _ => {}
    }
    true
}

/// Checks tolerations: they stay, except for their time, and others may be added.
fn tolerations(errors: &mut Errors, spec: &Value, before: &Value) {
    let timeless = |toleration: &Value| {
        let mut toleration = toleration.clone();
        if let Some(fields) = toleration.as_object_mut() {
            fields.remove("tolerationSeconds");
        }
        toleration
    };
    let all = |spec| -> Vec<Value> {
        let all = each(spec, "", "tolerations").into_iter();
        all.map(|(_, toleration)| timeless(toleration)).collect()
    };
    let now = all(spec);
    if all(before)
        .iter()
        .any(|toleration| !now.contains(toleration))
    {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        return errors.forbidden("spec.tolerations", why);
    }
    placement::tolerations(errors, spec, "spec");
}

/// Checks scheduling gates: they may go, and none may come.
fn scheduling_gates(errors: &mut Errors, spec: &Value, before: &Value) {
    let had = each(before, "", "schedulingGates");
    for (path, gate) in each(spec, "spec", "schedulingGates") {
        let name = text(gate, "name");
        if !had.iter().any(|(_, gate)| text(gate, "name") == name) {
            let why = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            errors.forbidden(format!("{path}.name"), &why);
        }
    }
}

/// The new spec, with everything that may change as it was before.
fn comparable(spec: &Value, before: &Value) -> Value {
    let mut same = spec.clone();
    for key in ["containers", "initContainers"] {
        let containers = same.get_mut(key).and_then(Value::as_array_mut);
        for (i, container) in containers.into_iter().flatten().enumerate() {
            container["image"] = before[key][i]["image"].clone();
        }
    }
    let negative = |spec| number(spec, "terminationGracePeriodSeconds").is_some_and(|s| s < 0);
    let mut free = vec!["activeDeadlineSeconds", "tolerations", "schedulingGates"];
    if negative(before) && number(spec, "terminationGracePeriodSeconds") == Some(1) {
        free.push("terminationGracePeriodSeconds");
    }
    let fields = same.as_object_mut();
    if let Some(fields) = fields {
        for key in free {
            match present(before, key) {
                Some(value) => fields.insert(key.to_owned(), value.clone()),
                None => fields.remove(key),
            };
        }
    }
    same
}

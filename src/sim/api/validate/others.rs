//! The rules of namespaces, ControllerRevisions and Leases.

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, number, present, text};
use super::metadata::is_standard_finalizer;
use super::names;

/// Checks the finalizers of a new namespace.
pub fn namespace(errors: &mut Errors, namespace: &Value) {
    const PATH: &str = "spec.finalizers";
    for (_, finalizer) in each(&namespace["spec"], "spec", "finalizers") {
        let name = finalizer.as_str().unwrap_or_default();
        errors.all_invalid(PATH, name, names::label_key(name));
        if !is_standard_finalizer(name) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid(PATH, name, why);
        }
    }
}

/// Checks that the phase of a namespace agrees with its deletionTimestamp.
pub fn namespace_status(errors: &mut Errors, namespace: &Value) {
    let phase = text(&namespace["status"], "phase");
    let (wanted, not) = match present(&namespace["metadata"], "deletionTimestamp") {
        None => ("Active", ""),
        Some(_) => ("Terminating", "not "),
    };
    if phase != wanted {
        let why = format!("may only be '{wanted}' if `deletionTimestamp` is {not}empty");
        errors.invalid("status.Phase", phase, &why);
    }
}

/// Checks the number of a revision.
pub fn revision(errors: &mut Errors, revision: &Value) {
    errors.not_negative("revision", number(revision, "revision"));
}

/// Checks the data of a new revision.
pub fn revision_data(errors: &mut Errors, revision: &Value) {
    match present(revision, "data") {
        None => errors.required("data", "data is mandatory"),
        Some(Value::Object(_)) => {}
        Some(_) => errors.required("data", "data must be a valid JSON object"),
    }
}

/// Checks the spec of a Lease.
pub fn lease(errors: &mut Errors, lease: &Value) {
    let spec = &lease["spec"];
    let duration = number(spec, "leaseDurationSeconds");
    if let Some(seconds) = duration.filter(|seconds| *seconds <= 0) {
        let why = "must be greater than 0";
        errors.invalid("spec.leaseDurationSeconds", seconds, why);
    }
    errors.not_negative("spec.leaseTransitions", number(spec, "leaseTransitions"));
}

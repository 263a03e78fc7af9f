//! The rules of events. Those of the newer form are stricter.

use serde_json::Value;

use super::super::resource::{self, Resource};
use super::errors::Errors;
use super::fields::{number, present, text};
use super::metadata::{self, NameRule};
use super::names;

/// The names of the fields in one of the two forms of an event.
struct Form {
    newer: bool,
    object: &'static str,
    message: &'static str,
    source: &'static str,
    first: &'static str,
    last: &'static str,
    count: &'static str,
    controller: &'static str,
}

const OLDER: Form = Form {
    newer: false,
    object: "involvedObject",
    message: "message",
    source: "source",
    first: "firstTimestamp",
    last: "lastTimestamp",
    count: "count",
    controller: "reportingComponent",
};

const NEWER: Form = Form {
    newer: true,
    object: "regarding",
    message: "note",
    source: "deprecatedSource",
    first: "deprecatedFirstTimestamp",
    last: "deprecatedLastTimestamp",
    count: "deprecatedCount",
    controller: "reportingController",
};

fn form(resource: &Resource) -> &'static Form {
    if *resource == resource::NEW_EVENTS {
        &NEWER
    } else {
        &OLDER
    }
}

/// Checks a new event.
pub fn create(errors: &mut Errors, resource: &Resource, event: &Value) {
    let form = form(resource);
    common(errors, form, event);
    if !form.newer {
        return;
    }
    metadata::create_strictly(errors, event, true, NameRule::Subdomain);
    series(errors, event);
    if present(event, "eventTime").is_none() {
        errors.required("eventTime", "");
    }
    let kind = text(event, "type");
    if !["Normal", "Warning"].contains(&kind) {
        errors.invalid("type", "", &format!("has invalid value: {kind}"));
    }
    let source = &event[form.source];
    let sourced = ["component", "host"]
        .iter()
        .any(|key| !text(source, key).is_empty());
    for (field, set) in [
        ("firstTimestamp", present(event, form.first).is_some()),
        ("lastTimestamp", present(event, form.last).is_some()),
        ("count", number(event, form.count).unwrap_or(0) != 0),
        ("source", sourced),
    ] {
        if set {
            errors.invalid(field, "", "needs to be unset");
        }
    }
}

/// Checks an update of an event.
pub fn update(errors: &mut Errors, resource: &Resource, new: &Value, old: &Value) {
    let form = form(resource);
    common(errors, form, new);
    if !form.newer {
        return;
    }
    metadata::update_strictly(errors, new, old);
    if new["series"] != old["series"] {
        series(errors, new);
    }
    // The messages have the names of the older form.
    for (field, key) in [
        ("involvedObject", form.object),
        ("reason", "reason"),
        ("message", form.message),
        ("source", form.source),
        ("firstTimestamp", form.first),
        ("lastTimestamp", form.last),
        ("count", form.count),
        ("type", "type"),
        ("eventTime", "eventTime"),
        ("action", "action"),
        ("related", "related"),
        ("reportingController", "reportingController"),
        ("reportingInstance", "reportingInstance"),
    ] {
        errors.immutable(field, new, old, key);
    }
}

fn series(errors: &mut Errors, event: &Value) {
    let Some(series) = present(event, "series") else {
        return;
    };
    if number(series, "count").unwrap_or(0) < 2 {
        errors.invalid("series.count", "", "should be at least 2");
    }
    if present(series, "lastObservedTime").is_none() {
        errors.required("series.lastObservedTime", "");
    }
}

fn common(errors: &mut Errors, form: &Form, event: &Value) {
    let about = text(&event[form.object], "namespace");
    let own = text(&event["metadata"], "namespace");
    let timed = present(event, "eventTime").is_some();
    let fits = match (timed, about.is_empty()) {
        (false, true) => matches!(own, "" | "default"),
        (false, false) => own == about,
        (true, true) => matches!(own, "default" | "kube-system"),
        (true, false) => true,
    };
    if !fits {
        let why = "does not match event.namespace";
        errors.invalid("involvedObject.namespace", about, why);
    }
    if !timed {
        return;
    }
    let controller = text(event, form.controller);
    if controller.is_empty() {
        errors.required(form.controller, "");
    }
    let wrong = names::label_key(controller);
    errors.all_invalid(form.controller, controller, wrong);
    for (field, key) in [
        ("reportingInstance", "reportingInstance"),
        ("action", "action"),
        ("reason", "reason"),
        ("message", form.message),
    ] {
        let (value, most) = (
            text(event, key),
            if field == "message" { 1024 } else { 128 },
        );
        if value.is_empty() && field != "message" {
            errors.required(field, "");
        }
        if value.len() > most {
            let why = format!("can have at most {most} characters");
            errors.invalid(field, "", &why);
        }
    }
}

//! The rules of DaemonSets.

use serde_json::{Value, json};

use super::errors::Errors;
use super::fields::{each, number, present, text, texts};
use super::{metadata, names, placement, pod, profiles};

/// Checks `spec`, new or updated.
pub fn spec(errors: &mut Errors, object: &Value) {
    let spec = &object["spec"];
    let template = &spec["template"];
    let selector = &spec["selector"];
    let before = errors.len();
    placement::label_selector(errors, selector, "spec.selector");
    let understood = errors.len() == before;
    let labels = &template["metadata"]["labels"];
    if understood && !selects(selector, labels) {
        let why = "`selector` does not match template `labels`";
        errors.invalid("spec.template.metadata.labels", labels.clone(), why);
    }
    let empty = |key: &str| match &selector[key] {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => true,
    };
    if selector.is_object() && empty("matchLabels") && empty("matchExpressions") {
        let why = "empty selector is invalid for daemonset";
        errors.invalid("spec.selector", json!({}), why);
    }
    metadata::labels(
        errors,
        &template["metadata"],
        "spec.template.labels",
        "labels",
    );
    metadata::annotations(errors, &template["metadata"], "spec.template.annotations");
    let inside = &template["spec"];
    let path = "spec.template.annotations";
    profiles::annotations(errors, &template["metadata"], inside, path);
    let path = "spec.template.spec";
    pod::spec(errors, inside, path, None);
    profiles::annotations_match(errors, &template["metadata"], inside, path);
    if present(inside, "ephemeralContainers").is_some() {
        let why = "ephemeral containers not allowed in pod template";
        errors.forbidden("spec.template.spec.ephemeralContainers", why);
    }
    let restart = text(inside, "restartPolicy");
    if restart != "Always" {
        errors.not_supported("spec.template.spec.restartPolicy", restart, &["Always"]);
    }
    if present(inside, "activeDeadlineSeconds").is_some() {
        let why = "activeDeadlineSeconds in DaemonSet is not Supported";
        errors.forbidden("spec.template.spec.activeDeadlineSeconds", why);
    }
    errors.not_negative("spec.minReadySeconds", number(spec, "minReadySeconds"));
    strategy(errors, &spec["updateStrategy"]);
    errors.not_negative(
        "spec.revisionHistoryLimit",
        number(spec, "revisionHistoryLimit"),
    );
}

/// Whether a selector of valid form selects these labels. A missing selector selects nothing, an
/// empty one everything.
fn selects(selector: &Value, labels: &Value) -> bool {
    let has = |key: &str| labels[key].as_str();
    let exact = texts(selector, "matchLabels")
        .into_iter()
        .all(|(key, value)| has(key) == Some(value));
    let expressions = each(selector, "", "matchExpressions");
    selector.is_object()
        && exact
        && expressions.into_iter().all(|(_, e)| {
            let value = has(text(e, "key"));
            let listed = || {
                let values = e["values"].as_array().into_iter().flatten();
                value.is_some_and(|v| values.into_iter().any(|w| w.as_str() == Some(v)))
            };
            match text(e, "operator") {
                "In" => listed(),
                "NotIn" => !listed(),
                "Exists" => value.is_some(),
                _ => value.is_none(),
            }
        })
}

fn strategy(errors: &mut Errors, strategy: &Value) {
    const PATH: &str = "spec.updateStrategy.rollingUpdate";
    match text(strategy, "type") {
        "OnDelete" => return,
        "RollingUpdate" => {}
        other => {
            // The message prints the server's internal type, whose fields have capitals.
            let rolling = present(strategy, "rollingUpdate").map(|rolling| {
                let [most, surge] = ["maxUnavailable", "maxSurge"].map(|key| &rolling[key]);
                json!({"MaxUnavailable": most, "MaxSurge": surge})
            });
            let shown = json!({"Type": other, "RollingUpdate": rolling});
            let known = ["RollingUpdate", "OnDelete"];
            return errors.not_supported("spec.updateStrategy", shown, &known);
        }
    }
    let Some(rolling) = present(strategy, "rollingUpdate") else {
        return errors.required(PATH, "");
    };
    let fields = ["maxUnavailable", "maxSurge"];
    for key in fields {
        let path = format!("{PATH}.{key}");
        match &rolling[key] {
            Value::String(text) => errors.all_invalid(&path, text, names::percent(text)),
            value => errors.not_negative(path, value.as_i64()),
        }
    }
    for key in fields {
        if names::share(text(rolling, key)).is_some_and(|share| share > 100) {
            let why = "must not be greater than 100%";
            errors.invalid(format!("{PATH}.{key}"), rolling[key].clone(), why);
        }
    }
    let set = |key: &str| match &rolling[key] {
        // A text that is no percentage may still be a number.
        Value::String(text) => {
            let number = names::share(text).or_else(|| text.parse().ok());
            number.is_some_and(|n| n != 0)
        }
        value => value.as_i64().is_some_and(|n| n != 0),
    };
    match (set("maxUnavailable"), set("maxSurge")) {
        (true, true) => {
            let why = "may not be set when maxUnavailable is non-zero";
            errors.invalid(format!("{PATH}.maxSurge"), rolling["maxSurge"].clone(), why);
        }
        (false, false) => {
            let why = "cannot be 0 when maxSurge is 0";
            errors.required(format!("{PATH}.maxUnavailable"), why);
        }
        _ => {}
    }
}

/// Checks that the selector does not change.
pub fn selector_stays(errors: &mut Errors, new: &Value, old: &Value) {
    errors.immutable("spec.selector", &new["spec"], &old["spec"], "selector");
}

/// Checks `status`: no count is negative.
pub fn status(errors: &mut Errors, new: &Value, old: &Value) {
    let status = &new["status"];
    for key in [
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "collisionCount",
    ] {
        errors.not_negative(format!("status.{key}"), number(status, key));
    }
    let collisions = number(status, "collisionCount").unwrap_or(0);
    if number(&old["status"], "collisionCount").is_some_and(|before| collisions < before) {
        errors.invalid("status.collisionCount", collisions, "cannot be decremented");
    }
}

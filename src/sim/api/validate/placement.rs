//! The rules of placement: selectors, affinity, taints and tolerations, spreading.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::errors::Errors;
use super::fields::{each, number, present, text, texts};
use super::{metadata, names};

const NOT_AN_OPERATOR: &str = "not a valid selector operator";
const NEEDS_VALUES: &str = "must be specified when `operator` is 'In' or 'NotIn'";
const NEEDS_NO_VALUES: &str = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";

/// Checks a label selector, if there is one.
pub fn label_selector(errors: &mut Errors, selector: &Value, path: &str) {
    let labels = format!("{path}.matchLabels");
    metadata::labels(errors, selector, &labels, "matchLabels");
    for (path, requirement) in each(selector, path, "matchExpressions") {
        expression(errors, requirement, &path, false, true);
    }
}

/// Checks a requirement on a label. Node selectors also have `Gt` and `Lt`.
fn expression(errors: &mut Errors, e: &Value, path: &str, of_node: bool, values_matter: bool) {
    let values = each(e, path, "values");
    let at = format!("{path}.values");
    match text(e, "operator") {
        "In" | "NotIn" if values.is_empty() => errors.required(at, NEEDS_VALUES),
        "Exists" | "DoesNotExist" if !values.is_empty() => errors.forbidden(at, NEEDS_NO_VALUES),
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        "Gt" | "Lt" if of_node => {
            if values.len() != 1 {
                let why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                errors.required(at, why);
            }
        }
        other => errors.invalid(format!("{path}.operator"), other, NOT_AN_OPERATOR),
    }
    let key = text(e, "key");
    errors.all_invalid(&format!("{path}.key"), key, names::label_key(key));
    for (path, value) in values.into_iter().filter(|_| values_matter) {
        let value = value.as_str().unwrap_or_default();
        errors.all_invalid(&path, value, names::label_value(value));
    }
}

/// Checks node affinity.
pub fn affinity(errors: &mut Errors, spec: &Value, path: &str) {
    let nodes = &spec["affinity"]["nodeAffinity"];
    let path = format!("{path}.affinity.nodeAffinity");
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    if let Some(required) = present(nodes, REQUIRED) {
        let path = format!("{path}.{REQUIRED}");
        let terms = each(required, &path, "nodeSelectorTerms");
        if terms.is_empty() {
            let why = "must have at least one node selector term";
            errors.required(format!("{path}.nodeSelectorTerms"), why);
        }
        for (path, term) in terms {
            node_term(errors, term, &path, true);
        }
    }
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    for (path, preferred) in each(nodes, &path, PREFERRED) {
        weight(errors, preferred, &path);
        let path = format!("{path}.preference");
        node_term(errors, &preferred["preference"], &path, false);
    }
}

/// Checks pod affinity and anti-affinity.
pub fn pod_affinity(errors: &mut Errors, spec: &Value, path: &str) {
    for key in ["podAffinity", "podAntiAffinity"] {
        let terms = &spec["affinity"][key];
        let path = format!("{path}.affinity.{key}");
        const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
        for (path, term) in each(terms, &path, REQUIRED) {
            pod_term(errors, term, &path);
        }
        const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
        for (path, preferred) in each(terms, &path, PREFERRED) {
            weight(errors, preferred, &path);
            let path = format!("{path}.podAffinityTerm");
            pod_term(errors, &preferred["podAffinityTerm"], &path);
        }
    }
}

fn pod_term(errors: &mut Errors, term: &Value, path: &str) {
    for key in ["labelSelector", "namespaceSelector"] {
        label_selector(errors, &term[key], &format!("{path}.{key}"));
    }
    for (_, namespace) in each(term, path, "namespaces") {
        let name = namespace.as_str().unwrap_or_default();
        let at = format!("{path}.namespace");
        errors.all_invalid(&at, name, names::dns_label(name));
    }
    label_keys(errors, term, path);
    let key = text(term, "topologyKey");
    let at = format!("{path}.topologyKey");
    if key.is_empty() {
        errors.required(&at, "can not be empty");
    }
    errors.all_invalid(&at, key, names::label_key(key));
}

/// Checks the keys whose values of the pod itself are added to its label selector.
fn label_keys(errors: &mut Errors, term: &Value, path: &str) {
    let selector = present(term, "labelSelector");
    let keys = |key: &str| -> Vec<&str> {
        let keys = term[key].as_array().into_iter().flatten();
        keys.filter_map(Value::as_str).collect()
    };
    let lists = ["matchLabelKeys", "mismatchLabelKeys"];
    for list in lists {
        let path = format!("{path}.{list}");
        if keys(list).is_empty() {
            continue;
        }
        if selector.is_none() {
            errors.forbidden(path, "must not be specified when labelSelector is not set");
            continue;
        }
        for (i, key) in keys(list).into_iter().enumerate() {
            errors.all_invalid(&format!("{path}[{i}]"), key, names::label_key(key));
        }
    }
    let (matched, unmatched) = (keys(lists[0]), keys(lists[1]));
    if let Some(selector) = selector {
        // A key that the selector has twice was added to it.
        let labels = texts(selector, "matchLabels").into_iter();
        let mut selected: Vec<&str> = labels.map(|(key, _)| key).collect();
        for (_, expression) in each(selector, "", "matchExpressions") {
            let key = text(expression, "key");
            let at = matched.iter().rposition(|matched| *matched == key);
            if let Some(at) = at.filter(|_| selected.contains(&key)) {
                let why = "exists in both matchLabelKeys and labelSelector";
                errors.invalid(format!("{path}[{at}]"), key, why);
            }
            selected.push(key);
        }
    }
    for (i, key) in matched.into_iter().enumerate() {
        if unmatched.contains(&key) {
            let why = "exists in both matchLabelKeys and mismatchLabelKeys";
            errors.invalid(format!("{path}.matchLabelKeys[{i}]"), key, why);
        }
    }
}

fn weight(errors: &mut Errors, preferred: &Value, path: &str) {
    let weight = number(preferred, "weight").unwrap_or(0);
    if !(1..=100).contains(&weight) {
        let why = "must be in the range 1-100";
        errors.invalid(format!("{path}.weight"), weight, why);
    }
}

fn node_term(errors: &mut Errors, term: &Value, path: &str, values_matter: bool) {
    for (path, e) in each(term, path, "matchExpressions") {
        expression(errors, e, &path, true, values_matter);
    }
    for (path, field) in each(term, path, "matchFields") {
        let values = each(field, &path, "values");
        match text(field, "operator") {
            "In" | "NotIn" => {
                if values.len() != 1 {
                    let why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                    errors.required(format!("{path}.values"), why);
                }
            }
            other => errors.invalid(format!("{path}.operator"), other, NOT_AN_OPERATOR),
        }
        let key = text(field, "key");
        if key != "metadata.name" {
            let why = "not a valid field selector key";
            errors.invalid(format!("{path}.key"), key, why);
            continue;
        }
        for (path, value) in values {
            let value = value.as_str().unwrap_or_default();
            errors.all_invalid(&path, value, names::dns_subdomain(value));
        }
    }
}

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Checks the tolerations of a pod. `Gt` and `Lt` are behind a feature gate that is off.
pub fn tolerations(errors: &mut Errors, spec: &Value, path: &str) {
    for (path, toleration) in each(spec, path, "tolerations") {
        let key = text(toleration, "key");
        let operator = text(toleration, "operator");
        let value = text(toleration, "value");
        let effect = text(toleration, "effect");
        let at_operator = format!("{path}.operator");
        if !key.is_empty() {
            errors.all_invalid(&format!("{path}.key"), key, names::label_key(key));
        } else if operator != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.invalid(&at_operator, operator, why);
        }
        if present(toleration, "tolerationSeconds").is_some() && effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.invalid(format!("{path}.effect"), effect, why);
        }
        match operator {
            "Equal" | "" => {
                let wrong = names::label_value(value);
                if !wrong.is_empty() {
                    errors.invalid(at_operator, value, &wrong.join(";"));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    let why = "value must be empty when `operator` is 'Exists'";
                    errors.invalid(at_operator, value, why);
                }
            }
            "Lt" | "Gt" => {
                let known = ["Equal", "Exists", "Lt", "Gt"];
                errors.not_supported(at_operator, operator, &known);
            }
            _ => errors.not_supported(at_operator, operator, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            errors.one_of(format!("{path}.effect"), effect, &EFFECTS);
        }
    }
}

/// Checks the taints of a node, which the server names by a path of its own.
pub fn taints(errors: &mut Errors, spec: &Value) {
    let mut seen = BTreeSet::new();
    for (path, taint) in each(spec, "metadata", "taints") {
        let (key, value) = (text(taint, "key"), text(taint, "value"));
        let effect = text(taint, "effect");
        errors.all_invalid(&format!("{path}.key"), key, names::label_key(key));
        let wrong = names::label_value(value);
        if !wrong.is_empty() {
            errors.invalid(format!("{path}.value"), value, &wrong.join(";"));
        }
        errors.one_of(format!("{path}.effect"), effect, &EFFECTS);
        if !seen.insert((effect, key)) {
            let shown = json!({
                "Key": key, "Value": value, "Effect": effect, "TimeAdded": taint["timeAdded"],
            });
            let why = "taints must be unique by key and effect pair";
            errors.duplicate(path, shown, why);
        }
    }
}

/// Checks topology spread constraints. The form of their keys is checked of pods only.
pub fn spread(errors: &mut Errors, spec: &Value, path: &str, of_pod: bool) {
    let all = each(spec, path, "topologySpreadConstraints");
    let kind = |c: &Value| -> (String, String) {
        let key = text(c, "topologyKey").to_owned();
        (key, text(c, "whenUnsatisfiable").to_owned())
    };
    for (i, (path, constraint)) in all.iter().enumerate() {
        let skew = number(constraint, "maxSkew").unwrap_or(0);
        if skew <= 0 {
            errors.invalid(format!("{path}.maxSkew"), skew, "must be greater than zero");
        }
        let (key, when) = kind(constraint);
        let at_key = format!("{path}.topologyKey");
        if key.is_empty() {
            errors.required(at_key, "can not be empty");
        } else if of_pod {
            errors.all_invalid(&at_key, &key, names::label_key(&key));
        }
        let known = ["DoNotSchedule", "ScheduleAnyway"];
        if !known.contains(&when.as_str()) {
            let at = format!("{path}.whenUnsatisfiable");
            errors.not_supported(at, when.as_str(), &known);
        }
        if all[i + 1..]
            .iter()
            .any(|(_, c)| kind(c) == kind(constraint))
        {
            let at = format!("{path}.{{topologyKey, whenUnsatisfiable}}");
            errors.duplicate(at, format!("{{{key}, {when}}}"), "");
        }
        min_domains(errors, constraint, path);
        for key in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            let at = format!("{path}.{key}");
            errors.known(at, &constraint[key], &["Honor", "Ignore"]);
        }
        label_keys(errors, constraint, path);
        if let Some(selector) = present(constraint, "labelSelector") {
            label_selector(errors, selector, &format!("{path}.labelSelector"));
        }
    }
}

fn min_domains(errors: &mut Errors, constraint: &Value, path: &str) {
    let Some(least) = number(constraint, "minDomains") else {
        return;
    };
    let at = format!("{path}.minDomains");
    if least <= 0 {
        errors.invalid(&at, least, "must be greater than zero");
    }
    let when = text(constraint, "whenUnsatisfiable");
    if when != "DoNotSchedule" {
        let why = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {when}");
        errors.invalid(at, least, &why);
    }
}

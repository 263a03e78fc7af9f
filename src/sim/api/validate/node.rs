//! The rules of nodes. Left out: the form of pod CIDRs, swap, declared features.

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, text, texts};
use super::metadata::{self, NameRule};
use super::{placement, resources};

/// Checks a node.
pub fn create(errors: &mut Errors, node: &Value) {
    metadata::create_strictly(errors, node, false, NameRule::Subdomain);
    placement::taints(errors, &node["spec"]);
    capacity(errors, node);
}

fn capacity(errors: &mut Errors, node: &Value) {
    for key in ["capacity", "allocatable"] {
        for (name, quantity) in texts(&node["status"], key) {
            let path = format!("status.{key}.{name}");
            resources::amount(errors, name, quantity, &path);
        }
    }
}

/// Checks an update of a node, or of its status.
pub fn update(errors: &mut Errors, new: &Value, old: &Value) {
    metadata::update_strictly(errors, new, old);
    capacity(errors, new);
    let mut seen = Vec::new();
    for (path, address) in each(&new["status"], "status", "addresses") {
        if seen.contains(&address) {
            let shown = serde_json::json!({
                "Type": address["type"], "Address": address["address"],
            });
            errors.duplicate(path, shown, "");
        }
        seen.push(address);
    }
    let (spec, before) = (&new["spec"], &old["spec"]);
    let was = each(before, "spec", "podCIDRs");
    if !was.is_empty() && spec["podCIDRs"] != before["podCIDRs"] {
        let why = "node updates may not change podCIDR except from \"\" to valid";
        errors.forbidden("spec.podCIDRs", why);
    }
    let (provider, was) = (text(spec, "providerID"), text(before, "providerID"));
    if !was.is_empty() && provider != was {
        let verb = if provider.is_empty() {
            "cleared"
        } else {
            "modified"
        };
        let why = format!("field cannot be {verb} once set");
        errors.invalid("spec.providerID", Value::Null, &why);
    }
    placement::taints(errors, spec);
}

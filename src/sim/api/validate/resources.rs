//! The rules of the resources of containers and nodes. Left out: huge pages in detail, and claims.

use serde_json::Value;

use super::errors::Errors;
use super::fields::texts;
use super::names;
use crate::stored::quantity::billionths;

/// One whole unit, in billionths.
const ONE: i128 = 1_000_000_000;

/// Checks requests and limits of a container.
pub fn requirements(errors: &mut Errors, resources: &Value, path: &str) {
    let limits = texts(resources, "limits");
    for (name, quantity) in &limits {
        let path = format!("{path}.limits[{name}]");
        container_resource(errors, name, &path);
        amount(errors, name, quantity, &path);
    }
    for (name, quantity) in texts(resources, "requests") {
        let at = format!("{path}.requests[{name}]");
        container_resource(errors, name, &at);
        amount(errors, name, quantity, &at);
        let limit = limits.iter().find(|(n, _)| *n == name);
        let Some((_, limit)) = limit else {
            if !overcommits(name) {
                let why = "Limit must be set for non overcommitable resources";
                errors.required(format!("{path}.limits"), why);
            }
            continue;
        };
        let (asked, most) = (billionths(quantity), billionths(limit));
        let at = format!("{path}.requests");
        if asked != most && !overcommits(name) {
            let why = format!("must be equal to {name} limit of {limit}");
            errors.invalid(at, quantity, &why);
        } else if asked > most {
            let why = format!("must be less than or equal to {name} limit of {limit}");
            errors.invalid(at, quantity, &why);
        }
    }
}

fn is_huge_pages(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether limits may exceed requests: Kubernetes' own resources but huge pages.
fn overcommits(name: &str) -> bool {
    is_native(name) && !is_huge_pages(name)
}

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn container_resource(errors: &mut Errors, name: &str, path: &str) {
    const OF_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
    const STANDARD: [&str; 9] = [
        "cpu",
        "memory",
        "ephemeral-storage",
        "pods",
        "services",
        "storage",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
    ];
    let wrong = names::label_key(name);
    let good = wrong.is_empty();
    errors.all_invalid(path, name, wrong);
    if !name.contains('/') && !is_huge_pages(name) {
        if good && !STANDARD.contains(&name) {
            let why = "must be a standard resource type or fully qualified";
            errors.invalid(path, name, why);
        }
        if !OF_CONTAINERS.contains(&name) {
            let why = "must be a standard resource for containers";
            errors.invalid(path, name, why);
        }
    } else if !is_native(name) && name.starts_with("requests.") {
        let why = "doesn't follow extended resource name standard";
        errors.invalid(path, name, why);
    }
}

/// Checks that an amount is not negative, and whole if the resource has no fractions.
pub fn amount(errors: &mut Errors, name: &str, quantity: &str, path: &str) {
    let Some(value) = billionths(quantity) else {
        return; // refused by decoding
    };
    if value < 0 {
        let why = "must be greater than or equal to 0";
        errors.invalid(path, quantity, why);
    }
    let whole = name == "pods" || !is_native(name);
    if whole && value % ONE != 0 {
        errors.invalid(path, quantity, "must be an integer");
    }
}

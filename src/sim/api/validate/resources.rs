//! The rules of the resources of containers, pods and nodes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::errors::Errors;
use super::fields::{each, present, text, texts};
use super::names;
use crate::model::quantity::{billionths, canonical};

/// One whole unit, in billionths.
const ONE: i128 = 1_000_000_000;

/// A rule for the name of a resource.
type NameRule = fn(&mut Errors, &str, &str);

/// Checks requests, limits and claims of a container. `claims` are the names of the pod's claims.
pub fn of_container(errors: &mut Errors, resources: &Value, path: &str, claims: &BTreeSet<&str>) {
    requirements(errors, resources, path, container_resource);
    for_claims(errors, resources, path, claims);
}

/// Checks the overhead of a pod, which the server takes for limits.
pub fn overhead(errors: &mut Errors, spec: &Value, path: &str) {
    if let Some(overhead) = present(spec, "overhead") {
        let as_limits = json!({"limits": overhead});
        let path = format!("{path}.overhead");
        requirements(errors, &as_limits, &path, container_resource);
    }
}

fn requirements(errors: &mut Errors, resources: &Value, path: &str, rule: NameRule) {
    let limits = texts(resources, "limits");
    let requests = texts(resources, "requests");
    for (name, quantity) in &limits {
        let path = format!("{path}.limits[{name}]");
        rule(errors, name, &path);
        amount(errors, name, quantity, &path);
        huge_pages(errors, name, quantity, &path);
    }
    for (name, quantity) in &requests {
        let at = format!("{path}.requests[{name}]");
        rule(errors, name, &at);
        amount(errors, name, quantity, &at);
        match limits.iter().find(|(n, _)| n == name) {
            None if !overcommits(name) => {
                let why = "Limit must be set for non overcommitable resources";
                errors.required(format!("{path}.limits"), why);
            }
            None => {}
            Some((_, limit)) => within_limit(errors, name, quantity, limit, path),
        }
        huge_pages(errors, name, quantity, &at);
    }
    let names = || limits.iter().chain(&requests).map(|(name, _)| *name);
    if names().any(is_huge_pages) && !names().any(|name| matches!(name, "cpu" | "memory")) {
        errors.forbidden(path, "HugePages require cpu or memory");
    }
}

fn within_limit(errors: &mut Errors, name: &str, quantity: &str, limit: &str, path: &str) {
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

fn is_huge_pages(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// How many units an amount is, rounded away from zero as the server does.
fn rounded(amount: i128, unit: i128) -> i128 {
    (amount.abs() + unit - 1) / unit * amount.signum()
}

/// Checks that an amount of huge pages is that of whole pages.
fn huge_pages(errors: &mut Errors, name: &str, quantity: &str, path: &str) {
    let Some(size) = name.strip_prefix("hugepages-") else {
        return;
    };
    let whole = |value: &i128| *value > 0 && value % ONE == 0;
    let size = billionths(size).filter(whole);
    let amount = billionths(quantity).map(|amount| rounded(amount, ONE) * ONE);
    let good = matches!((size, amount), (Some(size), Some(amount)) if amount % size == 0);
    if !good {
        let why = format!("{quantity} is not positive integer multiple of {name}");
        errors.invalid(path, quantity, &why);
    }
}

/// Whether limits may exceed requests: Kubernetes' own resources but huge pages.
fn overcommits(name: &str) -> bool {
    is_native(name) && !is_huge_pages(name)
}

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether a resource is one of a device, which quotas can name.
fn is_extended(name: &str) -> bool {
    let of_quota = format!("requests.{name}");
    !is_native(name) && !name.starts_with("requests.") && names::label_key(&of_quota).is_empty()
}

/// Checks that a name is that of a resource. False if it is not even a name.
fn resource(errors: &mut Errors, name: &str, path: &str) -> bool {
    const STANDARD: [&str; 20] = [
        "cpu",
        "memory",
        "ephemeral-storage",
        "requests.cpu",
        "requests.memory",
        "requests.storage",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "pods",
        "resourcequotas",
        "services",
        "services.nodeports",
        "services.loadbalancers",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "storage",
    ];
    let wrong = names::label_key(name);
    if !wrong.is_empty() {
        errors.all_invalid(path, name, wrong);
        return false;
    }
    let huge = is_huge_pages(name) || name.starts_with("requests.hugepages-");
    if !name.contains('/') && !huge && !STANDARD.contains(&name) {
        let why = "must be a standard resource type or fully qualified";
        errors.invalid(path, name, why);
        return false;
    }
    true
}

fn container_resource(errors: &mut Errors, name: &str, path: &str) {
    resource(errors, name, path);
    if !name.contains('/') {
        let known = matches!(name, "cpu" | "memory" | "ephemeral-storage");
        if !known && !is_huge_pages(name) {
            let why = "must be a standard resource for containers";
            errors.invalid(path, name, why);
        }
    } else if !is_native(name) && !is_extended(name) {
        let why = "doesn't follow extended resource name standard";
        errors.invalid(path, name, why);
    }
}

fn pod_resource(errors: &mut Errors, name: &str, path: &str) {
    let good = resource(errors, name, path);
    if good && !matches!(name, "cpu" | "memory") && !is_huge_pages(name) {
        errors.not_supported(path, name, &["cpu", "hugepages-", "memory"]);
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
    const COUNTED: [&str; 7] = [
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
    ];
    let whole = COUNTED.contains(&name) || is_extended(name);
    if whole && rounded(value, ONE / 1000) % 1000 != 0 {
        errors.invalid(path, quantity, "must be an integer");
    }
}

fn for_claims(errors: &mut Errors, resources: &Value, path: &str, known: &BTreeSet<&str>) {
    let mut used: BTreeSet<String> = BTreeSet::new();
    for (path, claim) in each(resources, path, "claims") {
        let (name, request) = (text(claim, "name"), text(claim, "request"));
        if name.is_empty() {
            errors.required(path, "");
            continue;
        }
        if used.contains(name) {
            errors.duplicate(&path, name, "");
        } else {
            let mut whole = name.to_owned();
            if !request.is_empty() {
                let wrong = names::dns_label(request);
                errors.all_invalid(&format!("{path}.request"), request, wrong);
                whole = format!("{name}/{request}");
            }
            let part = format!("{name}/");
            if used.contains(&whole) {
                errors.duplicate(&path, whole.as_str(), "");
            } else if request.is_empty() && used.iter().any(|used| used.starts_with(&part)) {
                errors.duplicate(&path, name, "");
            }
            used.insert(whole);
        }
        if !known.contains(name) {
            let all: Vec<&str> = known.iter().copied().collect();
            let all = match &all[..] {
                [] => " which is empty".to_owned(),
                all => format!(": {}", all.join(", ")),
            };
            let why = format!("must be one of the names in pod.spec.resourceClaims{all}");
            errors.not_found_in(path, name, &why);
        }
    }
}

/// Checks `resourceClaims` of a pod.
pub fn pod_claims(errors: &mut Errors, spec: &Value, path: &str) {
    let keys = ["resourceClaimName", "resourceClaimTemplateName"];
    let mut seen = BTreeSet::new();
    for (path, claim) in each(spec, path, "resourceClaims") {
        let (name, at) = (text(claim, "name"), format!("{path}.name"));
        if name.is_empty() {
            errors.required(at, "");
        } else if !seen.insert(name) {
            errors.duplicate(at, name, "");
        } else {
            errors.all_invalid(&at, name, names::dns_label(name));
        }
        // The messages print the server's internal type, whose fields have capitals.
        let shown = json!({
            "Name": name, "ResourceClaimName": claim[keys[0]],
            "ResourceClaimTemplateName": claim[keys[1]],
        });
        match keys.map(|key| present(claim, key).is_some()) {
            [true, true] => {
                let why = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
                errors.invalid(&path, shown, why);
            }
            [false, false] => {
                let why = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
                errors.invalid(&path, shown, why);
            }
            _ => {}
        }
        for key in keys {
            if let Some(name) = claim[key].as_str() {
                let wrong = names::dns_subdomain(name);
                errors.all_invalid(&format!("{path}.{key}"), name, wrong);
            }
        }
    }
}

/// Checks `resources` of a pod, and that its containers' are within them.
pub fn of_pod(errors: &mut Errors, spec: &Value, path: &str) {
    let Some(resources) = present(spec, "resources") else {
        return;
    };
    let at = &format!("{path}.resources");
    if spec["os"]["name"] == "windows" {
        return errors.forbidden(at, "may not be set for a windows pod");
    }
    if present(resources, "claims").is_some() {
        let why = "claims may not be set for Resources at pod-level";
        errors.forbidden(format!("{at}.claims"), why);
    }
    requirements(errors, resources, at, pod_resource);
    let claims = each(spec, "", "resourceClaims").into_iter();
    let claims = claims.map(|(_, claim)| text(claim, "name")).collect();
    for_claims(errors, resources, at, &claims);
    for key in ["requests", "limits"] {
        let total = total(spec, key);
        for (name, own) in texts(resources, key) {
            let counts = key == "requests" || is_huge_pages(name);
            let Some(sum) = total.get(name).filter(|_| counts) else {
                continue;
            };
            if Some(sum.amount) > billionths(own) {
                let why = format!(
                    "must be greater than or equal to aggregate container {key} of {}",
                    sum.shown()
                );
                errors.invalid(format!("{at}.{key}[{name}]"), own, &why);
            }
        }
    }
    let limits = texts(resources, "limits");
    for (path, container) in each(spec, at, "containers") {
        for (name, limit) in texts(&container["resources"], "limits") {
            let of_pod = limits.iter().find(|(n, _)| *n == name);
            if let Some((_, most)) = of_pod.filter(|(_, m)| billionths(limit) > billionths(m)) {
                let why = format!("must be less than or equal to pod limits of {most}");
                errors.invalid(format!("{path}[{name}].limits"), limit, &why);
            }
        }
    }
}

/// A sum of amounts.
#[derive(Clone, Default)]
struct Sum {
    amount: i128,
    /// Whether the first of them is written with a power of two, as `1Mi`: so is the sum.
    binary: bool,
}

impl Sum {
    fn shown(&self) -> String {
        let kibi = 1024 * ONE;
        let text = if self.binary && self.amount % kibi == 0 {
            format!("{}Ki", self.amount / kibi)
        } else {
            format!("{}n", self.amount)
        };
        canonical(&text).unwrap_or(text)
    }
}

type Sums = BTreeMap<String, Sum>;

fn add(sums: &mut Sums, container: &Value, key: &str) {
    for (name, quantity) in texts(&container["resources"], key) {
        let sum = sums.entry(name.to_owned()).or_default();
        if sum.amount == 0 {
            sum.binary = quantity.ends_with('i');
        }
        sum.amount += billionths(quantity).unwrap_or(0);
    }
}

/// What the containers have together: those that run side by side are added up, and an init
/// container runs beside the sidecars before it.
fn total(spec: &Value, key: &str) -> Sums {
    let (mut all, mut sidecars, mut most) = (Sums::new(), Sums::new(), Sums::new());
    for (_, container) in each(spec, "", "containers") {
        add(&mut all, container, key);
    }
    for (_, container) in each(spec, "", "initContainers") {
        let mut beside = sidecars.clone();
        add(&mut beside, container, key);
        if text(container, "restartPolicy") == "Always" {
            add(&mut all, container, key);
            sidecars = beside.clone();
        }
        raise(&mut most, beside);
    }
    raise(&mut all, most);
    all
}

fn raise(sums: &mut Sums, to: Sums) {
    for (name, sum) in to {
        let own = sums.entry(name).or_default();
        if sum.amount > own.amount {
            *own = sum;
        }
    }
}

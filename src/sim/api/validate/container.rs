//! The rules of containers: common ones, and those of containers, init containers and ephemeral
//! ones.

use std::collections::BTreeSet;

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, number, present, text};
use super::volume::Volumes;
use super::{env, mounts, names, probe, resources, security};

const INIT: &str = "may not be set for init containers without restartPolicy=Always";

/// Checks `containers` of a pod.
pub fn all(errors: &mut Errors, spec: &Value, path: &str, volumes: &Volumes) {
    let containers = each(spec, path, "containers");
    if containers.is_empty() {
        return errors.required(format!("{path}.containers"), "");
    }
    let mut known = BTreeSet::new();
    for (path, container) in &containers {
        common(errors, spec, container, path, volumes);
        if !known.insert(text(container, "name")) {
            errors.duplicate(format!("{path}.name"), text(container, "name"), "");
        }
        probe::lifecycle(errors, container, path, spec);
        probe::probes(errors, container, path);
        restart_policy(errors, container, path);
    }
    let mut taken = BTreeSet::new();
    for (path, container) in &containers {
        host_ports(errors, container, path, &mut taken);
    }
}

/// Checks `initContainers` of a pod.
pub fn init(errors: &mut Errors, spec: &Value, path: &str, volumes: &Volumes) {
    let others = each(spec, path, "containers").into_iter();
    let mut known: BTreeSet<&str> = others.map(|(_, c)| text(c, "name")).collect();
    let at = format!("{path}.initContainers");
    for (path, container) in each(spec, path, "initContainers") {
        common(errors, spec, container, &path, volumes);
        restart_policy(errors, container, &path);
        let restarts = text(container, "restartPolicy") == "Always";
        let name = text(container, "name");
        if known.contains(name) {
            errors.duplicate(format!("{path}.name"), name, "");
        } else if !name.is_empty() {
            known.insert(name);
        }
        // They run one by one, so the server checks each as if it were the first.
        let first = format!("{at}[0]");
        host_ports(errors, container, &first, &mut BTreeSet::new());
        if restarts {
            probe::lifecycle(errors, container, &path, spec);
            probe::probes(errors, container, &path);
            continue;
        }
        for key in [
            "lifecycle",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
        ] {
            if present(container, key).is_some() {
                errors.forbidden(format!("{path}.{key}"), INIT);
            }
        }
        for (path, policy) in each(container, &path, "resizePolicy") {
            let policy = text(policy, "restartPolicy");
            if policy == "RestartContainer" {
                let why = "must not be set to 'RestartContainer' for non-sidecar initContainers";
                errors.invalid(format!("{path}.restartPolicy"), policy, why);
            }
        }
    }
}

/// The fields that ephemeral containers do not have, in the order of the Go type.
const NOT_EPHEMERAL: [&str; 7] = [
    "ports",
    "resources",
    "resizePolicy",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// Checks `ephemeralContainers` of a pod; templates must not have any, but theirs are checked.
pub fn ephemeral(errors: &mut Errors, spec: &Value, path: &str, volumes: &Volumes) {
    const WHY: &str = "cannot be set for an Ephemeral Container";
    let others = ["containers", "initContainers"].into_iter();
    let others = others.flat_map(|key| each(spec, path, key));
    let others: BTreeSet<&str> = others.map(|(_, c)| text(c, "name")).collect();
    let mut known = others.clone();
    for (path, container) in each(spec, path, "ephemeralContainers") {
        common(errors, spec, container, &path, volumes);
        untrimmed_image(errors, container, &path);
        let (name, target) = (
            text(container, "name"),
            text(container, "targetContainerName"),
        );
        if !known.insert(name) {
            errors.duplicate(format!("{path}.name"), name, "");
        }
        if !target.is_empty() && !others.contains(target) {
            errors.not_found(format!("{path}.targetContainerName"), target);
        }
        for key in NOT_EPHEMERAL {
            let empty = container[key].as_object().is_some_and(|o| o.is_empty());
            if present(container, key).is_some() && !(key == "resources" && empty) {
                errors.forbidden(format!("{path}.{key}"), WHY);
            }
        }
        for (path, mount) in each(container, &path, "volumeMounts") {
            for key in ["subPath", "subPathExpr"] {
                if !text(mount, key).is_empty() {
                    errors.forbidden(format!("{path}.{key}"), WHY);
                }
            }
        }
    }
}

/// Checks that an image's name has no white space around it.
pub fn untrimmed_image(errors: &mut Errors, container: &Value, path: &str) {
    let image = text(container, "image");
    if image.trim() != image {
        let why = "must not have leading or trailing whitespace";
        errors.invalid(format!("{path}.image"), image, why);
    }
}

fn common(errors: &mut Errors, spec: &Value, container: &Value, path: &str, volumes: &Volumes) {
    let at = |key: &str| format!("{path}.{key}");
    let name = text(container, "name");
    if name.is_empty() {
        errors.required(at("name"), "");
    } else {
        errors.all_invalid(&at("name"), name, names::dns_label(name));
    }
    if text(container, "image").is_empty() {
        errors.required(at("image"), "");
    }
    let policy = text(container, "terminationMessagePolicy");
    let policies = ["File", "FallbackToLogsOnError"];
    errors.one_of(at("terminationMessagePolicy"), policy, &policies);
    ports(errors, container, path);
    env::variables(errors, container, path);
    env::sources(errors, container, path);
    mounts::mounts(errors, container, path, volumes);
    mounts::devices(errors, container, path, volumes);
    let policy = text(container, "imagePullPolicy");
    let policies = ["Always", "IfNotPresent", "Never"];
    errors.one_of(at("imagePullPolicy"), policy, &policies);
    let claims: BTreeSet<&str> = each(spec, "", "resourceClaims")
        .into_iter()
        .map(|(_, claim)| text(claim, "name"))
        .filter(|name| !name.is_empty())
        .collect();
    resources::of_container(errors, &container["resources"], &at("resources"), &claims);
    resize_policy(errors, container, path, text(spec, "restartPolicy"));
    let host_users = spec["hostUsers"] != false;
    security::of_container(errors, container, path, host_users);
}

fn ports(errors: &mut Errors, container: &Value, path: &str) {
    let mut known = BTreeSet::new();
    for (path, port) in each(container, path, "ports") {
        let name = text(port, "name");
        if !name.is_empty() {
            let at = format!("{path}.name");
            let wrong = names::port_name(name);
            let good = wrong.is_empty();
            errors.all_invalid(&at, name, wrong);
            if good && !known.insert(name) {
                errors.duplicate(at, name, "");
            }
        }
        let at = format!("{path}.containerPort");
        match number(port, "containerPort").unwrap_or(0) {
            0 => errors.required(at, ""),
            inside => errors.between(at, inside, 1, 65535),
        }
        let host = number(port, "hostPort").unwrap_or(0);
        if host != 0 {
            errors.between(format!("{path}.hostPort"), host, 1, 65535);
        }
        let at = format!("{path}.protocol");
        errors.one_of(at, text(port, "protocol"), &["SCTP", "TCP", "UDP"]);
    }
}

fn host_ports(errors: &mut Errors, container: &Value, path: &str, taken: &mut BTreeSet<String>) {
    for (path, port) in each(container, path, "ports") {
        let host = number(port, "hostPort").unwrap_or(0);
        let whole = format!("{}/{}/{host}", text(port, "protocol"), text(port, "hostIP"));
        if host != 0 && !taken.insert(whole.clone()) {
            errors.duplicate(format!("{path}.hostPort"), whole, "");
        }
    }
}

/// Checks what is restarted when a resource changes. The server reports all at the list.
fn resize_policy(errors: &mut Errors, container: &Value, path: &str, restart_policy: &str) {
    let list = format!("{path}.resizePolicy");
    let mut seen = BTreeSet::new();
    for (path, policy) in each(container, path, "resizePolicy") {
        let (resource, policy) = (text(policy, "resourceName"), text(policy, "restartPolicy"));
        if !seen.insert(resource) {
            errors.duplicate(path, resource, "");
        }
        errors.one_of(&list, resource, &["cpu", "memory"]);
        errors.one_of(&list, policy, &["NotRequired", "RestartContainer"]);
        if restart_policy == "Never" && policy != "NotRequired" {
            let why = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
            errors.invalid(&list, policy, why);
        }
    }
}

/// Checks the restart policy of one container, and its rules.
fn restart_policy(errors: &mut Errors, container: &Value, path: &str) {
    const MOST_RULES: usize = 20;
    const MOST_CODES: usize = 255;
    let at = format!("{path}.restartPolicy");
    let rules = each(container, path, "restartPolicyRules");
    if present(container, "restartPolicy").is_some() {
        let known = ["Always", "Never", "OnFailure"];
        errors.known(at, &container["restartPolicy"], &known);
    } else if !rules.is_empty() {
        errors.required(at, "must specify restartPolicy when restart rules are used");
        if path.contains(".initContainers[") {
            return;
        }
    }
    if rules.len() > MOST_RULES {
        errors.too_many(
            format!("{path}.restartPolicyRules"),
            rules.len(),
            MOST_RULES,
        );
    }
    for (path, rule) in rules {
        let action = text(rule, "action");
        let actions = ["Restart", "RestartAllContainers"];
        if !actions.contains(&action) {
            errors.not_supported(format!("{path}.action"), action, &actions);
        }
        let at = format!("{path}.exitCodes");
        let Some(codes) = present(rule, "exitCodes") else {
            errors.required(at, "must be specified");
            continue;
        };
        let operator = text(codes, "operator");
        if !["In", "NotIn"].contains(&operator) {
            errors.not_supported(format!("{at}.operator"), operator, &["In", "NotIn"]);
        }
        let count = each(codes, "", "values").len();
        if count > MOST_CODES {
            errors.too_many(format!("{at}.values"), count, MOST_CODES);
        }
    }
}

//! Pods: the API server's own defaults, and the fields that admission adds.

use serde_json::{Value, json};

use super::fields::{drop_if, fill, is_empty, times};
use crate::model::quantity::{billionths, canonical_resource};
use crate::stored::defaults as stored;

const CONTAINERS: [&str; 2] = ["initContainers", "containers"];
/// The preemption policy of classes that name none.
pub const PREEMPTION: &str = "PreemptLowerPriority";

/// Completes the spec of a pod. Idempotent.
pub fn complete_spec(pod: &mut Value) {
    fill(pod, "spec", json!({}));
    if let Ok(raw) = serde_json::value::to_raw_value(pod)
        && let Ok(done) = stored::pod(&raw)
        && let Ok(done) = serde_json::from_str(done.json.get())
    {
        *pod = done;
    }
    let spec = &mut pod["spec"];
    fill(spec, "enableServiceLinks", json!(true));
    if spec["terminationGracePeriodSeconds"]
        .as_i64()
        .is_some_and(|s| s < 0)
    {
        spec["terminationGracePeriodSeconds"] = json!(1);
    }
    let on_host = spec["hostNetwork"] == true;
    for key in CONTAINERS {
        let Some(Value::Array(containers)) = spec.get_mut(key) else {
            continue;
        };
        for container in containers {
            limits_are_requests(container);
            if on_host {
                host_ports(container);
            }
        }
    }
    tolerations(spec);
    let class = spec["priorityClassName"].as_str().unwrap_or_default();
    let priority = priority_of(class).unwrap_or(0);
    fill(spec, "priority", json!(priority));
    fill(spec, "preemptionPolicy", json!(PREEMPTION));
}

/// Completes the status of a pod whose spec is complete. Idempotent.
pub fn complete_status(pod: &mut Value) {
    let class = qos_class(&pod["spec"]);
    let fresh = json!({"phase": "Pending", "qosClass": class});
    fill(pod, "status", fresh);
    let status = &mut pod["status"];
    drop_if(
        status,
        &["conditions", "podIP", "podIPs", "hostIP", "hostIPs"],
        is_empty,
    );
    times(status, &["lastProbeTime", "lastTransitionTime"]);
    if let Some(ip) = status["podIP"].as_str().map(str::to_owned) {
        fill(status, "podIPs", json!([{"ip": ip}]));
    }
    for key in ["initContainerStatuses", "containerStatuses"] {
        let all = status.get_mut(key).and_then(Value::as_array_mut);
        for container in all.into_iter().flatten() {
            for (key, value) in [
                ("image", json!("")),
                ("imageID", json!("")),
                ("lastState", json!({})),
                ("ready", json!(false)),
                ("restartCount", json!(0)),
                ("state", json!({})),
            ] {
                fill(container, key, value);
            }
        }
    }
}

/// Copies limits to requests that are missing.
fn limits_are_requests(container: &mut Value) {
    let limits = container["resources"]["limits"].as_object().cloned();
    for (name, quantity) in limits.into_iter().flatten() {
        fill(&mut container["resources"]["requests"], &name, quantity);
    }
}

fn host_ports(container: &mut Value) {
    let Some(Value::Array(ports)) = container.get_mut("ports") else {
        return;
    };
    for port in ports {
        if is_empty(&port["hostPort"]) {
            port["hostPort"] = port["containerPort"].clone();
        }
    }
}

/// Adds the tolerations of a node that is not ready or unreachable for 300 seconds, unless the pod
/// has its own.
fn tolerations(spec: &mut Value) {
    const SECONDS: i64 = 300;
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        let all = spec["tolerations"].as_array().into_iter().flatten();
        let text = |t: &Value, key: &str| t[key].as_str().unwrap_or_default().to_owned();
        let mut tolerated = all.map(|t| (text(t, "key"), text(t, "effect")));
        let said = tolerated.any(|(k, effect)| {
            (k == key || k.is_empty()) && matches!(effect.as_str(), "NoExecute" | "")
        });
        if said {
            continue;
        }
        fill(spec, "tolerations", json!([]));
        if let Some(list) = spec["tolerations"].as_array_mut() {
            list.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS,
            }));
        }
    }
}

/// The priority of a class of the system; None if there is no such class.
pub fn priority_of(class: &str) -> Option<i64> {
    match class {
        "" => Some(0),
        "system-node-critical" => Some(2_000_001_000),
        "system-cluster-critical" => Some(2_000_000_000),
        _ => None,
    }
}

/// Refuses a priority class that is not the system's, and a priority that is not the one of the
/// class. The error is admission's message.
pub fn priority_allowed(spec: &Value) -> Result<(), String> {
    let class = spec["priorityClassName"].as_str().unwrap_or_default();
    let Some(computed) = priority_of(class) else {
        return Err(format!("no PriorityClass with name {class} was found"));
    };
    allowed(spec, computed, PREEMPTION)
}

/// Refuses a priority and a preemption policy that are not those of the pod's class, and overhead,
/// which no runtime class has here.
pub fn allowed(spec: &Value, computed: i64, preemption: &str) -> Result<(), String> {
    if let Some(priority) = spec["priority"].as_i64().filter(|p| *p != computed) {
        return Err(format!(
            "the integer value of priority ({priority}) must not be provided in pod spec; priority admission \
             controller computed {computed} from the given PriorityClass name"
        ));
    }
    if spec["overhead"].as_object().is_some_and(|o| !o.is_empty()) {
        let why =
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
        return Err(why.to_owned());
    }
    if let Some(policy) = spec["preemptionPolicy"]
        .as_str()
        .filter(|p| *p != preemption)
    {
        return Err(format!(
            "the string value of PreemptionPolicy ({policy}) must not be provided in pod spec; priority admission \
             controller computed {preemption} from the given PriorityClass name"
        ));
    }
    Ok(())
}

/// The QoS class of a pod, from its requests and limits of cpu and memory.
pub fn qos_class(spec: &Value) -> &'static str {
    let mut any = false;
    let mut all_limited = true;
    for key in CONTAINERS {
        for container in spec[key].as_array().into_iter().flatten() {
            let resources = &container["resources"];
            for name in ["cpu", "memory"] {
                let amount = |key: &str| {
                    let text = resources[key][name].as_str();
                    text.and_then(billionths).filter(|amount| *amount > 0)
                };
                let (asked, most) = (amount("requests"), amount("limits"));
                any |= asked.is_some() || most.is_some();
                all_limited &= most.is_some() && (asked.is_none() || asked == most);
            }
        }
    }
    match (any, all_limited) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// Writes the quantities of a list in the server's canonical form.
pub fn normalize_quantities(list: &mut Value) {
    for quantity in list
        .as_object_mut()
        .into_iter()
        .flat_map(|l| l.values_mut())
    {
        let text = match &*quantity {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if let Some(written) = canonical_resource(&text) {
            *quantity = json!(written);
        }
    }
}

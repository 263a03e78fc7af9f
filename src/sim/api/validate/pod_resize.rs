//! What a resize of a pod may change.

use serde_json::Value;

use super::super::pods::qos_class;
use super::errors::Errors;
use super::fields::{each, texts};
use super::{metadata, pod};

const LISTS: [&str; 2] = ["containers", "initContainers"];

/// Whether the kubelet that runs the pod can resize it: then it reports the resources of
/// containers.
fn can_resize(pod: &Value) -> bool {
    let statuses = each(&pod["status"], "", "containerStatuses").into_iter();
    let mut running = statuses.filter(|(_, status)| status["state"]["running"].is_object());
    running
        .next()
        .is_none_or(|(_, status)| status["resources"].is_object())
}

/// Checks a pod whose resources change.
pub fn update(errors: &mut Errors, new: &Value, old: &Value) {
    metadata::update_strictly(errors, new, old);
    pod::whole(errors, new);
    let (spec, before) = (&new["spec"], &old["spec"]);
    for list in LISTS {
        if each(spec, "spec", list).len() != each(before, "spec", list).len() {
            let why = "containers may not be added or removed on resize";
            return errors.forbidden(format!("spec.{list}"), why);
        }
    }
    if !can_resize(old) {
        errors.forbidden("spec", "Pod running on node without support for resize");
    }
    let (was, is) = (qos_class(before), qos_class(spec));
    if was != is {
        let why = "Pod QOS Class may not change as a result of resizing";
        errors.invalid("spec", was, why);
    }
    let mut only_mutable = true;
    for list in LISTS {
        let both = each(spec, "spec", list)
            .into_iter()
            .zip(each(before, "spec", list));
        for ((path, new), (_, old)) in both {
            for key in ["limits", "requests"] {
                let (now, had) = (texts(&new["resources"], key), texts(&old["resources"], key));
                if had
                    .iter()
                    .any(|(name, _)| now.iter().all(|(n, _)| n != name))
                {
                    let path = format!("{path}.resources.{key}");
                    errors.forbidden(path, &format!("resource {key} cannot be removed"));
                }
                let fixed = |name: &str| !matches!(name, "cpu" | "memory");
                only_mutable &= now
                    .iter()
                    .all(|entry| !fixed(entry.0) || had.contains(entry));
            }
        }
    }
    if !only_mutable {
        errors.forbidden("spec", "only cpu and memory resources are mutable");
    }
}

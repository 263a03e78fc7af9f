//! References to fields of the pod and to resources of its containers, in variables and in files.

use serde_json::Value;

use super::errors::Errors;
use super::fields::text;
use super::names;

/// Where a reference stands. Variables and files may refer to different fields.
#[derive(Clone, Copy, PartialEq)]
pub enum Place {
    /// A variable of a container.
    Variable,
    /// A file of a volume.
    Volume,
}

/// The fields that variables may take their value from.
const OF_VARIABLES: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// The fields that files may have.
const OF_FILES: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
/// The fields that the server knows, but does not support everywhere.
const KNOWN: [&str; 4] = [
    "spec.host",
    "spec.restartPolicy",
    "spec.schedulerName",
    "status.phase",
];
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const SIZES: [&str; 13] = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];

/// Checks a reference to a field of the pod.
pub fn field(errors: &mut Errors, reference: &Value, path: &str, place: Place) {
    let (version, name) = (text(reference, "apiVersion"), text(reference, "fieldPath"));
    for (key, value) in [("apiVersion", version), ("fieldPath", name)] {
        if value.is_empty() {
            return errors.required(format!("{path}.{key}"), "");
        }
    }
    let at = format!("{path}.fieldPath");
    let subscripted = name
        .strip_suffix("']")
        .and_then(|rest| rest.split_once("['"))
        .filter(|(owner, _)| !owner.is_empty());
    let known = |name: &&str| {
        [&OF_VARIABLES[..], &OF_FILES, &KNOWN]
            .concat()
            .contains(name)
    };
    let why = match subscripted {
        _ if version != "v1" => format!("unsupported pod version: {version}"),
        Some(("metadata.annotations" | "metadata.labels", _)) => String::new(),
        Some(_) => format!("field label does not support subscript: {name}"),
        None if known(&name) => String::new(),
        None => format!("field label not supported: {name}"),
    };
    if !why.is_empty() {
        return errors.invalid(at, name, &format!("error converting fieldPath: {why}"));
    }
    if let Some((owner, key)) = subscripted {
        let wrong = match owner {
            "metadata.labels" => names::label_key(key),
            _ => names::label_key(&key.to_lowercase()),
        };
        let shown = match owner {
            "metadata.labels" => key.to_owned(),
            _ => key.to_lowercase(),
        };
        return errors.all_invalid(path, &shown, wrong);
    }
    let name = if name == "spec.host" {
        "spec.nodeName"
    } else {
        name
    };
    let allowed = match place {
        Place::Variable => &OF_VARIABLES[..],
        Place::Volume => &OF_FILES,
    };
    if !allowed.contains(&name) {
        errors.not_supported(at, name, allowed);
    }
}

/// Checks a reference to a resource of a container.
pub fn resource(errors: &mut Errors, reference: &Value, path: &str, place: Place) {
    let name = text(reference, "resource");
    let huge_pages = ["requests.hugepages-", "limits.hugepages-"];
    let huge_pages = huge_pages.iter().any(|prefix| name.starts_with(prefix));
    if place == Place::Volume && text(reference, "containerName").is_empty() {
        errors.required(format!("{path}.containerName"), "");
    } else if name.is_empty() {
        errors.required(format!("{path}.resource"), "");
    } else if !RESOURCES.contains(&name) && !huge_pages {
        errors.not_supported(format!("{path}.resource"), name, &RESOURCES);
    }
    let divisor = text(reference, "divisor");
    if matches!(divisor, "" | "0") {
        return;
    }
    let (allowed, what) = match name.split_once('.').unwrap_or_default().1 {
        "cpu" => (&["1m", "1"][..], "cpu"),
        "memory" => (&SIZES[..], "memory"),
        "ephemeral-storage" => (&SIZES[..], "local ephemeral storage"),
        _ if huge_pages => (&SIZES[..], "hugepages"),
        _ => return,
    };
    if !allowed.contains(&divisor) {
        let shown = match what {
            "cpu" => "1m and 1".to_owned(),
            _ => SIZES.join(", "),
        };
        let why = format!("only divisor's values {shown} are supported with the {what} resource");
        errors.invalid(format!("{path}.divisor"), name, &why);
    }
}

//! The rules of security contexts, of pods and of containers.

use serde_json::{Map, Value, json};

use super::errors::Errors;
use super::fields::{each, number, present, text};
use super::{fields, volume};
use crate::stored::types::{self, Shape, Type};

const LARGEST_ID: i64 = i32::MAX as i64;

fn id(errors: &mut Errors, context: &Value, path: &str, key: &str) {
    if let Some(id) = number(context, key) {
        errors.between(format!("{path}.{key}"), id, 0, LARGEST_ID);
    }
}

/// Checks `securityContext` of a pod or a template.
pub fn of_pod(errors: &mut Errors, spec: &Value, path: &str) {
    let path = &format!("{path}.securityContext");
    let Some(context) = present(spec, "securityContext") else {
        return;
    };
    for key in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(errors, context, path, key);
    }
    for (path, group) in each(context, path, "supplementalGroups") {
        errors.between(path, group.as_i64().unwrap_or(0), 0, LARGEST_ID);
    }
    sysctls(errors, context, spec, path);
    let known = |errors: &mut Errors, key: &str, values: &[&str]| {
        errors.known(format!("{path}.{key}"), &context[key], values);
    };
    known(errors, "fsGroupChangePolicy", &["Always", "OnRootMismatch"]);
    seccomp(errors, context, path);
    super::windows::options(errors, context, path);
    app_armor(errors, context, path);
    known(errors, "supplementalGroupsPolicy", &["Merge", "Strict"]);
    known(errors, "seLinuxChangePolicy", &["MountOption", "Recursive"]);
}

/// The sysctls of the IPC namespace, beside those that begin with `fs.mqueue.`.
const OF_IPC: [&str; 10] = [
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
    "kernel.shm",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.msg",
];

fn sysctls(errors: &mut Errors, context: &Value, spec: &Value, path: &str) {
    const PART: &str = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
    let mut seen = Vec::new();
    for (path, sysctl) in each(context, path, "sysctls") {
        let (name, at) = (text(sysctl, "name"), format!("{path}.name"));
        if name.is_empty() {
            errors.required(&at, "");
        } else if name.len() > 253 || !name.split(['.', '/']).all(is_part_of_sysctl) {
            let why =
                format!("must have at most 253 characters and match regex ^({PART}[\\./])*{PART}$");
            errors.invalid(&at, name, &why);
        } else if seen.contains(&name) {
            errors.duplicate(&at, name, "");
        }
        let dotted = sysctl_with_dots(name);
        let of_host = [
            ("hostNetwork", dotted.starts_with("net.")),
            (
                "hostIPC",
                dotted.starts_with("fs.mqueue.") || OF_IPC.contains(&&*dotted),
            ),
        ];
        for (key, shared) in of_host {
            if spec[key] == true && shared {
                let why = format!("may not be specified when '{key}' is true");
                errors.invalid(&at, name, &why);
            }
        }
        seen.push(name);
    }
}

fn is_part_of_sysctl(part: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = bytes.first().is_some_and(alphanumeric) && bytes.last().is_some_and(alphanumeric);
    ends && bytes
        .iter()
        .all(|b| alphanumeric(b) || matches!(b, b'-' | b'_'))
}

/// A sysctl's name with dots between its parts. Where the first separator is a slash, dots and
/// slashes are each other.
fn sysctl_with_dots(name: &str) -> String {
    let first = name.find(['.', '/']).map(|at| &name[at..=at]);
    if first != Some("/") {
        return name.to_owned();
    }
    let swapped = name.chars().map(|c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    });
    swapped.collect()
}

fn seccomp(errors: &mut Errors, context: &Value, path: &str) {
    let Some(profile) = present(context, "seccompProfile") else {
        return;
    };
    let kind = text(profile, "type");
    let path = format!("{path}.seccompProfile");
    match kind {
        "Localhost" | "RuntimeDefault" | "Unconfined" => {}
        "" => {
            let why = "type is required when seccompProfile is set";
            errors.required(format!("{path}.type"), why);
        }
        other => {
            let known = ["Localhost", "RuntimeDefault", "Unconfined"];
            errors.not_supported(format!("{path}.type"), other, &known);
        }
    }
    let at = format!("{path}.localhostProfile");
    match (kind == "Localhost", profile["localhostProfile"].as_str()) {
        (true, None) => errors.required(at, "must be set when seccomp type is Localhost"),
        (true, Some(file)) => volume::descending(errors, file, &at),
        (false, Some(_)) => {
            let why = "can only be set when seccomp type is Localhost";
            errors.invalid(at, internal(profile, "SeccompProfile"), why);
        }
        (false, None) => {}
    }
}

fn app_armor(errors: &mut Errors, context: &Value, path: &str) {
    const LONGEST: usize = 4095;
    const NEEDED: &str = "must be set when AppArmor type is Localhost";
    let Some(profile) = present(context, "appArmorProfile") else {
        return;
    };
    let path = format!("{path}.appArmorProfile");
    let at = format!("{path}.localhostProfile");
    let name = profile["localhostProfile"].as_str();
    match (text(profile, "type"), name) {
        ("Localhost", None) => errors.required(at, NEEDED),
        ("Localhost", Some(name)) => {
            if name.trim() != name {
                errors.invalid(&at, name, "must not be padded with whitespace");
            } else if name.is_empty() {
                errors.required(&at, NEEDED);
            }
            if name.len() > LONGEST {
                errors.too_long(at, LONGEST);
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(name)) => {
            errors.invalid(at, name, "can only be set when AppArmor type is Localhost");
        }
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => {
            let why = "type is required when appArmorProfile is set";
            errors.required(format!("{path}.type"), why);
        }
        (other, _) => {
            let known = ["Localhost", "RuntimeDefault", "Unconfined"];
            errors.not_supported(format!("{path}.type"), other, &known);
        }
    }
}

/// Checks `securityContext` of a container. `host_users` is whether the pod has the host's users.
pub fn of_container(errors: &mut Errors, container: &Value, path: &str, host_users: bool) {
    let path = &format!("{path}.securityContext");
    let Some(context) = present(container, "securityContext") else {
        return;
    };
    for key in ["runAsUser", "runAsGroup"] {
        id(errors, context, path, key);
    }
    let at = format!("{path}.procMount");
    errors.known(&at, &context["procMount"], &["Default", "Unmasked"]);
    if host_users && context["procMount"] == "Unmasked" {
        errors.invalid(
            at,
            "Unmasked",
            "`hostUsers` must be false to use `Unmasked`",
        );
    }
    seccomp(errors, context, path);
    if context["allowPrivilegeEscalation"] == false {
        let mut refused = |what: &str| {
            let why = format!("cannot set `allowPrivilegeEscalation` to false and {what}");
            errors.invalid(path, internal(context, "SecurityContext"), &why);
        };
        if context["privileged"] == true {
            refused("`privileged` to true");
        }
        let added = each(&context["capabilities"], "", "add");
        if added.iter().any(|(_, added)| *added == "CAP_SYS_ADMIN") {
            refused("`capabilities.Add` CAP_SYS_ADMIN");
        }
    }
    super::windows::options(errors, context, path);
    app_armor(errors, context, path);
}

/// A struct as the server's internal type is printed: all fields, and their names with capitals.
fn internal(value: &Value, name: &str) -> Value {
    let fields = types::find(name).map_or(&[][..], |known| &known.fields);
    let shown = fields.iter().map(|field| {
        let mut key = field.key[..1].to_uppercase() + &field.key[1..];
        if key.starts_with("SeLinux") {
            key = key.replace("SeLinux", "SELinux");
        }
        let inside = &value[field.key];
        let shown = match (field.shape, field.of) {
            (_, Type::Struct(of)) if inside.is_object() => internal(inside, of),
            (Shape::Plain, Type::Text(_)) if inside.is_null() => json!(""),
            _ => inside.clone(),
        };
        (key, shown)
    });
    Value::Object(shown.collect::<Map<_, _>>())
}

/// Checks the users of a pod that has users of its own.
pub fn own_users(errors: &mut Errors, spec: &Value, path: &str) {
    const WHY: &str = "when `hostUsers` is false";
    if spec["hostUsers"] != false {
        return;
    }
    if spec["hostNetwork"] == true {
        errors.forbidden(format!("{path}.hostNetwork"), WHY);
    }
    for (key, shown) in [("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
        if spec[key] == true {
            errors.forbidden(format!("{path}.{shown}"), WHY);
        }
    }
    for (path, container) in fields::every_container(spec, path) {
        if !each(container, "", "volumeDevices").is_empty() {
            errors.forbidden(format!("{path}.volumeDevices"), WHY);
        }
    }
}

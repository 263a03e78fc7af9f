//! The rules of Windows, and of the fields that one operating system alone has.

use serde_json::Value;

use super::errors::Errors;
use super::fields;
use super::fields::{each, present, text};
use super::names;

/// Checks `windowsOptions` of a security context.
pub fn options(errors: &mut Errors, context: &Value, path: &str) {
    let Some(options) = present(context, "windowsOptions") else {
        return;
    };
    let path = format!("{path}.windowsOptions");
    if let Some(name) = options["gmsaCredentialSpecName"].as_str() {
        let at = format!("{path}.gmsaCredentialSpecName");
        errors.all_invalid(&at, name, names::dns_subdomain(name));
    }
    if let Some(spec) = options["gmsaCredentialSpec"].as_str() {
        let at = format!("{path}.gmsaCredentialSpec");
        if spec.is_empty() {
            errors.invalid(at, spec, "gmsaCredentialSpec cannot be an empty string");
        } else if spec.len() > 64 * 1024 {
            errors.invalid(at, spec, "gmsaCredentialSpec size must be under 64 KiB");
        }
    }
    if let Some(name) = options["runAsUserName"].as_str() {
        let at = format!("{path}.runAsUserName");
        for why in user_name(name) {
            errors.invalid(&at, name, &format!("runAsUserName{why}"));
        }
    }
}

/// What is wrong with the name of a user, with or without a domain before a backslash.
fn user_name(name: &str) -> Vec<&'static str> {
    if name.is_empty() {
        return vec![" cannot be an empty string"];
    }
    if name.bytes().any(|b| b.is_ascii_control()) {
        return vec![" cannot contain control characters"];
    }
    if name.matches('\\').count() > 1 {
        return vec![" cannot contain more than one backslash"];
    }
    let (domain, user) = match name.split_once('\\') {
        Some((domain, user)) => (Some(domain), user),
        None => (None, name),
    };
    let mut wrong = Vec::new();
    let mut rule = |broken: bool, why: &'static str| {
        if broken {
            wrong.push(why);
        }
    };
    if let Some(domain) = domain {
        rule(
            domain.len() >= 256,
            "'s Domain length must be under 256 characters",
        );
        rule(
            !is_net_bios(domain) && !is_dns(domain),
            "'s Domain doesn't match the NetBios nor the DNS format",
        );
    }
    rule(user.is_empty(), "'s User cannot be empty");
    rule(
        user.len() > 104,
        "'s User length must not be longer than 104 characters",
    );
    rule(
        !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' ')),
        "'s User cannot contain only periods or spaces",
    );
    rule(
        user.contains(|c| "\"/\\:;|=,+*?<>@[]".contains(c)),
        "'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]",
    );
    wrong
}

fn is_net_bios(domain: &str) -> bool {
    let forbidden = |c: char| "\\/:*?\"<>|".contains(c);
    let length = domain.chars().count();
    (1..=15).contains(&length) && !domain.starts_with('.') && !domain.contains(forbidden)
}

fn is_dns(domain: &str) -> bool {
    let label = |label: &str| {
        let bytes = label.as_bytes();
        let ends = [bytes.first(), bytes.last()];
        bytes.len() <= 63
            && ends
                .iter()
                .all(|b| b.is_some_and(u8::is_ascii_alphanumeric))
            && bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
    };
    domain.split('.').all(label)
}

/// Checks that either all containers or none run as processes of the host.
pub fn host_processes(errors: &mut Errors, spec: &Value, path: &str) {
    let own = |owner: &Value| owner["securityContext"]["windowsOptions"]["hostProcess"].as_bool();
    let of_pod = own(spec);
    let containers = fields::every_container(spec, path);
    for (path, container) in &containers {
        if let (Some(pod), Some(container)) = (of_pod, own(container))
            && pod != container
        {
            let why =
                format!("pod hostProcess value must be identical if both are specified, was {pod}");
            let at = format!("{path}.securityContext.windowsOptions.hostProcess");
            errors.invalid(at, container, &why);
        }
    }
    let such = |container: &Value| own(container).or(of_pod) == Some(true);
    let count = containers.iter().filter(|(_, c)| such(c)).count();
    if count == 0 {
        return;
    }
    if count != containers.len() {
        let why = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errors.invalid(path, "", why);
    }
    if spec["hostNetwork"] != true {
        let why = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.invalid(format!("{path}.hostNetwork"), false, why);
    }
}

/// The fields that pods of Windows do not have, in the order of the server: of the pod's security
/// context, of the pod, and of the containers' security contexts.
const OF_LINUX: [&[&str]; 3] = [
    &[
        "appArmorProfile",
        "seLinuxOptions",
        "seccompProfile",
        "fsGroup",
        "fsGroupChangePolicy",
        "sysctls",
        "runAsUser",
        "runAsGroup",
        "supplementalGroups",
        "supplementalGroupsPolicy",
        "seLinuxChangePolicy",
    ],
    &["hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"],
    &[
        "appArmorProfile",
        "seLinuxOptions",
        "seccompProfile",
        "capabilities",
        "readOnlyRootFilesystem",
        "privileged",
        "allowPrivilegeEscalation",
        "procMount",
        "runAsUser",
        "runAsGroup",
    ],
];

/// Checks that a pod has no fields of another operating system.
pub fn only_of_its_system(errors: &mut Errors, spec: &Value, path: &str) {
    let Some(os) = present(spec, "os") else {
        return;
    };
    match text(os, "name") {
        "" => errors.required(format!("{path}.os.name"), ""),
        "linux" => linux(errors, spec, path),
        "windows" => windows(errors, spec, path),
        other => errors.not_supported(format!("{path}.os"), other, &["linux", "windows"]),
    }
}

fn linux(errors: &mut Errors, spec: &Value, path: &str) {
    let every = fields::every_container(spec, path);
    let owners = [(path.to_owned(), spec)].into_iter().chain(every);
    for (path, owner) in owners {
        if present(&owner["securityContext"], "windowsOptions").is_some() {
            let at = format!("{path}.securityContext.windowsOptions");
            errors.forbidden(at, "windows options cannot be set for a linux pod");
        }
    }
}

fn windows(errors: &mut Errors, spec: &Value, path: &str) {
    const WHY: &str = "cannot be set for a windows pod";
    let [of_context, of_pod, of_containers] = OF_LINUX;
    let context = |owner: &Value, key: &&&str| {
        let value = &owner["securityContext"][**key];
        !value.is_null()
            && (**key != "sysctls" || !each(&owner["securityContext"], "", key).is_empty())
    };
    for key in of_context.iter().filter(|key| context(spec, key)) {
        errors.forbidden(format!("{path}.securityContext.{key}"), WHY);
    }
    for key in of_pod {
        let set = match *key {
            "hostPID" | "hostIPC" => spec[key] == true,
            _ => !spec[key].is_null(),
        };
        if set {
            errors.forbidden(format!("{path}.{key}"), WHY);
        }
    }
    for (path, container) in fields::every_container(spec, path) {
        for key in of_containers.iter().filter(|key| context(container, key)) {
            errors.forbidden(format!("{path}.securityContext.{key}"), WHY);
        }
    }
}

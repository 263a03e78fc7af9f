//! Projected volumes: files of several sources in one directory.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{files, mode, not_reserved, required};
use crate::sim::api::validate::errors::Errors;
use crate::sim::api::validate::fields::{each, number, present, text};
use crate::sim::api::validate::{metadata, names, placement};

/// The paths of the files so far, and where the volume is.
struct Files<'a> {
    taken: BTreeSet<&'a str>,
    path: &'a str,
}

impl<'a> Files<'a> {
    /// Checks that no other file has this path. `shown` is what the message names.
    fn add(&mut self, errors: &mut Errors, file: &'a str, shown: &str) {
        if !self.taken.insert(file) {
            errors.invalid(self.path, shown, "conflicting duplicate paths");
        }
    }

    fn add_if_any(&mut self, errors: &mut Errors, file: &'a str, shown: &str) {
        if !file.is_empty() {
            self.add(errors, file, shown);
        }
    }
}

/// Checks a projected volume at `path`.
pub fn all(errors: &mut Errors, inside: &Value, path: &str) {
    mode(errors, inside, path, "defaultMode");
    let mut taken = Files {
        taken: BTreeSet::new(),
        path,
    };
    for (at, source) in each(inside, path, "sources") {
        let mut given = 0;
        for key in [
            "secret",
            "configMap",
            "downwardAPI",
            "serviceAccountToken",
            "clusterTrustBundle",
            "podCertificate",
        ] {
            let Some(inside) = present(source, key) else {
                continue;
            };
            given += 1;
            let at = format!("{at}.{key}");
            match key {
                "secret" | "configMap" => keys(errors, inside, &at, &mut taken),
                "downwardAPI" => {
                    for (_, item) in each(inside, &at, "items") {
                        files::field_of_pod(errors, item, &at);
                        let file = text(item, "path");
                        taken.add_if_any(errors, file, file);
                    }
                }
                "serviceAccountToken" => token(errors, inside, &at, path),
                "clusterTrustBundle" => trust_bundle(errors, inside, &at, &mut taken),
                _ => certificate(errors, inside, &at, &mut taken),
            }
        }
        if given > 1 {
            let why = "may not specify more than 1 volume type per source";
            errors.forbidden(at, why);
        }
    }
}

fn keys<'a>(errors: &mut Errors, inside: &'a Value, path: &str, taken: &mut Files<'a>) {
    required(errors, inside, path, &["name"]);
    for (path, item) in each(inside, path, "items") {
        files::key(errors, item, &path);
        taken.add_if_any(errors, text(item, "path"), text(inside, "name"));
    }
}

/// Checks a token. The server names its path as if it were the volume's.
fn token(errors: &mut Errors, inside: &Value, path: &str, volume: &str) {
    let at = format!("{path}.expirationSeconds");
    match number(inside, "expirationSeconds") {
        None => errors.required(at, ""),
        Some(seconds) if seconds < 600 => {
            let why = "may not specify a duration less than 10 minutes";
            errors.invalid(at, seconds, why);
        }
        Some(seconds) if seconds > 1 << 32 => {
            let why = "may not specify a duration larger than 2^32 seconds";
            errors.invalid(at, seconds, why);
        }
        Some(_) => {}
    }
    let (file, at) = (text(inside, "path"), format!("{volume}.path"));
    if file.is_empty() {
        errors.required(at, "");
    } else {
        not_reserved(errors, file, &at);
    }
}

fn trust_bundle<'a>(errors: &mut Errors, inside: &'a Value, path: &str, taken: &mut Files<'a>) {
    let (name, signer) = (present(inside, "name"), present(inside, "signerName"));
    let (at_name, at_signer) = (format!("{path}.name"), format!("{path}.signerName"));
    match (name.and_then(Value::as_str), signer.and_then(Value::as_str)) {
        (Some(name), Some(signer)) => {
            // The message prints the server's internal type, whose fields have capitals.
            let shown = json!({
                "Name": name, "SignerName": signer, "LabelSelector": inside["labelSelector"],
                "Optional": inside["optional"], "Path": inside["path"], "User": null,
            });
            errors.invalid(path, shown, "only one of name and signerName may be used");
        }
        (Some(name), None) => {
            if name.is_empty() {
                errors.required(&at_name, "must be a valid object name");
            }
            for why in bundle_name(name) {
                let why = format!("not a valid clustertrustbundlename: {why}");
                errors.invalid(&at_name, name, &why);
            }
            if let Some(selector) = present(inside, "labelSelector") {
                let why = "labelSelector must be unset if name is specified";
                errors.invalid(format!("{path}.labelSelector"), selector.clone(), why);
            }
        }
        (None, Some(signer)) => {
            if signer.is_empty() {
                errors.required(&at_signer, "must be a valid signer name");
            }
            signer_name(errors, signer, &at_signer);
            let at = format!("{path}.labelSelector");
            placement::label_selector(errors, &inside["labelSelector"], &at);
        }
        (None, None) => errors.required(path, "either name or signerName must be specified"),
    }
    let file = text(inside, "path");
    required(errors, inside, path, &["path"]);
    not_reserved(errors, file, &format!("{path}.path"));
    taken.add(errors, file, file);
}

/// What is wrong with the name of a ClusterTrustBundle. A name with colons begins with its signer.
fn bundle_name(name: &str) -> Vec<String> {
    match name.rsplit_once(':') {
        None => names::dns_subdomain(name),
        Some((_, own)) => names::dns_subdomain(own),
    }
}

fn signer_name(errors: &mut Errors, name: &str, path: &str) {
    if name.is_empty() {
        return errors.required(path, "");
    }
    let parts: Vec<&str> = name.split('/').collect();
    let [domain, own] = parts[..] else {
        let why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        return errors.invalid(path, name, why);
    };
    if domain.len() > 253 {
        errors.too_long(path, 253);
    }
    bad_label(errors, domain, path, names::dns_label);
    if !domain.contains('.') {
        let why = "should be a domain with at least two segments separated by dots";
        errors.invalid(path, domain, why);
    }
    bad_label(errors, own, path, names::dns_subdomain);
    if name.len() > 253 + 253 + 63 + 2 {
        errors.too_long(path, 253 + 253 + 63 + 2);
    }
}

/// Reports the first part of a name that breaks the rule.
fn bad_label(errors: &mut Errors, whole: &str, path: &str, rule: names::Rule) {
    if let Some(label) = whole.split('.').find(|label| !rule(label).is_empty()) {
        for why in rule(label) {
            let why = format!("validating label {label:?}: {why}");
            errors.invalid(path, whole, &why);
        }
    }
}

fn certificate<'a>(errors: &mut Errors, inside: &'a Value, path: &str, taken: &mut Files<'a>) {
    const KEY_TYPES: [&str; 6] = [
        "RSA3072",
        "RSA4096",
        "ECDSAP256",
        "ECDSAP384",
        "ECDSAP521",
        "ED25519",
    ];
    let signer = text(inside, "signerName");
    signer_name(errors, signer, &format!("{path}.signerName"));
    let at = format!("{path}.userAnnotations");
    metadata::annotations_in(errors, inside, &at, "userAnnotations");
    let kind = text(inside, "keyType");
    if !KEY_TYPES.contains(&kind) {
        errors.not_supported(format!("{path}.keyType"), kind, &KEY_TYPES);
    }
    if let Some(seconds) = number(inside, "maxExpirationSeconds") {
        let kubernetes = signer.split('/').next().unwrap_or_default();
        let day = 24 * 60 * 60;
        let most = match kubernetes {
            "kubernetes.io" => day,
            domain if domain.ends_with(".kubernetes.io") => day,
            _ => 91 * day,
        };
        let at = format!("{path}.maxExpirationSeconds");
        if seconds < 3600 {
            let why = "if provided, maxExpirationSeconds must be >= 3600";
            errors.invalid(&at, seconds, why);
        }
        if seconds > most {
            let why = format!("if provided, maxExpirationSeconds must be <= {most}");
            errors.invalid(&at, seconds, &why);
        }
    }
    let mut given = false;
    for key in ["credentialBundlePath", "keyPath", "certificateChainPath"] {
        let file = text(inside, key);
        if !file.is_empty() {
            given = true;
            not_reserved(errors, file, &format!("{path}.{key}"));
            taken.add(errors, file, file);
        }
    }
    if !given {
        let why = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath";
        errors.required(path, why);
    }
}

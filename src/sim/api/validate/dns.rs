//! The rules of a pod's names and addresses: DNS, aliases of hosts, the pod's own name.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, present, text};
use super::names;

/// Checks `dnsConfig`.
pub fn config(errors: &mut Errors, spec: &Value, path: &str) {
    const MOST_SERVERS: usize = 3;
    const MOST_SEARCHES: usize = 32;
    const MOST_CHARACTERS: usize = 2048;
    let path = format!("{path}.dnsConfig");
    let config = present(spec, "dnsConfig");
    let servers = config.map_or_else(Vec::new, |config| each(config, &path, "nameservers"));
    if text(spec, "dnsPolicy") == "None" && servers.is_empty() {
        return match config {
            None => {
                let why = "must provide `dnsConfig` when `dnsPolicy` is None";
                errors.required(path, why);
            }
            Some(_) => {
                let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
                errors.required(format!("{path}.nameservers"), why);
            }
        };
    }
    let Some(config) = config else { return };
    if servers.len() > MOST_SERVERS {
        let why = format!("must not have more than {MOST_SERVERS} nameservers");
        errors.invalid(
            format!("{path}.nameservers"),
            config["nameservers"].clone(),
            &why,
        );
    }
    for (path, server) in servers {
        address(errors, server.as_str().unwrap_or_default(), &path);
    }
    let searches = each(config, &path, "searches");
    let at = format!("{path}.searches");
    if searches.len() > MOST_SEARCHES {
        let why = format!("must not have more than {MOST_SEARCHES} search paths");
        errors.invalid(&at, config["searches"].clone(), &why);
    }
    let length = |(_, search): &(String, &Value)| search.as_str().map_or(0, str::len) + 1;
    if searches.iter().map(length).sum::<usize>() > MOST_CHARACTERS + 1 {
        let why = format!(
            "must not have more than {MOST_CHARACTERS} characters (including spaces) in the search list"
        );
        errors.invalid(&at, config["searches"].clone(), &why);
    }
    for (path, search) in searches {
        let search = search.as_str().unwrap_or_default();
        if search != "." {
            let search = search.strip_suffix('.').unwrap_or(search);
            let wrong = names::dns_subdomain_with_underscores(search);
            errors.all_invalid(&path, search, wrong);
        }
    }
    for (path, option) in each(config, &path, "options") {
        if text(option, "name").is_empty() {
            errors.required(path, "must not be empty");
        }
    }
}

/// Checks an address.
pub fn address(errors: &mut Errors, text: &str, path: &str) {
    if text.parse::<IpAddr>().is_ok() {
        let mapped = text.parse::<Ipv6Addr>().ok();
        if mapped.is_some_and(|address| address.to_ipv4_mapped().is_some()) {
            let why = "must not be an IPv4-mapped IPv6 address";
            errors.invalid(path, text, why);
        }
    } else if is_with_leading_zeros(text) {
        errors.invalid(path, text, "must not have leading 0s");
    } else {
        let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        errors.invalid(path, text, why);
    }
}

/// Whether a text would be an IPv4 address without the zeros that its numbers begin with.
fn is_with_leading_zeros(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits && part.parse::<u64>().is_ok_and(|n| n <= 255)
    };
    parts.len() == 4 && parts.into_iter().all(number)
}

/// Checks `hostAliases`.
pub fn host_aliases(errors: &mut Errors, spec: &Value, path: &str) {
    for (path, alias) in each(spec, path, "hostAliases") {
        address(errors, text(alias, "ip"), &format!("{path}.ip"));
        for (path, name) in each(alias, &path, "hostnames") {
            let name = name.as_str().unwrap_or_default();
            errors.all_invalid(&path, name, names::dns_subdomain(name));
        }
    }
}

/// Checks the name that a pod has instead of its own.
pub fn hostname_override(errors: &mut Errors, spec: &Value, path: &str) {
    const LONGEST: usize = 64;
    let Some(name) = spec["hostnameOverride"].as_str() else {
        return;
    };
    let at = format!("{path}.hostnameOverride");
    for key in ["setHostnameAsFQDN", "hostNetwork"] {
        if spec[key] == true {
            let why = format!("may not be specified when {key} is true");
            errors.forbidden(&at, &why);
        }
    }
    if name.len() > LONGEST {
        errors.too_long(&at, LONGEST);
    }
    errors.all_invalid(&at, name, names::dns_subdomain(name));
}

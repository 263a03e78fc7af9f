//! The path and the query of a request, taken apart.

use std::collections::BTreeMap;

use super::resource::{self, Resource};
use super::status::{ApiStatus, Result};

/// The resource, object and subresource that a path names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// One of [`resource::ALL`].
    pub resource: &'static Resource,
    /// The namespace; empty for all namespaces, and for objects outside of namespaces.
    pub namespace: String,
    /// The object's name; empty for the collection.
    pub name: String,
    /// `status`, `binding`, `eviction`, `resize` or `finalize`; empty for the object itself.
    pub subresource: &'static str,
}

/// Reads a path. The error is the server's answer if nothing is served there.
pub fn target(path: &str) -> Result<Target> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, version, rest) = match &segments[..] {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Err(ApiStatus::no_page()),
    };
    if !group.is_empty() && !resource::ALL.iter().any(|r| r.group == group) {
        return Err(ApiStatus::no_page());
    }
    let find =
        |plural: &str| Resource::find(group, version, plural).ok_or_else(ApiStatus::no_such_path);
    let (namespace, rest) = match rest {
        // Behind a namespace's name these are its own subresources, and no resources in it.
        ["namespaces", name, "status" | "finalize"] | ["namespaces", name] => {
            let _ = name;
            ("", rest)
        }
        ["namespaces", namespace, rest @ ..] => (*namespace, rest),
        rest => ("", rest),
    };
    if let ("", "v1", ["bindings"]) = (group, version, rest) {
        return Ok(Target {
            resource: &resource::PODS,
            namespace: namespace.into(),
            name: String::new(),
            subresource: "binding",
        });
    }
    let (plural, name, subresource) = match rest {
        [plural] => (*plural, "", ""),
        [plural, name] => (*plural, *name, ""),
        [plural, name, subresource] => (*plural, *name, *subresource),
        _ => return Err(ApiStatus::no_such_path()),
    };
    let resource = find(plural)?;
    let is_one = !name.is_empty();
    if resource.namespaced == namespace.is_empty() && (is_one || !resource.namespaced) {
        return Err(ApiStatus::no_such_path());
    }
    let subresource = match subresource {
        "" => "",
        "status" if resource.status => "status",
        "binding" if *resource == resource::PODS => "binding",
        "eviction" if *resource == resource::PODS => "eviction",
        "resize" if *resource == resource::PODS => "resize",
        "finalize" if *resource == resource::NAMESPACES => "finalize",
        _ => return Err(ApiStatus::no_such_path()),
    };
    Ok(Target {
        resource,
        namespace: namespace.into(),
        name: name.into(),
        subresource,
    })
}

/// The parameters of a query string.
#[derive(Clone, Default, Debug)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads a query string. Of a parameter that is given twice the first value counts.
    pub fn parse(query: &str) -> Query {
        let mut parameters = BTreeMap::new();
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters
                .entry(decode(key))
                .or_insert_with(|| decode(value));
        }
        Query(parameters)
    }

    /// The value of a parameter, empty if it is not given.
    pub fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// Whether a parameter is given, even without a value.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Whether a switch is on: `true`, `1`, or given without a value.
    pub fn is(&self, key: &str) -> bool {
        self.has(key) && !matches!(self.get(key), "false" | "0" | "f" | "F" | "False" | "FALSE")
    }

    /// The value as a whole number; None if it is none.
    pub fn number(&self, key: &str) -> Option<i64> {
        self.get(key).parse().ok()
    }

    /// The value as a whole number; None if it is not given, an error if it is no number.
    pub fn whole(&self, key: &str) -> Result<Option<i64>> {
        let text = self.get(key);
        if text.is_empty() {
            return Ok(None);
        }
        let refused = |_| {
            ApiStatus::bad_request(format!(
                "strconv.ParseInt: parsing \"{text}\": invalid syntax"
            ))
        };
        text.parse().map(Some).map_err(refused)
    }

    /// Whether nothing is to be written.
    pub fn is_dry_run(&self) -> bool {
        self.get("dryRun") == "All"
    }
}

/// Decodes the encoding of forms: `%2F`, and `+` for a space.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3);
        match (bytes[at], hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str) -> String {
        match target(path) {
            Ok(t) => format!(
                "{} {}/{} {}",
                t.resource.qualified(),
                t.namespace,
                t.name,
                t.subresource
            ),
            Err(status) => status.code.to_string(),
        }
    }

    #[test]
    fn paths() {
        for (path, wanted) in [
            ("/api/v1/pods", "pods / "),
            ("/api/v1/namespaces/a/pods", "pods a/ "),
            ("/api/v1/namespaces/a/pods/b", "pods a/b "),
            ("/api/v1/namespaces/a/pods/b/status", "pods a/b status"),
            ("/api/v1/namespaces/a/pods/b/binding", "pods a/b binding"),
            ("/api/v1/namespaces/a/pods/b/eviction", "pods a/b eviction"),
            (
                "/apis/policy/v1/namespaces/a/poddisruptionbudgets/b",
                "poddisruptionbudgets.policy a/b ",
            ),
            ("/api/v1/namespaces/a/pods/b/resize", "pods a/b resize"),
            ("/api/v1/namespaces/a/bindings", "pods a/ binding"),
            ("/api/v1/nodes/n/status", "nodes /n status"),
            ("/api/v1/namespaces", "namespaces / "),
            ("/api/v1/namespaces/a", "namespaces /a "),
            ("/api/v1/namespaces/a/finalize", "namespaces /a finalize"),
            (
                "/apis/apps/v1/namespaces/a/daemonsets/b/status",
                "daemonsets.apps a/b status",
            ),
            (
                "/apis/events.k8s.io/v1/namespaces/a/events",
                "events.events.k8s.io a/ ",
            ),
            ("/api/v1/pods/b", "404"),
            ("/api/v1/namespaces/a/nodes/n", "404"),
            ("/api/v1/namespaces/a/services", "404"),
            ("/apis/apps/v1beta1/daemonsets", "404"),
            (
                "/apis/apps/v1/namespaces/a/controllerrevisions/b/status",
                "404",
            ),
            ("/healthz", "404"),
        ] {
            assert_eq!(said(path), wanted, "{path}");
        }
    }

    #[test]
    fn queries() {
        let query =
            Query::parse("watch=1&labelSelector=a%3Db%2Cc+in+%28d%29&limit=5&x&dryRun=All&limit=6");
        assert_eq!(query.get("labelSelector"), "a=b,c in (d)");
        assert!(query.is("watch") && query.is("x") && !query.is("y"));
        assert_eq!(query.number("limit"), Some(5));
        assert!(query.is_dry_run());
        assert_eq!(decode("100%"), "100%");
    }
}

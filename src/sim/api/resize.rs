//! The subresource `resize` of pods: it changes the resources of containers, and nothing else.
//!
//! Left out: what admission asks of the node (that it is there, has as much, and can resize init
//! containers).

use serde_json::Value;

use super::fields::copy;

const LISTS: [&str; 2] = ["containers", "initContainers"];

/// Makes the new state of a pod of what was sent: the old state with the resources of containers.
/// Where containers were added or removed they stay as sent, for validation to refuse.
pub fn carry_over(old: &Value, object: &mut Value) {
    let mut new = old.clone();
    copy(&object["metadata"], &mut new["metadata"], "uid");
    for list in LISTS {
        let sent = object["spec"][list].as_array().cloned().unwrap_or_default();
        let had = old["spec"][list].as_array().cloned().unwrap_or_default();
        let names =
            |all: &[Value]| -> Vec<Value> { all.iter().map(|c| c["name"].clone()).collect() };
        if names(&sent) != names(&had) {
            new["spec"][list] = sent.into();
            continue;
        }
        for (at, container) in sent.iter().enumerate() {
            copy(container, &mut new["spec"][list][at], "resources");
        }
    }
    *object = new;
}

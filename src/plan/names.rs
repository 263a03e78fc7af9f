//! Names that are derived only from what the API holds, so that whoever plans for the same state
//! posts the same name (`docs/design.md`, "Names").

use std::collections::HashSet;

use crate::model::{Controller, DaemonSet, NodeId, Nodes, Pod, Str, Uid, snapshot::FindPod};

/// Kubernetes' alphabet for generated names: no vowels, nothing that looks like another character.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Where upstream cuts the base of a generated name: 63 less the five characters it adds.
const MAX_BASE: usize = 58;

/// Ten characters of the safe alphabet, by FNV-1a (64 bits) over the parts, each ended by a byte that
/// no UTF-8 text holds, and a final mix. This is a format: changing it changes every name.
pub fn digest(parts: &[&str]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    for part in parts {
        part.bytes().for_each(&mut eat);
        eat(0xff);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    (0..10)
        .map(|_| {
            let c = ALPHABET[(hash % 27) as usize];
            hash /= 27;
            char::from(c)
        })
        .collect()
}

/// `generateName` of a DaemonSet's pods.
pub fn generate_name(daemon_set: &str) -> String {
    format!("{daemon_set}-")
}

/// `generateName` with a suffix, cut as the API server cuts it (no dash after a cut).
fn pod_name(daemon_set: &str, suffix: &str) -> Str {
    let mut base = generate_name(daemon_set);
    base.truncate(MAX_BASE);
    base.push_str(suffix);
    base.into()
}

/// The name of step `step` of the series for a pod on `node` after `newest`, the newest pod of the DaemonSet there.
pub fn of_pod(ds: &DaemonSet, node: &str, newest: Option<&Uid>, step: u32) -> Str {
    let newest = newest.map_or("", Uid::as_str);
    let suffix = if step == 0 {
        digest(&[ds.uid.as_str(), node, newest])
    } else {
        digest(&[ds.uid.as_str(), node, newest, &step.to_string()])
    };
    pod_name(&ds.name, &suffix)
}

/// The label value and name suffix of a new revision: of this DaemonSet (by UID), these data and this collision count.
pub fn of_revision(ds: &DaemonSet, collision_count: Option<i32>) -> String {
    let count = collision_count.map(|c| c.to_string()).unwrap_or_default();
    digest(&[ds.uid.as_str(), &ds.revision_data, &count])
}

/// What a pod name stands for now.
pub enum Free {
    /// Nobody holds this name: post it.
    Name(Str),
    /// A pod of ours with no readable target holds it: the node is taken.
    Taken,
}

/// The first free name of the series for a node.
pub fn free_name(ds: &DaemonSet, node: &str, newest: Option<&Uid>, find_pod: &FindPod<'_>) -> Free {
    let mut step = 0;
    loop {
        let name = of_pod(ds, node, newest, step);
        match find_pod(&name) {
            None => return Free::Name(name),
            Some(holder) if holder.controller.is(&ds.uid) && holder.node.is_none() => {
                return Free::Taken;
            }
            Some(_) => step += 1,
        }
    }
}

/// The nodes whose first name a pod of ours bears that has no readable target. Empty where there is no such pod.
pub fn nodes_named_by<'a>(
    ds: &DaemonSet,
    nodes: &Nodes,
    untargeted: impl Iterator<Item = &'a Pod>,
) -> HashSet<NodeId> {
    let names: HashSet<&str> = untargeted
        .filter(|p| matches!(&p.controller, Controller::Uid(u) if *u == ds.uid))
        .map(|p| &*p.name)
        .collect();
    if names.is_empty() {
        return HashSet::new();
    }
    nodes
        .iter()
        .filter(|(_, n)| names.contains(&*of_pod(ds, &n.name, None, 0)))
        .map(|(id, _)| id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_a_format() {
        assert_eq!(digest(&["a", "b"]), digest(&["a", "b"]));
        assert_ne!(digest(&["ab", ""]), digest(&["a", "b"]));
        assert_eq!(digest(&["uid", "node-1", ""]), "pj8xfrcb2w");
        assert!(digest(&[]).bytes().all(|b| ALPHABET.contains(&b)));
    }

    #[test]
    fn long_names_are_cut_as_the_api_server_cuts_them() {
        assert_eq!(&*pod_name("web", "bcdfghjklm"), "web-bcdfghjklm");
        let long = "x".repeat(57);
        assert_eq!(&*pod_name(&long, "b"), format!("{long}-b"));
        let longer = "x".repeat(63);
        assert_eq!(&*pod_name(&longer, "b"), format!("{}b", "x".repeat(58)));
    }

    #[test]
    fn a_hundred_thousand_nodes_get_different_names() {
        let names: HashSet<String> = (0..100_000)
            .map(|i| digest(&["uid", &format!("node-{i}"), ""]))
            .collect();
        assert_eq!(names.len(), 100_000);
    }
}

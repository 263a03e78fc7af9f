//! Names that are derived only from what the API holds, so that whoever plans for the same state
//! posts the same name (`docs/design.md`, "Names").

use std::{collections::HashSet, time::Duration};

use crate::model::{
    Controller, DaemonSet, End, GonePod, NodeId, Nodes, Pod, Str, Time, Uid,
    gone_pods::{FORGOTTEN, REMEMBERED},
    snapshot::FindPod,
};

/// Kubernetes' alphabet for generated names: no vowels, nothing that looks like another character.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// How many characters follow the base in a name of ours.
const SUFFIX: usize = 10;

/// The longest value that a label may have.
const MAX_LABEL: usize = 63;

/// The longest name that the API server takes.
pub const MAX_NAME: usize = 253;

/// Where the base of a name of ours is cut, so that no name is longer than [`MAX_LABEL`]: people
/// copy the names of pods into labels.
///
/// 53 would fit. But then a name of a DaemonSet with a long name could be read as one that the API
/// server generated, which has 63 characters too. With 52 no text has both forms.
const BASE: usize = 52;

/// What the second name of a node is derived from, in the place of a UID.
const SECOND: &str = "2";

/// How many characters the API server adds to `generateName`.
const GENERATED_SUFFIX: usize = 5;

/// Where the API server cuts `generateName`.
const GENERATED_BASE: usize = 58;

/// Ten characters of the safe alphabet, by FNV-1a (64 bits) over the parts, each ended by a byte
/// that no UTF-8 text holds, and a final mix. This is a format: changing it changes every name.
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
    (0..SUFFIX)
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

/// The start of `generateName`: at most so many characters, which are one byte each in every name
/// that the API server takes.
fn cut(daemon_set: &str, most: usize) -> String {
    let base = generate_name(daemon_set);
    let end = base
        .char_indices()
        .nth(most)
        .map_or(base.len(), |(at, _)| at);
    base[..end].to_owned()
}

/// A name with this suffix. There is no dash before it where the base was cut.
fn pod_name(daemon_set: &str, suffix: &str) -> Str {
    (cut(daemon_set, BASE) + suffix).into()
}

/// The name for a pod on `node` after `newest`, a pod of the DaemonSet that is there or ended
/// there.
pub fn of_pod(ds: &DaemonSet, node: &str, newest: Option<&Uid>) -> Str {
    let newest = newest.map_or("", Uid::as_str);
    pod_name(&ds.name, &digest(&[ds.uid.as_str(), node, newest]))
}

/// Whether a name has the form that names have here.
pub fn has_our_form(ds: &DaemonSet, name: &str) -> bool {
    has_form(&ds.name, name, BASE, SUFFIX)
}

/// Whether a pod of this DaemonSet has a name as the API server generates them, so that another
/// controller created it: its suffix has five characters.
pub fn is_generated(daemon_set: &str, name: &str) -> bool {
    has_form(daemon_set, name, GENERATED_BASE, GENERATED_SUFFIX)
}

fn has_form(daemon_set: &str, name: &str, base: usize, suffix: usize) -> bool {
    let rest = name.strip_prefix(&cut(daemon_set, base));
    rest.is_some_and(|s| s.len() == suffix && s.bytes().all(|b| ALPHABET.contains(&b)))
}

/// A pod that may be the one that the next name follows from.
struct Last<'a> {
    created: Time,
    uid: &'a Uid,
    name: &'a Str,
    next: Following,
}

/// The name after a pod.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Following {
    /// It is derived from the pod's UID.
    New,
    /// It is the other one of the node's two names.
    Other,
    /// It is the pod's own name.
    Same,
}

/// The name for the next pod on a node.
#[derive(PartialEq, Eq, Debug)]
pub enum Next {
    /// Every controller that plans for this state gives it this name.
    Name(Str),
    /// It would follow from a pod that is gone, and other controllers may have forgotten that pod.
    /// At this time all have.
    NotSettled(Time),
}

/// The name for the next pod on a node: that of [`base`], unless a gone pod is about to be
/// forgotten and that changes the name. `here` are all pods of the DaemonSet on the node,
/// `gone_pods` its last ones there.
pub fn next(ds: &DaemonSet, node: &str, here: &[&Pod], gone_pods: &[GonePod], now: Time) -> Next {
    let name = base(ds, node, here, gone_pods, REMEMBERED, now);
    let about_to_be_forgotten = gone_pods
        .iter()
        .filter(|p| p.gone + REMEMBERED <= now)
        .map(|p| p.gone + FORGOTTEN)
        .filter(|at| *at > now);
    match about_to_be_forgotten.min() {
        Some(at) if base(ds, node, here, gone_pods, FORGOTTEN, now) != name => Next::NotSettled(at),
        _ => Next::Name(name),
    }
}

/// The name for the next pod on a node where none of its gone pods is forgotten.
pub fn of_all(ds: &DaemonSet, node: &str, here: &[&Pod], gone_pods: &[GonePod], now: Time) -> Str {
    base(ds, node, here, gone_pods, Duration::MAX, now)
}

/// The name for the next pod on a node, by the newest that is there (`here`: all of the
/// DaemonSet's, any phase) or was there last:
///
/// - There never was one: the node's first name.
/// - It ended by itself, or is there and not over: a new name, after it.
/// - It was asked to go, and has ended: the other one of the node's two names, because it may be
///   there still. Whoever sees it gone sees how it ended, and posts the same name.
/// - It was asked to go, and is gone without an end: its own name once more, where that is one of
///   ours, else the node's first name.
///
/// Pods that are gone count for the time `remembered`.
///
/// While surging a pod is followed by another while it is there still: an old one by the new one,
/// one on its way out by the next. So it is followed by that same one when it is gone, however it
/// went: each pod has a name of its own.
fn base(
    ds: &DaemonSet,
    node: &str,
    here: &[&Pod],
    gone_pods: &[GonePod],
    remembered: Duration,
    now: Time,
) -> Str {
    let surging = ds.update_strategy.allows_surge();
    let new_or = |following| if surging { Following::New } else { following };
    let last_here = here.iter().map(|p| Last {
        created: p.created,
        uid: &p.uid,
        name: &p.name,
        next: new_or(match End::of(p) {
            End::OnRequest => Following::Other,
            End::ByItself | End::None => Following::New,
        }),
    });
    let gone_pods = gone_pods.iter().filter(|p| now.since(p.gone) < remembered);
    let gone_pods = gone_pods.map(|p| Last {
        created: p.created,
        uid: &p.uid,
        name: &p.name,
        next: new_or(match p.end {
            End::ByItself => Following::New,
            End::OnRequest => Following::Other,
            End::None => Following::Same,
        }),
    });
    let after = |last: &Last<'_>| match last.next {
        Following::New => of_pod(ds, node, Some(last.uid)),
        Following::Other => {
            let other = other_of(ds, node, last.name);
            let taken = here.iter().any(|p| p.name == other);
            // A finalizer keeps the pod before it, too.
            if taken {
                of_pod(ds, node, Some(last.uid))
            } else {
                other
            }
        }
        Following::Same if has_our_form(ds, last.name) => last.name.clone(),
        Following::Same => of_pod(ds, node, None),
    };
    let mut last: Vec<Last<'_>> = last_here.chain(gone_pods).collect();
    let newest = last.iter().map(|l| l.created).max();
    last.retain(|l| Some(l.created) == newest);
    // Of those of one second names tell which came after which.
    let follows = |l: &Last<'_>, other: &Last<'_>| {
        *l.name == of_pod(ds, node, Some(other.uid))
            || *l.name == after(other) && l.next != other.next
    };
    let is_last = |l: &&Last<'_>| !last.iter().any(|other| follows(other, l));
    let newest = last.iter().filter(is_last).max_by_key(|l| l.uid);
    newest.map_or_else(|| of_pod(ds, node, None), after)
}

/// The other one of the two names that a node has for pods that follow each other.
fn other_of(ds: &DaemonSet, node: &str, name: &str) -> Str {
    let first = of_pod(ds, node, None);
    if *first == *name {
        pod_name(&ds.name, &digest(&[ds.uid.as_str(), node, SECOND]))
    } else {
        first
    }
}

/// The label value and name suffix of a new revision: of this DaemonSet (by UID), these data and
/// this collision count.
pub fn of_revision(ds: &DaemonSet, collision_count: Option<i32>) -> String {
    let count = collision_count.map(|c| c.to_string()).unwrap_or_default();
    digest(&[ds.uid.as_str(), &ds.revision_data, &count])
}

/// The name of a revision with this hash. It is not cut, as upstream's is not: where it is longer
/// than [`MAX_NAME`], the API server refuses the revision.
pub fn revision_name(daemon_set: &str, hash: &str) -> Str {
    format!("{daemon_set}-{hash}").into()
}

/// The hash label for a revision that has none: its name, as upstream has it. A name that no label
/// can hold is digested.
pub fn hash_for(revision: &Str) -> Str {
    if revision.len() <= MAX_LABEL {
        revision.clone()
    } else {
        digest(&[revision]).into()
    }
}

/// What a pod name stands for now.
pub enum Free {
    /// Nobody holds this name: post it.
    Name(Str),
    /// A pod of ours with no readable target holds it: the node is taken.
    Taken,
}

/// The first free name for a pod on `node` of the series that begins with `base`.
pub fn free_name(ds: &DaemonSet, node: &str, base: Str, find_pod: &FindPod<'_>) -> Free {
    let mut name = base.clone();
    for step in 1_u32.. {
        match find_pod(&name) {
            None => break,
            Some(holder) if holder.controller.is(&ds.uid) && holder.node.is_none() => {
                return Free::Taken;
            }
            Some(_) => {
                let parts = [ds.uid.as_str(), node, &base, &step.to_string()];
                name = pod_name(&ds.name, &digest(&parts));
            }
        }
    }
    Free::Name(name)
}

/// The nodes whose first name a pod of ours bears that has no readable target. Empty where there is
/// no such pod.
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
        .filter(|(_, n)| names.contains(&*of_pod(ds, &n.name, None)))
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
    fn the_cut_of_long_names_is_a_format() {
        let x = |n| "x".repeat(n);
        for (daemon_set, name) in [
            ("web".to_owned(), "web-bcdfghjklm".to_owned()),
            (x(51), x(51) + "-bcdfghjklm"),
            (x(52), x(52) + "bcdfghjklm"),
            (x(53), x(52) + "bcdfghjklm"),
            (x(253), x(52) + "bcdfghjklm"),
            (x(51) + ".x", x(51) + ".bcdfghjklm"),
            (x(51) + "-x", x(51) + "-bcdfghjklm"),
            // No cluster has it, but a file may.
            ("ä".repeat(60), "ä".repeat(52) + "bcdfghjklm"),
        ] {
            assert_eq!(*pod_name(&daemon_set, "bcdfghjklm"), name);
        }
    }

    /// Names of all lengths, also of characters that a suffix may have.
    #[test]
    fn every_name_is_a_label_value_and_tells_whose_form_it_has() {
        for length in 1..=253 {
            for pattern in ["x", "a", "xxxxxx.", "bcdf-", "x-.x"] {
                let mut daemon_set: String = pattern.chars().cycle().take(length).collect();
                if daemon_set.ends_with(['.', '-']) {
                    daemon_set.replace_range(length - 1.., "x");
                }
                // Suffixes that a name of the other form could go on with, too.
                for suffix in ["bcdfghjklm", "xxxxxxxxxx"] {
                    let ours = pod_name(&daemon_set, suffix);
                    assert!(ours.len() <= MAX_LABEL, "{ours}");
                    assert!(has_form(&daemon_set, &ours, BASE, SUFFIX), "{ours}");
                    assert!(!is_generated(&daemon_set, &ours), "{ours}");
                    let theirs = cut(&daemon_set, GENERATED_BASE) + &suffix[..5];
                    assert!(is_generated(&daemon_set, &theirs), "{theirs}");
                    assert!(!has_form(&daemon_set, &theirs, BASE, SUFFIX), "{theirs}");
                    // Names had this form before. They have neither now, and their pods are like
                    // any other.
                    let former = cut(&daemon_set, GENERATED_BASE) + suffix;
                    assert!(!is_generated(&daemon_set, &former), "{former}");
                    let is_ours = has_form(&daemon_set, &former, BASE, SUFFIX);
                    assert_eq!(is_ours, length < BASE, "{former}");
                }
            }
        }
    }

    #[test]
    fn names_tell_who_gave_them() {
        for (name, generated) in [
            ("web-x7k2p", true),
            ("web-bcdfghjklm", false),
            ("web-abcde", false),
            ("web-extra-x7k2p", false),
            ("web", false),
            ("", false),
        ] {
            assert_eq!(is_generated("web", name), generated, "{name}");
        }
        let long = "x".repeat(63);
        assert!(is_generated(&long, &format!("{}x7k2p", "x".repeat(58))));
    }

    #[test]
    fn a_hundred_thousand_nodes_get_different_names() {
        let names: HashSet<String> = (0..100_000)
            .map(|i| digest(&["uid", &format!("node-{i}"), ""]))
            .collect();
        assert_eq!(names.len(), 100_000);
    }
}

//! Several revisions that hold the template of the DaemonSet: which of them stays.
//!
//! The built-in controller takes only byte-identical data for equal. If the one with its bytes
//! went, it would find none when it takes over again, make another, and replace every pod.

use crate::support::*;
use daemonset_controller::{
    model::{Key, Uid},
    plan::{Plan, revisions::RevisionRef},
    wire::canonical::revision_data,
};
use serde_json::{json, value::to_raw_value};

/// What the API server tells of the stored bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Bytes {
    Canonical,
    Spaced,
    Untold,
}

use Bytes::{Canonical, Spaced, Untold};

/// Revisions of the present template: hash, number, and bytes; with an older one of this number.
fn cluster(equal: &[(&str, i64, Bytes)], old: i64) -> Cluster {
    let ds = daemon_set().with(json!({"spec": {"template": template(0)}}));
    let mut cluster = Cluster::bare(
        ds,
        [revision("old", old, &template(1)), node("a"), node("b")],
    );
    for (hash, number, _) in equal {
        cluster.put(&revision(hash, *number, &template(0)));
    }
    cluster
}

/// The plan once the bytes were read.
fn plan_of(cluster: &mut Cluster, equal: &[(&str, i64, Bytes)]) -> Plan {
    let template = to_raw_value(&template(0)).expect("JSON");
    let (data, _) = revision_data(&template).expect("a template");
    for (hash, _, bytes) in equal {
        let data = match bytes {
            Canonical => Some(data.clone()),
            Spaced => Some(data.replacen(':', ": ", 1)),
            Untold => None,
        };
        let key = Key::new("default", format!("web-{hash}"));
        let uid = Uid::from(format!("rev-{hash}").as_str());
        let data = data.as_deref().map(str::as_bytes);
        cluster.cache.stored_data(&key, &uid, data);
    }
    cluster.plan()
}

fn names(revisions: &[RevisionRef]) -> Vec<&str> {
    revisions.iter().map(|r| &*r.name).collect()
}

/// The revision that stays, and its number.
fn kept(equal: &[(&str, i64, Bytes)], old: i64) -> (String, i64) {
    let plan = plan_of(&mut cluster(equal, old), equal);
    let current = plan.revision.expect("a revision");
    let number = plan.revision_ops.set_number.map(|(r, number)| {
        assert_eq!(r.name, current.name);
        number
    });
    assert_eq!(number.unwrap_or(current.number), current.number);
    assert_eq!(plan.revision_ops.delete_duplicates.len(), equal.len() - 1);
    (current.hash.to_string(), current.number)
}

#[test]
fn the_one_with_the_canonical_bytes_stays_and_gets_the_highest_number() {
    for (equal, old, expected) in [
        (&[("c", 3, Canonical), ("s", 9, Spaced)][..], 2, ("c", 9)),
        (&[("c", 9, Canonical), ("s", 3, Spaced)], 2, ("c", 9)),
        (&[("c", 3, Canonical), ("s", 9, Spaced)], 12, ("c", 13)),
        (
            &[("a", 3, Canonical), ("b", 5, Canonical), ("s", 9, Spaced)],
            1,
            ("b", 9),
        ),
        (&[("c", 3, Canonical), ("u", 9, Untold)], 2, ("c", 9)),
        (&[("s", 9, Spaced), ("u", 3, Untold)], 2, ("u", 9)),
    ] {
        let (hash, number) = kept(equal, old);
        assert_eq!((&*hash, number), expected, "{equal:?}");
    }
}

#[test]
fn where_none_has_the_canonical_bytes_the_highest_number_stays() {
    for bytes in [Spaced, Untold] {
        let (hash, number) = kept(&[("a", 3, bytes), ("b", 9, bytes)], 2);
        assert_eq!((&*hash, number), ("b", 9), "{bytes:?}");
    }
}

#[test]
fn pods_of_the_others_are_relabelled_and_up_to_date_in_the_same_plan() {
    let equal = [("c", 3, Canonical), ("s", 9, Spaced)];
    let mut cluster = cluster(&equal, 2);
    cluster.put(&pod("p").on("a").hash("s").ready(9));
    cluster.put(&pod("q").on("b").hash("c").ready(9));
    let plan = plan_of(&mut cluster, &equal);
    let relabels = plan.relabels.iter().map(|r| (&*r.pod.name, &*r.hash));
    assert_eq!(relabels.collect::<Vec<_>>(), [("p", "c")]);
    assert_eq!(names(&plan.revision_ops.delete_duplicates), ["web-s"]);
    assert_eq!(plan.status.expect("a status").updated_number_scheduled, 2);
}

#[test]
fn the_bytes_are_read_once_and_only_where_they_decide() {
    let equal = [("c", 3, Canonical), ("s", 9, Spaced)];
    let mut alone = cluster(&equal[..1], 2);
    assert!(alone.plan().revision_ops.read_data.is_empty());
    let mut cluster = cluster(&equal, 2);
    let unread = cluster.plan().revision_ops.read_data;
    assert_eq!(names(&unread), ["web-c", "web-s"]);
    plan_of(&mut cluster, &equal);
    // A later state of a revision has the same data, another one of its name need not.
    let later = revision("c", 4, &template(0)).version(2);
    cluster.put(&later);
    assert!(cluster.plan().revision_ops.read_data.is_empty());
    cluster.put(
        &later
            .version(3)
            .with(json!({"metadata": {"uid": "another"}})),
    );
    assert_eq!(names(&cluster.plan().revision_ops.read_data), ["web-c"]);
}

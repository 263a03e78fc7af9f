//! S4 where several revisions hold the same template: the one that the built-in controller
//! recognises stays, and the pods are its pods, so that handing back restarts nothing.

use daemonset_controller::model::Kind;
use proptest::prelude::*;
use serde_json::json;

use crate::config::config;
use crate::{
    arbitrary::World,
    closed_loop::{Loop, stored_data},
    support::*,
};

/// One revision: which template it holds (0 is the present one), its number, whether its bytes are
/// other than canonical, and whether it is an orphan.
type Spec = (usize, i64, bool, bool);

fn world(specs: &[Spec], pods: &[usize], limit: i32) -> World {
    let ds = daemon_set().with(json!({
        "spec": {"template": template(0), "revisionHistoryLimit": limit},
    }));
    let mut objects = vec![ds];
    for (i, &(content, number, spaced, orphan)) in specs.iter().enumerate() {
        let mut object = revision(&format!("r{i}"), number, &template(content));
        if spaced {
            object = object.with(json!({"metadata": {"annotations": {"spaced": "yes"}}}));
        }
        objects.push(if orphan { object.orphan() } else { object });
    }
    for (i, of) in pods.iter().enumerate() {
        let name = format!("n{i}");
        objects.push(node(&name));
        let of = format!("r{}", of % specs.len().max(1));
        objects.push(pod(&format!("p{i}")).on(&name).hash(&of).ready(100));
    }
    World {
        objects,
        attempts: Vec::new(),
    }
}

/// The revisions that the built-in controller takes for the current one, which compares bytes:
/// their hashes and numbers.
fn recognised(all: &Loop) -> Vec<(String, i64)> {
    let wanted = stored_data(&revision("", 0, &template(0)));
    let revisions = all.all(Kind::Revision);
    let equal = revisions.filter(|r| stored_data(r) == wanted);
    let hash = |r: &Object| r.at("/metadata/labels/controller-revision-hash").clone();
    equal
        .map(|r| {
            let number = r.at("/revision").as_i64().expect("a number");
            (hash(r).as_str().expect("a hash").to_owned(), number)
        })
        .collect()
}

fn hashes(all: &Loop) -> Vec<String> {
    let hash = |p: &Object| p.at("/metadata/labels/controller-revision-hash").clone();
    let pods = all.all(Kind::Pod);
    pods.map(|p| hash(p).as_str().expect("a hash").to_owned())
        .collect()
}

proptest! {
    #![proptest_config(config(400, 20_260_601))]

    #[test]
    fn a_revision_that_the_built_in_controller_recognises_is_kept_as_the_current_one(
        specs in prop::collection::vec(
            (0..3_usize, 0..6_i64, any::<bool>(), prop::bool::weighted(0.2)), 0..6,
        ),
        pods in prop::collection::vec(0..6_usize, 0..4),
        limit in 0..3,
    ) {
        let mut all = Loop::new(&world(&specs, &pods, limit), false);
        let before = recognised(&all);
        let is_current = |i: usize| specs.get(i).is_some_and(|s| s.0 == 0);
        let up_to_date: Vec<bool> = pods
            .iter()
            .map(|of| is_current(of % specs.len().max(1)))
            .collect();
        let mut rounds = 0;
        while all.round().is_some() {
            rounds += 1;
            prop_assert!(rounds < 20, "it never settles");
            let now = recognised(&all);
            prop_assert!(before.is_empty() || !now.is_empty(), "it is gone");
        }
        let plan = all.cluster.plan();
        let current = plan.revision.expect("a revision");
        let now = recognised(&all);
        if !before.is_empty() {
            prop_assert_eq!(&now, &[(current.hash.to_string(), current.number)]);
            prop_assert!(before.iter().any(|(hash, _)| **hash == *current.hash), "a new one");
        }
        let highest = all.all(Kind::Revision).map(|r| r.at("/revision").as_i64()).max();
        prop_assert_eq!(highest, Some(Some(current.number)));
        // Pods of any equal revision are pods of that one now, and no other is.
        for (hash, was) in hashes(&all).iter().zip(up_to_date) {
            prop_assert_eq!(**hash == *current.hash, was, "{}", hash);
        }
    }
}

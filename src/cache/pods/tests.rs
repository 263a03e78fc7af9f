use std::{cell::Cell, collections::BTreeMap};

use crate::model::Version;

use super::*;

thread_local! {
    /// How many rows were looked at.
    static VISITS: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn visited() {
    VISITS.set(VISITS.get() + 1);
}

/// The result, and how many rows were looked at for it.
fn visits<R>(f: impl FnOnce() -> R) -> (R, usize) {
    VISITS.set(0);
    let result = f();
    (result, VISITS.get())
}

fn pod(name: &Str, owner: usize, node: Option<u32>) -> Pod {
    Pod {
        version: Version(1),
        controller: match owner {
            0 => Controller::None,
            owner => Controller::Uid(Uid::from(&*owner.to_string())),
        },
        node: node.map(NodeId),
        scheduled: node.is_some(),
        ..Pod::new(name.clone(), Uid(name.clone()))
    }
}

fn key(number: usize) -> Key {
    Key::new("n", format!("pod-{number}"))
}

#[test]
fn what_is_asked_for_each_call_and_each_sync_does_not_grow_with_the_cluster() {
    for nodes in [1_000, 10_000, 65_000] {
        let mut pods = Pods::default();
        for number in 0..2 * nodes {
            let key = key(number);
            let node = u32::try_from(number % nodes).expect("a slot");
            let pod = pod(&key.name, 1 + number / nodes, Some(node));
            pods.put(key, pod);
        }
        let going = key(5);
        pods.delete_pending(&going, &Uid(going.name.clone()));
        let (here, count) = visits(|| pods.on(NodeId(7)).count());
        assert_eq!(here, 2);
        assert!(count <= 4, "{count} rows at {nodes} nodes");
        let owner = Uid::from("1");
        let (pending, count) = visits(|| pods.pending(&going.namespace, &owner).count());
        assert_eq!((pending, count), (1, 1), "{nodes} nodes");
        let (gone, count) = visits(|| pods.all_gone_by_answer(&owner).count());
        assert_eq!((gone, count), (0, 1), "{nodes} nodes");
    }
}

#[test]
fn the_rows_of_each_node_and_those_that_are_going_are_found_after_any_history() {
    let mut pods = Pods::default();
    let mut random = 1_u64;
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(random >> 33).expect("31 bits") % below
    };
    for step in 0..20_000 {
        let key = key(next(40));
        let uid = Uid(key.name.clone());
        match next(8) {
            0..4 => {
                let node = u32::try_from(next(6)).expect("a slot");
                let mut state = pod(&key.name, next(3), (node > 0).then_some(node));
                state.terminating = next(4) == 0;
                pods.put(key, state);
            }
            4 => drop(pods.remove(&key)),
            5 => drop(pods.delete_pending(&key, &uid)),
            6 => drop(pods.gone_by_answer(&key, Time::from_secs(1))),
            _ => pods.delete_settled(&key, &uid),
        }
        let mut expected: BTreeMap<u32, Vec<&Key>> = BTreeMap::new();
        for (key, pod) in pods.within(0..pods.rows()) {
            if let Some(node) = pod.node {
                expected.entry(node.0).or_default().push(key);
            }
        }
        for node in 0..6 {
            let mut here: Vec<&Key> = pods.on(NodeId(node)).map(|(key, _)| key).collect();
            let mut expected = expected.remove(&node).unwrap_or_default();
            here.sort();
            expected.sort();
            assert_eq!(here, expected, "node {node} at step {step}");
        }
        let going = pods.rows.iter().flatten().filter(|row| row.is_going());
        assert_eq!(pods.going.len(), going.count(), "step {step}");
        assert!(pods.going().all(Row::is_going), "step {step}");
    }
}

//! A whole roll in imagined time: calls, kubelets and the pace of syncs are as in a real one, and
//! planning is measured.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use daemonset_controller::{
    model::{Key, Kind, Pod, Str, Uid},
    runtime::pace,
};

use crate::{
    BURST,
    fleet::{Fleet, key},
    is_dear, row, timed,
};

/// How long a call takes while many are in flight: an API server on two cores took 1,160 a second.
const CALL: u64 = 862;

/// How long a pod takes to go, or to become ready: 3 to 7 s, another time for each.
fn kubelet(number: u64) -> u64 {
    3_000_000 + number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 4_000_000
}

/// What a kubelet does at a time.
enum Event {
    Gone(Key, Uid),
    Ready(Box<Pod>, Str),
}

/// The roll of the first DaemonSet, which was released anew. Times are in microseconds.
pub fn roll(fleet: &mut Fleet) {
    let start = fleet.now;
    let mut due: BinaryHeap<Reverse<(u64, u64)>> = BinaryHeap::new();
    let mut events: BTreeMap<u64, Event> = BTreeMap::new();
    let mut number = 0;
    let mut schedule = |at: u64, event, due: &mut BinaryHeap<_>, events: &mut BTreeMap<_, _>| {
        number += 1;
        due.push(Reverse((at, number)));
        events.insert(number, event);
    };
    let (mut now, mut planning, mut longest) = (0, Duration::ZERO, Duration::ZERO);
    let (mut syncs, mut plans, mut deleted) = (0, 0, 0);
    loop {
        while let Some(Reverse((at, _))) = due.peek()
            && *at <= now
        {
            let Reverse((at, number)) = due.pop().expect("just seen");
            fleet.now = start + Duration::from_micros(at);
            fleet.cache.tick(fleet.now);
            match events.remove(&number).expect("scheduled") {
                Event::Gone(pod, uid) => fleet.cache.deleted_row(Kind::Pod, &pod, &uid),
                Event::Ready(pod, node) => fleet.ready(*pod, &node),
            }
        }
        fleet.now = start + Duration::from_micros(now);
        fleet.cache.take_dirty();
        let begun = now;
        let (plan, took) = timed(|| fleet.plan(0));
        syncs += 1;
        plans += 1;
        planning += took;
        longest = longest.max(took);
        let acts = !plan.deletes.is_empty() || !plan.creates.is_empty();
        for delete in plan.deletes.iter().take(BURST) {
            let pod = Key::new("system", delete.pod.name.clone());
            fleet.cache.delete_pending(&pod, &delete.pod.uid);
            now += CALL;
            let gone = Event::Gone(pod, delete.pod.uid.clone());
            schedule(now + kubelet(now), gone, &mut due, &mut events);
            deleted += 1;
        }
        for create in plan.creates.iter().take(BURST) {
            let asked = || {
                fleet
                    .cache
                    .has_other_pod(&key(0), &create.node, &create.seen)
            };
            let (other, took) = timed(asked);
            planning += took;
            if other {
                continue;
            }
            now += CALL;
            let pod = fleet.created(0, create);
            let ready = Event::Ready(Box::new(pod), create.node.clone());
            schedule(now + kubelet(now), ready, &mut due, &mut events);
        }
        if acts && !is_dear(fleet, 0) {
            let (_, took) = timed(|| fleet.plan(0));
            planning += took;
            plans += 1;
            longest = longest.max(took);
        }
        let Some(Reverse((next, _))) = due.peek() else {
            if plan.is_settled() {
                break;
            }
            continue;
        };
        let next = if acts { now } else { (*next).max(now) };
        let gap = pace::gap(fleet.rows(0)).as_micros();
        now = next.max(begun + u64::try_from(gap).expect("less than a second"));
    }
    println!(
        "a roll: {deleted} pods replaced in {} s, {syncs} syncs",
        now / 1_000_000
    );
    row(
        &format!("a roll: {plans} plans, and has_other_pod"),
        planning,
    );
    row("a roll: the longest plan", longest);
}

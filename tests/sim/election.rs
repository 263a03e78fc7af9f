//! Several replicas and one Lease, in virtual time. Whatever happens to the leader, at most one
//! replica writes, and promises S1 to S5 hold over the whole history.

use std::time::Duration;

use serde_json::json;

use super::rollout::{change, respec, rolling};
use super::world::*;

const LEASE: &str = "daemonset-controller";
/// A standby waits this long for a sign of life.
const LEASE_DURATION: u64 = 15;
/// A leader that was not heard for this long stops.
const RENEW_DEADLINE: u64 = 10;

/// Whether a request writes anything but the Lease.
fn works(entry: &Entry) -> bool {
    let replica = matches!(&*entry.client, "a" | "b" | "c");
    replica && entry.is_write() && !entry.is_upkeep()
}

/// When this client first and last wrote anything but the Lease, if it did.
fn work_of(world: &World, name: &str) -> Option<(Duration, Duration)> {
    let name = name.to_owned();
    let work = world.requests(move |e| *e.client == name && works(e));
    Some((work.first()?.at, work.last()?.at))
}

fn holder(world: &World) -> String {
    let leases = world.all("leases");
    assert_eq!(leases.len(), 1, "{leases:?}");
    assert_eq!(leases[0]["metadata"]["name"], LEASE);
    let holder = leases[0]["spec"]["holderIdentity"].as_str();
    holder.expect("a holder").to_owned()
}

fn about_leases(entry: &Entry) -> bool {
    entry
        .target
        .as_ref()
        .is_some_and(|t| t.resource.plural == "leases")
}

/// So many nodes, whose kubelets work, and a DaemonSet that rolls out, two nodes at a time.
fn scene(nodes: usize) -> World {
    let world = world(nodes);
    respec(&world, json!({ "updateStrategy": rolling(2, 0) }));
    world.kubelet();
    world
}

#[tokio::test(start_paused = true)]
async fn of_two_replicas_one_works_and_the_other_waits() {
    let world = world(10);
    let _a = replica(&world, "a");
    seconds(1).await;
    let _b = replica(&world, "b");
    seconds(300).await;
    world.assert_covered(10);
    assert_eq!(holder(&world), "a");
    assert_eq!(work_of(&world, "b"), None);
    let renewals = world.requests(|e| about_leases(e) && e.method == "PUT");
    assert!((140..=151).contains(&renewals.len()), "{}", renewals.len());
    let lease = &world.all("leases")[0]["spec"];
    assert_eq!(lease["leaseDurationSeconds"], 15);
    assert_eq!(lease["leaseTransitions"], 0);
    world.at_rest().await;
}

/// A rolling restart of the Deployment.
#[tokio::test(start_paused = true)]
async fn a_leader_that_is_asked_to_stop_hands_over_in_less_than_a_second() {
    let world = scene(10);
    let a = replica(&world, "a");
    seconds(10).await;
    let _b = replica(&world, "b");
    seconds(10).await;
    let asked = world.elapsed();
    // There is something to do that the first has not begun.
    let change = async {
        millis(1).await;
        change(&world, "two");
    };
    tokio::join!(a.stop(), change);
    seconds(2).await;
    let (_, last) = work_of(&world, "a").expect("it worked");
    let (first, _) = work_of(&world, "b").expect("it works");
    assert!(last < first, "one after the other");
    assert!(
        first - asked < Duration::from_secs(1),
        "{:?}",
        first - asked
    );
    assert_eq!(holder(&world), "b");
    world.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_dies_is_replaced_when_its_lease_has_expired() {
    let world = scene(10);
    let a = replica(&world, "a");
    seconds(10).await;
    let _b = replica(&world, "b");
    seconds(10).await;
    a.kill();
    let died = world.elapsed();
    change(&world, "two");
    seconds(LEASE_DURATION - 3).await;
    assert_eq!(work_of(&world, "b"), None);
    seconds(4).await;
    let (first, _) = work_of(&world, "b").expect("it works");
    let waited = (first - died).as_secs();
    assert!(
        (LEASE_DURATION - 2..=LEASE_DURATION + 1).contains(&waited),
        "{waited} s"
    );
    assert_eq!(world.all("leases")[0]["spec"]["leaseTransitions"], 1);
    world.at_rest().await;
}

/// It reaches everything but the Lease: without the fence it would go on for ever.
#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_writes_nothing_after_its_deadline() {
    for act in [Act::Fail, Act::Hang] {
        let world = scene(10);
        let _a = replica(&world, "a");
        seconds(10).await;
        let _b = replica(&world, "b");
        seconds(10).await;
        let cut_off = world.elapsed();
        world.rule(usize::MAX, |e| &*e.client == "a" && about_leases(e), act);
        // There is always something to do.
        for turn in 0..8 {
            change(&world, &format!("{turn}"));
            seconds(4).await;
        }
        let (_, last) = work_of(&world, "a").expect("it worked");
        let (first, _) = work_of(&world, "b").expect("it works");
        assert!(last > cut_off, "it may go on for a while");
        assert!(
            (last - cut_off).as_secs() <= RENEW_DEADLINE,
            "{:?}",
            last - cut_off
        );
        assert!(first - last >= Duration::from_secs(LEASE_DURATION - RENEW_DEADLINE - 1));
        world.clear_rules();
        seconds(30).await;
        assert_eq!(holder(&world), "b", "it stays");
        world.at_rest().await;
    }
}

/// Requests that are open when the time is up are given up, and not waited for.
#[tokio::test(start_paused = true)]
async fn writes_that_take_long_do_not_outlive_the_lead() {
    let world = world(3);
    // Each would be carried out in half a minute, if its sender waited.
    world.rule(
        usize::MAX,
        |e| &*e.client == "a" && e.is_for("POST", "pods"),
        Act::Delay(Duration::from_secs(30)),
    );
    let _a = replica(&world, "a");
    seconds(10).await;
    let _b = replica(&world, "b");
    world.rule(
        usize::MAX,
        |e| &*e.client == "a" && about_leases(e),
        Act::Fail,
    );
    seconds(60).await;
    world.assert_covered(3);
    let of = |name| move |e: &Entry| &*e.client == name && e.is_for("POST", "pods");
    let given_up = world.requests(of("a"));
    assert!(!given_up.is_empty());
    assert!(
        given_up.iter().all(|e| e.code == 0),
        "{:?}",
        codes(&given_up)
    );
    assert_eq!(codes(&world.requests(of("b"))), [201; 3]);
    world.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_costs_no_leader() {
    let world = world(3);
    let _a = replica(&world, "a");
    seconds(10).await;
    let _b = replica(&world, "b");
    for act in [
        Act::Lose,
        Act::Fail,
        Act::Hang,
        Act::Strand(Duration::from_secs(1)),
    ] {
        for method in ["PUT", "GET"] {
            let lost =
                move |e: &Entry| &*e.client == "a" && e.is_for(method, "leases") && !e.is_watch();
            world.rule(1, lost, act.clone());
        }
        seconds(30).await;
        assert_eq!(holder(&world), "a", "{act:?}");
    }
    assert_eq!(world.all("leases")[0]["spec"]["leaseTransitions"], 0);
    assert_eq!(work_of(&world, "b"), None);
    world.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_api_server_is_away_nobody_leads_and_then_one_does() {
    let world = scene(5);
    let _replicas = [replica(&world, "a"), replica(&world, "b")];
    seconds(10).await;
    world.rule(usize::MAX, |e| matches!(&*e.client, "a" | "b"), Act::Fail);
    world.cut("pods", false);
    seconds(120).await;
    change(&world, "two");
    world.clear_rules();
    let back = world.elapsed();
    seconds(60).await;
    let work = |name| work_of(&world, name).is_some_and(|(_, last)| last > back);
    assert!(work("a") ^ work("b"), "one of them");
    world.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_somebody_deletes_or_takes_makes_no_two_leaders() {
    let world = scene(5);
    let _replicas = [replica(&world, "a"), replica(&world, "b")];
    seconds(10).await;
    for second in 0..40 {
        change(&world, &format!("{second}"));
        if second % 10 == 0 {
            world.meddle(resource("leases"), "kube-system", LEASE, |_| None);
        }
        seconds(1).await;
    }
    // Who writes first after another wrote last: they may take turns, and never write within the
    // same tenth of a second.
    let work = world.requests(works);
    for pair in work.windows(2) {
        if pair[0].client != pair[1].client {
            let between = pair[1].at - pair[0].at;
            let (one, other) = (pair[0].line(), pair[1].line());
            assert!(between > Duration::from_millis(50), "{one}\n{other}");
        }
    }
    world.meddle(resource("leases"), "kube-system", LEASE, |mut lease| {
        lease["spec"]["holderIdentity"] = json!("a-person");
        lease["spec"]["leaseDurationSeconds"] = json!(20);
        Some(lease)
    });
    let taken = world.elapsed();
    change(&world, "last");
    seconds(18).await;
    let late = world.requests(move |e| works(e) && e.at > taken + Duration::from_millis(100));
    assert!(late.is_empty(), "{:?}", names(&late));
    seconds(20).await;
    assert_ne!(holder(&world), "a-person");
    world.at_rest().await;
}

/// Its watches have been silent for minutes, and it does not know: it must not decide from what it
/// believes.
#[tokio::test(start_paused = true)]
async fn a_new_leader_whose_watches_are_behind_reads_before_it_writes() {
    for stale in KINDS {
        let world = scene(6);
        let a = replica(&world, "a");
        seconds(10).await;
        let _b = replica(&world, "b");
        seconds(10).await;
        world.freeze("b", stale, true);
        change(&world, "two");
        world.add("nodes", node("late"));
        seconds(120).await;
        let elected = world.elapsed();
        a.stop().await;
        seconds(20).await;
        let read = world.requests(move |e| {
            let plural = e.target.as_ref().map(|t| t.resource.plural);
            let lists = e.method == "GET" && !e.is_watch() && !e.query.contains("limit=1&");
            lists
                && &*e.client == "b"
                && e.at > elected
                && plural == Some(stale)
                && e.query != "limit=1"
        });
        let first = read
            .first()
            .unwrap_or_else(|| panic!("{stale} are read anew"));
        let work = work_of(&world, "b");
        assert!(
            work.is_none_or(|(work, _)| work > first.at),
            "{stale} before the first write"
        );
        world.finish().await;
        // All was done already: there was nothing to do.
        assert!(
            work.is_none(),
            "{stale}: {:?}",
            names(&world.requests(|e| &*e.client == "b" && works(e)))
        );
        world.at_rest().await;
    }
}

/// After watches have told all there is, nothing is read again: this is what
/// the caches of standbys are for.
#[tokio::test(start_paused = true)]
async fn a_new_leader_on_a_busy_cluster_reads_no_list() {
    let world = scene(6);
    let a = replica(&world, "a");
    seconds(10).await;
    let _b = replica(&world, "b");
    seconds(10).await;
    // Something happens to every kind all the time.
    let busy = async {
        for turn in 0..300 {
            let label = json!({ "metadata": { "annotations": { "turn": turn.to_string() } } });
            world.edit("nodes", "n0", label.clone());
            world.edit("daemonsets", "web", label.clone());
            let one = |plural| world.all(plural)[0]["metadata"]["name"].clone();
            let (pod, revision) = (one("pods"), one("controllerrevisions"));
            world.edit("pods", pod.as_str().expect("a name"), label.clone());
            world.edit(
                "controllerrevisions",
                revision.as_str().expect("a name"),
                label,
            );
            millis(5).await;
        }
    };
    let stop = async {
        seconds(1).await;
        let elected = world.elapsed();
        a.stop().await;
        elected
    };
    let ((), elected) = tokio::join!(busy, stop);
    let read = world.requests(move |e| {
        let lists = e.method == "GET" && !e.is_upkeep() && e.query != "limit=1";
        lists && &*e.client == "b" && e.at > elected
    });
    assert!(read.is_empty(), "{:?}", names(&read));
    assert_eq!(holder(&world), "b");
    world.at_rest().await;
}

/// Replicas die, are cut off and come back while pods fail and the template changes.
#[tokio::test(start_paused = true)]
async fn whatever_happens_to_replicas_the_promises_hold() {
    for seed in 0..2 {
        let world = seeded(seed);
        (0..6).for_each(|n| world.add("nodes", node(&format!("n{n}"))));
        world.add("daemonsets", daemon_set("default", "web"));
        respec(&world, json!({ "updateStrategy": rolling("20%", 0) }));
        world.kubelet();
        let names = ["a", "b", "c"];
        let mut replicas: Vec<_> = names
            .into_iter()
            .map(|name| Some(replica(&world, name)))
            .collect();
        seconds(20).await;
        for turn in 0..20_u64 {
            let dice = seed
                .wrapping_mul(31)
                .wrapping_add(turn)
                .wrapping_mul(0x9e37_79b9)
                >> 7;
            let which = (dice % 3) as usize;
            match dice / 3 % 6 {
                0 => replicas[which] = None,
                1 => {
                    let name = names[which];
                    world.rule(
                        20,
                        move |e| *e.client == *name && about_leases(e),
                        Act::Fail,
                    );
                }
                2 => change(&world, &format!("{turn}")),
                3 => {
                    let node = format!("n{}", dice % 6);
                    let pod = world
                        .all("pods")
                        .into_iter()
                        .find(|p| is_live(p) && target(p) == node);
                    if let Some(pod) = pod {
                        let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
                        world.edit("pods", &name, json!({ "status": ready("Failed") }));
                    }
                }
                _ => {}
            }
            millis(300 + dice % 7_000).await;
            for (which, replica_of) in replicas.iter_mut().enumerate() {
                if replica_of.is_none() && dice % 2 == 0 {
                    *replica_of = Some(replica(&world, names[which]));
                }
            }
        }
        for (which, replica_of) in replicas.iter_mut().enumerate() {
            replica_of.get_or_insert_with(|| replica(&world, names[which]));
        }
        world.at_rest().await;
    }
}

/// A list of a DaemonSet's pods lacks a pod that lost its label a moment before as it lacks one
/// that is gone. It is there, and has to be released.
#[tokio::test(start_paused = true)]
async fn a_pod_that_lost_its_label_before_the_lead_passed_is_released() {
    let world = scene(3);
    let a = replica(&world, "a");
    seconds(10).await;
    let _b = replica(&world, "b");
    seconds(10).await;
    for client in ["a", "b"] {
        world.freeze(client, "pods", true);
    }
    let stolen = world.all("pods")[0]["metadata"].clone();
    let name = stolen["name"].as_str().expect("a name");
    let path = format!("/api/v1/namespaces/default/pods/{name}");
    let labels = json!({"metadata": {"labels": {"app": "stolen"}}});
    world.perform("PATCH", &path, &labels).expect("a patch");
    a.stop().await;
    seconds(60).await;
    world.freeze("b", "pods", false);
    seconds(60).await;
    let pod = world.get("pods", name);
    assert_eq!(pod["metadata"]["uid"], stolen["uid"]);
    assert_eq!(owner(&pod), "", "it is nobody's");
    world.finish().await;
    world.at_rest().await;
}

/// Pods that fail stay while a create of the former leader may be under way. Their successors come
/// with growing pauses all the same, while surging too, where they are not made in one step with
/// the delete.
#[tokio::test(start_paused = true)]
async fn after_a_crash_of_the_leader_failing_pods_are_replaced_with_growing_pauses() {
    for surge in [0, 1] {
        let world = scene(2);
        respec(
            &world,
            json!({ "updateStrategy": rolling(1 - surge, surge) }),
        );
        let a = replica(&world, "a");
        seconds(10).await;
        let _b = replica(&world, "b");
        seconds(10).await;
        a.kill();
        seconds(30).await;
        assert_eq!(holder(&world), "b");
        let path = "/api/v1/nodes/n0";
        let failing = json!({"metadata": {"annotations": {
            "sim.daemonset-controller.io/fail-after": "1s" }}});
        world.perform("PATCH", path, &failing).expect("a patch");
        seconds(60).await;
        let posts = world.requests(|e| &*e.client == "b" && e.is("POST", "/pods"));
        assert!(
            (4..=6).contains(&posts.len()),
            "surge {surge}: {}",
            posts.len()
        );
        let well = json!({"metadata": {"annotations": {
            "sim.daemonset-controller.io/fail-after": null }}});
        world.perform("PATCH", path, &well).expect("a patch");
        world.finish().await;
    }
}

//! Another DaemonSet controller is at work too: it is noticed, said once, and by default left to
//! work alone until it stops.

use daemonset_controller::runtime::conflict::OnConflict;
use daemonset_controller::runtime::run::ControllerOptions;
use daemonset_controller::sim::cluster::Cluster;

use super::world::*;

/// The other controller covers a node that joins, quicker than ours.
fn covered_by_another(world: &World, number: usize) {
    let node_name = format!("theirs-{number}");
    let suffix = char::from(b"bcdfghjklm"[number]);
    world.add("pods", pod(&format!("web-x7k2{suffix}"), &node_name));
    world.add("nodes", node(&node_name));
}

fn writes(world: &World) -> Vec<Entry> {
    world.requests(|e| &*e.client == "a" && e.is_write() && !e.is_for("POST", "events"))
}

const EVENT: &str = "ConflictingController";

#[tokio::test(start_paused = true)]
async fn while_another_controller_works_ours_writes_nothing_and_says_so_once() {
    let world = world(3);
    world.kubelet();
    let _running = start(&world, "a");
    seconds(30).await;
    world.assert_covered(3);

    covered_by_another(&world, 0);
    seconds(1).await;
    let before = writes(&world).len();
    for number in 1..8 {
        covered_by_another(&world, number);
        // Nobody covers these yet: the other one is slow.
        world.add("nodes", node(&format!("n{}", 10 + number)));
        seconds(20).await;
        world.add(
            "pods",
            pod(&format!("web-v7k2{number}"), &format!("n{}", 10 + number)),
        );
    }
    assert_eq!(names(&writes(&world)[before..]), [""; 0]);
    let said = world.events(EVENT);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("--controllers=*,-daemonset-controller"),
        "{said:?}"
    );
    seconds(60).await;

    // It stops, and there is something to do: after a while it is ours again.
    world.add("nodes", node("last"));
    seconds(25).await;
    assert_eq!(names(&writes(&world)[before..]), [""; 0]);
    seconds(20).await;
    world.assert_covered(3 + 8 + 7 + 1);
    world.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn it_can_be_told_to_go_on_all_the_same() {
    let world = world(3);
    world.kubelet();
    let options = ControllerOptions {
        on_conflict: OnConflict::Continue,
        ..Cluster::options()
    };
    let _running = start_with(&world, "a", options);
    seconds(30).await;
    covered_by_another(&world, 0);
    world.add("nodes", node("late"));
    seconds(5).await;
    world.assert_covered(5);
    assert_eq!(world.events(EVENT).len(), 1);
    world.at_rest().await;
}

/// A controller that takes over finds pods with such names, and creates no more.
#[tokio::test(start_paused = true)]
async fn what_another_controller_left_is_no_conflict() {
    let world = world(0);
    for number in 0..3 {
        covered_by_another(&world, number);
    }
    world.kubelet();
    // It is the second replica that has to judge, and its watch of pods has been silent.
    let first = replica(&world, "b");
    seconds(10).await;
    let _second = replica(&world, "a");
    seconds(10).await;
    world.freeze("a", "pods", true);
    first.kill();
    for number in 3..6 {
        covered_by_another(&world, number);
    }
    seconds(40).await;
    world.freeze("a", "pods", false);
    seconds(40).await;
    assert_eq!(world.events(EVENT), [""; 0]);
    world.add("nodes", node("late"));
    seconds(10).await;
    world.assert_covered(7);
    world.at_rest().await;
}

//! Small scopes with all of the real code: every request at which a controller may die, times every
//! place in the history at which the watch of its successor may stand still, for each kind.
//!
//! A cell is one cluster of two nodes, from its beginning to its rest. `cargo test` runs one cell
//! for every second request; all of them are an ignored test. `tests/invariants/scopes` has every
//! order of events, with less code.

use std::time::{Duration, Instant};

use daemonset_controller::sim::cluster::Part;
use serde_json::{Value, json};

use super::on_failure::change_with;
use super::rollout::*;
use super::rollout_crashes::{Death, counts};
use super::world::*;

const NODES: usize = 2;

/// What happens to the cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scene {
    Install,
    Roll,
    Surge,
    FailedPod,
    DeletedPod,
    NodeBack,
    Canary,
    Undo,
    RolledBack,
}

const SCENES: [Scene; 9] = [
    Scene::Install,
    Scene::Roll,
    Scene::Surge,
    Scene::FailedPod,
    Scene::DeletedPod,
    Scene::NodeBack,
    Scene::Canary,
    Scene::Undo,
    Scene::RolledBack,
];

/// Who goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Successor {
    /// One that starts then.
    New,
    /// One that has worked beside it.
    Other,
    /// The replica that stands by.
    Standby,
}

const SUCCESSORS: [Successor; 3] = [Successor::New, Successor::Other, Successor::Standby];

/// Controller `a` dies at its `nth` request; the watch of this kind of its successor stands still
/// after so many writes.
#[derive(Clone, Copy, Debug)]
struct Cell {
    scene: Scene,
    successor: Successor,
    death: Death,
    nth: usize,
    kind: &'static str,
    prefix: usize,
}

impl Cell {
    /// For how long the watch stands still after the death. One that has worked is less than two
    /// seconds behind; the others make no plan in their first two seconds, or before they lead.
    fn still(self) -> Duration {
        Duration::from_millis(match self.successor {
            Successor::New => 5_000,
            Successor::Other => 1_500,
            Successor::Standby => 20_000,
        })
    }

    fn strategy(self) -> Value {
        match self.scene {
            Scene::Surge => rolling(0, 1),
            _ => rolling(1, 0),
        }
    }

    fn keys(self) -> &'static [(&'static str, &'static str)] {
        match self.scene {
            Scene::Canary => &[("canary", "1"), ("bake", "2s")],
            Scene::RolledBack => &[("on-failure", "rollback")],
            _ => &[],
        }
    }

    async fn happen(self, server: &World) {
        match self.scene {
            Scene::Install => server.add("daemonsets", daemon_set("default", "web")),
            Scene::Roll | Scene::Surge | Scene::Canary => change_to(server, "2", "200ms"),
            Scene::FailedPod => {
                let status = json!({"status": ready("Failed")});
                server.edit("pods", &name(&["n0", ""]), status);
            }
            Scene::DeletedPod => server.ask_to_delete("pods", &name(&["n0", ""])),
            Scene::NodeBack => {
                server.remove("nodes", "n0");
                millis(300).await;
                server.add("nodes", node("n0"));
            }
            Scene::Undo => {
                change_to(server, "2", "200ms");
                millis(300).await;
                change_to(server, "1", "200ms");
            }
            Scene::RolledBack => change_with(server, "2", &[("crash-after", "1s")]),
        }
    }

    fn begin(self, server: &World, who: &'static str) -> Controller {
        match self.successor {
            Successor::Standby => replica(server, who),
            _ => start(server, who),
        }
    }

    fn stand_still(self, server: &World, gate: Option<Gate>) {
        server.gate("b", resource(self.kind), gate);
    }

    /// As [`World::at_rest`], in less time: nothing is left that anybody backs off from for long.
    async fn rest(self, server: &World) {
        server.stop_faults();
        let names: Vec<&str> = server.controllers.borrow().iter().copied().collect();
        let mut wrong = Vec::new();
        for _ in 0..10 {
            seconds(30).await;
            let quiet = Duration::from_secs(10);
            wrong = server.cluster.borrow().unsettled(&names, quiet);
            if wrong.is_empty() {
                break;
            }
        }
        if !wrong.is_empty() {
            println!("{self:?}");
        }
        report(&wrong);
        let broken = server.cluster.borrow().violations(&names);
        if !broken.is_empty() {
            println!("{self:?}");
        }
        report(&broken);
    }

    /// Runs it. None where `a` sends fewer requests; else whether a write was held back.
    async fn run(self) -> Option<bool> {
        let server = world(NODES);
        if self.scene == Scene::Install {
            server.remove("daemonsets", "web");
        } else {
            respec(&server, json!({"updateStrategy": self.strategy()}));
            // A node that fails does so before it is ready.
            let is_failing = self.scene == Scene::RolledBack;
            change_to(&server, "1", if is_failing { "2s" } else { "200ms" });
        }
        for (key, value) in self.keys() {
            set_key(&server, key, *value);
        }
        server.kubelet();
        server.switch(Part::PodGarbageCollector, true);
        let a = self.begin(&server, "a");
        seconds(1).await;
        let mut b = (self.successor != Successor::New).then(|| self.begin(&server, "b"));
        seconds(7).await;
        let begun = server.requests_so_far();
        self.death.await_at(&server, self.nth);
        let gate = Some(Gate::After(self.prefix));
        if b.is_some() {
            self.stand_still(&server, gate);
        }
        let dies = async {
            let mut seen = begun;
            for _ in 0..=self.nth {
                let next = server
                    .next_request(seen, Duration::from_secs(6), counts)
                    .await?;
                seen = next.number + 1;
            }
            if self.death == Death::After {
                millis(1).await; // done, and the answer is under way
            }
            Some(())
        };
        let (_, died) = tokio::join!(self.happen(&server), dies);
        died?;
        a.kill();
        server.clear_rules();
        if b.is_none() {
            b = Some(self.begin(&server, "b"));
            self.stand_still(&server, gate);
        }
        tokio::time::sleep(self.still()).await;
        let held = server.gate_of("b", resource(self.kind)) == Some(Gate::Shut);
        self.stand_still(&server, None);
        self.rest(&server).await;
        server.assert_covered(NODES);
        assert!(b.is_some_and(|b| b.is_running()));
        Some(held)
    }
}

/// Runs the cells of a scene that are wanted, of these requests, by the request, the kind and the
/// prefix: until `a` sends no such request, and until nothing is held back. Returns how many there
/// were, and in how many something was held back.
async fn all(
    scene: Scene,
    successor: Successor,
    death: Death,
    requests: impl Iterator<Item = usize>,
    wanted: impl Fn(usize, usize, usize) -> bool,
) -> (usize, usize) {
    let (mut cells, mut behind) = (0, 0);
    for nth in requests {
        let mut has_one = true;
        for (k, kind) in KINDS.into_iter().enumerate() {
            for prefix in 0.. {
                if !wanted(nth, k, prefix) {
                    if prefix > 40 {
                        break;
                    }
                    continue;
                }
                let cell = Cell {
                    scene,
                    successor,
                    death,
                    nth,
                    kind,
                    prefix,
                };
                match cell.run().await {
                    None => has_one = false,
                    Some(held) => {
                        cells += 1;
                        if held {
                            behind += 1;
                            continue;
                        }
                    }
                }
                break;
            }
        }
        if !has_one {
            break;
        }
    }
    (cells, behind)
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_with_a_successor_that_is_behind_keeps_the_promises() {
    let begun = Instant::now();
    let (mut cells, mut behind) = (0, 0);
    for (s, scene) in SCENES.into_iter().enumerate() {
        let successor = SUCCESSORS[s % 3];
        let death = [Death::Before, Death::After][s % 2];
        // Pods most often.
        let wanted = |nth: usize, k: usize, prefix: usize| {
            let turn = nth / 2 + s;
            k == [3, 2, 3, 0, 3, 1][turn % 6] && prefix == turn / 3 % 4
        };
        let requests = (s % 2..).step_by(2);
        let ran = all(scene, successor, death, requests, wanted).await;
        cells += ran.0;
        behind += ran.1;
    }
    println!(
        "{cells} cells, in {behind} of them behind, {:.1?}",
        begun.elapsed()
    );
    assert!(
        cells >= 30 && behind >= 15,
        "only {cells} cells, {behind} behind"
    );
}

/// `cargo test --test sim -- --ignored --nocapture scopes::`; with `SIM_SCOPES="Roll Other"` or the
/// like only a part.
#[tokio::test(start_paused = true)]
#[ignore = "thousands of clusters"]
async fn every_crash_times_every_prefix() {
    let part = std::env::var("SIM_SCOPES").unwrap_or_default();
    let begun = Instant::now();
    let mut sum = 0;
    for death in [Death::After, Death::Before] {
        for successor in SUCCESSORS {
            for scene in SCENES {
                let what = format!("{scene:?} {successor:?} {death:?}");
                if !what.contains(&part) {
                    continue;
                }
                let (cells, behind) = all(scene, successor, death, 0.., |_, _, _| true).await;
                let so_far = begun.elapsed();
                println!("{what}: {cells} cells, {behind} behind, {so_far:.1?}");
                sum += cells;
            }
        }
    }
    println!("{sum} cells in all");
}

//! Promise S4 in the middle of a rollout: the built-in controller and ours take over from one
//! another, and each pod is replaced once, with no revision but the one of the change.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::audit::{Entry, count_writes};
use crate::cluster::{Lab, SOON, same};
use crate::control_plane::BUILT_IN;
use crate::controller::{Controller, built_in};
use crate::process::Process;
use crate::referee::Referee;

const NODES: usize = 12;

/// The controller that works.
#[derive(Clone, Copy)]
enum Side {
    BuiltIn,
    Ours,
}

enum Running {
    BuiltIn(Process),
    Ours(Controller),
}

impl Running {
    fn start(side: Side, lab: &Lab) -> Self {
        match side {
            Side::BuiltIn => Self::BuiltIn(lab.plane.start_built_in()),
            Side::Ours => Self::Ours(Controller::start(lab)),
        }
    }

    async fn end(self) {
        match self {
            Self::BuiltIn(process) => drop(process), // without warning
            Self::Ours(mut controller) => {
                let ended = controller.terminate(Duration::from_secs(10)).await;
                ended.expect("it ends");
            }
        }
    }
}

/// Writes of either side that were carried out.
fn writes(lab: &Lab) -> BTreeMap<String, usize> {
    let mut entries: Vec<Entry> = [BUILT_IN, "controller"]
        .into_iter()
        .flat_map(|user| lab.plane.audit(user))
        .collect();
    entries.retain(|e| (200..300).contains(&e.response_status.code));
    let mut writes = count_writes(&entries);
    writes.retain(|kind, _| {
        kind.contains("controllerrevisions")
            || ["delete", "patch", "update"]
                .iter()
                .any(|verb| kind.strip_prefix(verb).is_some_and(|of| of == " pods"))
    });
    writes
}

/// A rollout that the two sides carry on in turn.
async fn shared_rollout(name: &str, budget: Value, sides: &[Side]) {
    if built_in() {
        return; // it is both sides here
    }
    let surging = budget.get("maxSurge").is_some();
    let mut lab = Lab::alone(name).await;
    lab.add_nodes(1..=NODES).await;
    let mut set = lab.daemon_set("agent");
    set["spec"]["updateStrategy"] = json!({ "type": "RollingUpdate", "rollingUpdate": budget });
    // Long enough for its middle to be seen, however busy the machine is.
    set["spec"]["template"]["metadata"]["annotations"] =
        json!({ "sim.daemonset-controller.io/ready-after": "2s", "html": "<&>" });
    let mut running = Running::start(sides[0], &lab);
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    let referee = if surging {
        Referee::start_surging(lab.api.clone(), &lab.namespace).await
    } else {
        Referee::start(lab.api.clone(), &lab.namespace).await
    };
    lab.kubectl_ok(&["set", "image", "daemonset/agent", "c=agent:2"])
        .await;
    let shares = sides.len() as i32;
    for (number, side) in (1..).zip(&sides[1..]) {
        let least = NODES as i32 * number / shares;
        lab.until("its share of the rollout is done", SOON, async || {
            let status = lab.status("agent").await?;
            let updated = status.updated_number_scheduled.unwrap_or(0);
            assert!(updated < NODES as i32, "the rollout is over already");
            same(updated >= least, true).map_err(|_| format!("{updated} of {least}"))
        })
        .await;
        running.end().await;
        running = Running::start(*side, &lab);
    }
    let said = lab
        .kubectl_ok(&["rollout", "status", "daemonset/agent", "--timeout=60s"])
        .await;
    assert!(said.ends_with("successfully rolled out\n"), "{said}");
    lab.until_covered("agent", NODES as i32, SOON).await;
    let numbers: Vec<Option<i64>> = lab.revisions().await.iter().map(|r| r.revision).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
    let wanted = BTreeMap::from([
        ("create controllerrevisions".to_owned(), 2),
        ("delete pods".to_owned(), NODES),
    ]);
    same(writes(&lab), wanted).expect("each pod is replaced once, each template has one revision");
    let verdict = referee.finish().await;
    assert_eq!(verdict.pods.len(), 2 * NODES, "the old pods and the new");
    verdict.expect_clean(NODES * 5);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_that_the_built_in_controller_began_is_finished() {
    let budget = json!({ "maxUnavailable": 1 });
    shared_rollout("take-over-rollout", budget, &[Side::BuiltIn, Side::Ours]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_built_in_controller_finishes_a_roll_that_we_began() {
    let budget = json!({ "maxUnavailable": 1 });
    shared_rollout("hand-back-rollout", budget, &[Side::Ours, Side::BuiltIn]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_surge_is_taken_over_and_handed_back() {
    let budget = json!({ "maxUnavailable": 0, "maxSurge": 1 });
    let sides = [Side::BuiltIn, Side::Ours, Side::BuiltIn];
    shared_rollout("share-surge", budget, &sides).await;
}

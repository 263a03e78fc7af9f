//! Two replicas of ours and one Lease, during a rollout on a hundred nodes: the leader is killed,
//! halted or asked to stop, the API server goes away, etcd restarts. One replica works at a time,
//! promises S1 and S2 hold, and the rollout ends.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::audit::Entry;
use crate::budget::{Judge, Worst};
use crate::cluster::{Lab, SOON, name_of, same};
use crate::controller::{Controller, Launch, built_in};
use crate::referee::Referee;

const NODES: usize = 100;
const BUDGET: usize = 10;
/// The users of the replicas.
pub const USERS: [&str; 2] = ["controller", "controller-b"];

/// Two replicas, of which the first leads, and a hundred nodes covered.
struct Scene {
    lab: Lab,
    /// In the order of [`USERS`].
    replicas: [Controller; 2],
}

async fn scene(name: &str) -> Scene {
    let mut lab = Lab::alone(name).await;
    lab.add_nodes(1..=NODES).await;
    let first = start(&lab, 0);
    until_holder_is(&lab, |holder| !holder.is_empty()).await;
    let second = start(&lab, 1);
    let mut set = lab.daemon_set("agent");
    let budget = json!({ "maxUnavailable": BUDGET });
    set["spec"]["updateStrategy"] = json!({ "type": "RollingUpdate", "rollingUpdate": budget });
    set["spec"]["template"]["metadata"]["annotations"] =
        json!({ "sim.daemonset-controller.io/ready-after": "300ms" });
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    let mut scene = Scene {
        lab,
        replicas: [first, second],
    };
    scene.until_standing_by(1, "standing by").await;
    scene
}

/// Starts a replica, as the user of this number.
pub fn start(lab: &Lab, which: usize) -> Controller {
    Launch::new(lab).user(USERS[which]).replica().start()
}

impl Scene {
    async fn until_standing_by(&mut self, which: usize, words: &str) {
        until_standing_by(&self.lab, &mut self.replicas[which], words).await;
    }

    /// Changes the template, and waits until the rollout is in its middle.
    async fn begin_the_rollout(&self, referee: &mut Referee) {
        let before = referee.versions();
        let container = json!([{ "name": "c", "image": "agent:2" }]);
        let patch = json!({ "spec": { "template": { "spec": { "containers": container } } } });
        self.lab.patch("agent", &patch).await;
        // Five versions a pod: a third of the way.
        referee.until_versions(before + NODES * 5 / 3).await;
    }

    /// Waits until all pods are of the second template.
    async fn until_rolled(&self) {
        self.lab
            .until_covered("agent", NODES as i32, 2 * SOON)
            .await;
        for pod in self.lab.until_pods(NODES, SOON).await {
            let image = pod.spec.as_ref().expect("a spec").containers[0]
                .image
                .as_deref();
            same(image, Some("agent:2")).unwrap_or_else(|e| panic!("{}: {e}", name_of(&pod)));
        }
    }

    /// When the first and last writes of a user were that came after `then`, the Lease aside.
    fn work(&self, which: usize, then: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let entries = self.lab.plane.audit(USERS[which]);
        let works = |e: &&Entry| e.writes() && e.object_ref.resource != "leases";
        let mut times: Vec<Timestamp> = entries.iter().filter(works).map(came).collect();
        times.retain(|time| *time > then);
        times.sort();
        Some((*times.first()?, *times.last()?))
    }
}

/// Waits until a replica has all caches filled and knows that another leads: it says so in these
/// words.
pub async fn until_standing_by(lab: &Lab, replica: &mut Controller, words: &str) {
    let until = lab.until("it stands by", SOON, async || {
        let log = replica.log();
        let ready = log.contains("caches synced") && log.contains(words);
        if ready { Ok(()) } else { Err(log) }
    });
    until.await;
    replica.expect_running();
}

fn came(entry: &Entry) -> Timestamp {
    let time = entry.request_received_timestamp.parse();
    time.expect("the audit log has times")
}

/// `spec.holderIdentity` once it is as wanted.
pub async fn until_holder_is(lab: &Lab, wanted: impl Fn(&str) -> bool) -> String {
    lab.until("the lease has its holder", SOON, async || {
        let path =
            "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/daemonset-controller";
        let request = http::Request::get(path)
            .body(Vec::new())
            .expect("a request");
        let lease: Value = lab.api.request(request).await.map_err(|e| e.to_string())?;
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or("");
        if wanted(holder) {
            Ok(holder.to_owned())
        } else {
            Err(lease.to_string())
        }
    })
    .await
}

fn expect_within_budget(worst: Worst) {
    assert!(
        worst.unavailable <= BUDGET && worst.doubled == 0,
        "{worst:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_killed_in_the_middle_of_a_roll_is_succeeded() {
    if built_in() {
        return; // it has an election of its own
    }
    let mut scene = scene("replica-killed").await;
    let mut referee = Referee::start(scene.lab.api.clone(), &scene.lab.namespace).await;
    let judge = Judge::start(&scene.lab, NODES).await;
    let begun = Timestamp::now();
    scene.begin_the_rollout(&mut referee).await;
    assert_eq!(scene.work(1, begun), None, "one works");
    scene.replicas[0].kill();
    let died = Timestamp::now();
    scene.until_rolled().await;
    referee.finish().await.expect_clean(NODES * 5);
    expect_within_budget(judge.finish(NODES * 5).await);
    let (first, _) = scene.work(1, begun).expect("the other works");
    println!("killed: succeeded after {:#}", first - died);
    let (_, last) = scene.work(0, begun).expect("the first worked");
    assert!(last < first, "one after the other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_halted_in_the_middle_of_a_roll_writes_nothing_when_it_goes_on() {
    if built_in() {
        return;
    }
    let mut scene = scene("replica-halted").await;
    let mut referee = Referee::start(scene.lab.api.clone(), &scene.lab.namespace).await;
    let judge = Judge::start(&scene.lab, NODES).await;
    let begun = Timestamp::now();
    scene.begin_the_rollout(&mut referee).await;
    scene.replicas[0].pause();
    let leader = until_holder_is(&scene.lab, |_| true).await;
    until_holder_is(&scene.lab, |holder| !holder.is_empty() && holder != leader).await;
    let lab = &scene.lab;
    lab.until("the other works", SOON, async || {
        scene.work(1, begun).map(drop).ok_or("not yet".to_owned())
    })
    .await;
    let goes_on = Timestamp::now();
    scene.replicas[0].resume();
    scene.until_rolled().await;
    scene.until_standing_by(0, "stopped leading").await;
    referee.finish().await.expect_clean(NODES * 5);
    expect_within_budget(judge.finish(NODES * 5).await);
    assert_eq!(scene.work(0, goes_on), None, "it does not lead any more");
    scene.replicas[0].expect_running();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_asked_to_stop_hands_over_at_once() {
    if built_in() {
        return;
    }
    let mut scene = scene("replica-stopped").await;
    let mut referee = Referee::start(scene.lab.api.clone(), &scene.lab.namespace).await;
    let judge = Judge::start(&scene.lab, NODES).await;
    let begun = Timestamp::now();
    scene.begin_the_rollout(&mut referee).await;
    let asked = Timestamp::now();
    let exited = scene.replicas[0].terminate(SOON).await;
    assert!(exited.is_some_and(|status| status.success()), "{exited:?}");
    let ended = Timestamp::now();
    scene.until_rolled().await;
    referee.finish().await.expect_clean(NODES * 5);
    expect_within_budget(judge.finish(NODES * 5).await);
    let (first, _) = scene.work(1, begun).expect("the other works");
    let (_, last) = scene.work(0, begun).expect("the first worked");
    assert!(last < first, "one after the other");
    println!(
        "stopped after {:#}, the other at work after {:#}",
        ended - asked,
        first - asked
    );
    // It was given up: nobody waited until it expired.
    let leases = |e: &Entry| e.object_ref.resource == "leases" && e.verb == "update";
    let given_up = scene.lab.plane.audit(USERS[0]);
    let given_up = given_up.iter().rfind(|e| leases(e)).expect("it renewed");
    assert_eq!(given_up.request_object["spec"]["holderIdentity"], "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_and_an_etcd_that_go_away_for_a_while_leave_one_leader() {
    if built_in() {
        return;
    }
    let mut scene = scene("replica-away").await;
    let mut referee = Referee::start(scene.lab.api.clone(), &scene.lab.namespace).await;
    scene.begin_the_rollout(&mut referee).await;
    scene.lab.plane.kill_api_server();
    let gone = Timestamp::now();
    scene
        .lab
        .until("nobody leads", SOON, async || {
            let lost = scene.replicas[0].lines_with("stopped leading");
            if lost.is_empty() {
                Err(scene.replicas[0].log())
            } else {
                Ok(())
            }
        })
        .await;
    scene.lab.plane.start_api_server().await;
    scene.until_rolled().await;
    let both = [0, 1].map(|which| scene.work(which, gone).is_some());
    assert_ne!(both, [true, true], "one of them finished it");

    scene.lab.plane.restart_etcd().await;
    scene.lab.add_nodes(NODES + 1..=NODES + 5).await;
    scene
        .lab
        .until_covered("agent", NODES as i32 + 5, 2 * SOON)
        .await;
    let verdict = referee.finish().await;
    assert!(verdict.violations.is_empty(), "{}", verdict.violations[0]); // gaps are the restarts'
    for replica in &mut scene.replicas {
        replica.expect_running();
    }
}

//! Promise S4 on a cluster that stands still: taking over from the built-in controller and handing
//! back creates no revision and restarts no pod, however odd the template is.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::audit::{Entry, count_writes};
use crate::cluster::{Lab, SOON, name_of, same};
use crate::control_plane::BUILT_IN;
use crate::controller::{Controller, built_in};

/// A DaemonSet whose template has all that an encoder may write in more than one way.
fn odd(lab: &Lab, name: &str) -> Value {
    let mut set = lab.daemon_set(name);
    let template = &mut set["spec"]["template"];
    template["metadata"]["annotations"] = json!({
        "note": "a < b && c > d \u{2028} \u{2029} é 😀 \u{7f} \"quoted\" \\ \t",
    });
    template["spec"]["tolerations"] = json!([{
        "key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9_223_372_036_854_775_807_i64,
    }]);
    template["spec"]["containers"][0]["resources"] =
        json!({ "requests": { "cpu": "0.5", "memory": "1024Mi" }, "limits": { "memory": "2e9" } });
    template["spec"]["containers"][0]["env"] = json!([{ "name": "HTML", "value": "<b>&amp;</b>" }]);
    set
}

/// The parts of pods and revisions that must not change.
struct Standing {
    /// Pods: name to UID.
    pods: BTreeMap<String, Option<String>>,
    /// Revisions: name to number and version.
    revisions: BTreeMap<String, (Option<i64>, Option<String>)>,
}

async fn standing(lab: &Lab) -> Standing {
    let pods = lab.pods().await;
    let pods = pods
        .iter()
        .map(|p| (name_of(p).to_owned(), p.metadata.uid.clone()));
    let revisions = lab.revisions().await;
    let revisions = revisions.into_iter().map(|r| {
        let state = (r.revision, r.metadata.resource_version);
        (r.metadata.name.unwrap_or_default(), state)
    });
    Standing {
        pods: pods.collect(),
        revisions: revisions.collect(),
    }
}

/// The pods and revisions that have changed.
async fn expect_standing(lab: &Lab, was: &Standing) {
    let now = standing(lab).await;
    for (name, uid) in &was.pods {
        same(now.pods.get(name), Some(uid)).unwrap_or_else(|e| panic!("pod {name}: {e}"));
    }
    same(&now.revisions, &was.revisions).expect("revisions");
}

/// Writes that a handover must not lead to.
fn forbidden(entries: &[Entry]) -> BTreeMap<String, usize> {
    let mut writes = count_writes(entries);
    writes.retain(|kind, _| {
        kind.contains("controllerrevisions") || kind == "delete pods" || kind == "patch pods"
    });
    writes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taking_over_and_handing_back_create_no_revision_and_restart_no_pod() {
    if built_in() {
        return; // it is both sides here
    }
    let mut lab = Lab::alone("takeover").await;
    lab.add_nodes(1..=5).await;
    let theirs = lab.plane.start_built_in();
    lab.create(&odd(&lab, "theirs")).await;
    lab.until_covered("theirs", 5, SOON).await;
    drop(theirs);

    // We take over: a node that joins shows that we are at work.
    let before = standing(&lab).await;
    let mut ours = Controller::start(&lab);
    lab.add_nodes(6..=6).await;
    lab.until_covered("theirs", 6, SOON).await;
    expect_standing(&lab, &before).await;
    same(forbidden(&lab.plane.audit("controller")), BTreeMap::new()).expect("our writes");

    // One that we made too, and hand back both.
    lab.create(&odd(&lab, "ours")).await;
    lab.until_covered("ours", 6, SOON).await;
    ours.terminate(Duration::from_secs(10))
        .await
        .expect("it ends");
    let before = standing(&lab).await;
    let made = forbidden(&lab.plane.audit(BUILT_IN));
    let _theirs = lab.plane.start_built_in();
    lab.add_nodes(7..=7).await;
    lab.until_covered("theirs", 7, SOON).await;
    lab.until_covered("ours", 7, SOON).await;
    expect_standing(&lab, &before).await;
    same(forbidden(&lab.plane.audit(BUILT_IN)), made).expect("the built-in controller's writes");
}

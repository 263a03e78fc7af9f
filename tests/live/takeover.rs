//! Promise S4 on a cluster that stands still: taking over from the built-in controller and handing
//! back creates no revision and restarts no pod, however odd the template is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::apps::v1::ControllerRevision;
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

/// A second revision of this content, whose stored bytes are other than Go writes them, as a tool
/// may leave it that restores a backup.
async fn add_duplicate(lab: &Lab, of: &ControllerRevision, name: &str, number: i64) {
    let mut labels = of.metadata.labels.clone().expect("labels");
    labels.insert("controller-revision-hash".to_owned(), name.to_owned());
    let metadata = json!({
        "name": name, "labels": labels, "ownerReferences": of.metadata.owner_references,
    });
    let data = &of.data.0;
    // White space, and characters that Go escapes.
    let spaced = serde_json::to_string_pretty(data).expect("JSON");
    let body = format!(
        r#"{{"apiVersion":"apps/v1","kind":"ControllerRevision","metadata":{metadata},"revision":{number},"data":{spaced}}}"#
    );
    let path = format!(
        "/apis/apps/v1/namespaces/{}/controllerrevisions",
        lab.namespace
    );
    let args = ["create", "--raw", &path, "-f", "-"];
    lab.plane.kubectl_in(&args, &body).await.expect_ok("create");
}

/// The hashes of all pods, and the revisions: hash and number.
async fn hashes(lab: &Lab) -> (BTreeSet<String>, Vec<(String, i64)>) {
    let hash = |labels: &Option<BTreeMap<String, String>>| {
        let labels = labels.as_ref().expect("labels");
        labels["controller-revision-hash"].clone()
    };
    let pods = lab.pods().await;
    let pods = pods.iter().map(|p| hash(&p.metadata.labels)).collect();
    let revisions = lab.revisions().await;
    let revisions = revisions
        .iter()
        .map(|r| (hash(&r.metadata.labels), r.revision))
        .map(|(hash, number)| (hash, number.expect("a number")));
    (pods, revisions.collect())
}

/// The built-in controller takes only byte-identical revisions for equal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicate_in_other_bytes_is_merged_so_that_neither_side_restarts_a_pod() {
    if built_in() {
        return; // it is both sides here
    }
    let mut lab = Lab::alone("duplicate").await;
    lab.add_nodes(1..=4).await;
    let theirs = lab.plane.start_built_in();
    lab.create(&odd(&lab, "odd")).await;
    lab.until_covered("odd", 4, SOON).await;
    drop(theirs);
    let uids = async |lab: &Lab| standing(lab).await.pods;
    let before = uids(&lab).await;
    let made = lab.revisions().await.remove(0);
    let (_, revisions) = hashes(&lab).await;
    let hash = revisions[0].0.clone();

    // Found at a takeover, with pods that bear its hash.
    add_duplicate(&lab, &made, "spaced", 9).await;
    for pod in before.keys().take(2) {
        let label = "controller-revision-hash=spaced";
        lab.kubectl_ok(&["label", "pod", pod, label, "--overwrite"])
            .await;
    }
    let merged = async |number: i64| {
        let wanted = (BTreeSet::from([hash.clone()]), vec![(hash.clone(), number)]);
        lab.until("one revision and its pods", SOON, async || {
            same(hashes(&lab).await, wanted.clone())
        })
        .await;
    };
    let mut ours = Controller::start(&lab);
    merged(9).await;
    lab.until_covered("odd", 4, SOON).await;
    same(uids(&lab).await, before.clone()).expect("no pod is restarted by us");
    ours.terminate(Duration::from_secs(10))
        .await
        .expect("it ends");

    // Handed back: the built-in controller recognises the one that is left.
    let made_by_them = forbidden(&lab.plane.audit(BUILT_IN));
    let theirs = lab.plane.start_built_in();
    lab.kubectl_ok(&["delete", "pod", before.keys().next().expect("a pod")])
        .await;
    lab.until("a new pod", SOON, async || {
        let now = uids(&lab).await;
        same(now.len() == 4 && now != before, true)
    })
    .await;
    lab.until_covered("odd", 4, SOON).await;
    let now = uids(&lab).await;
    let kept = before
        .iter()
        .filter(|(name, uid)| now.get(*name) == Some(uid));
    assert_eq!(kept.count(), 3, "no other pod is restarted by them");
    merged(9).await;
    same(forbidden(&lab.plane.audit(BUILT_IN)), made_by_them).expect("their writes");

    // Another one while they work: old to them. Taken over again, it is merged into theirs.
    add_duplicate(&lab, &made, "spaced-2", 20).await;
    lab.kubectl_ok(&["annotate", "daemonset", "odd", "look=again"])
        .await;
    lab.until("theirs is the newest", SOON, async || {
        let (_, revisions) = hashes(&lab).await;
        same(revisions.iter().any(|(h, n)| (h, *n) == (&hash, 21)), true)
    })
    .await;
    drop(theirs);
    let before = uids(&lab).await;
    let _ours = Controller::start(&lab);
    merged(21).await;
    lab.until_covered("odd", 4, SOON).await;
    same(uids(&lab).await, before).expect("no pod is restarted by us");
}

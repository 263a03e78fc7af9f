//! The role is as small as possible: every verb of every resource in `deploy/rbac.yaml` is used.
//! Without any one of them the API server denies just this verb, and the step that needs it does
//! not happen. `lease_rules.rs` does the same for the Lease's role.

use std::collections::BTreeSet;

use futures::StreamExt;

use crate::cluster::{SOON, same};
use crate::controller::built_in;

mod act;
mod case;
mod done;
mod role;

use case::Case;
use role::{granted, role};

/// A change to the cluster, and the outcome that the controller must reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// The controller starts: the DaemonSet gets its pods.
    Start,
    /// Its status is written.
    Status,
    /// An event says that a pod was created.
    Event,
    /// A node joins: it gets a pod.
    NodeJoins,
    /// Somebody deletes a pod: it comes back.
    PodGoes,
    /// It is told once more, so the event is counted, not written anew.
    SameEvent,
    /// A pod of the same labels that nobody controls is adopted.
    Orphan,
    /// Another DaemonSet appears: it gets pods.
    SecondSet,
    /// The key `resources` gives other resources to the pods that run.
    Resize,
    /// A pod and a revision are created by somebody else, right before the controller does: it
    /// reads who has the name.
    Raced,
    /// The template changes: all pods are replaced.
    NewTemplate,
    /// The template becomes what it was: its revision gets the highest number.
    Rollback,
    /// One template more than the history may hold: the oldest revision goes.
    History,
    /// Somebody deletes the current revision: it comes back.
    RevisionGoes,
    /// The template changes, and `replace-by` is set: all pods are evicted.
    Evicted,
    /// It changes once more, and a disruption budget can never work: that is said.
    Unusable,
}

/// Each verb and resource, the step that needs it, and what has to happen before that step besides
/// the start.
const NEEDED: &[(&str, Step, &[Step])] = &[
    ("list daemonsets", Step::Start, &[]),
    ("list nodes", Step::Start, &[]),
    ("list controllerrevisions", Step::Start, &[]),
    ("list pods", Step::Start, &[]),
    ("create controllerrevisions", Step::Start, &[]),
    ("create pods", Step::Start, &[]),
    ("patch daemonsets/status", Step::Status, &[]),
    ("create events", Step::Event, &[]),
    ("watch nodes", Step::NodeJoins, &[]),
    ("watch pods", Step::PodGoes, &[]),
    ("patch events", Step::SameEvent, &[Step::PodGoes]),
    ("get daemonsets", Step::Orphan, &[]),
    ("patch pods", Step::Orphan, &[]),
    ("watch daemonsets", Step::SecondSet, &[]),
    ("patch pods/resize", Step::Resize, &[]),
    ("get controllerrevisions", Step::Raced, &[]),
    ("get pods", Step::Raced, &[]),
    ("delete pods", Step::NewTemplate, &[]),
    (
        "patch controllerrevisions",
        Step::Rollback,
        &[Step::NewTemplate],
    ),
    (
        "delete controllerrevisions",
        Step::History,
        &[Step::NewTemplate],
    ),
    ("watch controllerrevisions", Step::RevisionGoes, &[]),
    ("create pods/eviction", Step::Evicted, &[]),
    ("get poddisruptionbudgets", Step::Unusable, &[]),
];

/// Everything in an order in which each step finds what it needs.
const ALL: &[Step] = &[
    Step::Start,
    Step::Status,
    Step::Event,
    Step::NodeJoins,
    Step::PodGoes,
    Step::SameEvent,
    Step::Orphan,
    Step::SecondSet,
    Step::Resize,
    Step::Raced,
    Step::NewTemplate,
    Step::Rollback,
    Step::History,
    Step::RevisionGoes,
    Step::Evicted,
    Step::Unusable,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verb_of_the_role_is_used_and_no_other_is_missed() {
    if built_in() {
        return; // it has a role of its own
    }
    let mut case = Case::new(0, None).await;
    let all = granted(&role(&case.lab).await);
    let listed: BTreeSet<String> = NEEDED.iter().map(|(verb, ..)| (*verb).to_owned()).collect();
    assert_eq!(all, listed, "left: deploy/rbac.yaml, right: this file");
    for step in ALL {
        case.act(*step).await;
        for (verb, ..) in NEEDED.iter().filter(|(_, needs, _)| needs == step) {
            case.until_done(*step, verb).await;
        }
    }
    // A watch is in the log when it ends.
    let mut controller = case.controller.take().expect("it was started");
    controller.terminate(SOON).await.expect("it stops");
    case.lab
        .until("all verbs are in the audit log", SOON, async || {
            let entries = case.lab.plane.audit(&case.user);
            // `/version`, which opens a connection, needs no right: any answer does.
            let of_objects = entries.iter().filter(|e| !e.object_ref.resource.is_empty());
            let used: BTreeSet<String> = of_objects.map(|entry| entry.kind()).collect();
            same(used, all.clone())
        })
        .await;
    assert_eq!(case.denied(), BTreeSet::new(), "it asked for more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_one_verb_just_that_is_denied_and_what_needs_it_does_not_happen() {
    if built_in() {
        return;
    }
    let cases = NEEDED.iter().enumerate().map(|(number, needed)| {
        let (verb, step, before) = *needed;
        async move { left_out(number + 1, verb, step, before).await }
    });
    // Some at a time: each has a controller and kubelets of its own.
    let mut cases = futures::stream::iter(cases).buffer_unordered(5);
    while cases.next().await.is_some() {}
}

/// A controller that may do all but `verb`, brought to where `step` needs it.
async fn left_out(number: usize, verb: &str, step: Step, before: &[Step]) {
    let mut case = Case::new(number, Some(verb)).await;
    if step != Step::Start {
        case.act(Step::Start).await;
        case.until_done(Step::Start, verb).await;
    }
    for earlier in before {
        case.act(*earlier).await;
        case.until_done(*earlier, verb).await;
    }
    case.act(step).await;
    case.lab
        .until(&format!("{verb} is denied"), SOON, async || {
            same(case.answers(verb).contains(&403), true)
        })
        .await;
    if verb.starts_with("watch ") {
        // After some refused watches it lists again, so that a cluster is served even so: late, and
        // at a price.
        case.until_done(step, verb).await;
        assert!(
            case.lists(verb) > 1,
            "{verb} is left out, and it was noticed without listing again"
        );
    } else {
        let done = case.done(step, verb).await;
        assert!(done.is_err(), "{verb} is left out, and {step:?} went well");
    }
    assert_eq!(case.denied(), BTreeSet::from([verb.to_owned()]));
    let mut controller = case.controller.take().expect("it was started");
    controller.expect_running();
}

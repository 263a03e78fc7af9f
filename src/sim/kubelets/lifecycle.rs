//! The life of one simulated pod: decides what its kubelet does next.
//!
//! In: a [`Pod`] as last seen, the [`Script`] that its annotations (and its node's) ask for, when
//! things were first seen, and the time. Out: a [`Next`]. No IO here; `serve` carries it out.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::pod::{Metadata, Pod};
use super::script::Script;
use crate::sim::host_ports;

/// When the kubelet first saw the events that delays are counted from.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The pod was bound to this node.
    pub bound: Instant,
    /// The pod was running.
    pub running: Option<Instant>,
    /// The pod was terminating.
    pub deleting: Option<Instant>,
    /// Its containers crashed, or ran again: the last time.
    pub turned: Option<Instant>,
    /// Whether `unready-after` has passed already.
    pub lost_readiness: bool,
    /// Whether another pod on the node had one of its host ports.
    pub rejected: bool,
}

/// An action of the kubelet on a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Report it Running, and Ready too if `ready`.
    Run {
        /// Whether it is ready at once.
        ready: bool,
    },
    /// Report it Ready, or no longer Ready.
    Ready(bool),
    /// Report that its containers crashed.
    Crash,
    /// Report that its containers run again, and are ready if `ready`.
    Restart {
        /// Whether they are ready at once.
        ready: bool,
    },
    /// Report that its images cannot be pulled.
    PullFails,
    /// Report it Failed.
    Fail,
    /// Report it Succeeded.
    Succeed,
    /// Report it Failed before it ran: its host ports are taken.
    Reject,
    /// Remove it from the API: its containers have ended.
    Remove,
}

/// When the kubelet turns to a pod again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Take this step at this moment, or at once if the moment has passed.
    At(Instant, Step),
    /// Wait until the pod changes.
    Rest,
}

/// How long containers that crashed wait.
const BACKOFF: Duration = Duration::from_secs(10);

/// What the kubelet says of an image that it cannot pull.
const PULL_FAILS: &str = "ErrImagePull";

/// The next step in the life of `pod`. Of steps that are due at the same moment the first in this
/// order is taken: fail, succeed, unready, ready.
pub fn next(pod: &Pod, script: &Script, seen: &Seen) -> Next {
    let at = |from: Instant, delay: Option<Duration>, step| match delay {
        Some(delay) => Next::At(from + delay, step),
        None => Next::Rest,
    };
    if let Some(deleting) = seen.deleting {
        return at(deleting, script.terminate, Step::Remove);
    }
    match pod.status.phase.as_str() {
        "Failed" | "Succeeded" => Next::Rest,
        "Running" => {
            let from = seen.turned.or(seen.running).unwrap_or(seen.bound);
            if pod.waits_for("CrashLoopBackOff") {
                let ready = script.ready == Some(Duration::ZERO);
                return Next::At(from + BACKOFF, Step::Restart { ready });
            }
            let ready = pod.ready();
            let become_ready = script.ready.filter(|_| !ready && !seen.lost_readiness);
            [
                (script.fail, Step::Fail),
                (script.succeed, Step::Succeed),
                (script.crash, Step::Crash),
                (script.unready.filter(|_| ready), Step::Ready(false)),
                (become_ready, Step::Ready(true)),
            ]
            .into_iter()
            .filter_map(|(delay, step)| Some((from + delay?, step)))
            .min_by_key(|(moment, _)| *moment)
            .map_or(Next::Rest, |(moment, step)| Next::At(moment, step))
        }
        _ if pod.waits_for(PULL_FAILS) => Next::Rest,
        _ if script.pull_fails.is_some() => at(seen.bound, script.pull_fails, Step::PullFails),
        _ if seen.rejected => Next::At(seen.bound, Step::Reject),
        _ => at(
            seen.bound,
            script.start,
            Step::Run {
                ready: script.ready == Some(Duration::ZERO),
            },
        ),
    }
}

/// The strategic merge patch of `status` that reports `step` (`None` for [`Step::Remove`]). It
/// carries the UID, so that it never reaches another pod of the same name, and the version: like a
/// real kubelet it never brings back a pod that somebody else has marked Failed. `now` is RFC 3339,
/// `node_ip` and `pod_ip` are addresses.
pub fn report(pod: &Pod, step: Step, now: &str, node_ip: &str, pod_ip: &str) -> Option<Value> {
    let (phase, ready) = match step {
        Step::Run { ready } => ("Running", ready),
        Step::Ready(ready) | Step::Restart { ready } => ("Running", ready),
        Step::Crash => ("Running", false),
        Step::PullFails => ("Pending", false),
        Step::Fail => ("Failed", false),
        Step::Succeed => ("Succeeded", false),
        Step::Reject => return Some(about(pod, &rejection())),
        Step::Remove => return None,
    };
    let reason = match step {
        Step::Fail => Some("PodFailed"),
        Step::Succeed => Some("PodCompleted"),
        _ if !ready => Some("ContainersNotReady"),
        _ => None,
    };
    let condition = |kind: &str, status: bool, reason: Option<&str>| {
        let mut condition = json!({
            "type": kind, "status": if status { "True" } else { "False" }, "lastTransitionTime": now,
        });
        if let Some(reason) = reason.filter(|_| !status) {
            condition["reason"] = json!(reason);
        }
        condition
    };
    let mut conditions = vec![
        condition("Ready", ready, reason),
        condition("ContainersReady", ready, reason),
    ];
    let mut status = json!({ "phase": phase });
    if matches!(step, Step::Run { .. }) {
        conditions.push(condition("Initialized", true, None));
        conditions.push(condition("PodReadyToStartContainers", true, None));
        status["startTime"] = json!(now);
        status["hostIP"] = json!(node_ip);
        status["hostIPs"] = json!([{ "ip": node_ip }]);
        status["podIP"] = json!(pod_ip);
        status["podIPs"] = json!([{ "ip": pod_ip }]);
    }
    let state = match step {
        Step::Crash => json!({ "waiting": { "reason": "CrashLoopBackOff" } }),
        Step::PullFails => json!({ "waiting": { "reason": PULL_FAILS } }),
        Step::Fail => {
            json!({ "terminated": { "exitCode": 1, "reason": "Error", "finishedAt": now } })
        }
        Step::Succeed => {
            json!({ "terminated": { "exitCode": 0, "reason": "Completed", "finishedAt": now } })
        }
        _ => json!({ "running": { "startedAt": now } }),
    };
    let restarts = pod.restarts() + u32::from(matches!(step, Step::Restart { .. }));
    let crashed = json!({ "terminated": { "exitCode": 1, "reason": "Error", "finishedAt": now } });
    let last = match step {
        Step::Crash => crashed,
        _ => json!({}),
    };
    let containers: Vec<Value> = pod
        .spec
        .containers
        .iter()
        .map(|container| {
            let mut status = json!({
                "name": container.name, "image": container.image, "imageID": "", "ready": ready,
                "started": phase == "Running", "restartCount": restarts, "state": state,
                "lastState": last,
            });
            // By this the API server knows a kubelet that can resize.
            if !container.resources.is_null() {
                status["resources"] = container.resources.clone();
            }
            status
        })
        .collect();
    status["conditions"] = json!(conditions);
    status["containerStatuses"] = json!(containers);
    Some(about(pod, &status))
}

/// The patch of the status of this very pod, as it was seen.
fn about(pod: &Pod, status: &Value) -> Value {
    let Metadata {
        uid,
        resource_version,
        ..
    } = &pod.metadata;
    json!({ "metadata": { "uid": uid, "resourceVersion": resource_version }, "status": status })
}

/// The status of a pod that a kubelet does not admit, in a real one's words.
fn rejection() -> Value {
    let why = format!("Predicate NodePorts failed: {}", host_ports::TAKEN);
    json!({ "phase": "Failed", "reason": "NodePorts", "message": format!("Pod was rejected: {why}") })
}

#[cfg(test)]
mod tests {
    use super::super::{pod::Condition, script::PREFIX};
    use super::*;

    fn script(entries: &[(&str, &str)]) -> Script {
        let entries = entries.iter();
        let pod = Metadata {
            annotations: entries
                .map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned()))
                .collect(),
            ..Metadata::default()
        };
        Script::read(&pod, &Metadata::default())
    }

    fn pod(phase: &str, ready: bool) -> Pod {
        let mut pod = Pod::default();
        pod.status.phase = phase.to_owned();
        let status = if ready { "True" } else { "False" }.to_owned();
        pod.status.conditions = vec![Condition {
            kind: "Ready".to_owned(),
            status,
        }];
        pod
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_pod_goes_from_pending_to_gone() {
        let start = Instant::now();
        let seen = |running: Option<u64>, deleting: Option<u64>| Seen {
            bound: start,
            running: running.map(|s| start + seconds(s)),
            deleting: deleting.map(|s| start + seconds(s)),
            turned: None,
            lost_readiness: false,
            rejected: false,
        };
        let at = |s: u64, step| Next::At(start + seconds(s), step);
        let plain = script(&[]);
        let slow = script(&[
            ("start-after", "1s"),
            ("ready-after", "2s"),
            ("fail-after", "9s"),
            ("terminate-after", "3s"),
        ]);
        let flaky = script(&[("unready-after", "5s")]);
        let stuck = script(&[("start-after", "never")]);
        let rows = [
            (
                pod("Pending", false),
                plain,
                seen(None, None),
                at(0, Step::Run { ready: true }),
            ),
            (
                pod("Pending", false),
                slow,
                seen(None, None),
                at(1, Step::Run { ready: false }),
            ),
            (pod("Pending", false), stuck, seen(None, None), Next::Rest),
            (
                pod("Running", false),
                slow,
                seen(Some(1), None),
                at(3, Step::Ready(true)),
            ),
            (
                pod("Running", true),
                slow,
                seen(Some(1), None),
                at(10, Step::Fail),
            ),
            (pod("Running", true), plain, seen(Some(1), None), Next::Rest),
            (
                pod("Running", true),
                flaky,
                seen(Some(0), None),
                at(5, Step::Ready(false)),
            ),
            (pod("Failed", false), slow, seen(Some(1), None), Next::Rest),
            (
                pod("Failed", false),
                slow,
                seen(Some(1), Some(4)),
                at(7, Step::Remove),
            ),
            (
                pod("Running", true),
                plain,
                seen(Some(1), Some(4)),
                at(4, Step::Remove),
            ),
        ];
        for (number, (pod, script, seen, wanted)) in rows.into_iter().enumerate() {
            assert_eq!(next(&pod, &script, &seen), wanted, "row {number}");
        }
    }

    #[test]
    fn a_pod_that_lost_readiness_stays_unready() {
        let now = Instant::now();
        let seen = Seen {
            bound: now,
            running: Some(now),
            deleting: None,
            turned: None,
            lost_readiness: true,
            rejected: false,
        };
        let script = script(&[("unready-after", "5s")]);
        assert_eq!(next(&pod("Running", false), &script, &seen), Next::Rest);
    }

    #[test]
    fn a_report_names_the_pod_by_uid_and_version() {
        let mut pod = pod("Running", true);
        pod.metadata.uid = "u".to_owned();
        pod.metadata.resource_version = "7".to_owned();
        let patch = report(
            &pod,
            Step::Fail,
            "2026-01-01T00:00:00Z",
            "10.0.0.1",
            "10.1.0.1",
        )
        .expect("a patch");
        let metadata = json!({ "uid": "u", "resourceVersion": "7" });
        assert_eq!(patch["metadata"], metadata);
        assert_eq!(patch["status"]["phase"], "Failed");
        assert_eq!(patch["status"]["conditions"][0]["status"], "False");
        assert!(report(&pod, Step::Remove, "", "", "").is_none());
    }
}

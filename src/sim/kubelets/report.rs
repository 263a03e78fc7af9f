//! The words of a kubelet: the patch of a pod's status for a [`Step`].

use serde_json::{Value, json};

use super::lifecycle::{CRASH_LOOP, CREATING, Exit, PULL_BACKS_OFF, PULL_FAILS, Step, UNKNOWN};
use super::pod::{Containers, Metadata, Pod};

/// Where and when a step is taken.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The time, RFC 3339.
    pub now: &'a str,
    /// The node's address.
    pub node_ip: &'a str,
    /// The pod's address, if it gets one.
    pub pod_ip: &'a str,
}

/// What a node without cgroup v2 says of a pod's memory: no limit.
const UNLIMITED: &str = "9007199254740988Ki";

const READY: [&str; 2] = ["Ready", "ContainersReady"];
const SANDBOX: &str = "PodReadyToStartContainers";
const NO_SANDBOX: &str = "PodSandboxNotReady";
const NOT_READY: &str = "ContainersNotReady";

/// The strategic merge patch of `status` that reports `step` (`None` for [`Step::Remove`]). It
/// carries the UID, so that it never reaches another pod of the same name, and the version: like a
/// real kubelet it never brings back a pod that somebody else has marked Failed.
pub fn report(pod: &Pod, step: Step, place: &Place<'_>) -> Option<Value> {
    let mut report = Report {
        pod,
        place,
        conditions: Vec::new(),
        status: json!({}),
    };
    match step {
        Step::Remove => return None,
        Step::Reject(why) => {
            let status = why.status(pod.metadata.generation);
            return Some(report.about_the_pod(&status));
        }
        Step::Create => {
            report.placed();
            report.sandbox(false);
            report.condition("Initialized", true, None);
            report.ready(false, Some(NOT_READY));
            report.containers(waiting(CREATING), pod.restarts(), None);
        }
        Step::Sandbox => {
            report.sandbox(true);
            report.addressed();
        }
        Step::Run { ready } => {
            report.status["phase"] = json!("Running");
            report.placed();
            report.addressed();
            report.sandbox(true);
            report.condition("Initialized", true, None);
            report.runs(ready, pod.restarts());
        }
        Step::Ready(ready) => report.runs(ready, pod.restarts()),
        Step::Restart { ready } => {
            report.sandbox(true);
            report.runs(ready, pod.restarts() + 1);
        }
        Step::Resources => {
            report.status["resources"] = json!({ "limits": { "memory": UNLIMITED } });
        }
        Step::Crash { code, waits } => {
            report.ready(false, Some(NOT_READY));
            let ended = report.terminated("Error", code);
            match waits {
                true => report.containers(waiting(CRASH_LOOP), pod.restarts(), Some(ended)),
                false => report.containers(ended, pod.restarts(), None),
            }
        }
        Step::BackOff => {
            let last = report.last();
            report.containers(waiting(CRASH_LOOP), pod.restarts(), last);
        }
        Step::PullFails | Step::PullBackOff => {
            report.status["phase"] = json!("Pending");
            report.ready(false, Some(NOT_READY));
            let why = match step {
                Step::PullFails => PULL_FAILS,
                _ => PULL_BACKS_OFF,
            };
            report.containers(waiting(why), pod.restarts(), None);
        }
        Step::Fail => report.end("Failed", Some(("Error", 1))),
        Step::Succeed => report.end("Succeeded", Some(("Completed", 0))),
        Step::End { exit, disrupted } => {
            if disrupted {
                report.disrupted();
            }
            match exit {
                Exit::With(0) => report.end("Succeeded", Some(("Completed", 0))),
                Exit::With(code) => report.end("Failed", Some(("Error", code))),
                Exit::Lost => report.end("Failed", Some((UNKNOWN, 255))),
                // What its containers ended with was said before.
                Exit::Before(code) => match pod.containers() {
                    Containers::Terminated(_) => report.end("Failed", None),
                    _ => report.end("Failed", Some(("Error", code))),
                },
                Exit::Never => {
                    report.status["phase"] = json!("Failed");
                    report.sandbox(false);
                    report.ready(false, Some(NOT_READY));
                    report.nothing_known();
                }
            }
        }
        Step::Lost => {
            report.sandbox(false);
            report.ready(false, Some(NOT_READY));
            let ended = report.terminated(UNKNOWN, 255);
            report.containers(ended, pod.restarts(), None);
        }
        Step::Recall => {
            report.placed();
            report.sandbox(false);
            report.condition("Initialized", true, None);
            report.ready(false, Some("PodFailed"));
            report.condition("PodScheduled", true, None);
            report.containers(waiting(CREATING), 0, None);
        }
        Step::Forget => report.nothing_known(),
        Step::Observe => {
            // The word about an image is forgotten with the delete.
            if matches!(pod.containers(), Containers::Waiting(why) if why != CRASH_LOOP) {
                report.containers(waiting(CREATING), pod.restarts(), None);
            }
        }
    }
    Some(report.patch())
}

fn waiting(reason: &str) -> Value {
    json!({ "waiting": { "reason": reason } })
}

/// A status that is being put together.
struct Report<'a> {
    pod: &'a Pod,
    place: &'a Place<'a>,
    conditions: Vec<Value>,
    status: Value,
}

impl Report<'_> {
    /// Says a condition, unless it is as before. Its time is that of its status.
    fn condition(&mut self, kind: &str, status: bool, reason: Option<&str>) {
        let status = if status { "True" } else { "False" };
        let old = self.pod.condition(kind);
        let same_status = old.is_some_and(|old| old.status == status);
        let old_reason = old.map_or("", |old| old.reason.as_str());
        if same_status && old_reason == reason.unwrap_or("") {
            return;
        }
        let mut condition = json!({ "type": kind, "status": status });
        if !same_status {
            condition["lastTransitionTime"] = json!(self.place.now);
        }
        match reason {
            Some(reason) => condition["reason"] = json!(reason),
            None if !old_reason.is_empty() => condition["reason"] = Value::Null,
            None => {}
        }
        self.conditions.push(condition);
    }

    fn ready(&mut self, is: bool, reason: Option<&str>) {
        for kind in READY {
            self.condition(kind, is, reason);
        }
    }

    fn sandbox(&mut self, is_there: bool) {
        self.condition(SANDBOX, is_there, Some(NO_SANDBOX).filter(|_| !is_there));
    }

    /// It is its node that goes.
    fn disrupted(&mut self) {
        const WHY: &str = "Pod was terminated in response to imminent node shutdown.";
        self.condition("DisruptionTarget", true, Some("TerminationByKubelet"));
        if let Some(said) = self.conditions.last_mut() {
            said["message"] = json!(WHY);
        }
    }

    /// The node has taken it.
    fn placed(&mut self) {
        let ip = self.place.node_ip;
        if self.pod.status.start_time.is_none() {
            self.status["startTime"] = json!(self.place.now);
        }
        self.status["hostIP"] = json!(ip);
        self.status["hostIPs"] = json!([{ "ip": ip }]);
    }

    /// It has an address, for as long as it lives.
    fn addressed(&mut self) {
        if self.pod.status.pod_ip.is_none() {
            let ip = self.place.pod_ip;
            self.status["podIP"] = json!(ip);
            self.status["podIPs"] = json!([{ "ip": ip }]);
        }
    }

    fn runs(&mut self, ready: bool, restarts: u32) {
        self.ready(ready, Some(NOT_READY).filter(|_| !ready));
        let restarted = restarts > self.pod.restarts();
        let mut statuses = self.pod.status.container_statuses.iter();
        let last = match restarted {
            true => self.last(),
            false => statuses.next().map(|first| first.last_state.clone()),
        };
        let last = last.filter(Value::is_object);
        let state = match self.pod.containers() {
            Containers::Running if !restarted => {
                self.pod.status.container_statuses[0].state.clone()
            }
            _ => json!({ "running": { "startedAt": self.place.now } }),
        };
        self.containers_that(ready, state, restarts, last);
    }

    /// Its terminal phase. Without an end its containers have ended before.
    fn end(&mut self, phase: &str, ended: Option<(&str, i32)>) {
        self.status["phase"] = json!(phase);
        let succeeded = phase == "Succeeded";
        let reason = if succeeded {
            "PodCompleted"
        } else {
            "PodFailed"
        };
        self.sandbox(false);
        if succeeded {
            self.condition("Initialized", true, Some(reason));
        }
        self.ready(false, Some(reason));
        if let Some((reason, code)) = ended {
            let state = self.terminated(reason, code);
            self.containers(state, self.pod.restarts(), None);
        }
    }

    fn nothing_known(&mut self) {
        let state = self.terminated("ContainerStatusUnknown", 137);
        self.containers(state, self.pod.restarts(), None);
    }

    fn terminated(&self, reason: &str, code: i32) -> Value {
        json!({ "terminated": { "exitCode": code, "reason": reason, "finishedAt": self.place.now } })
    }

    /// How its containers ended the last time.
    fn last(&self) -> Option<Value> {
        let first = self.pod.status.container_statuses.first()?;
        let is = |state: &Value| state["terminated"].is_object();
        let states = [&first.state, &first.last_state];
        states.into_iter().find(|state| is(state)).cloned()
    }

    fn containers(&mut self, state: Value, restarts: u32, last: Option<Value>) {
        self.containers_that(false, state, restarts, last);
    }

    fn containers_that(&mut self, ready: bool, state: Value, restarts: u32, last: Option<Value>) {
        let started = state["running"].is_object();
        let last = last.unwrap_or_else(|| json!({}));
        let containers = self.pod.spec.containers.iter().map(|container| {
            let mut status = json!({
                "name": container.name, "image": container.image, "imageID": "", "ready": ready,
                "started": started, "restartCount": restarts, "state": state, "lastState": last,
            });
            // By this the API server knows a kubelet that can resize.
            if !container.resources.is_null() {
                status["resources"] = container.resources.clone();
            }
            status
        });
        self.status["containerStatuses"] = containers.collect();
    }

    /// The patch, with the generation that it answers.
    fn patch(mut self) -> Value {
        let generation = self.pod.metadata.generation;
        if generation > 0 {
            self.status["observedGeneration"] = json!(generation);
            if generation > self.pod.status.observed_generation {
                for old in &self.pod.status.conditions {
                    if !self.conditions.iter().any(|new| new["type"] == *old.kind) {
                        self.conditions.push(json!({ "type": old.kind }));
                    }
                }
            }
            for condition in &mut self.conditions {
                condition["observedGeneration"] = json!(generation);
            }
        }
        if !self.conditions.is_empty() {
            self.status["conditions"] = json!(self.conditions);
        }
        self.about_the_pod(&self.status)
    }

    /// The patch of the status of this very pod, as it was seen.
    fn about_the_pod(&self, status: &Value) -> Value {
        let Metadata {
            uid,
            resource_version,
            ..
        } = &self.pod.metadata;
        json!({ "metadata": { "uid": uid, "resourceVersion": resource_version }, "status": status })
    }
}

#[cfg(test)]
mod tests {
    use super::super::pod::Condition;
    use super::*;

    #[test]
    fn a_report_names_the_pod_by_uid_and_version() {
        let mut pod = Pod::default();
        pod.status.phase = "Running".to_owned();
        pod.status.conditions = vec![Condition {
            kind: "Ready".to_owned(),
            status: "True".to_owned(),
            ..Condition::default()
        }];
        pod.metadata.uid = "u".to_owned();
        pod.metadata.resource_version = "7".to_owned();
        let place = Place {
            now: "2026-01-01T00:00:00Z",
            node_ip: "10.0.0.1",
            pod_ip: "10.1.0.1",
        };
        let patch = report(&pod, Step::Fail, &place).expect("a patch");
        let metadata = json!({ "uid": "u", "resourceVersion": "7" });
        assert_eq!(patch["metadata"], metadata);
        assert_eq!(patch["status"]["phase"], "Failed");
        let conditions = patch["status"]["conditions"].as_array().expect("some");
        let ready = conditions.iter().find(|c| c["type"] == "Ready");
        assert_eq!(ready.expect("it is said")["status"], "False");
        assert!(report(&pod, Step::Remove, &place).is_none());
    }
}

//! The life of one simulated pod: decides what its kubelet does next.
//!
//! In: a [`Pod`] as last seen, the [`Script`] that its annotations (and its node's) ask for, when
//! things were first seen, how closely real kubelets are followed, and the time. Out: a [`Next`].
//! No IO here; `report` words a step, and `serve` carries it out.

use std::time::Duration;

use tokio::time::Instant;

use super::detail::Detail;
use super::pod::{Containers, Pod};
use super::rejection::Rejection;
use super::script::Script;

/// When the kubelet first saw the events that delays are counted from.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The pod was bound to this node.
    pub bound: Instant,
    /// The pod was running.
    pub running: Option<Instant>,
    /// The pod was terminating.
    pub deleting: Option<Instant>,
    /// The pod was terminal.
    pub ended: Option<Instant>,
    /// The kubelet reported another state of its containers, after it ran or wanted to: the last
    /// time.
    pub turned: Option<Instant>,
    /// The node began to shut down.
    pub shutdown: Option<Instant>,
    /// The node was booted, and the pod has not been looked at since.
    pub rebooted: Option<Instant>,
    /// How often its image could not be pulled.
    pub pulls: u32,
    /// Whether `unready-after` has passed already.
    pub lost_readiness: bool,
    /// Why it was not admitted.
    pub rejection: Option<Rejection>,
}

impl Seen {
    /// What is seen of a pod that is bound, and nothing else.
    pub fn at(bound: Instant) -> Self {
        Seen {
            bound,
            running: None,
            deleting: None,
            ended: None,
            turned: None,
            shutdown: None,
            rebooted: None,
            pulls: 0,
            lost_readiness: false,
            rejection: None,
        }
    }
}

/// How closely real kubelets are followed with one pod.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// How many of their writes are made.
    pub detail: Detail,
    /// How long this pod stays after it has ended.
    pub linger: Duration,
}

/// How the containers of a pod ended that was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// They exited with this code.
    With(i32),
    /// They had crashed before, with this code.
    Before(i32),
    /// They never ran.
    Never,
    /// Their node went down under them.
    Lost,
}

/// An action of the kubelet on a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Report its containers, which are to be created.
    Create,
    /// Report that its sandbox is there: containers can be started in it.
    Sandbox,
    /// Report it Running, and Ready too if `ready`.
    Run {
        /// Whether it is ready at once.
        ready: bool,
    },
    /// Report it Ready, or no longer Ready.
    Ready(bool),
    /// Report the resources that it really has.
    Resources,
    /// Report that its containers crashed with this code.
    Crash {
        /// The exit code.
        code: i32,
        /// Whether they wait for the end of their back-off already.
        waits: bool,
    },
    /// Report that they wait for the end of their back-off.
    BackOff,
    /// Report that its containers run again, and are ready if `ready`.
    Restart {
        /// Whether they are ready at once.
        ready: bool,
    },
    /// Report that its images cannot be pulled.
    PullFails,
    /// Report that it waits until they are pulled again.
    PullBackOff,
    /// Report it Failed, of itself.
    Fail,
    /// Report it Succeeded, of itself.
    Succeed,
    /// Report it Failed before it ran.
    Reject(Rejection),
    /// Report its containers, of a pod that was rejected before the node was booted.
    Recall,
    /// Report that nothing is known of these.
    Forget,
    /// Report that its containers ended as the node was booted.
    Lost,
    /// Answer its new generation.
    Observe,
    /// Report its terminal phase: its containers have ended, as they were asked to.
    End {
        /// How they ended.
        exit: Exit,
        /// Whether it is its node that shuts down.
        disrupted: bool,
    },
    /// Remove it from the API.
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

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// How long containers that crashed wait in the short form.
const BACKOFF: Duration = Duration::from_secs(10);
/// From a delete to the answer.
const ANSWER: Duration = millis(100);
/// From the first crash of a container to its restart: it does not wait.
const RESTART: Duration = millis(200);
/// From the word of a back-off, which comes at its end, to the restart.
const RESTART_AFTER_BACKOFF: Duration = millis(300);
/// From one step to the next of a kubelet that looks after its pods when the node was booted.
const AFTER_BOOT: Duration = millis(900);
/// From Ready to the resources.
const RESOURCES: Duration = millis(400);
/// From an image that is not there to the word that it is waited for.
const PULL_BACKOFF: Duration = millis(12_500);
/// The longest back-off, of containers and of images.
const LONGEST: Duration = Duration::from_secs(300);
/// From the rejected pod's containers to the word that nothing is known of them.
const FORGET: Duration = millis(800);

/// What the kubelet says of an image that it cannot pull.
pub const PULL_FAILS: &str = "ErrImagePull";
/// What it says until it pulls that image again.
pub const PULL_BACKS_OFF: &str = "ImagePullBackOff";
/// What it says of containers that it is about to make.
pub const CREATING: &str = "ContainerCreating";
/// What it says of containers that crashed, until they run again.
pub const CRASH_LOOP: &str = "CrashLoopBackOff";
/// The reason of containers that ended as their node went down.
pub const UNKNOWN: &str = "Unknown";

/// The next step in the life of `pod`. Of steps that are due at the same moment the first in this
/// order is taken: fail, succeed, crash, unready, ready, resources.
pub fn next(pod: &Pod, script: &Script, seen: &Seen, form: &Form) -> Next {
    let is_terminal = pod.is_terminal();
    if let Some(deleting) = seen.deleting {
        if is_terminal {
            let ended = seen.ended.unwrap_or(deleting).max(deleting);
            return Next::At(ended + form.linger, Step::Remove);
        }
        return end(pod, script, seen, form, deleting);
    }
    if is_terminal {
        return after_the_end(pod, seen);
    }
    if pod.waits() {
        if let Some(why) = seen.rejection {
            return Next::At(seen.bound, Step::Reject(why));
        }
    } else if let Some(rebooted) = seen.rebooted {
        return Next::At(rebooted, Step::Lost);
    }
    if let Some(shutdown) = seen.shutdown {
        return end(pod, script, seen, form, shutdown);
    }
    match (pod.waits(), form.detail) {
        (true, Detail::Short) => start_shortly(pod, script, seen),
        (true, Detail::Full) => start(pod, script, seen),
        (false, detail) => run(pod, script, seen, detail),
    }
}

fn at(from: Instant, delay: Option<Duration>, step: Step) -> Next {
    delay.map_or(Next::Rest, |delay| Next::At(from + delay, step))
}

/// A pod that was asked to end, by a delete or by the shutdown of its node. Until the end it is as
/// ready as before.
fn end(pod: &Pod, script: &Script, seen: &Seen, form: &Form, asked: Instant) -> Next {
    let disrupted = seen.deleting.is_none();
    let exit = match pod.containers() {
        _ if pod.waits() => Exit::Never,
        _ if seen.rebooted.is_some() => Exit::Lost,
        Containers::Terminated(UNKNOWN) => Exit::Lost,
        Containers::Running | Containers::Unknown => Exit::With(script.exit_code),
        Containers::Waiting(_) | Containers::Terminated(_) => Exit::Before(crash_code(script)),
    };
    let ends = Step::End { exit, disrupted };
    if let (Some(rebooted), Exit::Lost) = (seen.rebooted, exit) {
        return Next::At(rebooted.max(asked), ends);
    }
    let is_answered = pod.status.observed_generation >= pod.metadata.generation;
    if form.detail == Detail::Full && !disrupted && !is_answered {
        return Next::At(asked + ANSWER, Step::Observe);
    }
    at(asked, script.terminate, ends)
}

/// What is still to say of a pod that has ended and is not deleted: once the node was booted, the
/// kubelet looks for the containers of pods that it rejected.
fn after_the_end(pod: &Pod, seen: &Seen) -> Next {
    match (pod.containers(), seen.rebooted) {
        (Containers::Unknown, Some(rebooted)) => Next::At(rebooted, Step::Recall),
        (Containers::Waiting(CREATING), _) => {
            Next::At(seen.turned.unwrap_or(seen.bound) + FORGET, Step::Forget)
        }
        _ => Next::Rest,
    }
}

/// A start in one write, or in two where it becomes ready later.
fn start_shortly(pod: &Pod, script: &Script, seen: &Seen) -> Next {
    if pod.waits_for(PULL_FAILS) {
        return Next::Rest;
    }
    if script.pull_fails.is_some() {
        return at(seen.bound, script.pull_fails, Step::PullFails);
    }
    let ready = script.ready == Some(Duration::ZERO);
    at(seen.bound, script.start, Step::Run { ready })
}

/// A start in all its writes.
fn start(pod: &Pod, script: &Script, seen: &Seen) -> Next {
    let run = Step::Run { ready: false };
    let turned = seen.turned.unwrap_or(seen.bound);
    match pod.containers() {
        Containers::Unknown => Next::At(seen.bound, Step::Create),
        Containers::Waiting(CREATING) if !pod.is("PodReadyToStartContainers") => {
            let half = script.pull_fails.or(script.start).map(|delay| delay / 2);
            at(seen.bound, half, Step::Sandbox)
        }
        Containers::Waiting(PULL_FAILS) => Next::At(turned + PULL_BACKOFF, Step::PullBackOff),
        Containers::Waiting(PULL_BACKS_OFF) => {
            let step = match script.pull_fails {
                Some(_) => Step::PullFails,
                None => run,
            };
            // A tenth more than the back-off, as was recorded.
            Next::At(turned + backoff(seen.pulls) * 11 / 10, step)
        }
        _ if script.pull_fails.is_some() => at(seen.bound, script.pull_fails, Step::PullFails),
        _ => at(seen.bound, script.start, run),
    }
}

/// A pod that runs, or whose containers are down for a while.
fn run(pod: &Pod, script: &Script, seen: &Seen, detail: Detail) -> Next {
    let from = seen.running.unwrap_or(seen.bound);
    let from = seen.turned.map_or(from, |turned| turned.max(from));
    let restart = Step::Restart {
        ready: script.ready == Some(Duration::ZERO),
    };
    match (pod.containers(), detail) {
        (Containers::Terminated(UNKNOWN), Detail::Full) if !pod.is("PodReadyToStartContainers") => {
            return Next::At(from + AFTER_BOOT, Step::Sandbox);
        }
        (Containers::Terminated(UNKNOWN), _) => return Next::At(from + AFTER_BOOT, restart),
        (Containers::Terminated(_), _) => {
            return match pod.restarts() {
                0 => Next::At(from + RESTART, restart),
                // The kubelet looks again, and says that it waits, when it no longer has to: 12.2
                // and 12.4 s after the exit where the back-off is 10 s, over 25.3 s where it is 20.
                n => Next::At(from + backoff(n) * 128 / 100, Step::BackOff),
            };
        }
        (Containers::Waiting(CRASH_LOOP), Detail::Full) => {
            return Next::At(from + RESTART_AFTER_BACKOFF, restart);
        }
        (Containers::Waiting(CRASH_LOOP), Detail::Short) => {
            return Next::At(from + BACKOFF, restart);
        }
        _ => {}
    }
    let is_ready = pod.ready();
    let become_ready = script.ready.filter(|_| !is_ready && !seen.lost_readiness);
    let crash = Step::Crash {
        code: crash_code(script),
        waits: detail == Detail::Short,
    };
    let has_resources = detail == Detail::Short || !pod.status.resources.is_null();
    let resources = script.ready.filter(|_| is_ready && !has_resources);
    [
        (script.fail, Step::Fail),
        (script.succeed, Step::Succeed),
        (script.crash, crash),
        (script.unready.filter(|_| is_ready), Step::Ready(false)),
        (become_ready, Step::Ready(true)),
        (resources.map(|ready| ready + RESOURCES), Step::Resources),
    ]
    .into_iter()
    .filter_map(|(delay, step)| Some((from + delay?, step)))
    .min_by_key(|(moment, _)| *moment)
    .map_or(Next::Rest, |(moment, step)| Next::At(moment, step))
}

/// The back-off after so many restarts, or so many failed pulls: 10 s, and twice as much each time.
fn backoff(times: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(times.saturating_sub(1));
    (BACKOFF * doubled.min(100)).min(LONGEST)
}

/// What its containers exit with when they crash.
fn crash_code(script: &Script) -> i32 {
    match script.exit_code {
        0 => 1,
        code => code,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{pod::Condition, pod::Metadata, script::PREFIX};
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
            ..Condition::default()
        }];
        pod
    }

    const SHORT: Form = Form {
        detail: Detail::Short,
        linger: Duration::from_secs(1),
    };

    /// The end of a pod that ran and was deleted.
    fn ended(code: i32) -> Step {
        Step::End {
            exit: Exit::With(code),
            disrupted: false,
        }
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_pod_goes_from_pending_to_gone() {
        let start = Instant::now();
        let seen = |running: Option<u64>, deleting: Option<u64>| Seen {
            running: running.map(|s| start + seconds(s)),
            deleting: deleting.map(|s| start + seconds(s)),
            ..Seen::at(start)
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
                pod("Running", true),
                slow,
                seen(Some(1), Some(4)),
                at(7, ended(0)),
            ),
            (
                pod("Failed", false),
                plain,
                seen(Some(1), Some(4)),
                at(5, Step::Remove),
            ),
        ];
        for (number, (pod, script, seen, wanted)) in rows.into_iter().enumerate() {
            assert_eq!(next(&pod, &script, &seen, &SHORT), wanted, "row {number}");
        }
    }

    #[test]
    fn a_pod_that_lost_readiness_stays_unready() {
        let now = Instant::now();
        let seen = Seen {
            running: Some(now),
            lost_readiness: true,
            ..Seen::at(now)
        };
        let script = script(&[("unready-after", "5s")]);
        assert_eq!(
            next(&pod("Running", false), &script, &seen, &SHORT),
            Next::Rest
        );
    }
}

//! How a simulated pod behaves: the [`Script`] that its annotations, or its node's, ask for.

use std::time::Duration;

use super::pod::Metadata;
use super::rejection::Rejection;
use crate::model::LabelSelector;

/// The prefix of all annotations that script a pod.
pub const PREFIX: &str = "sim.daemonset-controller.io/";

/// The annotation that says on which nodes the others of a pod count.
pub const ONLY_ON: &str = "only-on";

/// The behaviour of a pod. Each delay is counted from the moment in the table; `None` means never.
///
/// | annotation | counted from | default |
/// |---|---|---|
/// | `start-after` | the pod is bound | `0s` |
/// | `ready-after` | it runs | `0s` |
/// | `unready-after` | it runs | `never` |
/// | `fail-after` | it runs | `never` |
/// | `succeed-after` | it runs | `never` |
/// | `crash-after` | it runs, or runs again | `never` |
/// | `pull-fails-after` | the pod is bound | `never` |
/// | `terminate-after` | its deletion is asked for, or its node shuts down | `0s` |
///
/// Two more annotations are no delays: `exit-code` is what its containers exit with when they are
/// asked to end (0 by default; one that crashes exits with 1 then), and `reject` is the reason for
/// which its kubelet does not admit it, such as `OutOfcpu` ([`Rejection`]).
///
/// With the annotation `only-on`, a label selector, the others of the pod count on nodes with such
/// labels alone: what is wrong with it shows in one zone, say.
///
/// Values are `never` or a number with `ms`, `s`, `m` or `h`. With `start-after` and `ready-after`
/// both zero the pod goes from Pending to Running and Ready in one write, as a quick kubelet
/// reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// From bound to Running.
    pub start: Option<Duration>,
    /// From Running to Ready.
    pub ready: Option<Duration>,
    /// From Running to no longer Ready.
    pub unready: Option<Duration>,
    /// From Running to Failed.
    pub fail: Option<Duration>,
    /// From Running to Succeeded.
    pub succeed: Option<Duration>,
    /// From running, or running again, to the crash of its containers.
    pub crash: Option<Duration>,
    /// From bound to an image that cannot be pulled.
    pub pull_fails: Option<Duration>,
    /// From the request to delete to the end of its containers.
    pub terminate: Option<Duration>,
    /// What its containers exit with when they are asked to end.
    pub exit_code: i32,
    /// Why its kubelet does not admit it.
    pub reject: Option<Rejection>,
}

impl Script {
    /// Reads the annotations of the pod, and for those that it does not have the ones of its node.
    /// An annotation that cannot be read is logged and ignored.
    pub fn read(pod: &Metadata, node: &Metadata) -> Self {
        let of_pod = Some(&pod.annotations).filter(|_| counts_on(pod, node));
        let text = |key: &str| {
            let key = format!("{PREFIX}{key}");
            let own = of_pod.and_then(|annotations| annotations.get(&key));
            own.or_else(|| node.annotations.get(&key))
        };
        let get = |key: &str, default| {
            let Some(text) = text(key) else {
                return default;
            };
            delay(text).unwrap_or_else(|| {
                tracing::warn!(
                    annotation = key,
                    value = text,
                    "not a delay like 2s, 500ms or never; ignored"
                );
                default
            })
        };
        Self {
            start: get("start-after", Some(Duration::ZERO)),
            ready: get("ready-after", Some(Duration::ZERO)),
            unready: get("unready-after", None),
            fail: get("fail-after", None),
            succeed: get("succeed-after", None),
            crash: get("crash-after", None),
            pull_fails: get("pull-fails-after", None),
            terminate: get("terminate-after", Some(Duration::ZERO)),
            exit_code: text("exit-code")
                .and_then(|code| code.parse().ok())
                .unwrap_or(0),
            reject: text("reject").and_then(|reason| Rejection::of(reason)),
        }
    }
}

/// Whether the annotations of the pod are for this node.
fn counts_on(pod: &Metadata, node: &Metadata) -> bool {
    let Some(text) = pod.annotations.get(&format!("{PREFIX}{ONLY_ON}")) else {
        return true;
    };
    match LabelSelector::parse(text) {
        Ok(selector) => selector.matches(|key| node.labels.get(key).map(String::as_str)),
        Err(why) => {
            tracing::warn!(annotation = ONLY_ON, value = text, why, "ignored");
            true
        }
    }
}

/// Reads a delay. `Some(None)` is `never`, `None` is not a delay.
fn delay(text: &str) -> Option<Option<Duration>> {
    if text == "never" {
        return Some(None);
    }
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Some(Duration::from_millis(number.checked_mul(millis)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotated(entries: &[(&str, &str)]) -> Metadata {
        let entries = entries.iter();
        Metadata {
            annotations: entries
                .map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned()))
                .collect(),
            ..Metadata::default()
        }
    }

    fn script(entries: &[(&str, &str)]) -> Script {
        Script::read(&annotated(entries), &Metadata::default())
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn delays_are_read_and_nonsense_is_ignored() {
        assert_eq!(delay("2s"), Some(Some(seconds(2))));
        assert_eq!(delay("250ms"), Some(Some(Duration::from_millis(250))));
        assert_eq!(delay("3m"), Some(Some(seconds(180))));
        assert_eq!(delay("never"), Some(None));
        for text in ["", "5", "s", "-1s", "1d", "1.5s"] {
            assert_eq!(delay(text), None, "{text:?}");
        }
        assert_eq!(script(&[("ready-after", "soon")]), script(&[]));
    }

    #[test]
    fn the_pods_annotation_wins_over_the_nodes() {
        let of_pod = annotated(&[("fail-after", "1s")]);
        let of_node = annotated(&[("fail-after", "9s"), ("ready-after", "never")]);
        let script = Script::read(&of_pod, &of_node);
        assert_eq!((script.fail, script.ready), (Some(seconds(1)), None));
    }

    #[test]
    fn a_pod_behaves_so_on_nodes_with_these_labels_alone() {
        let of_pod = annotated(&[(ONLY_ON, "zone in (b,c)"), ("crash-after", "1s")]);
        let crash_in = |zone: &str| {
            let mut node = annotated(&[("crash-after", "9s")]);
            node.labels.insert("zone".to_owned(), zone.to_owned());
            Script::read(&of_pod, &node).crash
        };
        assert_eq!(crash_in("b"), Some(seconds(1)));
        assert_eq!(crash_in("a"), Some(seconds(9)));
    }
}

//! Grace periods of pods.

use serde_json::Value;

use super::core::Moment;
use super::fields::text;

/// The grace period of a pod after a delete.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// There is none: the object is no pod, or its grace period was zero already.
    None,
    /// It has so many seconds, counted from the first delete.
    Seconds(i64),
    /// It is terminating already, and this delete does not shorten its grace period.
    RunsAlready,
}

/// Sets or shortens the grace period of a pod, as a delete asks for it.
pub fn grant(pod: &mut Value, asked: Option<i64>, moment: &Moment) -> Grace {
    let asked = asked.map(|seconds| if seconds < 0 { 1 } else { seconds });
    if !pod["metadata"]["deletionTimestamp"].is_string() {
        let seconds = seconds(pod, asked);
        let metadata = &mut pod["metadata"];
        metadata["deletionTimestamp"] = moment.after(seconds).into();
        metadata["deletionGracePeriodSeconds"] = seconds.into();
        raise_generation(metadata);
        return Grace::Seconds(seconds);
    }
    let metadata = &mut pod["metadata"];
    let had = metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
    match asked {
        _ if had == 0 => Grace::None,
        Some(mut seconds) if seconds < had => {
            let begun = moment.parse(&text(metadata, "deletionTimestamp")) - had;
            let now = moment.now.as_second();
            let end = (begun + seconds).max(now);
            if begun + seconds < now && seconds != 0 {
                seconds = 1;
            }
            metadata["deletionTimestamp"] = moment.format(end).into();
            metadata["deletionGracePeriodSeconds"] = seconds.into();
            Grace::Seconds(seconds)
        }
        _ => Grace::RunsAlready,
    }
}

/// The grace period in seconds: the one that was asked for, else the one of the spec. Zero for a
/// pod that runs nowhere: it has no node, or is terminal.
fn seconds(pod: &Value, asked: Option<i64>) -> i64 {
    let ended = matches!(
        pod["status"]["phase"].as_str(),
        Some("Failed" | "Succeeded")
    );
    if ended || text(&pod["spec"], "nodeName").is_empty() {
        return 0;
    }
    let own = pod["spec"]["terminationGracePeriodSeconds"].as_i64();
    match asked.or(own).unwrap_or(30) {
        negative if negative < 0 => 1,
        seconds => seconds,
    }
}

/// Raises `metadata.generation`: the first delete counts as a change.
pub fn raise_generation(metadata: &mut Value) {
    if let Some(generation) = metadata["generation"].as_i64() {
        metadata["generation"] = (generation + 1).into();
    }
}

//! A `coordination.k8s.io/v1` Lease as a candidate reads and writes it. Unknown fields are
//! preserved.

use std::time::Duration;

use serde_json::{Value, json};

use crate::model::{Time, Version};

/// A Lease as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// `metadata.resourceVersion`.
    pub version: Version,
    /// `spec.holderIdentity`; empty when nobody holds the Lease.
    pub holder: String,
    /// `spec.leaseDurationSeconds`; None where it is missing or not positive.
    pub duration: Option<Duration>,
    object: Value,
}

impl Lease {
    /// Reads a Lease from JSON. The error says what is wrong.
    pub fn read(json: &str) -> Result<Lease, String> {
        let object: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let version = object["metadata"]["resourceVersion"].as_str().unwrap_or("");
        let version = Version::parse(version);
        if version == Version::default() {
            return Err("it has no resourceVersion".to_owned());
        }
        let spec = &object["spec"];
        let seconds = spec["leaseDurationSeconds"].as_u64().filter(|s| *s > 0);
        // The field has 32 bits; any more could be no time that a clock can show.
        let seconds = seconds.map(|s| s.min(i32::MAX as u64));
        Ok(Lease {
            version,
            holder: spec["holderIdentity"].as_str().unwrap_or("").to_owned(),
            duration: seconds.map(Duration::from_secs),
            object,
        })
    }

    /// A new Lease, held by `identity` from now on.
    pub fn first(
        namespace: &str,
        name: &str,
        identity: &str,
        duration: Duration,
        now: Time,
    ) -> Value {
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": { "namespace": namespace, "name": name },
            "spec": {
                "holderIdentity": identity,
                "leaseDurationSeconds": seconds(duration),
                "acquireTime": micro_time(now),
                "renewTime": micro_time(now),
                "leaseTransitions": 0,
            },
        })
    }

    /// This Lease, held by `identity` from now on, or renewed by it.
    pub fn held(&self, identity: &str, duration: Duration, now: Time) -> Value {
        let mut object = self.object.clone();
        let transitions = object["spec"]["leaseTransitions"].as_i64().unwrap_or(0);
        let spec = fields(&mut object, "spec");
        if self.holder != identity {
            spec.insert(
                "leaseTransitions".to_owned(),
                json!(transitions.saturating_add(1)),
            );
            spec.insert("acquireTime".to_owned(), json!(micro_time(now)));
        }
        spec.insert("holderIdentity".to_owned(), json!(identity));
        spec.insert("leaseDurationSeconds".to_owned(), json!(seconds(duration)));
        spec.insert("renewTime".to_owned(), json!(micro_time(now)));
        object
    }

    /// This Lease without a holder, for any candidate to acquire at once.
    pub fn released(&self, now: Time) -> Value {
        let mut object = self.object.clone();
        let spec = fields(&mut object, "spec");
        spec.insert("holderIdentity".to_owned(), json!(""));
        // For candidates that wait for the duration although there is no holder.
        spec.insert("leaseDurationSeconds".to_owned(), json!(1));
        spec.insert("renewTime".to_owned(), json!(micro_time(now)));
        object
    }
}

fn fields<'o>(object: &'o mut Value, name: &str) -> &'o mut serde_json::Map<String, Value> {
    let value = &mut object[name];
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was made one just now")
}

/// Whole seconds, at least one: the API server refuses zero.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs().max(1)
}

/// Kubernetes' `MicroTime`.
fn micro_time(time: Time) -> String {
    format!("{:.6}", time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = r#"{"kind":"Lease","metadata":{"name":"l","resourceVersion":"7","labels":{"a":"b"}},
        "spec":{"holderIdentity":"them","leaseDurationSeconds":15,"leaseTransitions":3,"strategy":"OldestEmulationVersion",
        "acquireTime":"2026-11-21T06:00:00.000000Z","renewTime":"2026-11-21T06:00:04.000000Z"}}"#;

    fn at(text: &str) -> Time {
        text.parse().expect("a time")
    }

    #[test]
    fn a_duration_of_any_length_is_one_that_a_clock_can_wait_for() {
        let longest = THEIRS.replace(
            "\"leaseDurationSeconds\":15",
            "\"leaseDurationSeconds\":18446744073709551615",
        );
        let lease = Lease::read(&longest).expect("a lease");
        let duration = lease.duration.expect("a duration");
        assert!(std::time::Instant::now().checked_add(duration).is_some());
    }

    #[test]
    fn what_is_not_known_is_preserved_and_a_change_of_holder_counted() {
        let lease = Lease::read(THEIRS).expect("a lease");
        assert_eq!((lease.version, &*lease.holder), (Version(7), "them"));
        assert_eq!(lease.duration, Some(Duration::from_secs(15)));
        let now = at("2026-11-21T07:00:00.5Z");
        let ours = lease.held("us", Duration::from_secs(20), now);
        let want = json!({ "kind": "Lease",
            "metadata": { "name": "l", "resourceVersion": "7", "labels": { "a": "b" } },
            "spec": { "holderIdentity": "us", "leaseDurationSeconds": 20, "leaseTransitions": 4,
                "strategy": "OldestEmulationVersion",
                "acquireTime": "2026-11-21T07:00:00.500000Z", "renewTime": "2026-11-21T07:00:00.500000Z" } });
        assert_eq!(ours, want);
        let lease = Lease::read(&ours.to_string()).expect("a lease");
        let renewed = lease.held("us", Duration::from_secs(20), at("2026-11-21T07:00:02Z"));
        assert_eq!(renewed["spec"]["leaseTransitions"], 4);
        assert_eq!(
            renewed["spec"]["acquireTime"],
            "2026-11-21T07:00:00.500000Z"
        );
        assert_eq!(renewed["spec"]["renewTime"], "2026-11-21T07:00:02.000000Z");
        let released = lease.released(at("2026-11-21T07:00:03Z"));
        let released = Lease::read(&released.to_string()).expect("a lease");
        assert_eq!(
            (&*released.holder, released.duration),
            ("", Some(Duration::from_secs(1)))
        );
    }

    #[test]
    fn odd_leases_are_read_as_far_as_they_make_sense() {
        for (case, json, holder) in [
            ("no spec", r#"{"metadata":{"resourceVersion":"1"}}"#, ""),
            (
                "null",
                r#"{"metadata":{"resourceVersion":"1"},"spec":null}"#,
                "",
            ),
            (
                "no time",
                r#"{"metadata":{"resourceVersion":"1"},"spec":{"holderIdentity":"x","leaseDurationSeconds":0}}"#,
                "x",
            ),
        ] {
            let lease = Lease::read(json).expect(case);
            assert_eq!((&*lease.holder, lease.duration), (holder, None), "{case}");
            let held = lease.held("us", Duration::from_millis(1), Time::default());
            assert_eq!(held["spec"]["leaseDurationSeconds"], 1, "{case}");
        }
        assert!(Lease::read("{").is_err());
        assert!(
            Lease::read("{}")
                .expect_err("no version")
                .contains("resourceVersion")
        );
    }
}

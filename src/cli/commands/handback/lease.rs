//! Whether a controller of ours is running: then its Lease is held.

use std::time::Duration;

use serde_json::Value;

use crate::{
    apply::client::verbs::Verb,
    cli::commands::{
        cluster::Cluster,
        error::{Call, CommandError},
    },
    model::Time,
};

/// The holder of the Lease; None where there is no Lease, where it was released, and where its
/// holder has not renewed it in time.
pub async fn holder(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
) -> Result<Option<String>, CommandError> {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}");
    let call = Call {
        verb: Verb::Get,
        resource: "leases",
        group: "coordination.k8s.io",
        namespace: Some(namespace),
        name: Some(name),
        server: &cluster.clients.server,
    };
    let lease = cluster.get_any(&path, call).await?;
    let now = Time::from(jiff::Timestamp::now());
    Ok(lease.and_then(|lease| held(&lease, now)))
}

fn held(lease: &Value, now: Time) -> Option<String> {
    let spec = &lease["spec"];
    let holder = spec["holderIdentity"].as_str().unwrap_or_default();
    let renewed: Option<Time> = spec["renewTime"].as_str().and_then(|at| at.parse().ok());
    let seconds = spec["leaseDurationSeconds"].as_u64().unwrap_or_default();
    // What cannot be read proves nothing, so whoever is named counts as running.
    let is_over = renewed.is_some_and(|at| at + Duration::from_secs(seconds) < now);
    (!holder.is_empty() && !is_over).then(|| holder.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lease_is_held_until_its_time_is_over() {
        let lease = |holder: &str, renewed: &str| json!({ "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed } });
        let at = "2026-11-21T06:00:00.000000Z";
        let held_at = |now: &str| held(&lease("us", at), now.parse().expect("a time"));
        assert_eq!(held_at("2026-11-21T06:00:10Z").as_deref(), Some("us"));
        assert_eq!(held_at("2026-11-21T06:00:16Z"), None);
        let now = "2026-11-21T06:00:01Z".parse().expect("a time");
        assert_eq!(held(&lease("", at), now), None);
        assert_eq!(held(&json!({}), now), None);
        assert_eq!(held(&lease("us", "?"), now).as_deref(), Some("us"));
    }
}

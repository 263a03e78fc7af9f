//! Takes our scheduling gate from the pods that have it, as the controller does: by a read of all
//! pods. One beside a pod that may still run is deleted instead, so that none is left: the built-in
//! controller makes another one.

use std::collections::BTreeMap;

use serde_json::{Value, value::to_raw_value};

use crate::{
    cli::commands::{cluster::Cluster, error::CommandError},
    model::{Controller, Interner, Key, Kind, Pod, Str},
    plan::{
        PodRef,
        exclusive::{Answer, Settling, Step},
    },
    wire::pod,
};

use super::ATTEMPTS;

/// The pods of one owner on one node, by namespace, owner and node.
type Places = BTreeMap<(Str, Str, Str), Vec<Pod>>;

/// Removes the gates. Says what was done.
pub async fn remove(cluster: &Cluster, scope: Option<&str>) -> Result<Vec<String>, CommandError> {
    let mut told = Vec::new();
    for _ in 0..ATTEMPTS {
        let places = places(&cluster.list(Kind::Pod, scope, None).await?);
        if places.is_empty() {
            return Ok(told);
        }
        for ((namespace, _, _), pods) in &places {
            let mut settling = Settling::new(pods);
            if settling.blocked_by().is_some() {
                settling = Settling::give_way(pods);
            }
            while let Some(step) = settling.next() {
                let key = |pod: &PodRef| Key::new(&**namespace, &*pod.name);
                let (done, said) = match step {
                    Step::Delete(pod) => (
                        cluster.delete_pod(&key(pod), pod).await?,
                        format!("Pod {}: deleted, it had a scheduling gate", key(pod)),
                    ),
                    Step::Ungate(pod) => (
                        cluster.ungate_pod(&key(pod), pod).await?,
                        format!("Pod {}: removed its scheduling gate", key(pod)),
                    ),
                };
                if done {
                    told.push(said);
                }
                settling.answered(if done { Answer::Done } else { Answer::NotDone });
            }
        }
    }
    Err(CommandError::Cluster(
        "pods with our scheduling gate come again and again: is a controller running? Some are left"
            .to_owned(),
    ))
}

/// The places where a pod has our gate.
fn places(items: &[Value]) -> Places {
    let mut places = Places::new();
    let mut interner = Interner::default();
    for item in items {
        let raw = to_raw_value(item).ok();
        let decoded = raw.and_then(|raw| pod::decode(&raw, &mut interner).ok());
        if let Some(decoded) = decoded
            && let Controller::Uid(owner) = &decoded.pod.controller
            && let Some(node) = decoded.node
        {
            let place = (decoded.namespace, owner.0.clone(), node);
            places.entry(place).or_default().push(decoded.pod);
        }
    }
    places.retain(|_, pods| pods.iter().any(|pod| pod.gated && pod.is_live()));
    places
}

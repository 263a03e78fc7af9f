//! The requests of kubelets, and what their answers mean.

use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::Request;
use serde_json::Value;

use super::lifecycle::Step;
use super::node::Node;
use super::pod::{Metadata, Pod};
use super::report::{Place, report};

/// The outcome of a request.
pub(super) enum Done {
    /// The request was carried out; this is the pod's new state.
    Updated(Box<Pod>),
    /// The removal was asked for, or the pod is gone: nothing to do until the watch says more.
    Settled,
    /// The pod has changed since this version, from which the step was decided.
    Outdated(u64),
    /// The node's status was reported; this is its new state.
    Reported(Box<Node>),
    /// The request failed and is repeated later.
    Failed,
}

/// The request that carries out `step`: a patch of the status, or the removal.
pub(super) fn request(
    pod: &Pod,
    step: Step,
    place: &Place<'_>,
) -> kube::Result<http::Request<Vec<u8>>> {
    let Metadata {
        namespace,
        name,
        uid,
        ..
    } = &pod.metadata;
    let collection = Request::new(format!("/api/v1/namespaces/{namespace}/pods"));
    let request = match report(pod, step, place) {
        Some(patch) => {
            let params = PatchParams {
                field_manager: Some("kubelet".to_owned()),
                ..PatchParams::default()
            };
            collection.patch_subresource("status", name, &params, &Patch::Strategic(patch))
        }
        None => {
            let preconditions = Some(Preconditions {
                uid: Some(uid.clone()),
                resource_version: None,
            });
            let params = DeleteParams {
                grace_period_seconds: Some(0),
                preconditions,
                ..DeleteParams::default()
            };
            collection.delete(name, &params)
        }
    };
    request.map_err(kube::Error::BuildRequest)
}

/// The meaning of the answer to `step`, which was decided for a pod of version `sent`. If the pod
/// is gone, or a removal meets another pod of this name, nothing is left to do. If the pod is in
/// another state, the step is decided again once the watch delivers it. Every other failure is
/// retried.
pub(super) fn settle(answer: kube::Result<Done>, step: Step, sent: u64) -> Done {
    match answer {
        Ok(done) => done,
        Err(kube::Error::Api(status)) if status.code == 404 => Done::Settled,
        Err(kube::Error::Api(status)) if status.code == 409 && step == Step::Remove => {
            Done::Settled
        }
        Err(kube::Error::Api(status)) if status.code == 409 => Done::Outdated(sent),
        Err(error) => {
            tracing::debug!(%error, "a kubelet's request failed, trying again");
            Done::Failed
        }
    }
}

/// The request that reports a node's status.
pub(super) fn node_request(name: &str, patch: &Value) -> kube::Result<http::Request<Vec<u8>>> {
    let params = PatchParams {
        field_manager: Some("kubelet".to_owned()),
        ..PatchParams::default()
    };
    Request::new("/api/v1/nodes")
        .patch_subresource("status", name, &params, &Patch::Strategic(patch))
        .map_err(kube::Error::BuildRequest)
}

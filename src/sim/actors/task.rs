//! The actions of actors: requests as plain values, which tests can compare, and the code that
//! sends them.

use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::core::Request;
use serde_json::{Value, json};

use super::objects::{Object, OwnerReference};
use crate::sim::api::Resource;

/// One action about one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The action in words, for people: `bind default/a to node-1`.
    pub what: String,
    /// The resource of the object.
    pub resource: &'static Resource,
    /// The object's namespace, empty outside of namespaces.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The object's UID, a precondition of every request.
    pub uid: String,
    /// The resourceVersion of the object from which the task was decided.
    pub version: String,
    /// Objects that must be gone by a read that no cache answers; otherwise nothing is done.
    pub absent: Vec<Absent>,
    /// The requests, sent one after another.
    pub calls: Vec<Call>,
}

/// An object that must be gone: no object has this name, or one with another UID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Absent {
    /// The path of the object.
    pub path: String,
    /// The UID of the object; an empty one means that no object may have the name.
    pub uid: String,
}

/// One request about a task's object.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// POST of a `Binding` to this node.
    Bind(String),
    /// DELETE of the object.
    Delete(Delete),
    /// A strategic merge patch of the subresource `status`; the UID is added when it is sent.
    Status(Value),
    /// A JSON merge patch that applies only to the version that was seen; UID and version are added
    /// when it is sent.
    Merge(Value),
    /// PUT to a namespace's subresource `finalize`, which removes this finalizer from
    /// `spec.finalizers`.
    Finalize(String),
}

/// The options of a delete. The UID is always a precondition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delete {
    /// Whether the version that was seen is a precondition too.
    pub by_version: bool,
    /// The grace period in seconds; `None` is the object's own.
    pub grace: Option<u32>,
    /// The propagation policy for dependents; `None` is the API server's default.
    pub propagation: Option<PropagationPolicy>,
}

/// The outcome of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All requests were carried out.
    Done,
    /// The reason for the task no longer holds: the object is gone or another one, or an object
    /// that had to be gone is there.
    Moot,
}

impl Task {
    /// A task about `object`, without requests yet. `verb` and `rest` stand before and behind the
    /// object in words.
    pub fn about(resource: &'static Resource, object: &Object, verb: &str, rest: &str) -> Task {
        let metadata = &object.metadata;
        Task {
            what: format!("{verb} {} {}{rest}", resource.kind, object.said()),
            resource,
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone(),
            uid: metadata.uid.clone(),
            version: metadata.resource_version.clone(),
            absent: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Adds a request.
    pub fn call(mut self, call: Call) -> Task {
        self.calls.push(call);
        self
    }

    /// Sends the requests. Errors are returned, unless they say that the object is gone or another
    /// one.
    pub async fn carry_out(&self, client: &kube::Client) -> kube::Result<Outcome> {
        for call in &self.calls {
            match self.send(client, call).await {
                Ok(()) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Outcome::Moot),
                // UID: another object has the name now. Version: the watch will deliver the newer
                // state.
                Err(kube::Error::Api(status)) if status.code == 409 => return Ok(Outcome::Moot),
                Err(error) => return Err(error),
            }
        }
        Ok(Outcome::Done)
    }

    async fn send(&self, client: &kube::Client, call: &Call) -> kube::Result<()> {
        let collection = Request::new(self.resource.path(&self.namespace));
        let name = &self.name;
        let request = match call {
            Call::Bind(node) => {
                let body = json!({
                    "apiVersion": "v1", "kind": "Binding",
                    "metadata": { "name": name, "namespace": self.namespace, "uid": self.uid },
                    "target": { "apiVersion": "v1", "kind": "Node", "name": node },
                });
                let body = body.to_string().into_bytes();
                collection.create_subresource("binding", name, &PostParams::default(), body)
            }
            Call::Delete(delete) => {
                let version = self.version.clone();
                let params = DeleteParams {
                    grace_period_seconds: delete.grace,
                    propagation_policy: delete.propagation.clone(),
                    preconditions: Some(Preconditions {
                        uid: Some(self.uid.clone()),
                        resource_version: delete.by_version.then_some(version),
                    }),
                    ..DeleteParams::default()
                };
                collection.delete(name, &params)
            }
            Call::Status(patch) => {
                let mut patch = patch.clone();
                patch["metadata"]["uid"] = json!(self.uid);
                let patch = Patch::Strategic(patch);
                collection.patch_subresource("status", name, &PatchParams::default(), &patch)
            }
            Call::Merge(patch) => {
                let mut patch = patch.clone();
                patch["metadata"]["uid"] = json!(self.uid);
                patch["metadata"]["resourceVersion"] = json!(self.version);
                collection.patch(name, &PatchParams::default(), &Patch::Merge(patch))
            }
            Call::Finalize(finalizer) => {
                // Fields of the namespace that this build does not know must stay, so it is read
                // and written whole.
                let request = collection.get(name, &kube::api::GetParams::default());
                let request = request.map_err(kube::Error::BuildRequest)?;
                let mut object: Value = client.request(request).await?;
                if let Some(all) = object["spec"]["finalizers"].as_array_mut() {
                    all.retain(|f| f != finalizer.as_str());
                }
                let body = object.to_string().into_bytes();
                collection.replace_subresource("finalize", name, &PostParams::default(), body)
            }
        };
        let request = request.map_err(kube::Error::BuildRequest)?;
        client.request_text(request).await.map(drop)
    }
}

impl Absent {
    /// The owner that `reference` names, for an object in `namespace`. `None` if no such resource
    /// is served.
    pub fn owner(reference: &OwnerReference, namespace: &str) -> Option<Absent> {
        let resource = crate::sim::api::resource::ALL
            .into_iter()
            .find(|r| r.kind == reference.kind && r.api_version() == reference.api_version)?;
        let namespace = if resource.namespaced { namespace } else { "" };
        Some(Absent {
            path: format!("{}/{}", resource.path(namespace), reference.name),
            uid: reference.uid.clone(),
        })
    }

    /// No object of this name in a resource outside of namespaces.
    pub fn name(resource: &Resource, name: &str) -> Absent {
        Absent {
            path: format!("{}/{name}", resource.path("")),
            uid: String::new(),
        }
    }

    /// Reads whether the object is gone.
    pub async fn holds(&self, client: &kube::Client) -> kube::Result<bool> {
        let (collection, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let request = Request::new(collection)
            .get(name, &kube::api::GetParams::default())
            .map_err(kube::Error::BuildRequest)?;
        match client.request::<Object>(request).await {
            Ok(found) => Ok(!self.uid.is_empty() && found.metadata.uid != self.uid),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(true),
            Err(error) => Err(error),
        }
    }
}

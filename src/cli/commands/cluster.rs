//! The cluster as a command reaches it, with the rights of whoever calls.

use crate::wire::{Encoded, Encoding};
use std::time::Duration;

use serde_json::Value;

use crate::{
    apply::client::{Api, ApiError, PatchType, paths, verbs::Verb},
    cache::Cache,
    cli::{
        args::{Asked, SharedArgs, Target},
        plan::{
            choice::{Choice, some},
            cluster,
            error::PlanError,
            loaded::Loaded,
        },
        rollout_defaults,
    },
    model::{EXCLUSIVE_GATE, FeatureGates, Key, Kind, RolloutDefaults},
    plan::PodRef,
    runtime::{
        client::{self, Clients},
        list_watch::{ApiSource, Page, Resource, Source},
    },
    wire::body,
};

use super::{
    error::{Call, CommandError},
    object::Object,
};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Objects in a page of a list.
const PAGE_SIZE: u32 = 500;

/// By whom the API server notes that fields were written.
const FIELD_MANAGER: &str = "daemonset-command";

/// The clients.
pub struct Cluster {
    /// For lists and watches.
    pub clients: Clients,
    api: Api,
    /// The cluster defaults that the controller is said to have.
    defaults: Option<RolloutDefaults>,
}

impl Cluster {
    /// Makes the clients, and reads the file of cluster defaults. Sends nothing yet.
    pub async fn reach(shared: &SharedArgs) -> Result<Cluster, CommandError> {
        let defaults = shared.rollout_defaults().map(rollout_defaults::read);
        let defaults = defaults.transpose().map_err(CommandError::Input)?;
        let clients = client::clients(&shared.access(), None).await?;
        let api = Api::new(clients.writes.clone(), 1, PATIENCE);
        Ok(Cluster {
            clients,
            api,
            defaults: defaults.map(|(_, defaults)| defaults),
        })
    }

    /// Has the cache follow the cluster defaults.
    pub fn apply_defaults(&self, cache: &mut Cache) {
        if let Some(defaults) = &self.defaults {
            cache.set_rollout_defaults(defaults.clone());
        }
    }

    fn call<'a>(
        &'a self,
        verb: Verb,
        kind: Kind,
        namespace: Option<&'a str>,
        name: Option<&'a str>,
    ) -> Call<'a> {
        Call {
            verb,
            resource: match kind {
                Kind::DaemonSet => "daemonsets",
                Kind::Node => "nodes",
                Kind::Revision => "controllerrevisions",
                Kind::Pod => "pods",
            },
            group: match kind {
                Kind::DaemonSet | Kind::Revision => "apps",
                Kind::Node | Kind::Pod => "",
            },
            namespace,
            name,
            server: &self.clients.server,
        }
    }

    /// Finds the DaemonSet. One without a namespace is in that of the context, or else the one of
    /// that name in all namespaces.
    pub async fn find(&self, target: &Target) -> Result<Object, CommandError> {
        let context = self.clients.context_namespace.as_deref();
        let namespace = target.namespace.as_deref().or(context);
        if let Some(namespace) = namespace {
            return self.get(&Key::new(namespace, &*target.name)).await;
        }
        let name = Some(&*target.name);
        let items = self.list(Kind::DaemonSet, None, name).await?;
        let mut found: Vec<Object> = items.into_iter().filter_map(Object::new).collect();
        found.retain(|object| *object.key.name == target.name);
        match found.len() {
            0 => Err(CommandError::Input(format!(
                "there is no DaemonSet {target} in the cluster"
            ))),
            1 => Ok(found.remove(0)),
            _ => Err(CommandError::Input(format!(
                "there are several DaemonSets of that name, say which one: {}",
                some(found.iter().map(|object| object.key.to_string()))
            ))),
        }
    }

    /// Reads a DaemonSet.
    pub async fn get(&self, key: &Key) -> Result<Object, CommandError> {
        let answer = self.api.get(&paths::daemon_set(key)).await;
        let call = self.call(
            Verb::Get,
            Kind::DaemonSet,
            Some(&key.namespace),
            Some(&key.name),
        );
        let missing = || CommandError::Input(format!("there is no DaemonSet {key}"));
        match answer {
            Ok(body) => read(&body)
                .and_then(Object::new)
                .ok_or_else(|| unreadable(&self.clients.server)),
            Err(error) if error.is_not_found() => Err(missing()),
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// Reads an object of any kind; None where there is none.
    pub async fn get_any(&self, path: &str, call: Call<'_>) -> Result<Option<Value>, CommandError> {
        match self.api.get(path).await {
            Ok(body) => match read(&body) {
                Some(object) => Ok(Some(object)),
                None => Err(unreadable(&self.clients.server)),
            },
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// Lists a kind, in pages; of one name, where one is given.
    pub async fn list(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        name: Option<&str>,
    ) -> Result<Vec<Value>, CommandError> {
        let resource = Resource {
            kind: kind.as_str(),
            path: cluster::path(kind, namespace),
            field_selector: name.map(|name| format!("metadata.name={name}")),
            page_size: PAGE_SIZE,
            encoding: Encoding::Json,
        };
        Ok(list_all(&self.clients, resource).await?)
    }

    /// Reads all that a plan for this DaemonSet is made from.
    pub async fn load(&self, key: &Key, gates: FeatureGates) -> Result<Loaded, CommandError> {
        let target = Target {
            namespace: Some(key.namespace.to_string()),
            name: key.name.to_string(),
        };
        self.load_by(&Choice::new(Asked::One(target), None, None), gates)
            .await
    }

    /// Reads all that plans for the DaemonSets of a namespace, or of all, are made from.
    pub async fn load_each(
        &self,
        namespace: Option<&str>,
        gates: FeatureGates,
    ) -> Result<Loaded, CommandError> {
        self.load_by(&Choice::new(Asked::Each, namespace, None), gates)
            .await
    }

    async fn load_by(
        &self,
        choice: &Choice<'_>,
        gates: FeatureGates,
    ) -> Result<Loaded, CommandError> {
        let mut loaded = cluster::load_by(self.clients.clone(), choice, gates).await?;
        self.apply_defaults(&mut loaded.cache);
        Ok(loaded)
    }

    /// Sends a merge patch. None where the object has changed since it was seen, or is gone.
    pub async fn patch(
        &self,
        path: &str,
        body: &Value,
        dry_run: bool,
        call: Call<'_>,
    ) -> Result<Option<()>, CommandError> {
        let dry_run = if dry_run { "&dryRun=All" } else { "" };
        let path = format!("{path}?fieldManager={FIELD_MANAGER}{dry_run}");
        let answer = self
            .api
            .patch(&path, PatchType::Merge, body.to_string())
            .await;
        match answer {
            Ok(_) => Ok(Some(())),
            Err(error) if error.is_conflict() || error.is_not_found() || is_another(&error) => {
                Ok(None)
            }
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// Deletes a pod in this version. Whether it is gone, or about to go.
    pub async fn delete_pod(&self, key: &Key, pod: &PodRef) -> Result<bool, CommandError> {
        let body = body::delete(&pod.uid, Some(pod.version));
        let call = self.call(
            Verb::Delete,
            Kind::Pod,
            Some(&key.namespace),
            Some(&key.name),
        );
        match self.api.delete(&paths::pod(key), body).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// Removes our scheduling gate from a pod in this version. Whether that was done.
    pub async fn ungate_pod(&self, key: &Key, pod: &PodRef) -> Result<bool, CommandError> {
        let body = body::without_gate(&pod.uid, pod.version, EXCLUSIVE_GATE);
        let path = format!("{}?fieldManager={FIELD_MANAGER}", paths::pod(key));
        let call = self.call(
            Verb::Patch,
            Kind::Pod,
            Some(&key.namespace),
            Some(&key.name),
        );
        match self.api.patch(&path, PatchType::StrategicMerge, body).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() || error.is_not_found() || is_another(&error) => {
                Ok(false)
            }
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// The patch of this DaemonSet, for errors.
    pub fn patch_of<'a>(&'a self, key: &'a Key) -> Call<'a> {
        self.call(
            Verb::Patch,
            Kind::DaemonSet,
            Some(&key.namespace),
            Some(&key.name),
        )
    }

    /// The patch of this revision, for errors.
    pub fn patch_of_revision<'a>(&'a self, key: &'a Key) -> Call<'a> {
        self.call(
            Verb::Patch,
            Kind::Revision,
            Some(&key.namespace),
            Some(&key.name),
        )
    }
}

/// Reads a whole list, page by page.
pub async fn list_all(clients: &Clients, resource: Resource) -> Result<Vec<Value>, PlanError> {
    let (client, server) = (clients.watches.clone(), clients.server.clone());
    let mut source = ApiSource::new(client, server, resource);
    let mut items = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let failed = |error| PlanError::Cluster(Box::new(error));
        let body = source.page(next.as_deref()).await.map_err(failed)?;
        let page =
            Page::read(&body).map_err(|why| failed(source.attempt("list").unreadable(&why)))?;
        let read = page.items.into_iter().filter_map(Encoded::as_json);
        items.extend(read.filter_map(|item| serde_json::from_str::<Value>(item.get()).ok()));
        next = page.next;
        if next.is_none() {
            return Ok(items);
        }
    }
}

/// A patch that names the UID of an earlier object of that name is answered as invalid.
fn is_another(error: &ApiError) -> bool {
    error.is_invalid() && error.words().contains("metadata.uid")
}

fn read(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

fn unreadable(server: &str) -> CommandError {
    CommandError::Cluster(format!(
        "{server} sent an answer that cannot be read; is that the address of a Kubernetes API server?"
    ))
}

//! Objects from the cluster: each kind is listed once, in pages, pods last, as the controller does
//! at its start.

use crate::wire::Encoding;
use std::{collections::HashSet, time::Duration};

use kube::Client;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    apply::client::{Api, paths},
    cache::Cache,
    model::{FeatureGates, Key, Kind, Settings, Time, Uid, Version},
    plan,
    runtime::{
        client::{self, Access, Clients},
        list_watch::{ApiSource, Page, Resource, Source},
        read_error::ReadErrorKind,
    },
    wire::protobuf,
};

use super::{
    choice::{self, Choice, some},
    error::PlanError,
    loaded::{Chosen, Loaded},
};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Objects a page.
const PAGE_SIZE: u32 = 200;

/// The number of times that a list is begun, should its pages expire while they are read.
const ATTEMPTS: u32 = 3;

/// Asks the cluster for the DaemonSets that are meant and what is around them.
pub async fn load(
    access: &Access,
    choice: &Choice<'_>,
    gates: FeatureGates,
) -> Result<Loaded, PlanError> {
    let clients = client::clients(access, None).await?;
    load_by(clients, choice, gates).await
}

/// The same with clients that are there already.
pub async fn load_by(
    clients: Clients,
    choice: &Choice<'_>,
    gates: FeatureGates,
) -> Result<Loaded, PlanError> {
    let mut lists = Lists {
        client: clients.watches,
        server: clients.server,
        cache: Cache::new(gates),
        notes: Vec::new(),
        choice,
        not_selected: HashSet::new(),
    };
    lists.list(Kind::DaemonSet, choice.only_namespace()).await?;
    let keys = lists.choose()?;
    lists.list(Kind::Node, None).await?;
    // The one namespace of all that is meant, or else all of them.
    let namespace = keys.first().map(|k| k.namespace.clone());
    let namespace = namespace.filter(|n| keys.iter().all(|k| k.namespace == *n));
    for kind in [Kind::Revision, Kind::Pod] {
        lists.list(kind, namespace.as_deref()).await?;
    }
    let api = Api::new(clients.writes, 1, PATIENCE);
    for key in &keys {
        lists.read_data(key, &api, gates).await;
    }
    Ok(Loaded {
        cache: lists.cache,
        chosen: keys.into_iter().map(Chosen::from).collect(),
        notes: lists.notes,
        skipped: None,
    })
}

/// The path of a kind's list.
pub fn path(kind: Kind, namespace: Option<&str>) -> String {
    let (base, plural) = match kind {
        Kind::DaemonSet => ("/apis/apps/v1", "daemonsets"),
        Kind::Revision => ("/apis/apps/v1", "controllerrevisions"),
        Kind::Node => ("/api/v1", "nodes"),
        Kind::Pod => ("/api/v1", "pods"),
    };
    match namespace {
        Some(namespace) => format!("{base}/namespaces/{namespace}/{plural}"),
        None => format!("{base}/{plural}"),
    }
}

struct Lists<'a> {
    client: Client,
    server: String,
    cache: Cache,
    notes: Vec<String>,
    choice: &'a Choice<'a>,
    /// DaemonSets whose labels are not those that are selected.
    not_selected: HashSet<Key>,
}

/// The fields of a DaemonSet that a label selector needs.
#[derive(Deserialize)]
struct Labelled {
    metadata: LabelledMetadata,
}

#[derive(Deserialize)]
struct LabelledMetadata {
    name: String,
    namespace: String,
    #[serde(default)]
    labels: Value,
}

impl Lists<'_> {
    /// The DaemonSets that are meant: one, unless there is to be a line for each.
    fn choose(&self) -> Result<Vec<Key>, PlanError> {
        let mut keys = self.cache.daemon_sets();
        keys.retain(|k| self.choice.is(k) && !self.not_selected.contains(k));
        match keys.len() {
            0 => Err(PlanError::Input(format!(
                "{} in the cluster",
                self.choice.none()
            ))),
            1 => Ok(keys),
            _ if self.choice.is_each() => Ok(keys),
            _ => Err(choice::several(&some(keys.iter().map(ToString::to_string)))),
        }
    }

    /// Remembers a DaemonSet that is not selected. One whose name cannot be read stays.
    fn look_at_labels(&mut self, item: &RawValue) {
        if let Ok(Labelled { metadata }) = serde_json::from_str(item.get())
            && !self.choice.selects(&metadata.labels)
        {
            let key = Key::new(metadata.namespace, metadata.name);
            self.not_selected.insert(key);
        }
    }

    /// Reads the stored bytes of equal revisions, because they decide which of them stays. What
    /// cannot be read stays unknown, and the plan has a note about it.
    async fn read_data(&mut self, key: &Key, api: &Api, gates: FeatureGates) {
        let settings = Settings {
            gates,
            ..Settings::default()
        };
        let unread = self.cache.snapshot(key, settings, |snapshot| {
            plan::plan(snapshot, Time::default()).revision_ops.read_data
        });
        for revision in unread.into_iter().flatten() {
            let key = Key::new(key.namespace.clone(), revision.name);
            if let Ok(answer) = api.get_binary(&paths::revision(&key)).await
                && let Some(stored) = protobuf::revision(&answer)
            {
                let uid = Uid::from(stored.uid);
                self.cache.stored_data(&key, &uid, Some(stored.data));
            }
        }
    }

    async fn list(&mut self, kind: Kind, namespace: Option<&str>) -> Result<(), PlanError> {
        let resource = Resource {
            kind: kind.as_str(),
            path: path(kind, namespace),
            field_selector: None,
            page_size: PAGE_SIZE,
            encoding: Encoding::Json,
        };
        let mut source = ApiSource::new(self.client.clone(), self.server.clone(), resource);
        for _ in 0..ATTEMPTS {
            if self.try_list(kind, &mut source).await? {
                return Ok(());
            }
        }
        let error = source
            .attempt("list")
            .timed_out("complete list before its pages expired");
        Err(PlanError::Cluster(Box::new(error)))
    }

    /// Reads all pages; false where the list must be begun anew.
    async fn try_list(&mut self, kind: Kind, source: &mut ApiSource) -> Result<bool, PlanError> {
        let notes = self.notes.len();
        self.cache.list_began(kind);
        let mut next: Option<String> = None;
        loop {
            let body = match source.page(next.as_deref()).await {
                Ok(body) => body,
                Err(error) if error.kind == ReadErrorKind::Expired => {
                    self.notes.truncate(notes);
                    self.cache.list_failed(kind);
                    return Ok(false);
                }
                Err(error) => return Err(PlanError::Cluster(Box::new(error))),
            };
            let page = Page::read(&body).map_err(|why| {
                let error = source.attempt("list").unreadable(&why);
                PlanError::Cluster(Box::new(error))
            })?;
            for item in page.items {
                if let (Kind::DaemonSet, true, Some(json)) =
                    (kind, self.choice.selects_by_labels(), item.as_json())
                {
                    self.look_at_labels(json);
                }
                // An object that cannot be decoded still counts by its name: its place is taken.
                if let Err(why) = self.cache.listed(kind, item) {
                    self.notes.push(why.to_string());
                }
            }
            next = page.next;
            if next.is_none() {
                let version = Version::parse(&page.version);
                self.cache.list_completed(kind, version);
                return Ok(true);
            }
        }
    }
}

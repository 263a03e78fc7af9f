//! Objects from the cluster: each kind is listed once, in pages, pods last, as the controller does at its start.

use kube::Client;

use crate::{
    cache::Cache,
    model::{FeatureGates, Key, Kind, Version},
    runtime::{
        client::{self, Access},
        list_watch::{ApiSource, Failure, Page, Resource, Source},
        trouble::undecodable,
    },
};

use super::{Loaded, PlanError, Wanted, input::some};

/// Objects a page.
const PAGE_SIZE: u32 = 200;

/// A list whose pages expire while they are read begins anew so often.
const ATTEMPTS: u32 = 3;

/// Asks the cluster for the DaemonSet that is wanted and what is around it.
pub async fn load(
    access: &Access,
    wanted: Wanted<'_>,
    gates: FeatureGates,
) -> Result<Loaded, PlanError> {
    let clients = client::clients(access, None).await?;
    let mut lists = Lists {
        client: clients.watches,
        server: clients.server,
        cache: Cache::new(gates),
        notes: Vec::new(),
    };
    lists.list(Kind::DaemonSet, wanted.only_namespace()).await?;
    let key = choose(lists.cache.daemon_sets(), wanted)?;
    lists.list(Kind::Node, None).await?;
    for kind in [Kind::Revision, Kind::Pod] {
        lists.list(kind, Some(&key.namespace)).await?;
    }
    Ok(Loaded {
        cache: lists.cache,
        key,
        notes: lists.notes,
        skipped: None,
    })
}

fn choose(all: Vec<Key>, wanted: Wanted<'_>) -> Result<Key, PlanError> {
    let candidates: Vec<&Key> = all.iter().filter(|k| wanted.is(k)).collect();
    match candidates[..] {
        [one] => Ok(one.clone()),
        [] => Err(PlanError::Input(format!(
            "{} in the cluster",
            wanted.none()
        ))),
        _ => Err(PlanError::Input(format!(
            "there are several DaemonSets, say which one with -d NAMESPACE/NAME: {}",
            some(candidates.iter().map(ToString::to_string))
        ))),
    }
}

/// The path of a kind's list.
fn path(kind: Kind, namespace: Option<&str>) -> String {
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

struct Lists {
    client: Client,
    server: String,
    cache: Cache,
    notes: Vec<String>,
}

impl Lists {
    async fn list(&mut self, kind: Kind, namespace: Option<&str>) -> Result<(), PlanError> {
        let resource = Resource {
            kind: kind.as_str(),
            path: path(kind, namespace),
            field_selector: None,
            page_size: PAGE_SIZE,
        };
        let mut source = ApiSource::new(self.client.clone(), self.server.clone(), resource);
        for _ in 0..ATTEMPTS {
            if self.try_list(kind, &mut source).await? {
                return Ok(());
            }
        }
        let trouble = source
            .attempt("list")
            .timed_out("complete list before its pages expired");
        Err(PlanError::Cluster(Box::new(trouble)))
    }

    /// Reads all pages; false where the list must be begun anew.
    async fn try_list(&mut self, kind: Kind, source: &mut ApiSource) -> Result<bool, PlanError> {
        let notes = self.notes.len();
        self.cache.list_began(kind);
        let mut next: Option<String> = None;
        loop {
            let body = match source.page(next.as_deref()).await {
                Ok(body) => body,
                Err(Failure::Gone) => {
                    self.notes.truncate(notes);
                    self.cache.list_failed(kind);
                    return Ok(false);
                }
                Err(Failure::Trouble { trouble, .. }) => {
                    return Err(PlanError::Cluster(Box::new(trouble)));
                }
            };
            let page: Page<'_> = serde_json::from_slice(&body).map_err(|why| {
                let trouble = source.attempt("list").unreadable(&undecodable(&why));
                PlanError::Cluster(Box::new(trouble))
            })?;
            for item in page.items.iter().flatten() {
                // What can be read of it is kept, and its place counts as taken.
                if let Err(why) = self.cache.listed(kind, item) {
                    self.notes.push(why.to_string());
                }
            }
            next = page.metadata.next.filter(|token| !token.is_empty());
            if next.is_none() {
                let version = Version::parse(&page.metadata.resource_version);
                self.cache.list_completed(kind, version);
                return Ok(true);
            }
        }
    }
}

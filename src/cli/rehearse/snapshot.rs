//! `snapshot`: what a rehearsal is made from, as one list of objects that `rehearse`, `plan` and
//! `explain` read.

use crate::wire::Encoding;
use std::{collections::BTreeSet, process::ExitCode};

use serde_json::{Value, json};

use crate::{
    cli::{
        args::{Asked, SnapshotArgs},
        commands::cluster::list_all,
        complain, log,
        plan::{choice::Choice, cluster, error::PlanError, print},
    },
    model::{Key, Kind, Str, Time},
    runtime::{
        client::{self, Access, Clients},
        list_watch::Resource,
    },
};

use super::{error::RehearseError, leave_out::LeftOut};

/// The kind of the object at the head of a snapshot.
pub const KIND: &str = "ClusterSnapshot";

/// Its version. It changes when an older build would read a snapshot wrongly.
pub const VERSION: &str = "daemonset-controller.io/v1";

/// Objects a page.
const PAGE_SIZE: u32 = 500;

/// A part of the cluster, as objects.
pub struct Collected {
    /// The objects, the head first.
    pub items: Vec<Value>,
    /// What is not among them, a sentence each.
    pub notes: Vec<String>,
}

impl Collected {
    /// As a list that kubectl would print.
    pub fn to_json(&self) -> String {
        json!({"apiVersion": "v1", "kind": "List", "items": self.items}).to_string()
    }
}

/// Prints a snapshot. The exit code is 0; 2 where other input is needed, 1 where the cluster cannot
/// be asked or the snapshot cannot be written.
pub fn run(args: &SnapshotArgs) -> ExitCode {
    log::init(args.shared.log_format);
    let printed = answer(args);
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            why.exit_code().into()
        }
    }
}

fn answer(args: &SnapshotArgs) -> Result<(), RehearseError> {
    let asked = args.named().map_err(RehearseError::input)?;
    // Without a name all are meant, as kubectl has it.
    let asked = match asked {
        Asked::TheOnlyOne => Asked::Each,
        asked => asked,
    };
    let choice = Choice::new(asked, args.shared.namespace(), None);
    let collected = collect(&args.shared.access(), &choice, false)?;
    let mut left_out = LeftOut::default();
    let items = collected.items.iter().filter_map(|item| {
        let kind = item["kind"].as_str().unwrap_or_default();
        match Kind::ALL.into_iter().find(|k| k.as_str() == kind) {
            Some(kind) => left_out.of(kind, item),
            None => Some(item.clone()),
        }
    });
    let mut snapshot = Collected {
        items: items.collect(),
        notes: collected.notes,
    };
    if let Some(head) = snapshot.items.first_mut() {
        head["valuesLeftOut"] = left_out.count().into();
    }
    let mut text = snapshot.to_json();
    text.push('\n');
    Ok(print(&text, &snapshot.notes)?)
}

/// Reads what is around the DaemonSets that are meant. There must be one, unless it `may_be_new`.
pub fn collect(
    access: &Access,
    choice: &Choice<'_>,
    may_be_new: bool,
) -> Result<Collected, RehearseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(PlanError::from)?;
    runtime.block_on(collect_by(access, choice, may_be_new))
}

async fn collect_by(
    access: &Access,
    choice: &Choice<'_>,
    may_be_new: bool,
) -> Result<Collected, RehearseError> {
    let clients = client::clients(access, None)
        .await
        .map_err(PlanError::from)?;
    let taken = Time::from(jiff::Timestamp::now()).whole_seconds();
    let mut items = vec![json!({
        "apiVersion": VERSION, "kind": KIND, "metadata": {"name": "snapshot"},
        "takenAt": taken.to_string(),
    })];
    let mut daemon_sets = list(&clients, Kind::DaemonSet, choice.only_namespace()).await?;
    daemon_sets.retain(|ds| choice.is(&key(ds)));
    if daemon_sets.is_empty() && !may_be_new {
        let none = format!("{} in the cluster", choice.none());
        return Err(RehearseError::input(none));
    }
    // The one namespace of all that is meant, or else all of them.
    let namespaces: BTreeSet<Str> = daemon_sets.iter().map(|ds| key(ds).namespace).collect();
    let namespace = match namespaces.len() {
        0 => choice.only_namespace(),
        1 => namespaces.first().map(|namespace| &**namespace),
        _ => None,
    };
    items.append(&mut daemon_sets);
    items.append(&mut list(&clients, Kind::Node, None).await?);
    for kind in [Kind::Revision, Kind::Pod] {
        items.append(&mut list(&clients, kind, namespace).await?);
    }
    let mut notes = Vec::new();
    match budgets(&clients, namespace).await {
        Ok(mut budgets) => items.append(&mut budgets),
        Err(why) => notes.push(format!(
            "without PodDisruptionBudgets, which only replace-by: eviction looks at: {why}"
        )),
    }
    Ok(Collected { items, notes })
}

fn key(object: &Value) -> Key {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    Key::new(text("namespace"), text("name"))
}

async fn list(
    clients: &Clients,
    kind: Kind,
    namespace: Option<&str>,
) -> Result<Vec<Value>, RehearseError> {
    let api_version = match kind {
        Kind::DaemonSet | Kind::Revision => "apps/v1",
        Kind::Node | Kind::Pod => "v1",
    };
    let path = cluster::path(kind, namespace);
    let items = named(clients, kind.as_str(), api_version, path).await?;
    Ok(items)
}

async fn budgets(clients: &Clients, namespace: Option<&str>) -> Result<Vec<Value>, PlanError> {
    let path = match namespace {
        Some(namespace) => format!("/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"),
        None => "/apis/policy/v1/poddisruptionbudgets".to_owned(),
    };
    named(clients, "PodDisruptionBudget", "policy/v1", path).await
}

/// A list whose items say what they are; an API server leaves that out.
async fn named(
    clients: &Clients,
    kind: &'static str,
    api_version: &str,
    path: String,
) -> Result<Vec<Value>, PlanError> {
    let resource = Resource {
        kind,
        path,
        field_selector: None,
        page_size: PAGE_SIZE,
        encoding: Encoding::Json,
    };
    let mut items = list_all(clients, resource).await?;
    for item in &mut items {
        item["apiVersion"] = api_version.into();
        item["kind"] = kind.into();
    }
    Ok(items)
}

//! `history`: the revisions of a DaemonSet, how they stand, and how many pods each has.

use std::{collections::BTreeMap, process::ExitCode};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    cli::{
        args::{HistoryArgs, Output},
        explain::text::{line, section},
        plan::{
            print,
            report::{ObjectName, to_json},
            table::{self, Row},
        },
    },
    model::{Key, Kind, Pod, Revision, Settings, Snapshot, Str, Time},
    plan::{
        by_node::ByNode,
        control::{Rules, stable},
        revisions,
    },
};

use super::{
    carry_out,
    cluster::Cluster,
    error::CommandError,
    object::{Object, images},
};

/// So many stages that are over are named in text.
const SHOWN_STAGES: usize = 3;

/// The revisions of a DaemonSet.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct History {
    /// The DaemonSet.
    pub daemon_set: ObjectName,
    /// Its revisions, the oldest number first.
    pub revisions: Vec<RevisionReport>,
    /// Sentences that are needed to understand the history.
    pub notes: Vec<String>,
}

/// A revision.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevisionReport {
    /// `revision` of the ControllerRevision.
    pub number: i64,
    /// `metadata.name`.
    pub name: String,
    /// The hash label of its pods.
    pub hash: String,
    /// `metadata.creationTimestamp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Whether it is of the present template.
    pub current: bool,
    /// Whether it is what nodes have that are not released for the present one.
    pub stable: bool,
    /// When the rollout to it began, RFC 3339, where that was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// The stages of its rollout that are over, as it was recorded.
    pub released: Vec<String>,
    /// When it completed, RFC 3339, where that was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<String>,
    /// Why its rollout failed, where that was recorded and still counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The number of its pods that are neither terminating nor terminal.
    pub pods: usize,
    /// The images of its containers.
    pub images: Vec<String>,
}

/// Prints the history.
pub fn run(args: &HistoryArgs) -> ExitCode {
    carry_out(&args.one.shared, answer(args))
}

async fn answer(args: &HistoryArgs) -> Result<u8, CommandError> {
    let target = args.one.target().map_err(CommandError::Input)?;
    let cluster = Cluster::reach(&args.one.shared).await?;
    let object = cluster.find(&target).await?;
    let history = read(&cluster, &object, args.one.shared.settings()).await?;
    match args.output.output {
        Output::Json => print(&to_json(&history), &history.notes)?,
        Output::Text => print(&text(&history), &[])?,
    }
    Ok(0)
}

async fn read(
    cluster: &Cluster,
    object: &Object,
    settings: Settings,
) -> Result<History, CommandError> {
    let key = &object.key;
    let mut loaded = cluster.load(key, settings.gates).await?;
    let created = created(cluster, key).await?;
    let now = Time::from(jiff::Timestamp::now());
    let history = loaded.cache.snapshot(key, settings, |snapshot| {
        of_snapshot(snapshot, &created, now)
    });
    let mut history = match history {
        Some(Ok(history)) => history,
        Some(Err(why)) => return Err(CommandError::Refused(why)),
        None => {
            return Err(CommandError::Input(format!("there is no DaemonSet {key}")));
        }
    };
    history.notes.splice(0..0, loaded.notes);
    Ok(history)
}

/// When each revision of the namespace was created, which plans need not know.
async fn created(cluster: &Cluster, key: &Key) -> Result<BTreeMap<String, String>, CommandError> {
    let all = cluster
        .list(Kind::Revision, Some(&key.namespace), None)
        .await?;
    let of = |revision: &Value| {
        let metadata = &revision["metadata"];
        let at = metadata["creationTimestamp"].as_str()?;
        Some((metadata["name"].as_str()?.to_owned(), at.to_owned()))
    };
    Ok(all.iter().filter_map(of).collect())
}

fn of_snapshot(
    snapshot: &Snapshot<'_>,
    created: &BTreeMap<String, String>,
    now: Time,
) -> Result<History, String> {
    let ds = snapshot.daemon_set;
    let name = format!("DaemonSet {}/{}", ds.namespace, ds.name);
    let selector = ds.selector.as_ref();
    let selector = selector.map_err(|why| format!("the selector of {name} is malformed: {why}"))?;
    let (history, old) =
        revisions::history(ds, selector, &snapshot.revisions, snapshot.revision_exists);
    let ours = snapshot.pods.iter().filter(|p| p.controller.is(&ds.uid));
    let pods: Vec<&Pod> = ours.copied().collect();
    let by_node = ByNode::new(snapshot.nodes, &pods);
    let rules = Rules::new(snapshot, &history, &old, &pods, &by_node, now);
    let stable = rules.stable_hash();
    let current = &history.current;
    let is_stable = |hash: &Str| match stable {
        Some(stable) => stable == hash,
        None => rules.is_completed() && *hash == current.hash,
    };
    let report = |revision: &Revision, hash: &Str| RevisionReport {
        number: revision.number,
        name: revision.name.to_string(),
        hash: hash.to_string(),
        created: created.get(&*revision.name).cloned(),
        current: *hash == current.hash,
        stable: is_stable(hash),
        started: revision.started.map(|at| at.to_string()),
        released: revision.released.iter().map(Str::to_string).collect(),
        completed: revision.completed.map(|at| at.to_string()),
        failed: stable::verdict(revision, now).map(|failed| failed.cause.why.to_string()),
        pods: pods
            .iter()
            .filter(|p| p.is_live() && revisions::hash_of(p, &history) == Some(hash))
            .count(),
        images: images_of(revision),
    };
    let mut all: Vec<RevisionReport> = old.iter().map(|(r, hash)| report(r, hash)).collect();
    let present = snapshot.revisions.iter();
    let present = present
        .copied()
        .find(|r| !current.create && r.name == current.name);
    all.extend(present.map(|r| report(r, &current.hash)));
    all.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
    let note = current.create.then(|| {
        format!(
            "the present template has no revision yet: {}, number {}, hash {} is to be created",
            current.name, current.number, current.hash
        )
    });
    Ok(History {
        daemon_set: ObjectName {
            namespace: ds.namespace.to_string(),
            name: ds.name.to_string(),
        },
        revisions: all,
        notes: note.into_iter().collect(),
    })
}

/// The images of a revision's template.
fn images_of(revision: &Revision) -> Vec<String> {
    let data: Result<Value, _> = serde_json::from_str(&revision.data);
    data.map_or_else(|_| Vec::new(), |data| images(&data["spec"]["template"]))
}

/// The history in words, for people.
fn text(history: &History) -> String {
    let mut out = String::new();
    let ObjectName { namespace, name } = &history.daemon_set;
    line(&mut out, "DaemonSet", &format!("{namespace}/{name}"));
    let rows: Vec<Row<7>> = history.revisions.iter().map(row).collect();
    let heading = [
        "NUMBER",
        "HASH",
        "CREATED",
        "PODS",
        "STATE",
        "COMPLETED",
        "IMAGES",
    ];
    out.push('\n');
    out.push_str(&table::render(heading, &rows));
    section(&mut out, "Notes", &history.notes);
    out
}

fn row(revision: &RevisionReport) -> Row<7> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let states = [
        (revision.current, "current"),
        (revision.stable, "stable"),
        (revision.failed.is_some(), "failed"),
    ];
    let states = states.iter().filter(|s| s.0).map(|s| s.1.to_owned());
    let over = match &revision.released[..] {
        few if few.len() <= SHOWN_STAGES => {
            few.iter().map(|stage| format!("{stage} over")).collect()
        }
        many => vec![format!("{} stages over", many.len())],
    };
    let states: Vec<String> = states.chain(over).collect();
    [
        revision.number.to_string(),
        revision.hash.clone(),
        or_dash(&revision.created),
        revision.pods.to_string(),
        or_dash(&(!states.is_empty()).then(|| states.join(", "))),
        or_dash(&revision.completed),
        or_dash(&(!revision.images.is_empty()).then(|| revision.images.join(","))),
    ]
}

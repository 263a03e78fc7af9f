//! What a rehearsal is made from: the DaemonSet as it is to be, and what is around it.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    cache::Cache,
    cli::{
        args::{Asked, RehearseArgs, Target},
        files::{self, Document},
        plan::{check, choice::Choice, error::PlanError, input, loaded::Loaded},
        rollout_defaults,
    },
    model::{Controller, Key, Kind, Selector, Settings, Time},
    plan::names,
    rehearse::{
        Cluster,
        disruption::{Budget, Budgets},
    },
    wire::daemon_set::label_selector,
};

use super::{
    error::RehearseError,
    leave_out::has_secrets,
    merge,
    snapshot::{self, KIND, VERSION},
};

/// How objects of the cluster are named in messages.
const THE_CLUSTER: &str = "the cluster";

/// Ready to be rehearsed.
pub struct Prepared {
    /// The DaemonSet and what is around it.
    pub cluster: Cluster,
    /// The disruption budgets of its namespace.
    pub budgets: Budgets,
    /// The DaemonSet's name.
    pub key: Key,
    /// What to know about all of it, a sentence each.
    pub notes: Vec<String>,
}

/// Reads the files, and the snapshot or the cluster.
pub fn prepare(args: &RehearseArgs) -> Result<Prepared, RehearseError> {
    let shared = &args.shared;
    let namespace = shared.namespace();
    let file = shared.rollout_defaults().map(rollout_defaults::read);
    let defaults = file.transpose().map_err(RehearseError::input)?;
    let asked = args.named().map_err(RehearseError::input)?;
    let stdin = |file: &&PathBuf| file.as_os_str() == "-";
    if args.snapshot().is_some_and(|file| stdin(&file)) && args.files().iter().any(stdin) {
        return Err(files::FileError::StdinTwice.into());
    }
    let mut notes = Vec::new();
    let mut wanted = read_files(args, &mut notes)?;
    refuse_what_a_server_would(args, &mut wanted)?;
    let asked = the_one_wanted(asked, &wanted, namespace)?;
    let choice = Choice::new(asked, namespace, None);

    let has_nodes = wanted.iter().any(|d| d.kind == "Node");
    let around = match args.snapshot() {
        Some(file) => {
            let contents = files::read(&[file], false, &mut std::io::stdin().lock())?;
            notes.extend(contents.notes);
            contents.documents
        }
        None if has_nodes => Vec::new(),
        None => {
            let collected = collect(args, &choice, &wanted)?;
            notes.extend(collected.notes);
            let list = serde_json::json!({
                "apiVersion": "v1", "kind": "List", "items": collected.items,
            });
            files::parse(THE_CLUSTER, &list.to_string())?
        }
    };
    let head = Head::of(&around)?;
    let is_incomplete = head.as_ref().is_some_and(|h| h.values_left_out > 0);
    if is_incomplete && wanted.iter().any(|d| has_secrets(&d.json)) {
        notes.push(
            "the snapshot has no values that may be secrets, and the DaemonSet of -f has some: it counts as changed, \
             even where it is the same"
                .to_owned(),
        );
    }
    let budgets = budgets(&around, &wanted);
    let documents = together(around, wanted, namespace)?;
    let Loaded {
        mut cache,
        chosen,
        notes: general,
        ..
    } = input::load(documents, &choice, namespace, shared.settings().gates)?;
    if let Some((_, defaults)) = defaults {
        cache.set_rollout_defaults(defaults);
    }
    let key = chosen.into_iter().next().map(|chosen| chosen.key);
    let key = key.ok_or_else(|| RehearseError::input(choice.none()))?;
    if cache.nodes().is_empty() {
        return Err(RehearseError::input(
            "there is no Node in the snapshot, so nothing can be rehearsed: take it with `snapshot`, or list nodes, \
             pods, DaemonSets and ControllerRevisions with kubectl",
        ));
    }
    notes.extend(general);
    let now = args.now.or(head.map(|head| head.taken_at));
    let now = now.unwrap_or_else(|| newest(&mut cache, &key, shared.settings(), &mut notes));
    about_pods(&mut cache, &key, shared.settings(), &mut notes);
    let cluster = Cluster::new(cache, key.clone(), shared.settings(), now);
    let cluster = cluster.ok_or_else(|| RehearseError::input(choice.none()))?;
    let budgets = Budgets(
        budgets
            .into_iter()
            .filter(|(namespace, _)| **namespace == *key.namespace)
            .map(|(_, budget)| budget)
            .collect(),
    );
    Ok(Prepared {
        cluster,
        budgets,
        key,
        notes,
    })
}

fn read_files(
    args: &RehearseArgs,
    notes: &mut Vec<String>,
) -> Result<Vec<Document>, RehearseError> {
    let files = args.files();
    args.read.check()?;
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let contents = args.read.read(&files)?;
    notes.extend(contents.notes);
    Ok(contents.documents)
}

fn refuse_what_a_server_would(
    args: &RehearseArgs,
    wanted: &mut [Document],
) -> Result<(), RehearseError> {
    let checked = check::daemon_sets(wanted, args.shared.namespace(), args.validate);
    for warning in &checked.warnings {
        eprintln!("Warning: {warning}");
    }
    match checked.refusals.is_empty() {
        true => Ok(()),
        false => Err(PlanError::Refused(checked.refusals).into()),
    }
}

/// The DaemonSet of the files, where none is named and there is one in them.
fn the_one_wanted(
    asked: Asked,
    wanted: &[Document],
    namespace: Option<&str>,
) -> Result<Asked, RehearseError> {
    if asked != Asked::TheOnlyOne {
        return Ok(asked);
    }
    let mut all = wanted.iter().filter(|d| d.kind == "DaemonSet");
    let (Some(one), None) = (all.next(), all.next()) else {
        return Ok(asked);
    };
    let key = input::key(Kind::DaemonSet, one, namespace);
    Ok(Asked::One(Target {
        namespace: Some(key.namespace.to_string()),
        name: key.name.to_string(),
    }))
}

/// Asks the cluster. One that does not have the DaemonSet yet is asked for its nodes all the same.
fn collect(
    args: &RehearseArgs,
    choice: &Choice<'_>,
    wanted: &[Document],
) -> Result<snapshot::Collected, RehearseError> {
    let is_new = wanted.iter().any(|d| d.kind == "DaemonSet");
    snapshot::collect(&args.shared.access(), choice, is_new)
}

/// All objects, with the DaemonSets as they are to be.
fn together(
    mut around: Vec<Document>,
    wanted: Vec<Document>,
    namespace: Option<&str>,
) -> Result<Vec<Document>, RehearseError> {
    for mut document in wanted {
        let is_daemon_set = document.kind == "DaemonSet";
        let key = |d: &Document| input::key(Kind::DaemonSet, d, namespace);
        let there = around
            .iter()
            .position(|d| is_daemon_set && d.kind == "DaemonSet" && key(d) == key(&document));
        if let Some(at) = there {
            let merged = merge::merge(&around[at].json, &document.json);
            let merged = merged
                .map_err(|why| RehearseError::input(format!("{}: {why}", document.origin)))?;
            document.json = raw(&merged);
            around.remove(at);
        }
        around.push(document);
    }
    Ok(around)
}

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).expect("a value has a JSON form")
}

/// The head of a snapshot.
struct Head {
    taken_at: Time,
    values_left_out: usize,
}

impl Head {
    /// None where the objects are no snapshot of ours. An error for one of another version.
    fn of(documents: &[Document]) -> Result<Option<Head>, RehearseError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct HeadObject {
            taken_at: String,
            #[serde(default)]
            values_left_out: usize,
        }
        let Some(head) = documents.iter().find(|d| d.kind == KIND) else {
            return Ok(None);
        };
        if head.api_version != VERSION {
            return Err(RehearseError::input(format!(
                "{}: the snapshot is of version {}, and {VERSION} is needed: take it anew with this build",
                head.origin, head.api_version
            )));
        }
        let read: Option<HeadObject> = serde_json::from_str(head.json.get()).ok();
        let read = read.and_then(|read| Some((read.taken_at.parse().ok()?, read)));
        let Some((taken_at, read)) = read else {
            return Err(RehearseError::input(format!(
                "{}: the head of the snapshot says no time (takenAt): take it anew",
                head.origin
            )));
        };
        Ok(Some(Head {
            taken_at,
            values_left_out: read.values_left_out,
        }))
    }
}

/// The disruption budgets, with their namespaces. What is none of them is passed over.
fn budgets(around: &[Document], wanted: &[Document]) -> Vec<(String, Budget)> {
    #[derive(Deserialize)]
    struct BudgetObject<'a> {
        #[serde(borrow)]
        spec: Option<Spec<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Spec<'a> {
        min_available: Option<Value>,
        #[serde(borrow)]
        selector: Option<&'a RawValue>,
    }
    let all = around.iter().chain(wanted);
    let all = all.filter(|d| d.kind == "PodDisruptionBudget" && d.api_version == "policy/v1");
    let read = all.filter_map(|document| {
        let object: BudgetObject<'_> = serde_json::from_str(document.json.get()).ok()?;
        let spec = object.spec?;
        let selector = spec.selector.and_then(label_selector);
        let budget = Budget {
            name: document.name.as_str().into(),
            selector: selector.and_then(Result::ok).unwrap_or(Selector::Nothing),
            min_available: spec
                .min_available
                .and_then(|n| n.as_u64())
                .and_then(|n| usize::try_from(n).ok()),
        };
        Some((document.namespace.clone().unwrap_or_default(), budget))
    });
    read.collect()
}

/// The newest time that the DaemonSet's pods and the nodes tell of.
fn newest(cache: &mut Cache, key: &Key, settings: Settings, notes: &mut Vec<String>) -> Time {
    let newest = cache.snapshot(key, settings, |snapshot| {
        let pods = snapshot.pods.iter().flat_map(|pod| {
            let ready = match pod.readiness {
                crate::model::Readiness::Since(at) => Some(at),
                _ => None,
            };
            [Some(pod.created), ready]
        });
        let nodes = snapshot.nodes.iter().map(|(_, node)| node.created);
        pods.chain(nodes).flatten().max()
    });
    let newest = newest.flatten().unwrap_or_default();
    notes.push(format!(
        "the snapshot does not say when it was taken: {newest} is supposed, the newest time in it (--now sets it)"
    ));
    newest
}

/// Notes about pods: that there is none, and that another controller makes some.
fn about_pods(cache: &mut Cache, key: &Key, settings: Settings, notes: &mut Vec<String>) {
    let found = cache.snapshot(key, settings, |snapshot| {
        let ds = snapshot.daemon_set;
        let own = snapshot
            .pods
            .iter()
            .filter(|pod| matches!(&pod.controller, Controller::Uid(uid) if *uid == ds.uid));
        let (theirs, ours): (Vec<_>, Vec<_>) =
            own.partition(|pod| names::is_generated(&ds.name, &pod.name));
        let newest = |pods: &[&&crate::model::Pod]| pods.iter().map(|pod| pod.created).max();
        let oldest = |pods: &[&&crate::model::Pod]| pods.iter().map(|pod| pod.created).min();
        let both = newest(&theirs) > oldest(&ours) && newest(&ours) > oldest(&theirs);
        let both = both && !ours.is_empty() && !theirs.is_empty();
        (
            ours.len() + theirs.len(),
            both,
            ds.status.desired_number_scheduled,
        )
    });
    let Some((pods, both, desired)) = found else {
        return;
    };
    if pods == 0 && desired > 0 {
        notes.push(format!(
            "the DaemonSet's status has {desired} nodes with pods, and no pod of it is in the snapshot: it is \
             rehearsed as a first install"
        ));
    }
    if both {
        notes.push(
            "pods were made by this controller and by another one in turn: the rehearsal supposes that only one is \
             at work"
                .to_owned(),
        );
    }
}

//! `handback`: what would the built-in controller roll out at once, and what of ours is to be
//! removed before it takes over?
//!
//! The built-in controller does not know our keys, and goes on with every rollout that they hold.
//! It also never removes a condition that it does not know.

mod gates;
pub mod lease;
pub mod ours;
pub mod report;
pub mod text;

use std::{collections::BTreeMap, process::ExitCode};

use serde_json::{Value, json};

use crate::{
    apply::client::paths,
    cli::{
        args::{HandbackArgs, Output},
        plan::{print, report::to_json},
    },
    model::{Key, Kind, Time},
};

use super::{carry_out, cluster::Cluster, error::CommandError, object::Object};
use ours::Recorded;
use report::{DaemonSetReport, Handback};

/// How often a patch is sent again because the object has changed.
const ATTEMPTS: usize = 5;

/// The exit code of `--check` where something would be rolled out.
const WOULD_ROLL_OUT: u8 = 1;

/// Prints what would happen, and removes what is ours where that was confirmed.
pub fn run(args: &HandbackArgs) -> ExitCode {
    carry_out(&args.shared, answer(args))
}

async fn answer(args: &HandbackArgs) -> Result<u8, CommandError> {
    let scope = args.scope().map_err(CommandError::Input)?;
    let cluster = Cluster::reach(&args.shared).await?;
    let objects = cluster.list(Kind::DaemonSet, scope, None).await?;
    let objects: Vec<Object> = objects.into_iter().filter_map(Object::new).collect();
    let revisions = cluster.list(Kind::Revision, scope, None).await?;
    let recorded: Vec<Recorded> = revisions.iter().filter_map(Recorded::new).collect();
    let handback = look(&cluster, args, scope, &objects, &recorded).await?;
    match args.output.output {
        Output::Json => print(&to_json(&handback), &handback.notes)?,
        Output::Text => print(&text::render(&handback), &[])?,
    }
    if args.check {
        return Ok(if handback.rolls_out {
            WOULD_ROLL_OUT
        } else {
            0
        });
    }
    let mut conditions = objects.iter().map(ours::conditions);
    let has_gated = handback.daemon_sets.iter().any(|d| !d.gated.is_empty());
    if recorded.is_empty() && !has_gated && conditions.all(|(ours, _)| ours.is_empty()) {
        return Ok(0);
    }
    let (namespace, name) = args.lease();
    if let Some(holder) = lease::holder(&cluster, namespace, name).await? {
        return Err(CommandError::Refused(format!(
            "nothing was removed: a controller of ours is running, and would write it again (the Lease \
             {namespace}/{name} is held by {holder}); stop it first"
        )));
    }
    if !args.yes {
        return Err(CommandError::Refused(
            "nothing was removed: --yes removes it".to_owned(),
        ));
    }
    if has_gated {
        for removed in gates::remove(&cluster, scope).await? {
            tell(args, Some(removed));
        }
    }
    for object in objects {
        tell(args, remove_conditions(&cluster, object).await?);
    }
    for revision in recorded {
        tell(args, remove_state(&cluster, &revision).await?);
    }
    Ok(0)
}

/// Says what was removed. Where standard output is JSON it holds nothing else.
fn tell(args: &HandbackArgs, removed: Option<String>) {
    match (removed, args.output.output) {
        (Some(removed), Output::Text) => println!("{removed}"),
        (Some(removed), Output::Json) => eprintln!("{removed}"),
        (None, _) => {}
    }
}

/// What would happen, for each DaemonSet that our rules or our writes concern.
async fn look(
    cluster: &Cluster,
    args: &HandbackArgs,
    scope: Option<&str>,
    objects: &[Object],
    recorded: &[Recorded],
) -> Result<Handback, CommandError> {
    let mut handback = Handback {
        recorded_revisions: recorded.len(),
        ..Handback::default()
    };
    if objects.is_empty() {
        // A namespace that is not there has none either.
        let place = scope.map_or("the cluster".to_owned(), |name| format!("namespace {name}"));
        handback
            .notes
            .push(format!("there is no DaemonSet in {place}"));
        return Ok(handback);
    }
    let settings = args.shared.settings();
    let mut loaded = cluster.load_each(scope, settings.gates).await?;
    let now = Time::from(jiff::Timestamp::now());
    let by_key: BTreeMap<&Key, &Object> = objects.iter().map(|o| (&o.key, o)).collect();
    for chosen in &loaded.chosen {
        let Some(object) = by_key.get(&chosen.key) else {
            continue;
        };
        let report = loaded.cache.snapshot(&chosen.key, settings, |snapshot| {
            DaemonSetReport::new(snapshot, object, recorded, now)
        });
        if let Some(report) = report.filter(DaemonSetReport::is_concerned) {
            handback.add(report);
        }
    }
    handback.notes.extend(handback.about_forgotten());
    handback.notes.extend(handback.about_resources());
    handback.notes.extend(loaded.notes);
    Ok(handback)
}

/// Removes our conditions, and leaves those of others as they are. Says what was removed.
async fn remove_conditions(
    cluster: &Cluster,
    object: Object,
) -> Result<Option<String>, CommandError> {
    let mut object = object;
    for _ in 0..ATTEMPTS {
        let (ours, others) = ours::conditions(&object);
        if ours.is_empty() {
            return Ok(None);
        }
        let others = (!others.is_empty()).then_some(others);
        let body = json!({ "metadata": object.seen(), "status": { "conditions": others } });
        let path = paths::daemon_set_status(&object.key);
        let call = super::error::Call {
            resource: "daemonsets/status",
            ..cluster.patch_of(&object.key)
        };
        if cluster.patch(&path, &body, false, call).await?.is_some() {
            let name = &object.key;
            let removed = ours.join(", ");
            return Ok(Some(format!(
                "DaemonSet {name}: removed conditions {removed}"
            )));
        }
        object = cluster.get(&object.key).await?;
    }
    Err(CommandError::Cluster(format!(
        "the status of DaemonSet {} changes all the time: is a controller running? Its conditions were not removed",
        object.key
    )))
}

/// Removes the state of rollouts from a revision. Says what was removed.
async fn remove_state(
    cluster: &Cluster,
    revision: &Recorded,
) -> Result<Option<String>, CommandError> {
    let none = revision.state.iter().map(|key| (key.clone(), Value::Null));
    let annotations: serde_json::Map<String, Value> = none.collect();
    let body = json!({ "metadata": { "uid": revision.uid, "annotations": annotations } });
    let path = paths::revision(&revision.key);
    let call = cluster.patch_of_revision(&revision.key);
    let done = cluster.patch(&path, &body, false, call).await?;
    let removed = revision.state.join(", ");
    // One that has gone meanwhile has no state any more.
    Ok(done.map(|()| format!("ControllerRevision {}: removed {removed}", revision.key)))
}

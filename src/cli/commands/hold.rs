//! `hold` and `resume`: the annotation `hold` is set, or removed.

use std::process::ExitCode;

use crate::{
    cli::args::{HoldArgs, ResumeArgs},
    model::control::PREFIX,
};

use super::{
    annotate::{Change, annotate},
    carry_out,
    cluster::Cluster,
    error::CommandError,
    object::Object,
};

/// The key.
const HOLD: &str = "hold";

/// Holds, and prints what was done.
pub fn hold(args: &HoldArgs) -> ExitCode {
    carry_out(&args.one.shared, async {
        let target = args.one.target().map_err(CommandError::Input)?;
        let cluster = Cluster::reach(&args.one.shared).await?;
        let object = cluster.find(&target).await?;
        let decide = |object: &Object| Ok(to_hold(object, args.all));
        annotate(&cluster, object, HOLD, args.write.dry_run, decide).await?;
        Ok(0)
    })
}

/// Resumes, and prints what was done.
pub fn resume(args: &ResumeArgs) -> ExitCode {
    carry_out(&args.one.shared, async {
        let target = args.one.target().map_err(CommandError::Input)?;
        let cluster = Cluster::reach(&args.one.shared).await?;
        let object = cluster.find(&target).await?;
        annotate(&cluster, object, HOLD, args.write.dry_run, |o| {
            Ok(to_resume(o))
        })
        .await?;
        Ok(0)
    })
}

fn value(object: &Object) -> Option<String> {
    let annotations = object.annotations();
    let value = annotations.get(&*format!("{PREFIX}{HOLD}"));
    value.map(|value| (*value).to_owned())
}

/// A hold is never made weaker by `hold`.
fn to_hold(object: &Object, all: bool) -> Change {
    match (value(object).as_deref(), all) {
        (Some("all"), true) | (Some("rollout"), false) => {
            Change::Nothing("is held already".to_owned())
        }
        (Some("all"), false) => Change::Nothing(
            "is held already, with all of its upkeep (hold=all): resume it first to hold the rollout only"
                .to_owned(),
        ),
        (_, true) => Change::To(Some("all".to_owned()), "held with all of its upkeep"),
        (_, false) => Change::To(Some("rollout".to_owned()), "held"),
    }
}

fn to_resume(object: &Object) -> Change {
    match value(object).as_deref() {
        Some("off") => Change::Nothing("is not held (hold=off)".to_owned()),
        Some(_) => Change::To(None, "resumed"),
        None => Change::Nothing(not_held(object)),
    }
}

/// Without the annotation only the defaults of the cluster can hold it.
fn not_held(object: &Object) -> String {
    let reason = object.condition("Progressing").map(|c| &c["reason"]);
    let no = "is not held by an annotation";
    if reason.is_none_or(|reason| reason != "Paused") {
        return no.to_owned();
    }
    let namespace = &object.key.namespace;
    let name = &object.key.name;
    format!(
        "{no}, and its condition Progressing says Paused: where the defaults of the cluster hold it, they are \
         overruled by kubectl annotate daemonset -n {namespace} {name} {PREFIX}{HOLD}=off"
    )
}

//! `approve`: the annotation `approve` is set to the hash of a revision that somebody has seen.
//!
//! One annotation is one approval, which the controller records. To approve the same revision once
//! more the annotation goes, the controller records that, and then it is set again.

use std::{process::ExitCode, time::Duration};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    cli::{
        args::{ApproveArgs, DryRun},
        program,
    },
    model::{
        Kind, Settings, Time,
        control::{APPROVED, PREFIX},
    },
    plan::{self, DetailedPlan, HoldRule, Progress},
};

use super::{
    annotate::{Change, annotate},
    carry_out,
    cluster::Cluster,
    error::CommandError,
    object::Object,
};

/// The key.
const APPROVE: &str = "approve";

/// What is to be approved.
struct Present {
    /// `metadata.name` of the revision.
    name: String,
    /// Its hash.
    hash: String,
    /// How far the rollout is, in one word.
    progress: &'static str,
    /// Whether an approval would let nodes follow.
    waits: bool,
    /// Whether the rollout has failed.
    has_failed: bool,
    /// Whether an approval is recorded that is not over.
    is_approved: bool,
}

/// How long the controller has to record that an approval is over.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long between two looks for that.
const PAUSE: Duration = Duration::from_millis(250);

/// Approves, and prints what was done.
pub fn approve(args: &ApproveArgs) -> ExitCode {
    carry_out(&args.shared, run(args))
}

async fn run(args: &ApproveArgs) -> Result<u8, CommandError> {
    let (target, asked) = args.target_and_hash().map_err(CommandError::Input)?;
    let cluster = Cluster::reach(&args.shared).await?;
    let object = cluster.find(&target).await?;
    let present = present(&cluster, &object, args.shared.settings()).await?;
    let hash = check(&object, &present, asked, args.force)?;
    if hash == present.hash {
        println!(
            "revision {}, hash {}, images {}",
            present.name,
            present.hash,
            object.images().join(", ")
        );
    } else {
        println!(
            "hash {hash}: not that of the present template, which is {}",
            present.hash
        );
    }
    // What was looked at is approved, and no template that came later. Without a change of the spec
    // the template is the same, whatever became of the status.
    let generation = object.generation();
    let dry_run = args.write.dry_run;
    let mut object = object;
    if hash == present.hash && present.has_failed && present.is_approved {
        match withdraw(&cluster, object, &present, dry_run).await? {
            Some(again) => object = again,
            None => return Ok(0),
        }
    }
    // It was approved before it failed, or what follows from that was not recorded yet.
    let seen = match present.has_failed {
        true => ", which the controller has not acted on yet",
        false => "",
    };
    let done = annotate(&cluster, object, APPROVE, dry_run, |now| {
        unchanged(now, generation)?;
        Ok(match value(now) {
            Some(value) if value == hash => {
                Change::Nothing(format!("has revision {hash} approved already{seen}"))
            }
            _ => Change::To(Some(hash.clone()), "approved"),
        })
    })
    .await?;
    if done.is_some() && !present.waits {
        eprintln!("note: nothing waits for an approval now");
    }
    Ok(0)
}

/// What is approved now.
fn value(object: &Object) -> Option<&str> {
    let annotations = object.annotations();
    annotations.get(&*format!("{PREFIX}{APPROVE}")).copied()
}

fn unchanged(now: &Object, generation: i64) -> Result<(), CommandError> {
    if now.generation() == generation {
        return Ok(());
    }
    Err(CommandError::Refused(format!(
        "the spec of DaemonSet {} was changed meanwhile: nothing was approved; look at it again",
        now.key
    )))
}

/// Removes the annotation, and waits until the controller has recorded that; the DaemonSet as it is
/// then. None for a dry run. Whoever ends the command meanwhile calls it again: what is recorded
/// tells where it was.
async fn withdraw(
    cluster: &Cluster,
    object: Object,
    present: &Present,
    dry_run: DryRun,
) -> Result<Option<Object>, CommandError> {
    let (key, generation) = (object.key.clone(), object.generation());
    let is_dry = dry_run == DryRun::Server;
    let done = match is_dry {
        true => "approved anew, once the controller has recorded that the approval before is over",
        false => "no longer approved, so that it can be approved anew",
    };
    annotate(cluster, object, APPROVE, dry_run, |now| {
        unchanged(now, generation)?;
        Ok(match value(now) {
            Some(value) if value == present.hash => Change::To(None, done),
            _ => Change::Nothing(
                "has lost an approval of it, which the controller is still to record".to_owned(),
            ),
        })
    })
    .await?;
    if is_dry {
        return Ok(None);
    }
    let is_over = async || {
        let namespace = Some(&*key.namespace);
        let name = Some(&*present.name);
        let revisions = cluster.list(Kind::Revision, namespace, name).await?;
        Ok(revisions.iter().all(is_over))
    };
    if !comes_true(is_over).await? {
        let (seconds, program) = (PATIENCE.as_secs(), program::name());
        return Err(CommandError::Refused(format!(
            "the annotation {PREFIX}{APPROVE} of DaemonSet {key} was removed, and no controller has recorded within \
             {seconds} s that the approval is over: nothing is approved; see to it that the controller runs and that \
             nobody sets the annotation again, and then: {program} approve {key} {}",
            present.hash
        )));
    }
    cluster.get(&key).await.map(Some)
}

/// Whether no approval counts that is recorded on this revision.
fn is_over(revision: &Value) -> bool {
    let text = revision["metadata"]["annotations"][APPROVED].as_str();
    let recorded: Option<Value> = text.and_then(|text| serde_json::from_str(text).ok());
    // What cannot be read is as if it were not there.
    recorded.is_none_or(|recorded| recorded["withdrawn"] == true)
}

/// Whether it is so in time.
async fn comes_true(
    is_so: impl AsyncFn() -> Result<bool, CommandError>,
) -> Result<bool, CommandError> {
    let looks = async {
        while !is_so().await? {
            sleep(PAUSE).await;
        }
        Ok(true)
    };
    timeout(PATIENCE, looks).await.unwrap_or(Ok(false))
}

/// The revision of the present template, and how its rollout stands.
async fn present(
    cluster: &Cluster,
    object: &Object,
    settings: Settings,
) -> Result<Present, CommandError> {
    let mut loaded = cluster.load(&object.key, settings.gates).await?;
    let now = Time::from(jiff::Timestamp::now());
    let plan = loaded.cache.snapshot(&object.key, settings, |snapshot| {
        let generation = snapshot.daemon_set.generation;
        let plan = plan::in_detail(snapshot, now);
        let current = plan.plan.revision.as_ref();
        let mut revisions = snapshot.revisions.iter();
        let current = current.and_then(|c| revisions.find(|r| r.name == c.name));
        let approved = current.and_then(|revision| revision.approved.as_deref());
        let is_approved = approved.is_some_and(|a| a.at <= now && !a.withdrawn);
        (generation, plan, is_approved)
    });
    let Some((generation, detailed, is_approved)) = plan else {
        return Err(CommandError::Input(format!(
            "there is no DaemonSet {}",
            object.key
        )));
    };
    if generation != object.generation() {
        return Err(CommandError::Refused(format!(
            "the spec of DaemonSet {} is being changed: nothing was approved; look at it again",
            object.key
        )));
    }
    let plan = &detailed.plan;
    match (&plan.revision, &plan.standing, &plan.left_alone) {
        (Some(revision), Some(standing), _) => Ok(Present {
            name: revision.name.to_string(),
            hash: revision.hash.to_string(),
            progress: standing.progress.as_str(),
            waits: waits(&standing.progress, &detailed),
            has_failed: detailed.failed.is_some(),
            is_approved,
        }),
        (.., why) => Err(CommandError::Refused(format!(
            "DaemonSet {} is left alone: {}",
            object.key,
            why.as_ref()
                .map_or_else(|| "no plan".to_owned(), ToString::to_string)
        ))),
    }
}

/// The hash that may be approved.
fn check(
    object: &Object,
    present: &Present,
    asked: Option<&str>,
    force: bool,
) -> Result<String, CommandError> {
    let (key, hash) = (&object.key, &present.hash);
    let program = program::name();
    match asked {
        Some(asked) if asked == hash || force => Ok(asked.to_owned()),
        Some(asked) => Err(CommandError::Refused(format!(
            "{asked} is not the hash of the present template of DaemonSet {key}, which is {hash} (revision {}): \
             nothing was approved; --force approves it all the same",
            present.name
        ))),
        None if present.waits => Ok(hash.clone()),
        None => Err(CommandError::Refused(format!(
            "nothing of DaemonSet {key} waits for an approval: the rollout is {}; {program} approve {key} {hash} \
             approves the present template all the same",
            present.progress
        ))),
    }
}

/// Whether an approval would let nodes follow.
fn waits(progress: &Progress, detailed: &DetailedPlan) -> bool {
    match progress {
        _ if detailed.failed.is_some() => true,
        Progress::AwaitingApproval(_)
        | Progress::Baking(_)
        | Progress::Canary
        | Progress::RollingBack
        | Progress::AutoPaused(_) => true,
        Progress::Paused(rule) => *rule == HoldRule::NoCanaryNode,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::json;

    use super::*;

    #[test]
    fn an_approval_is_over_when_that_is_recorded_or_none_is() {
        let revision = |text: Value| json!({ "metadata": { "annotations": { (APPROVED): text } } });
        let at = r#"{"at":"2026-05-01T06:00:00Z","restarts":{}"#;
        for (text, over) in [
            (json!(format!("{at}}}")), false),
            (json!(format!(r#"{at},"withdrawn":false}}"#)), false),
            (json!(format!(r#"{at},"withdrawn":true}}"#)), true),
            (json!("yes"), true),
            (Value::Null, true),
        ] {
            assert_eq!(is_over(&revision(text.clone())), over, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_controller_is_waited_for_and_not_for_ever() {
        let looks = Cell::new(0);
        let third = async || {
            looks.set(looks.get() + 1);
            Ok(looks.get() == 3)
        };
        assert!(comes_true(third).await.expect("an answer"));
        let begun = tokio::time::Instant::now();
        assert!(!comes_true(async || Ok(false)).await.expect("an answer"));
        assert_eq!(begun.elapsed(), PATIENCE);
    }
}

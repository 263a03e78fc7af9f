//! `approve`: the annotation `approve` is set to the hash of a revision that somebody has seen.

use std::process::ExitCode;

use crate::{
    cli::{args::ApproveArgs, program},
    model::{Settings, Time, control::PREFIX},
    plan::{self, HoldRule, Progress, Standing},
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
    /// How the rollout stands.
    standing: Standing,
}

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
    let waits = waits(&present.standing);
    let done = annotate(&cluster, object, APPROVE, args.write.dry_run, |now| {
        if now.generation() != generation {
            return Err(CommandError::Refused(format!(
                "the spec of DaemonSet {} was changed meanwhile: nothing was approved; look at it again",
                now.key
            )));
        }
        let annotations = now.annotations();
        let value = annotations.get(&*format!("{PREFIX}{APPROVE}"));
        Ok(match value {
            Some(value) if *value == hash => {
                Change::Nothing(format!("has revision {hash} approved already"))
            }
            _ => Change::To(Some(hash.clone()), "approved"),
        })
    })
    .await?;
    if done.is_some() && !waits {
        eprintln!("note: nothing waits for an approval now");
    }
    Ok(0)
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
        (generation, plan::plan(snapshot, now))
    });
    let Some((generation, plan)) = plan else {
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
    match (plan.revision, plan.standing, plan.left_alone) {
        (Some(revision), Some(standing), _) => Ok(Present {
            name: revision.name.to_string(),
            hash: revision.hash.to_string(),
            standing,
        }),
        (.., why) => Err(CommandError::Refused(format!(
            "DaemonSet {} is left alone: {}",
            object.key,
            why.map_or_else(|| "no plan".to_owned(), |why| why.to_string())
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
        None if waits(&present.standing) => Ok(hash.clone()),
        None => Err(CommandError::Refused(format!(
            "nothing of DaemonSet {key} waits for an approval: the rollout is {}; {program} approve {key} {hash} \
             approves the present template all the same",
            present.standing.progress.as_str()
        ))),
    }
}

/// Whether an approval would let nodes follow.
fn waits(standing: &Standing) -> bool {
    match &standing.progress {
        Progress::AwaitingApproval(_)
        | Progress::Baking(_)
        | Progress::Canary
        | Progress::RollingBack
        | Progress::AutoPaused(_) => true,
        Progress::Paused(rule) => *rule == HoldRule::NoCanaryNode,
        _ => false,
    }
}

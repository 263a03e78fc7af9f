//! `plan`: what would the controller do now? The answer is the controller's own: the same cache is
//! fed, from files or by one list of each kind, and the same function plans.

pub mod check;
pub mod choice;
pub mod cluster;
pub mod diff;
pub mod error;
pub mod input;
pub mod loaded;
pub mod manifests;
pub mod notes;
pub mod overview;
pub mod report;
pub mod table;
pub mod text;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::{
    cache::Cache,
    model::{Snapshot, Time},
    plan::{self, DetailedPlan},
};

use super::{
    advice,
    args::{InputArgs, Output, PlanArgs},
    complain, files, log, rollout_defaults,
};
use choice::Choice;
use error::PlanError;
use loaded::{Chosen, Loaded};
use notes::Notes;
use report::{Extras, Overview, Report};

/// The exit code of `--exit-code` where there is something to do.
const SOMETHING_TO_DO: u8 = 3;

/// A plan, or several, put into words or JSON.
struct Answer {
    out: String,
    /// Lines for standard error, because standard output holds nothing but JSON.
    notes: Vec<String>,
    /// Whether nothing is done, but perhaps to the status.
    settled: bool,
}

/// Plans and prints. The exit code is 0; 2 where other input is needed, 1 where the cluster cannot
/// be asked or the answer cannot be written; with `--exit-code`, 3 where there is something to do.
pub fn run(args: &PlanArgs) -> ExitCode {
    log::init(args.input.shared.log_format);
    match answer(args).and_then(|answer| print(&answer.out, &answer.notes).map(|()| answer.settled))
    {
        Ok(false) if args.exit_code => SOMETHING_TO_DO.into(),
        Ok(_) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            why.exit_code().into()
        }
    }
}

/// Writes an answer: notes to standard error, all else to standard output.
pub fn print(out: &str, notes: &[String]) -> Result<(), PlanError> {
    for note in notes {
        eprintln!("note: {note}");
    }
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(out.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        // The reader has seen enough of it.
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn answer(args: &PlanArgs) -> Result<Answer, PlanError> {
    let asked = args.asked().map_err(PlanError::Input)?;
    let choice = Choice::new(asked, args.input.shared.namespace(), args.selector());
    let loaded = load(&args.input, &choice)?;
    let now = args
        .input
        .now
        .unwrap_or_else(|| Time::from(jiff::Timestamp::now()));
    let skipped = loaded.skipped.clone();
    let mut answer = if choice.is_each() {
        overview(loaded, args, now)
    } else {
        one(loaded, args, now)
    }?;
    answer.notes.splice(0..0, skipped);
    Ok(answer)
}

/// Reads the files, or without any the cluster. An empty name, as an empty environment variable
/// gives, is no file.
pub fn load(args: &InputArgs, choice: &Choice<'_>) -> Result<Loaded, PlanError> {
    let file = args.shared.rollout_defaults();
    let defaults = file.map(rollout_defaults::read).transpose();
    let defaults = defaults.map_err(PlanError::Input)?;
    let mut loaded = load_objects(args, choice)?;
    if let Some((_, defaults)) = defaults {
        loaded.cache.set_rollout_defaults(defaults);
    }
    Ok(loaded)
}

fn load_objects(args: &InputArgs, choice: &Choice<'_>) -> Result<Loaded, PlanError> {
    let shared = &args.shared;
    let gates = shared.settings().gates;
    let files: Vec<_> = args
        .filename
        .iter()
        .filter(|file| !file.as_os_str().is_empty())
        .collect();
    args.read.check()?;
    if files.is_empty() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        return runtime.block_on(cluster::load(&shared.access(), choice, gates));
    }
    let files::Contents {
        mut documents,
        notes,
    } = args.read.read(&files)?;
    let checked = check::daemon_sets(&mut documents, shared.namespace(), args.validate);
    for warning in &checked.warnings {
        eprintln!("Warning: {warning}");
    }
    if !checked.refusals.is_empty() {
        // They may say why: a separator that is missing, for example.
        for note in &notes {
            eprintln!("note: {note}");
        }
        return Err(PlanError::Refused(checked.refusals));
    }
    let mut loaded = input::load(documents, choice, shared.namespace(), gates)?;
    loaded.notes.splice(0..0, notes);
    for chosen in &mut loaded.chosen {
        let kept = checked.kept.get(&chosen.key);
        chosen.notes.texts.extend(kept.cloned());
    }
    Ok(loaded)
}

/// Makes the plan for one DaemonSet, and lends it and what it was made from to `f`, with the notes
/// about both.
fn planned<R>(
    cache: &mut Cache,
    chosen: Chosen,
    args: &PlanArgs,
    now: Time,
    f: impl FnOnce(&Snapshot<'_>, &DetailedPlan, Notes) -> Result<R, PlanError>,
) -> Result<R, PlanError> {
    let Chosen { key, mut notes } = chosen;
    let result = cache.snapshot(&key, args.input.shared.settings(), |snapshot| {
        let detailed = plan::in_detail(snapshot, now);
        let about = notes::about(snapshot.daemon_set, &detailed.plan);
        notes.texts.extend(about);
        if !args.no_advice {
            notes.advice = advice::about_plan(snapshot, &detailed);
        }
        f(snapshot, &detailed, notes)
    });
    result.unwrap_or_else(|| Err(PlanError::Input(format!("there is no DaemonSet {key}"))))
}

fn one(loaded: Loaded, args: &PlanArgs, now: Time) -> Result<Answer, PlanError> {
    let Loaded {
        mut cache,
        chosen,
        notes: general,
        ..
    } = loaded;
    let Some(chosen) = chosen.into_iter().next() else {
        return Err(PlanError::Input("there is no DaemonSet".to_owned()));
    };
    let key = chosen.key.clone();
    planned(&mut cache, chosen, args, now, |snapshot, detailed, own| {
        let mut notes = Notes {
            texts: [general, own.texts].concat(),
            ..own
        };
        let uid = &snapshot.daemon_set.uid;
        if args.manifests && uid.as_str().starts_with(input::MADE_UP_UID) {
            notes.texts.push(format!(
                "the manifests name the made-up UID {} as their owner: a cluster deletes such pods at once",
                uid.as_str()
            ));
        }
        let lines = notes::lines(&notes.texts, &notes.defaults, args.input.verbose);
        let extras = Extras {
            manifests: args.manifests,
            values: args.show_values,
        };
        let unusable = |why: serde_json::Error| {
            PlanError::Input(format!(
                "DaemonSet {key}: no pod can be made from its template: {why}"
            ))
        };
        let report = Report::new(snapshot, detailed, now, notes, extras).map_err(unusable)?;
        let settled = report.summary.settled;
        Ok(match args.input.output {
            Output::Json => Answer {
                out: report::to_json(&report),
                notes: lines,
                settled,
            },
            Output::Text => {
                let text = text::render(
                    snapshot,
                    &detailed.plan,
                    &report,
                    now,
                    &lines,
                    args.input.verbose,
                );
                let out = if args.manifests {
                    manifests::stream(&text, &report).map_err(unusable)?
                } else {
                    text
                };
                Answer {
                    out,
                    notes: Vec::new(),
                    settled,
                }
            }
        })
    })
}

/// A line for each DaemonSet.
fn overview(loaded: Loaded, args: &PlanArgs, now: Time) -> Result<Answer, PlanError> {
    let Loaded {
        mut cache,
        chosen,
        notes: general,
        ..
    } = loaded;
    let mut plans = Vec::with_capacity(chosen.len());
    for chosen in chosen {
        plans.push(planned(
            &mut cache,
            chosen,
            args,
            now,
            |snapshot, detailed, notes| {
                Ok(Overview::new(
                    snapshot.daemon_set,
                    &detailed.plan,
                    now,
                    notes,
                ))
            },
        )?);
    }
    let settled = plans.iter().all(|p| p.summary.settled);
    let notes = [general, overview::notes(&plans, args.input.verbose)].concat();
    Ok(match args.input.output {
        Output::Json => Answer {
            out: report::to_json(&plans),
            notes,
            settled,
        },
        Output::Text => Answer {
            out: overview::render(&plans, now, &notes),
            notes: Vec::new(),
            settled,
        },
    })
}

//! `plan`: what would the controller do now? The answer is the controller's own: the same cache is fed, from
//! files or by one list of each kind, and the same function plans.

pub mod cluster;
pub mod input;
pub mod notes;
pub mod report;
pub mod table;
pub mod text;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use thiserror::Error;

use crate::{
    cache::Cache,
    model::{Key, Time},
    plan,
    runtime::{client::AccessError, trouble::Trouble},
};

use super::{
    args::{Output, PlanArgs, SharedArgs, Target},
    complain, files, log,
};
use report::Report;

/// What is to be planned for, and what is to be said about where it came from.
#[derive(Debug)]
pub struct Loaded {
    /// All that is known.
    pub cache: Cache,
    /// The DaemonSet.
    pub key: Key,
    /// What is to be known to understand the plan: defaults added, objects not understood.
    pub notes: Vec<String>,
    /// What was not looked at.
    pub skipped: Option<String>,
}

/// Which DaemonSet is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// By name.
    pub target: Option<&'a Target>,
    /// By namespace.
    pub namespace: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// As the arguments have it.
    pub fn new(shared: &'a SharedArgs, target: Option<&'a Target>) -> Self {
        Wanted {
            target,
            namespace: shared.namespace(),
        }
    }

    /// The one namespace that it must be in, where that is known.
    pub fn only_namespace(&self) -> Option<&'a str> {
        let of_target = self.target.and_then(|t| t.namespace.as_deref());
        of_target.or(self.namespace)
    }

    /// There is none, in words.
    pub fn none(&self) -> String {
        match (self.target, self.namespace) {
            (Some(target), Some(namespace)) if target.namespace.is_none() => {
                format!("there is no DaemonSet {namespace}/{target}")
            }
            (Some(target), Some(namespace)) if !target.is(namespace, &target.name) => format!(
                "-d {target} and --namespace {namespace} contradict each other, so there is no such DaemonSet"
            ),
            (Some(target), _) => format!("there is no DaemonSet {target}"),
            (None, Some(namespace)) => format!("there is no DaemonSet in namespace {namespace}"),
            (None, None) => "there is no DaemonSet".to_owned(),
        }
    }

    /// Whether this one may be meant.
    pub fn is(&self, key: &Key) -> bool {
        self.target.is_none_or(|t| t.is(&key.namespace, &key.name))
            && self.namespace.is_none_or(|n| n == &*key.namespace)
    }
}

/// Why there is no plan.
#[derive(Debug, Error)]
pub enum PlanError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] files::FileError),
    /// What was given makes no sense, or there is no such DaemonSet.
    #[error("{0}")]
    Input(String),
    /// There is no cluster to ask.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The cluster does not answer as it should.
    #[error("{0}")]
    Cluster(Box<Trouble>),
    /// The answer cannot be written.
    #[error("cannot write the plan: {0}")]
    Output(#[from] io::Error),
}

impl PlanError {
    /// 2 where other input is needed, 1 where the world is to blame.
    pub fn exit_code(&self) -> u8 {
        match self {
            PlanError::File(_) | PlanError::Input(_) => 2,
            PlanError::Access(_) | PlanError::Cluster(_) | PlanError::Output(_) => 1,
        }
    }
}

/// Plans and prints.
pub fn run(args: &PlanArgs) -> ExitCode {
    log::init(args.shared.log_format);
    match try_run(args) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the plan has seen enough of it.
        Err(PlanError::Output(why)) if why.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            why.exit_code().into()
        }
    }
}

fn try_run(args: &PlanArgs) -> Result<(), PlanError> {
    let mut loaded = load(args)?;
    let now = args
        .now
        .unwrap_or_else(|| Time::from(jiff::Timestamp::now()));
    let out = answer(&mut loaded, args, now)?;
    // Standard output holds nothing but JSON then; text has the notes in it.
    let notes = loaded.notes.iter().filter(|_| args.output == Output::Json);
    for note in loaded.skipped.iter().chain(notes) {
        eprintln!("note: {note}");
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(out.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

fn load(args: &PlanArgs) -> Result<Loaded, PlanError> {
    let wanted = Wanted::new(&args.shared, args.daemonset.as_ref());
    let gates = args.shared.settings().gates;
    let files: Vec<_> = args
        .filename
        .iter()
        .filter(|file| !file.as_os_str().is_empty())
        .collect();
    if files.is_empty() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        return runtime.block_on(cluster::load(&args.shared.access(), wanted, gates));
    }
    input::load(files::read(&files, &mut io::stdin().lock())?, wanted, gates)
}

/// Plans, and puts the plan into words or JSON.
fn answer(loaded: &mut Loaded, args: &PlanArgs, now: Time) -> Result<String, PlanError> {
    let Loaded {
        cache, key, notes, ..
    } = loaded;
    let answer = cache.snapshot(key, args.shared.settings(), |snapshot| {
        let plan = plan::plan(snapshot, now);
        notes.extend(notes::about(snapshot.daemon_set));
        let report = Report::new(snapshot, &plan, now, args.manifests).map_err(|why| {
            PlanError::Input(format!(
                "DaemonSet {key}: no pod can be made from its template: {why}"
            ))
        })?;
        match args.output {
            Output::Json => Ok(report.to_json()),
            Output::Text => Ok(text::render(snapshot, &plan, &report, now, notes)),
        }
    });
    answer.unwrap_or_else(|| Err(PlanError::Input(format!("there is no DaemonSet {key}"))))
}

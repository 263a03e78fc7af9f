//! The arguments of `plan`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum, builder::BoolishValueParser};

use crate::{model::Time, sim::api::selector::LabelSelector};

use super::{
    shared::SharedArgs,
    target::{self, Asked, Target},
};

/// The arguments of `plan`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct PlanArgs {
    /// Those of all commands.
    #[command(flatten)]
    pub shared: SharedArgs,

    /// The DaemonSet, as -d takes it, or in two words as kubectl does: ds NAME. The word ds alone:
    /// all of them, one line each
    #[arg(value_name = "DAEMONSET", num_args = 0..)]
    words: Vec<String>,

    /// YAML or JSON file with objects, - for standard input; repeated or separated by commas.
    /// Without any, the cluster is asked
    #[arg(
        long,
        short = 'f',
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_FILENAME",
        value_delimiter = ','
    )]
    pub filename: Vec<PathBuf>,

    /// The DaemonSet, where there are several: NAMESPACE/NAME, or NAME where that is enough;
    /// ds/NAME and its like are understood
    #[arg(
        long,
        short = 'd',
        value_name = "NAMESPACE/NAME",
        env = "DAEMONSET_CONTROLLER_DAEMONSET"
    )]
    daemonset: Option<Target>,

    /// One line for each DaemonSet of all namespaces, instead of one plan
    #[arg(
        long,
        short = 'A',
        env = "DAEMONSET_CONTROLLER_ALL_NAMESPACES",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub all_namespaces: bool,

    /// One line for each DaemonSet with such labels, as app=agent,tier!=test,zone in (a,b),!old
    #[arg(
        long,
        short = 'l',
        value_name = "SELECTOR",
        env = "DAEMONSET_CONTROLLER_SELECTOR",
        value_parser = selector
    )]
    selector: Option<LabelSelector>,

    /// The time to plan for (RFC 3339, as 2026-11-21T06:00:00Z); else the clock's
    #[arg(long, value_name = "TIME", env = "DAEMONSET_CONTROLLER_NOW", value_parser = time)]
    pub now: Option<Time>,

    /// Text for people, or JSON as docs/plan.schema.json describes it
    #[arg(
        long,
        short = 'o',
        env = "DAEMONSET_CONTROLLER_OUTPUT",
        default_value = "text"
    )]
    pub output: Output,

    /// Print each new pod as it would be posted; text becomes YAML, with the plan in comments
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_MANIFESTS",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub manifests: bool,

    /// Print in full what text cuts: added defaults, long differences and values, names of nodes
    #[arg(
        long,
        short = 'v',
        env = "DAEMONSET_CONTROLLER_VERBOSE",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub verbose: bool,

    /// Print values of environment variables, and what else may be a secret, where templates differ
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_SHOW_VALUES",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub show_values: bool,

    /// Exit with 3 where there is something to do, the status aside, and with 0 where there is
    /// nothing
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_EXIT_CODE",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub exit_code: bool,
}

impl PlanArgs {
    /// The labels that choose DaemonSets. An empty selector chooses nothing in particular, as for
    /// kubectl.
    pub fn selector(&self) -> Option<&LabelSelector> {
        let selector = self.selector.as_ref();
        selector.filter(|s| **s != LabelSelector::default())
    }

    /// The DaemonSet or DaemonSets that the arguments ask for; an error text for arguments that
    /// contradict each other.
    pub fn asked(&self) -> Result<Asked, String> {
        let named = target::named(&self.words, self.daemonset.as_ref())?;
        let namespace = self.shared.namespace();
        match (named, self.selector()) {
            (Asked::One(target), Some(_)) => Err(format!(
                "{target} is one DaemonSet, and -l chooses by labels: leave one out"
            )),
            (Asked::One(target), None) => match (&target.namespace, namespace) {
                (Some(own), Some(other)) if own != other => Err(format!(
                    "-d {target} and --namespace {other} contradict each other"
                )),
                _ => Ok(Asked::One(target)),
            },
            (_, _) if self.all_namespaces && namespace.is_some() => Err(format!(
                "-A asks for all namespaces, and --namespace {} for one: leave one out; `plan ds` gives a line for each \
                 DaemonSet of a namespace",
                namespace.unwrap_or_default()
            )),
            (Asked::TheOnlyOne, None) if !self.all_namespaces => Ok(Asked::TheOnlyOne),
            _ if self.manifests => Err(
                "--manifests prints the pods of one DaemonSet: name it, and leave out -A, -l or `ds`".to_owned(),
            ),
            _ => Ok(Asked::Each),
        }
    }
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

pub(super) fn time(text: &str) -> Result<Time, String> {
    text.parse()
        .map_err(|_| "a time as 2026-11-21T06:00:00Z is needed (RFC 3339)".to_owned())
}

/// A label selector in kubectl's grammar, with the API server's words where it is none.
fn selector(text: &str) -> Result<LabelSelector, String> {
    LabelSelector::parse(text).map_err(|why| {
        format!(
            "{}; labels are selected as in app=agent,tier!=test,zone in (a,b),!old",
            why.message
        )
    })
}

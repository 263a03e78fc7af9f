//! The arguments of `plan`.

use clap::{ArgAction, Args, builder::BoolishValueParser};

use crate::model::LabelSelector;

use super::{input::InputArgs, target::Asked};

/// The arguments of `plan`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct PlanArgs {
    /// Those that `explain` has, too.
    #[command(flatten)]
    pub input: InputArgs,

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

    /// Print each new pod as it would be posted; text becomes YAML, with the plan in comments
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_MANIFESTS",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub manifests: bool,

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

    /// Leave out advice: what the cluster takes as it is, and what would be better otherwise
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_NO_ADVICE",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub no_advice: bool,
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
        let named = self.input.named()?;
        let namespace = self.input.shared.namespace();
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

/// A label selector in kubectl's grammar, with the API server's words where it is none.
fn selector(text: &str) -> Result<LabelSelector, String> {
    LabelSelector::parse(text).map_err(|why| {
        format!("{why}; labels are selected as in app=agent,tier!=test,zone in (a,b),!old")
    })
}

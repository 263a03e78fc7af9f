//! Why a command for rollouts did not do what was asked, and its exit code.

use thiserror::Error;

use crate::{
    apply::client::{ApiError, verbs::Verb},
    cli::plan::error::PlanError,
    runtime::error::StartError,
};

/// The exit code of wrong input. 0, 1 and 2 are answers of `status`.
pub const INPUT: u8 = 3;

/// The exit code where the cluster cannot be asked, or refuses.
pub const CLUSTER: u8 = 4;

/// Why a command ended.
#[derive(Debug, Error)]
pub enum CommandError {
    /// Other input is needed.
    #[error("{0}")]
    Input(String),
    /// What is asked for is not done, for a reason that follows from the rollout.
    #[error("{0}")]
    Refused(String),
    /// The cluster cannot be asked, or refuses.
    #[error("{0}")]
    Cluster(String),
    /// No client can be made.
    #[error(transparent)]
    Access(#[from] StartError),
    /// There is no plan, or an answer cannot be written.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl CommandError {
    /// 1 for what is refused, 3 for wrong input, 4 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            CommandError::Refused(_) => 1,
            CommandError::Input(_) => INPUT,
            CommandError::Plan(why) if why.exit_code() == 2 => INPUT,
            CommandError::Plan(_) | CommandError::Cluster(_) | CommandError::Access(_) => CLUSTER,
        }
    }
}

/// A call, for the words about its error.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// What was asked.
    pub verb: Verb,
    /// The resource as RBAC names it: `daemonsets`, `daemonsets/status`.
    pub resource: &'a str,
    /// Its API group.
    pub group: &'a str,
    /// The namespace; None for all of them.
    pub namespace: Option<&'a str>,
    /// The object; None for a list.
    pub name: Option<&'a str>,
    /// The URL of the API server.
    pub server: &'a str,
}

impl Call<'_> {
    /// What was attempted, what went wrong, and what to do.
    pub fn failed(&self, error: &ApiError) -> CommandError {
        let Call {
            resource,
            group,
            server,
            ..
        } = self;
        let verb = self.verb.as_str();
        let what = match (self.namespace, self.name) {
            (Some(namespace), Some(name)) => format!("{resource} {namespace}/{name}"),
            (Some(namespace), None) => format!("{resource} in namespace {namespace}"),
            (None, _) => format!("{resource} at cluster scope"),
        };
        let role = match self.namespace {
            Some(_) => "a Role or ClusterRole",
            None => "a ClusterRole",
        };
        let why = match error {
            ApiError::Status {
                code: 403, message, ..
            } => format!(
                "denied (403: {message}); grant {verb} on {resource} (API group \"{group}\") to this identity with \
                 {role} and its binding"
            ),
            ApiError::Status {
                code: 401, message, ..
            } => format!(
                "the API server at {server} refuses our credentials (401: {message}); the token may have expired or \
                 belong to another cluster: log in again"
            ),
            ApiError::Status { code, message, .. } => {
                format!("the API server at {server} answered {code}: {message}")
            }
            ApiError::Timeout => format!("{server} does not answer in time"),
            ApiError::Transport(why) => format!(
                "the connection to {server} failed: {why}; check the address in the kubeconfig"
            ),
            ApiError::Dropped => "it was not sent".to_owned(),
        };
        CommandError::Cluster(format!("cannot {verb} {what}: {why}"))
    }
}

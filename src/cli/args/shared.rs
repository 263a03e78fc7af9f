//! The arguments that `run` and `plan` have in common.

use std::path::{Path, PathBuf};

use clap::{
    ArgAction, Args, ValueEnum,
    builder::{BoolishValueParser, OsStringValueParser, TypedValueParser},
};

use crate::{
    model::{FeatureGates, Placement, Settings},
    runtime::client::Access,
};

use super::target;

/// The arguments of both commands.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct SharedArgs {
    /// Kubeconfig file; else $KUBECONFIG, ~/.kube/config, or the pod that this runs in
    #[arg(
        long,
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_KUBECONFIG",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    kubeconfig: Option<PathBuf>,

    /// Context in the kubeconfig; else its current one
    #[arg(long, value_name = "NAME", env = "DAEMONSET_CONTROLLER_CONTEXT")]
    context: Option<String>,

    /// Look only at this namespace; else at all of them
    #[arg(long, short = 'n', env = "DAEMONSET_CONTROLLER_NAMESPACE", value_parser = target::namespace)]
    namespace: Option<String>,

    /// The component that binds pods to their nodes
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_PLACEMENT",
        default_value = "scheduler"
    )]
    pub placement: WhoBinds,

    /// Feature gates, off by default: `TaintTolerationComparisonOperators=true` (KEP-5471:
    /// tolerations with Lt and Gt), `DaemonSetGracefulNodeShutdown=true` (KEP-6249: no pod is
    /// created on a node with the condition GracefulNodeShutdownInProgress)
    #[arg(
        long,
        value_name = "GATE=BOOL,...",
        env = "DAEMONSET_CONTROLLER_FEATURE_GATES",
        default_value = "",
        hide_default_value = true,
        value_parser = feature_gates
    )]
    pub feature_gates: FeatureGates,

    /// Create no pod on a node that shuts down, is being deleted, or is about to be removed by an
    /// autoscaler, also where no condition says so
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_SUPPRESS_ON_LEAVING_NODES",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    suppress_on_leaving_nodes: bool,

    /// YAML file with cluster defaults of rollout control: keys for DaemonSets that have no such
    /// annotation, and nodes that none of their pods shall run on. `run` rereads it
    #[arg(
        long,
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_ROLLOUT_DEFAULTS",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    rollout_defaults: Option<PathBuf>,

    /// How to log to standard error; $RUST_LOG says how much
    #[arg(long, env = "DAEMONSET_CONTROLLER_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

impl SharedArgs {
    /// The way to the cluster. An empty variable, as charts write them, counts as none.
    pub fn access(&self) -> Access {
        Access {
            kubeconfig: self
                .kubeconfig
                .clone()
                .filter(|file| !file.as_os_str().is_empty()),
            context: self.context.clone().filter(|name| !name.is_empty()),
        }
    }

    /// The file with the cluster defaults. An empty variable counts as none.
    pub fn rollout_defaults(&self) -> Option<&Path> {
        let file = self.rollout_defaults.as_deref();
        file.filter(|file| !file.as_os_str().is_empty())
    }

    /// The namespace to narrow everything to.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|name| !name.is_empty())
    }

    /// The settings that decisions depend on.
    pub fn settings(&self) -> Settings {
        Settings {
            placement: match self.placement {
                WhoBinds::Scheduler => Placement::Scheduler,
                WhoBinds::NodeName => Placement::NodeName,
            },
            gates: self.feature_gates,
            suppress_on_leaving_nodes: self.suppress_on_leaving_nodes,
        }
    }
}

/// The component that binds pods to their nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhoBinds {
    /// The scheduler that the template names: pods are pinned by node affinity
    Scheduler,
    /// The controller itself, by spec.nodeName: for clusters without a scheduler
    NodeName,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text each
    Text,
    /// A JSON object each
    Json,
}

/// `NAME=true,OTHER=false`, as other Kubernetes components take them.
fn feature_gates(text: &str) -> Result<FeatureGates, String> {
    let mut gates = FeatureGates::default();
    for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let Some((name, value)) = part.split_once('=') else {
            return Err(format!("{part:?} is not NAME=true or NAME=false"));
        };
        let value = match value.trim() {
            "1" | "t" | "T" | "true" | "True" | "TRUE" => true,
            "0" | "f" | "F" | "false" | "False" | "FALSE" => false,
            other => return Err(format!("{name}: {other:?} is neither true nor false")),
        };
        match name.trim() {
            "TaintTolerationComparisonOperators" => {
                gates.taint_toleration_comparison_operators = value;
            }
            "DaemonSetGracefulNodeShutdown" => gates.daemon_set_graceful_node_shutdown = value,
            other => {
                return Err(format!(
                    "unknown feature gate {other:?}; known: DaemonSetGracefulNodeShutdown, \
                     TaintTolerationComparisonOperators"
                ));
            }
        }
    }
    Ok(gates)
}

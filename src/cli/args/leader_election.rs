//! The flags of leader election, named as Kubernetes' components name them.

use std::time::Duration;

use clap::{
    ArgAction, Args,
    builder::{BoolishValueParser, NonEmptyStringValueParser},
};

use crate::runtime::lease::election::Timing;

/// Whether and how replicas agree on which of them works.
#[derive(Args, Clone, Debug, PartialEq)]
#[command(next_help_heading = "Leader election")]
pub struct LeaderElectionArgs {
    /// Work only while holding the Lease, so that of several replicas one works
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_LEADER_ELECT",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "true",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub leader_elect: bool,

    /// How long a standby waits for a sign of life from the leader before it takes over
    #[arg(
        long,
        value_name = "DURATION",
        env = "DAEMONSET_CONTROLLER_LEADER_ELECT_LEASE_DURATION",
        default_value = "15s",
        value_parser = duration
    )]
    leader_elect_lease_duration: Duration,

    /// A leader that could not renew the Lease for this long stops working; less than the lease
    /// duration
    #[arg(
        long,
        value_name = "DURATION",
        env = "DAEMONSET_CONTROLLER_LEADER_ELECT_RENEW_DEADLINE",
        default_value = "10s",
        value_parser = duration
    )]
    leader_elect_renew_deadline: Duration,

    /// Between two renewals, and between two attempts
    #[arg(
        long,
        value_name = "DURATION",
        env = "DAEMONSET_CONTROLLER_LEADER_ELECT_RETRY_PERIOD",
        default_value = "2s",
        value_parser = duration
    )]
    leader_elect_retry_period: Duration,

    /// The Lease's name; another one for each installation that works for DaemonSets of its own
    /// (--namespace)
    #[arg(
        long,
        value_name = "NAME",
        env = "DAEMONSET_CONTROLLER_LEADER_ELECT_RESOURCE_NAME",
        default_value = "daemonset-controller",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub leader_elect_resource_name: String,

    /// The Lease's namespace; else that of the pod that this runs in, or kube-system
    #[arg(
        long,
        value_name = "NAMESPACE",
        env = "DAEMONSET_CONTROLLER_LEADER_ELECT_RESOURCE_NAMESPACE",
        value_parser = super::target::namespace
    )]
    leader_elect_resource_namespace: Option<String>,
}

impl LeaderElectionArgs {
    /// How long things take; an error where that cannot work.
    pub fn timing(&self) -> Result<Timing, &'static str> {
        let timing = Timing {
            lease_duration: self.leader_elect_lease_duration,
            renew_deadline: self.leader_elect_renew_deadline,
            retry_period: self.leader_elect_retry_period,
        };
        match timing.problem() {
            Some(problem) => Err(problem),
            None => Ok(timing),
        }
    }

    /// The Lease's namespace, where one was named.
    pub fn namespace(&self) -> Option<&str> {
        let namespace = self.leader_elect_resource_namespace.as_deref();
        namespace.filter(|name| !name.is_empty())
    }
}

/// As `15s`, `1m30s` or `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    let duration = parsed.and_then(|d| Duration::try_from(d).ok());
    // A number without a unit is not one that kubectl's users would expect to be hours or seconds.
    duration
        .filter(|_| text.ends_with(|c: char| c.is_ascii_alphabetic()))
        .ok_or_else(|| "a duration like 15s, 1m30s or 500ms is needed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_kubernetes_components_write_them() {
        for (text, millis) in [
            ("15s", 15_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "15", "-1s", "s", "1 fortnight", "PT"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}

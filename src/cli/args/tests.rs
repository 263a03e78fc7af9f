use clap::{Arg, CommandFactory};

use super::*;
use crate::{
    model::{FeatureGates, Settings},
    runtime::{client::Access, lease::election::Timing},
};

fn parse(args: &[&str]) -> Result<Command, String> {
    Cli::try_parse_from([&["daemonset-controller"], args].concat())
        .map(|cli| cli.command)
        .map_err(|e| e.to_string())
}

fn run(args: &[&str]) -> RunArgs {
    match parse(&[&["run"], args].concat()) {
        Ok(Command::Run(args)) => args,
        other => panic!("{other:?}"),
    }
}

fn asked(args: &[&str]) -> Result<Asked, String> {
    match parse(&[&["plan"], args].concat())? {
        Command::Plan(args) => args.asked(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_flag_is_an_environment_variable_too_and_none_is_a_service_link() {
    let cli = Cli::command();
    for command in cli.get_subcommands() {
        // The words after `plan` are another spelling of --daemonset, which has a variable.
        // A hidden one only leads to an error.
        let shown = |a: &&Arg| !a.is_positional() && !a.is_hide_set();
        for arg in command.get_arguments().filter(shown) {
            let long = arg.get_long().expect("a long name");
            let env = format!(
                "DAEMONSET_CONTROLLER_{}",
                long.to_uppercase().replace('-', "_")
            );
            assert_eq!(
                arg.get_env().and_then(|e| e.to_str()),
                Some(&*env),
                "{long}"
            );
            // In pods beside a Service named `daemonset-controller`, Kubernetes sets variables of
            // these forms.
            let of_a_service = env.starts_with("DAEMONSET_CONTROLLER_PORT")
                || env.starts_with("DAEMONSET_CONTROLLER_SERVICE_");
            assert!(!of_a_service, "{env} would be the Service's address");
        }
    }
}

#[test]
fn defaults() {
    let args = run(&[]);
    assert_eq!(
        (args.concurrent_syncs, args.burst, args.max_in_flight),
        (2, 250, 32)
    );
    assert_eq!(args.bind_address.to_string(), "0.0.0.0");
    assert_eq!(args.http_port, 8080);
    assert_eq!(args.shared.settings(), Settings::default());
    assert_eq!(args.shared.access(), Access::default());
    assert_eq!(args.shared.log_format, LogFormat::Text);
    let election = args.leader_election;
    assert_eq!(election.timing(), Ok(Timing::default()));
    assert_eq!((election.leader_elect, election.namespace()), (true, None));
}

#[test]
fn leader_election_is_switched_as_in_kubernetes_components() {
    for (args, on) in [
        (&["--leader-elect"][..], true),
        (&["--leader-elect=true"], true),
        (&["--leader-elect=false"], false),
    ] {
        assert_eq!(run(args).leader_election.leader_elect, on, "{args:?}");
    }
    let bad = run(&["--leader-elect-renew-deadline=15s"]).leader_election;
    let why = bad.timing().expect_err("not less than the lease duration");
    assert!(why.contains("longer"), "{why}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (args, why) in [
        (&["run", "--concurrent-syncs", "0"][..], "1..=256"),
        (&["run", "--burst=0"], "1..=10000"),
        (&["run", "--max-in-flight=5000"], "1..=1024"),
        (&["run", "--placement=random"], "node-name"),
        (&["run", "--http-port=65536"], "65535"),
        (&["run", "--bind-address=localhost"], "IP"),
        (&["run", "-n", "a/b"], "lower case"),
        (
            &["run", "--feature-gates=Other=true"],
            "TaintTolerationComparisonOperators",
        ),
        (&["run", "--feature-gates=A"], "NAME=true"),
        (&["demo", "--nodes=0"], "1..=500"),
        (&["demo", "--speed=0"], "from 0.1"),
        (&["demo", "--speed=NaN"], "from 0.1"),
        (&["demo", "--color=blue"], "always"),
        (&["plan", "--now=yesterday"], "RFC 3339"),
        (&["plan", "-d", "a/b/c"], "NAMESPACE/NAME"),
        (&["plan", "-d", "a/"], "NAMESPACE/NAME"),
        (&["plan", "-d", "Agent"], "lower case letters"),
        (&["plan", "-d", "a b"], "lower case letters"),
        (&["plan", "-d", "ds/A/b"], "lower case letters"),
        (&["plan", "-l", "a=b=c"], "zone in (a,b)"),
        (&["plan", "-l", "a=-b"], "zone in (a,b)"),
        (&["plan", "-o", "yaml"], "text, json"),
        (&["plan", "--manifests=yes"], "--manifests"),
        (&["plan", "--exit-code=3"], "--exit-code"),
    ] {
        let error = parse(args).expect_err("refused");
        assert!(error.contains(why), "{args:?}: {error}");
    }
}

#[test]
fn gates_and_empty_values() {
    let gates = |text: &str| run(&["--feature-gates", text]).shared.settings().gates;
    assert!(gates("TaintTolerationComparisonOperators=true").taint_toleration_comparison_operators);
    assert_eq!(
        gates("TaintTolerationComparisonOperators=0,"),
        FeatureGates::default()
    );
    let ours = gates("DaemonSetGracefulNodeShutdown=true");
    assert!(ours.daemon_set_graceful_node_shutdown && !ours.taint_toleration_comparison_operators);
    let leaving = |args: &[&str]| run(args).shared.settings().suppress_on_leaving_nodes;
    for (args, on) in [
        (&[][..], false),
        (&["--suppress-on-leaving-nodes"], true),
        (&["--suppress-on-leaving-nodes=true"], true),
        (&["--suppress-on-leaving-nodes=false"], false),
    ] {
        assert_eq!(leaving(args), on, "{args:?}");
    }
    let empty = run(&["--namespace=", "--context=", "--kubeconfig="]);
    assert_eq!(empty.shared.namespace(), None);
    assert_eq!(empty.shared.access(), Access::default());
}

#[test]
fn a_daemon_set_is_named_in_every_way_that_kubectl_users_know() {
    let target = |namespace: Option<&str>, name: &str| Target {
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    };
    let (agent, in_logging) = (target(None, "agent"), target(Some("logging"), "agent"));
    for (args, expected) in [
        (&["agent"][..], &agent),
        (&["ds/agent"], &agent),
        (&["daemonset/agent"], &agent),
        (&["daemonsets/agent"], &agent),
        (&["DaemonSet/agent"], &agent),
        (&["daemonsets.apps/agent"], &agent),
        (&["daemonsets.v1.apps/agent"], &agent),
        (&["ds", "agent"], &agent),
        (&["daemonset.apps", "agent"], &agent),
        (&["logging/agent"], &in_logging),
        (&["ds/logging/agent"], &in_logging),
        (&["ds", "logging/agent"], &in_logging),
        (&["-d", "ds/agent"], &agent),
        (&["-d", "logging/agent"], &in_logging),
        (&["-d", "logging/agent", "ds", "logging/agent"], &in_logging),
        (&["-d", "ds"], &target(None, "ds")),
        // One DaemonSet, wherever it is.
        (&["-A", "agent"], &agent),
    ] {
        assert_eq!(asked(args), Ok(Asked::One(expected.clone())), "{args:?}");
    }
    assert_eq!(asked(&[]), Ok(Asked::TheOnlyOne));
    for args in [&["-n", "logging"][..], &["-l", ""]] {
        assert_eq!(asked(args), Ok(Asked::TheOnlyOne), "{args:?}");
    }
    for args in [
        &["-A"][..],
        &["ds"],
        &["daemonsets", "-A"],
        &["-l", "app=agent"],
        &["ds", "-n", "logging", "-l", "app in (a,b),!old"],
    ] {
        assert_eq!(asked(args), Ok(Asked::Each), "{args:?}");
    }
}

#[test]
fn arguments_that_contradict_each_other_are_refused() {
    for (args, why) in [
        (&["pods", "agent"][..], "\"pods agent\" is not understood"),
        (&["ds", "a", "b"], "one DaemonSet only"),
        (&["a/b/c"], "NAMESPACE/NAME"),
        (&["ds/"], "NAMESPACE/NAME"),
        (&["Agent"], "lower case letters"),
        (&["agent.yaml"], "-f agent.yaml"),
        (&["-f", "a.yaml", "b.yaml", "c.yaml"], "-f b.yaml"),
        (&["-d", "a", "b"], "leave one out"),
        (&["-d", "a", "ds"], "leave one out"),
        (&["-d", "a", "-l", "x=y"], "leave one out"),
        (&["-A", "-n", "logging"], "leave one out"),
        (&["-A", "--manifests"], "name it"),
        (
            &["-n", "logging", "-d", "other/agent"],
            "contradict each other",
        ),
    ] {
        let error = asked(args).expect_err("refused");
        assert!(error.contains(why), "{args:?}: {error}");
    }
}

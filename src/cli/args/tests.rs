use clap::CommandFactory;

use super::*;
use crate::runtime::lease::election::Timing;

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

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_flag_is_an_environment_variable_too_and_none_is_a_service_link() {
    let cli = Cli::command();
    for command in cli.get_subcommands() {
        for arg in command.get_arguments() {
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
            // In pods beside a Service named `daemonset-controller`, Kubernetes sets variables of these forms.
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
    let empty = run(&["--namespace=", "--context=", "--kubeconfig="]);
    assert_eq!(empty.shared.namespace(), None);
    assert_eq!(empty.shared.access(), Access::default());
}

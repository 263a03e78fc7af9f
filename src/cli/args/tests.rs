use clap::CommandFactory;

use super::*;

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
fn every_flag_is_an_environment_variable_too() {
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
    assert_eq!(args.port, 8080);
    assert_eq!(args.shared.settings(), Settings::default());
    assert_eq!(args.shared.access(), Access::default());
    assert_eq!(args.shared.log_format, LogFormat::Text);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (args, why) in [
        (&["run", "--concurrent-syncs", "0"][..], "1..=256"),
        (&["run", "--burst=0"], "1..=10000"),
        (&["run", "--max-in-flight=5000"], "1..=1024"),
        (&["run", "--placement=random"], "node-name"),
        (&["run", "--port=65536"], "65535"),
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

#[test]
fn the_address_of_a_service_of_our_name_is_not_taken_for_a_port() {
    assert_eq!(run(&["--port", "tcp://10.96.0.7:9090"]).port, 8080);
    assert_eq!(run(&["--port", "0"]).port, 0);
}

use clap::Parser;

use crate::cli::args::{Cli, Command};

fn parse(args: &[&str]) -> Result<Command, String> {
    Cli::try_parse_from([&["daemonset-controller"], args].concat())
        .map(|cli| cli.command)
        .map_err(|e| e.to_string())
}

fn target(args: &[&str]) -> Result<String, String> {
    let target = match parse(args)? {
        Command::Status(args) => args.one.target(),
        Command::Hold(args) => args.one.target(),
        Command::Resume(args) => args.one.target(),
        Command::History(args) => args.one.target(),
        other => panic!("{other:?}"),
    };
    target.map(|target| target.to_string())
}

#[test]
fn each_command_takes_the_daemon_set_as_kubectl_does() {
    for command in ["status", "hold", "resume", "history"] {
        for (words, expected) in [
            (&["agent"][..], "agent"),
            (&["logging/agent"], "logging/agent"),
            (&["ds/agent", "-n", "logging"], "logging/agent"),
            (&["ds", "agent", "-n", "logging"], "logging/agent"),
            (&["-n", "logging", "logging/agent"], "logging/agent"),
        ] {
            let args = [&[command], words].concat();
            assert_eq!(target(&args).as_deref(), Ok(expected), "{args:?}");
        }
        for (words, why) in [
            (&[][..], "required"),
            (&["ds"], "name it"),
            (&["a", "b"], "is not understood"),
            (&["logging/agent", "-n", "other"], "contradict each other"),
        ] {
            let args = [&[command], words].concat();
            let error = target(&args).expect_err("refused");
            assert!(error.contains(why), "{args:?}: {error}");
        }
    }
}

#[test]
fn a_hash_follows_the_daemon_set() {
    let read = |words: &[&str]| match parse(&[&["approve"], words].concat()) {
        Ok(Command::Approve(args)) => {
            let read = args.target_and_hash();
            read.map(|(target, hash)| (target.to_string(), hash.map(str::to_owned)))
        }
        Ok(other) => panic!("{other:?}"),
        Err(why) => Err(why),
    };
    for (words, name, hash) in [
        (&["agent"][..], "agent", None),
        (&["logging/agent", "6f5d"], "logging/agent", Some("6f5d")),
        (&["ds/agent", "6f5d", "--force"], "agent", Some("6f5d")),
        (&["ds", "agent"], "agent", None),
        (
            &["ds", "agent", "6f5d", "-n", "logging"],
            "logging/agent",
            Some("6f5d"),
        ),
    ] {
        let expected = (name.to_owned(), hash.map(str::to_owned));
        assert_eq!(read(words), Ok(expected), "{words:?}");
    }
    for (words, why) in [
        (&[][..], "required"),
        (&["agent", "agent-6f5d"], "is no hash"),
        (&["agent", "6f5d", "7a"], "one hash"),
        (&["ds"], "name it"),
    ] {
        let error = read(words).expect_err("refused");
        assert!(error.contains(why), "{words:?}: {error}");
    }
}

#[test]
fn a_handback_is_for_all_namespaces_or_for_one() {
    let handback = |words: &[&str]| match parse(&[&["handback"], words].concat()) {
        Ok(Command::Handback(args)) => args,
        other => panic!("{other:?}"),
    };
    assert_eq!(handback(&[]).scope(), Ok(None));
    assert_eq!(handback(&["-A"]).scope(), Ok(None));
    assert_eq!(handback(&["-n", "logging"]).scope(), Ok(Some("logging")));
    assert!(handback(&["-A", "-n", "logging"]).scope().is_err());
    let lease = ("kube-system", "daemonset-controller");
    assert_eq!(handback(&[]).lease(), lease);
    let args = handback(&["--leader-elect-resource-namespace=x"]);
    assert_eq!(args.lease().0, "x");
    assert!(!args.yes && !args.check);
}

#[test]
fn what_is_not_known_is_refused() {
    for (args, why) in [
        (&["hold", "a", "--dry-run=client"][..], "none, server"),
        (&["status", "a", "-o", "yaml"], "text, json"),
        (&["handback", "a"], "unexpected argument"),
        (&["status", "Agent"], "lower case letters"),
    ] {
        let error = parse(args)
            .map(|command| match command {
                Command::Status(args) => args.one.target().expect_err("refused"),
                other => panic!("{other:?}"),
            })
            .unwrap_or_else(|why| why);
        assert!(error.contains(why), "{args:?}: {error}");
    }
}

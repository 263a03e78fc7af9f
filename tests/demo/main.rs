//! `demo` as people run it: the real binary, faster than they would. And the picture in the README,
//! which `UPDATE_GOLDEN=1 cargo test --test demo` draws anew.

mod control;
mod inputs;
mod picture;
mod ports;
mod terminal;
mod update;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use clap::Parser;
use daemonset_controller::{
    cli::{
        args::{self, Cli, DemoArgs},
        demo,
    },
    sim::promises,
};
use terminal::{Cell, Terminal};

struct Answer {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn start(args: &[&str], variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daemonset-controller"));
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("DAEMONSET_CONTROLLER_") {
            command.env_remove(name);
        }
    }
    command
        .env_remove("RUST_LOG")
        .envs(variables.iter().copied())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("demo")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

fn finish(mut child: Child, stdin: &str) -> Answer {
    let mut input = child.stdin.take().expect("piped");
    // It may end without having read all.
    let _ = input.write_all(stdin.as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Answer {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Runs the demo, as fast as it can be.
fn run(args: &[&str], stdin: &str) -> Answer {
    let mut all = vec!["--speed", "100000"];
    all.extend(args);
    finish(start(&all, &[]), stdin)
}

/// The demo of a file that goes well.
fn shown(args: &[&str], stdin: &str) -> String {
    let answer = run(args, stdin);
    assert_eq!(answer.code, Some(0), "{}{}", answer.stdout, answer.stderr);
    // A write that the plan for the moment before does not have would be told so.
    assert!(!answer.stdout.contains("older state"), "{}", answer.stdout);
    answer.stdout
}

/// The text without line ends and the blanks around them: words are broken between lines.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_has(text: &str, parts: &[&str]) {
    let all = flat(text);
    for part in parts {
        assert!(all.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn the_example_is_told_from_the_first_pod_to_a_calm_end() {
    let told = shown(&[], "");
    assert_has(
        &told,
        &[
            "A simulated cluster of 20 nodes",
            "create DaemonSet logging/log-agent from examples/agent.yaml",
            "none for gpu-1: the taint nvidia.com/gpu=present:NoSchedule is not tolerated",
            "create 16 pods: the node is eligible and has no pod",
            "16 created 16 running 16 ready of 16",
            "on worker-15: the node is eligible and has no pod",
            "the node is not eligible: the taint maintenance=now:NoExecute is not tolerated",
            "nothing to do on worker-",
            "takes the place of a failed pod",
            "Warning: FailedDaemonPod: Found failed daemon pod",
            "to replace the pod on worker-10: backoff",
            "the controller wrote nothing.",
            "none was broken",
        ],
    );
    let checked = told.split("the promises ").nth(1).expect("they are named");
    for name in promises::names() {
        assert!(checked.contains(name), "{name} is checked: {checked}");
    }
    assert!(!told.contains('\x1b'), "no colours in a pipe");
    for line in told.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
}

#[test]
fn the_same_arguments_lead_to_the_same_story() {
    let once = shown(&["--nodes=9", "--seed=5"], "");
    assert_eq!(once, shown(&["--nodes=9", "--seed=5"], ""));
    assert_ne!(once, shown(&["--nodes=9", "--seed=6"], ""));
    // However fast it is told.
    let slower = finish(start(&["--nodes=9", "--seed=5", "--speed=500"], &[]), "");
    assert_eq!(once, slower.stdout);
}

#[test]
fn any_size_will_do() {
    for (nodes, seed) in [("1", "2"), ("2", "3"), ("3", "4"), ("12", "5"), ("64", "6")] {
        let told = shown(&["--nodes", nodes, "--seed", seed], "");
        assert_has(&told, &["the controller wrote nothing.", "none was broken"]);
        assert!(!told.contains("not settled"), "{told}");
    }
}

/// A DaemonSet whose pods have this spec, besides a container.
fn daemon_set(metadata: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: DaemonSet, metadata: {{{metadata}}}, spec: {{selector: {{matchLabels: {{app: a}}}}, \
         template: {{metadata: {{labels: {{app: a}}}}, spec: {{containers: [{{name: a, image: a}}]{spec}}}}}}}}}\n"
    )
}

#[test]
fn a_file_is_shown_in_place_of_the_example() {
    let agent = daemon_set("name: mine, namespace: kube-system", "");
    let told = shown(&["-f", "-"], &agent);
    assert_has(
        &told,
        &[
            "create DaemonSet kube-system/mine from standard input",
            "none was broken",
        ],
    );
    // The namespace is there already.
    assert!(!told.contains("create namespace"), "{told}");

    let both = format!("{agent}---\n{{apiVersion: v1, kind: Service, metadata: {{name: s}}}}\n");
    let answer = run(&["-f", "-"], &both);
    assert_eq!(
        answer.stderr,
        "note: left out, as they do not matter for the demo: 1 Service\n"
    );
    assert_eq!(answer.stdout, told);
}

#[test]
fn pods_without_a_place_are_said() {
    let agent = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: big}\nspec:\n  selector: {matchLabels: {app: a}}\n  \
                 template:\n    metadata: {labels: {app: a}}\n    spec:\n      containers:\n      - {name: a, image: a, \
                 resources: {requests: {cpu: \"1000\"}}}\n";
    let told = shown(&["-f", "-"], agent);
    assert_has(
        &told,
        &[
            "not settled after 10 s",
            "Insufficient cpu",
            "none was broken",
        ],
    );
}

#[test]
fn who_tolerates_everything_stays_everywhere() {
    let agent = daemon_set("name: all", ", tolerations: [{operator: Exists}]");
    let told = shown(&["-f", "-"], &agent);
    assert_has(
        &told,
        &["all 20 nodes are to have a pod", "it is eligible as before"],
    );
}

#[test]
fn what_the_api_server_refuses_is_refused_in_its_words() {
    for (agent, words) in [
        (
            daemon_set("name: a, namespace: Bad_Space", ""),
            "The Namespace \"Bad_Space\" is invalid: metadata.name: Invalid value: \"Bad_Space\": ",
        ),
        (
            daemon_set("name: Bad_Name", ""),
            "The DaemonSet \"Bad_Name\" is invalid: metadata.name: Invalid value: \"Bad_Name\": ",
        ),
        (
            daemon_set("name: two", ", restartPolicy: Never, dnsPolicy: Wrong"),
            "The DaemonSet \"two\" is invalid: \n* spec.template.spec.",
        ),
        (
            daemon_set("name: typed", ", hostNetwork: maybe"),
            "Error from server (BadRequest): error when creating \"STDIN\": DaemonSet in version \"v1\" cannot be handled",
        ),
    ] {
        let answer = run(&["-f", "-"], &agent);
        assert_eq!((answer.code, &*answer.stdout), (Some(1), ""));
        assert!(answer.stderr.starts_with(words), "{}", answer.stderr);
    }
}

#[test]
fn a_file_that_is_of_no_use_is_refused() {
    let one = daemon_set("name: one", "");
    let two = daemon_set("name: two", "");
    for (file, stdin, words) in [
        (
            "/nowhere/agent.yaml",
            String::new(),
            "/nowhere/agent.yaml: No such file",
        ),
        (
            "-",
            "a: [".to_owned(),
            "error: standard input: document 1: line ",
        ),
        (
            "-",
            String::new(),
            "error: a DaemonSet is needed, and there is no object in the files",
        ),
        (
            "examples/nodes.yaml",
            String::new(),
            "there is only Node control-plane-1 (examples/nodes.yaml: document 1, item 1), ",
        ),
        (
            "-",
            format!("{one}---\n{two}"),
            "say which one with -d NAMESPACE/NAME: default/one (standard input: document 1), default/two",
        ),
        (
            "-",
            one.replace("apps/v1", "apps/v1beta2"),
            "is of version apps/v1beta2, apps/v1 is needed",
        ),
    ] {
        let answer = run(&["-f", file], &stdin);
        assert_eq!((answer.code, &*answer.stdout), (Some(2), ""), "{file}");
        assert_has(&answer.stderr, &[words]);
    }
}

#[test]
fn a_signal_ends_it_at_once() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        // At this speed it would take more than a minute.
        let mut child = start(&["--speed=0.2"], &[]);
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("create 16 pods") {
            line.clear();
            assert_ne!(out.read_line(&mut line).expect("text"), 0, "it ended early");
        }
        let kill = Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status();
        assert!(kill.expect("kill").success());
        let mut rest = String::new();
        out.read_to_string(&mut rest).expect("text");
        assert_eq!(child.wait().expect("it ends").code(), Some(code));
        assert!(!rest.contains("The controller sent"), "{rest}");
    }
}

#[test]
fn whoever_has_seen_enough_closes_the_pipe() {
    let mut child = start(&["--speed=100"], &[]);
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    out.read_line(&mut String::new()).expect("a line");
    drop(out);
    let answer = finish(child, "");
    assert_eq!((answer.code, &*answer.stderr), (Some(0), ""));
}

#[test]
fn colours_and_logs_come_only_when_asked_for() {
    let coloured = shown(&["--nodes=2", "--color=always"], "");
    assert!(coloured.contains("\x1b[32mcontroller"), "{coloured}");
    let args = ["--nodes=2", "--speed=100000"];
    let logged = finish(start(&args, &[("RUST_LOG", "info")]), "");
    assert!(logged.stderr.contains("caches synced"), "{}", logged.stderr);
    assert_eq!(logged.stdout, shown(&["--nodes=2"], ""));
}

fn arguments(more: &[&str]) -> DemoArgs {
    let all = ["daemonset-controller", "demo", "--speed=100000"];
    match Cli::parse_from(all.iter().chain(more)).command {
        args::Command::Demo(args) => args,
        other => panic!("{other:?}"),
    }
}

/// The demo on a terminal of so many columns.
fn screen(columns: usize) -> Terminal {
    played(columns, &[])
}

/// The same with more arguments.
fn played(columns: usize, more: &[&str]) -> Terminal {
    let terminal = Terminal::new(columns);
    let (target, lines) = (Box::new(terminal.clone()), Box::new(terminal.clone()));
    demo::record(&arguments(more), target, lines).expect("it is played");
    terminal
}

#[test]
fn a_terminal_shows_the_same_lines_and_bars_below_them() {
    let seen = screen(80).lines();
    let (story, bars) = seen.split_at(seen.len() - 5);
    assert_eq!(bars[0], "");
    let plain = shown(&[], "");
    let lines: Vec<&str> = plain
        .lines()
        .filter(|l| !l.contains("coverage  "))
        .collect();
    assert_eq!(story, lines);
    for (bar, name) in bars[1..]
        .iter()
        .zip(["zone a ", "zone b ", "zone c ", "total  "])
    {
        assert!(
            bar.starts_with(&format!("{name}{}", "█".repeat(28))),
            "{bar}"
        );
    }
}

#[test]
fn a_narrow_terminal_breaks_lines_and_loses_none() {
    let letters = |lines: &[String]| -> String {
        let chars = lines.iter().flat_map(|line| line.chars());
        chars.filter(|c| !c.is_whitespace()).collect()
    };
    assert_eq!(letters(&screen(50).lines()), letters(&screen(80).lines()));
}

#[test]
fn the_picture_is_what_the_demo_shows() {
    let prompt = "$ cargo run --release -- demo";
    let mut rows: Vec<Vec<Cell>> = vec![prompt.chars().map(|c| (c, 1)).collect(), Vec::new()];
    rows.extend(screen(80).rows());
    let drawn = picture::svg(&rows, 80);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/demo.svg");
    if env::var_os("UPDATE_GOLDEN").is_some_and(|v| !v.is_empty()) {
        fs::write(&file, &drawn).expect("it can be written");
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == drawn,
        "docs/demo.svg is not current: UPDATE_GOLDEN=1 cargo test --test demo"
    );
}

//! What other tools say of a DaemonSet's status. `tests/control-plane/readers/run.sh --record`
//! asked them about each state of `tests/data/readers/states.yaml`, and CI asks them again.

use std::{collections::BTreeSet, fs, path::Path};

use daemonset_controller::cli::yaml;
use serde_json::Value;

/// Type, status and reason of each condition that the controller writes, or will.
const CONDITIONS: [(&str, &str, &[&str]); 8] = [
    ("Available", "True", &["PodsAvailable"]),
    (
        "Available",
        "False",
        &["PodsUnavailable", "NodesUnavailable"],
    ),
    (
        "Progressing",
        "True",
        &["Rolling", "Canary", "Baking", "RollingBack", "Complete"],
    ),
    ("Progressing", "Unknown", &["Paused", "AwaitingApproval"]),
    ("Progressing", "False", ENDS),
    ("Stalled", "True", ENDS),
    (
        "Stalled",
        "True",
        &[
            "InvalidAnnotation",
            "TooManyBadNodes",
            "NoCanaryNode",
            "PinnedRevisionMissing",
            "InvalidBudget",
        ],
    ),
    ("Reconciling", "True", &["Baking", "AwaitingApproval"]),
];

/// What ends a rollout before it is complete.
const ENDS: &[&str] = &[
    "AutoPaused",
    "ProgressDeadlineExceeded",
    "RolledBack",
    "RollbackPaused",
];

/// The only state with conditions of others.
const FOREIGN: &str = "foreign-conditions";

type Condition = (String, String, String);

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The states by their names, in order, each with its conditions.
fn states() -> Vec<(String, Vec<Condition>)> {
    let text = read("tests/data/readers/states.yaml");
    let documents = text.split("\n---\n").skip(1);
    let state = |document: &str| {
        let json = yaml::to_json(document).unwrap_or_else(|e| panic!("{}: {document}", e.message));
        let state: Value = serde_json::from_str(&json).unwrap();
        let name = state["metadata"]["name"].as_str().unwrap().to_owned();
        let conditions = state["status"]["conditions"].as_array();
        let conditions = conditions.into_iter().flatten().map(|c| {
            let text = |key: &str| c[key].as_str().unwrap().to_owned();
            (text("type"), text("status"), text("reason"))
        });
        (name, conditions.collect())
    };
    documents.map(state).collect()
}

#[test]
fn their_states_have_the_conditions_that_the_controller_writes_and_all_of_them() {
    let written: BTreeSet<Condition> = CONDITIONS
        .iter()
        .flat_map(|(kind, status, reasons)| {
            let one = |reason: &&str| ((*kind).into(), (*status).into(), (*reason).into());
            reasons.iter().map(one).collect::<Vec<Condition>>()
        })
        .collect();
    let states = states();
    let ours = states.iter().filter(|(name, _)| name != FOREIGN);
    let shown: BTreeSet<Condition> = ours.flat_map(|(_, c)| c.clone()).collect();
    assert_eq!(shown, written, "left: states.yaml");
}

/// kstatus goes by the first in the list of the two, so both at once would mean what chance says.
#[test]
fn no_state_is_both_stalled_and_reconciling() {
    for (name, conditions) in states() {
        let mut kinds = BTreeSet::new();
        for (kind, _, _) in &conditions {
            let kind = if kind == "Reconciling" {
                "Stalled"
            } else {
                kind
            };
            assert!(kinds.insert(kind.to_owned()), "{name}: {kind} twice");
        }
    }
}

#[test]
fn the_table_in_the_documents_is_what_the_readers_answered() {
    let answers = read("tests/data/readers/answers.tsv");
    let answers: Vec<Vec<&str>> = answers.lines().map(|l| l.split('\t').collect()).collect();
    let asked: Vec<String> = answers[1..].iter().map(|row| row[0].to_owned()).collect();
    let states: Vec<String> = states().into_iter().map(|(name, _)| name).collect();
    assert_eq!(asked, states, "left: answers.tsv, right: states.yaml");

    let document = read("docs/rollouts.md");
    let mut shown: Vec<Vec<&str>> = document
        .lines()
        .skip_while(|line| !line.starts_with("| state |"))
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().trim_matches('`')).collect()
        })
        .collect();
    assert!(shown.len() > 2, "docs/rollouts.md has the table");
    shown.remove(1); // the line below the head
    assert_eq!(shown, answers, "left: docs/rollouts.md, right: answers.tsv");
}

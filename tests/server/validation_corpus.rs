//! The simulated API server refuses what the real one (1.37.1) refuses, in the same words.
//!
//! The corpus (`tests/support/corpus`) has thousands of DaemonSets, each wrong in one place, and
//! what the real server said to a create of them. Compared are code, message and causes, and a hash
//! of what is stored. [`UNLIKE`] are known differences.

use std::fmt::Write as _;
use std::thread;

use daemonset_controller::sim::api::ApiServer;
use serde_json::Value;

use crate::corpus::{self, Bases, Case, Verdict};

const PATH: &str = "/apis/apps/v1/namespaces/default/daemonsets?dryRun=All";

/// Cases whose verdicts differ: a part of the real server's message, and why.
const UNLIKE: &[(&str, &str)] = &[
    (
        "spec.template.metadata.labels: Invalid value: {}: `selector`",
        "no labels are printed as null, whether they were sent empty or not at all",
    ),
    (
        "invalid character 'x' looking for beginning of value",
        "tolerations in an annotation, which nothing reads any more, are not checked",
    ),
];

fn is_known(case: &Case) -> bool {
    let said = &case.verdict.message;
    UNLIKE.iter().any(|(part, _)| said.contains(part))
}

/// The cases that the simulated server answers differently, each in words.
fn differences(bases: &Bases, cases: &[Case]) -> Vec<String> {
    let server = ApiServer::new(Default::default());
    let differs = |case: &Case| {
        let answer = server.perform("POST", PATH, &case.mutation.apply(bases));
        let ours = match &answer {
            Ok(object) => Verdict::stored(object),
            Err(status) => Verdict::refused(status.code, &status.message, &status.details),
        };
        let Case { mutation, verdict } = case;
        if ours == *verdict || is_known(case) {
            return None;
        }
        let value = mutation.value.as_ref().map(Value::to_string);
        let value = value.unwrap_or_else(|| "nothing".to_owned());
        let mut said = format!("{} {}: {value}\n", mutation.base, mutation.path);
        for (who, verdict) in [("theirs", verdict), ("ours  ", &ours)] {
            let Verdict { code, message, .. } = verdict;
            let _ = writeln!(said, "   {who} {code} {}{message}", verdict.stored);
        }
        if let (Ok(object), true) = (&answer, verdict.code < 300) {
            let _ = writeln!(said, "   stored {}", object["spec"]);
        }
        Some(said)
    };
    cases.iter().filter_map(differs).collect()
}

#[test]
fn what_is_wrong_in_one_place_is_refused_in_the_real_servers_words() {
    let (bases, cases) = (corpus::bases(), corpus::cases());
    assert!(cases.len() > 5000, "only {} cases", cases.len());
    let bases = &bases;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let wrong: Vec<String> = thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(threads));
        let running: Vec<_> = parts
            .map(|part| scope.spawn(move || differences(bases, part)))
            .collect();
        let done = running
            .into_iter()
            .map(|part| part.join().expect("no panic"));
        done.flatten().collect()
    });
    let (bad, all) = (wrong.len(), cases.len());
    assert!(
        wrong.is_empty(),
        "{bad} of {all} differ:\n{}",
        wrong.concat()
    );
}

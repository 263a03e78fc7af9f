//! The simulated API server answers as the real one did.
//!
//! The recording in `tests/data/api-answers` is made and checked by `tests/live/same_answers.rs`.

use std::path::Path;

use crate::differential::compare::{Difference, differences};
use crate::differential::recording::{Recorded, read};
use crate::differential::simulated::simulated;
use crate::differential::step::Sequence;
use crate::differential::{generate, sequences};

fn recorded(file: &str) -> Vec<Recorded> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/api-answers")
        .join(file);
    read(&std::fs::read_to_string(path).expect("there is a recording"))
}

fn compare(file: &str) {
    let all = recorded(file);
    assert!(!all.is_empty(), "nothing is recorded");
    let mut steps = 0;
    let mut found: Vec<(&Recorded, Difference)> = Vec::new();
    for recorded in &all {
        steps += recorded.sequence.steps.len();
        let got = simulated(&recorded.sequence);
        let different = differences(&recorded.answers, &got);
        found.extend(
            different
                .into_iter()
                .map(|difference| (recorded, difference)),
        );
    }
    let said: Vec<String> = found
        .iter()
        .map(|(recorded, d)| d.explain(&recorded.sequence))
        .collect();
    assert!(
        found.is_empty(),
        "{} of {steps} answers in {} sequences differ\n\n{}",
        found.len(),
        all.len(),
        said.join("\n")
    );
}

#[test]
fn the_rules_of_the_api_hold() {
    compare("rules.jsonl");
}

#[test]
fn generated_sequences_get_the_same_answers() {
    compare("generated.jsonl");
}

#[test]
fn the_recording_is_of_the_sequences_as_they_are() {
    let now: Vec<Sequence> = sequences::all();
    let kept: Vec<Sequence> = recorded("rules.jsonl")
        .into_iter()
        .map(|r| r.sequence)
        .collect();
    let stale: Vec<&str> = now
        .iter()
        .filter(|s| !kept.contains(s))
        .map(|s| &*s.name)
        .collect();
    assert!(
        stale.is_empty() && now.len() == kept.len(),
        "to be recorded anew: {stale:?}"
    );
    let seeds = 0..recorded("generated.jsonl").len() as u64;
    let all = seeds
        .zip(recorded("generated.jsonl"))
        .all(|(seed, kept)| generate::generate(seed) == kept.sequence);
    assert!(
        all,
        "the generator makes other sequences than those recorded"
    );
}

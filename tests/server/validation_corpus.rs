//! The simulated API server refuses what the real one (1.37.1) refuses, in the same words.
//!
//! The corpus (`tests/support/corpus`) has thousands of DaemonSets, each wrong in one place, and what
//! the real server said. Compared are code, message and causes. [`UNLIKE`] are known differences.

use std::fmt::Write as _;

use daemonset_controller::sim::api::{ApiStatus, Resource, defaults, validate};
use serde_json::Value;

use crate::corpus::{self, Case, Verdict};

/// Cases whose verdicts differ: a part of the real server's message, and why.
const UNLIKE: &[(&str, &str)] = &[];

fn ask(resource: &'static Resource, mut object: Value) -> Result<(), ApiStatus> {
    validate::decode(resource, &object)?;
    defaults::admit(resource, &object)?;
    object = validate::without_unknown(resource, object);
    defaults::create(resource, &mut object);
    let errors = validate::create(resource, &object);
    if errors.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(ApiStatus::invalid(resource, name, &errors))
}

fn verdict(resource: &'static Resource, object: Value) -> Verdict {
    match ask(resource, object) {
        Ok(()) => Verdict::new(201, "", &Value::Null),
        Err(status) => Verdict::new(status.code, &status.message, &status.details),
    }
}

fn is_known(case: &Case) -> bool {
    let said = &case.verdict.message;
    UNLIKE.iter().any(|(part, _)| said.contains(part))
}

#[test]
fn what_is_wrong_in_one_place_is_refused_in_the_real_servers_words() {
    let resource = Resource::find("apps", "v1", "daemonsets").unwrap();
    let (bases, cases) = corpus::read();
    assert!(cases.len() > 5000, "only {} cases", cases.len());
    let (mut wrong, mut report) = (0, String::new());
    for case in &cases {
        let ours = verdict(resource, case.mutation.apply(&bases));
        if ours == case.verdict || is_known(case) {
            continue;
        }
        wrong += 1;
        let Case { mutation, verdict } = case;
        let (base, path) = (&mutation.base, &mutation.path);
        let value = mutation.value.as_ref().map(Value::to_string);
        let value = value.unwrap_or_else(|| "nothing".to_owned());
        let _ = writeln!(
            report,
            "{base} {path}: {value}\n   theirs {} {}\n   ours   {} {}",
            verdict.code, verdict.message, ours.code, ours.message
        );
    }
    let all = cases.len();
    assert_eq!(wrong, 0, "{wrong} of {all} differ:\n{report}");
}

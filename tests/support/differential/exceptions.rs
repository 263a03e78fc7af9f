//! Known differences that the comparison leaves out, each with its reason.

use serde_json::Value;

use super::play::Answer;
use super::step::Step;

/// Something that answers need not have in common.
pub struct Exception {
    /// The part that is left out.
    pub what: &'static str,
    /// Why that is right.
    pub why: &'static str,
    /// Leaves it out.
    pub apply: fn(&Step, &mut Answer),
}

/// All of them.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        what: "bookmarks other than the one after initial events",
        why: "the real server sends them when a timer goes off, or when other writers have moved the version: the same \
              sequence has them at one time and not at another",
        apply: bookmarks,
    },
    Exception {
        what: "the JSON of a whole object inside the text of an error",
        why: "it has the managed fields in it, which the simulated server does not keep",
        apply: objects_in_texts,
    },
    Exception {
        what: "the lines in which the refusal of a pod's update shows what changed",
        why: "they are the fields of Go's internal type in their order there",
        apply: changes_in_texts,
    },
];

fn bookmarks(step: &Step, answer: &mut Answer) {
    if step.is_watch()
        && answer.code == 200
        && let Value::Array(events) = &mut answer.body
    {
        let first = |event: &Value| {
            event["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
        };
        events.retain(|event| event["type"] != "BOOKMARK" || first(event));
    }
}

fn changes_in_texts(_: &Step, answer: &mut Answer) {
    fn shorten(text: &mut Value) {
        let said = text.as_str().unwrap_or_default();
        if !said.contains("\n@@ -") {
            return;
        }
        let is_change = |line: &&str| line.starts_with(['@', ' ', '+', '-']);
        let kept: Vec<&str> = said.split('\n').filter(|line| !is_change(line)).collect();
        *text = Value::from(kept.join("\n"));
    }
    each_message(answer, shorten);
}

fn objects_in_texts(step: &Step, answer: &mut Answer) {
    fn shorten(text: &mut Value) {
        if let Some(said) = text.as_str()
            && let (Some(begin), Some(end)) = (said.find("\"{"), said.rfind("}\""))
        {
            *text = Value::from(format!(
                "{}<the object>{}",
                &said[..begin],
                &said[end + 2..]
            ));
        }
    }
    if step.request.starts_with("PATCH ") {
        each_message(answer, shorten);
    }
}

/// Changes the message and the causes' messages of an error.
fn each_message(answer: &mut Answer, change: fn(&mut Value)) {
    if answer.body["kind"] != "Status" {
        return;
    }
    if let Some(message) = answer.body.get_mut("message") {
        change(message);
    }
    let causes = answer
        .body
        .pointer_mut("/details/causes")
        .and_then(Value::as_array_mut);
    for message in causes
        .into_iter()
        .flatten()
        .filter_map(|cause| cause.get_mut("message"))
    {
        change(message);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::differential::step::{PODS, merge, watch};

    fn after(step: &Step, body: Value) -> Value {
        let mut answer = Answer { code: 200, body };
        EXCEPTIONS
            .iter()
            .for_each(|exception| (exception.apply)(step, &mut answer));
        answer.body
    }

    #[test]
    fn each_says_why() {
        assert!(
            EXCEPTIONS
                .iter()
                .all(|exception| exception.what.len() > 10 && exception.why.len() > 10)
        );
    }

    #[test]
    fn only_the_bookmark_after_initial_events_counts() {
        let end = json!({"type": "BOOKMARK", "object": {"metadata": {"annotations": {"k8s.io/initial-events-end": "true"}}}});
        let other = json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "5"}}});
        assert_eq!(after(&watch(PODS), json!([end, other])), json!([end]));
    }

    #[test]
    fn objects_in_errors_are_not_read() {
        let text = |object: &str| json!({"kind": "Status", "message": format!("patch: Invalid value: \"{object}\": bad")});
        assert_eq!(
            after(&merge(PODS, "a", json!({})), text("{}"))["message"],
            "patch: Invalid value: <the object>: bad"
        );
        let get = crate::differential::step::get(PODS, "a");
        assert_eq!(after(&get, text("{}")), text("{}"));
        let said =
            json!({"kind": "Status", "message": "may not change\n@@ -1,2 +1,2 @@\n x\n, more"});
        assert_eq!(
            after(&merge(PODS, "a", json!({})), said)["message"],
            "may not change\n, more"
        );
    }
}

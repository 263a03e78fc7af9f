//! Names and messages come from a cluster, and whoever writes there does not write this page.

use std::fs;

use daemonset_controller::cli::rehearse::{html, report::Report};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{look, rehearsal::failing};

/// Breaks out of text, of a quoted attribute, of a script and of a title.
const HOSTILE: &str =
    "</script></title>'\"><img src=x onerror=\"window.ran = 1\"><script>window.ran = 1</script>";

/// Strings that the page reads as what they are, and not as text for people.
const READ: [&str; 2] = ["began", "letter"];

/// Makes every other string hostile.
fn spoil(value: &mut Value) {
    match value {
        Value::String(text) if text.chars().count() > 1 => *text = HOSTILE.to_owned(),
        Value::Array(all) => all.iter_mut().for_each(spoil),
        Value::Object(all) => {
            let others = all.iter_mut().filter(|(name, _)| !READ.contains(&&***name));
            others.for_each(|(_, value)| spoil(value));
        }
        _ => {}
    }
}

#[test]
fn no_text_of_the_report_becomes_markup_or_runs() {
    let mut report = serde_json::to_value(failing().report).expect("JSON");
    report["notes"] = json!(["a note"]);
    spoil(&mut report);
    let report: Report = serde_json::from_value(report).expect("a report");
    let folder = TempDir::new().expect("a folder");
    let page = folder.path().join("page.html");
    fs::write(&page, html::page(&report)).expect("it is written");
    let browser = look::open(&page, "");
    browser.click("#grid [data-node]");
    browser.click("#steps [data-step=change][data-way='1']");
    let seen = browser.run(
        "return [window.ran ?? 0, document.images.length, document.scripts.length,
           document.querySelector('#notes li').textContent, document.querySelector('h1 b').textContent,
           document.querySelector('#history span:last-child').textContent];",
        json!([]),
    );
    assert_eq!(seen, json!([0, 0, 2, HOSTILE, HOSTILE, HOSTILE]));
    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(browser.requests().len(), 1);
}

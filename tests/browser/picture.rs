//! The picture of the page in the documents, `docs/rehearse.png`.
//! `UPDATE_GOLDEN=1 tests/browser/run.sh the_picture` takes it anew.

use std::{env, fs, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use daemonset_controller::cli::rehearse::report::Report;
use serde_json::json;

use crate::{look::Look, rehearsal::failing};

/// Readers of the documents load it each time.
const MOST_BYTES: usize = 200_000;

#[test]
fn the_picture_in_the_documents_is_as_large_as_the_page_and_not_too_large() {
    let rehearsed = failing();
    let (time, node) = last_failure(&rehearsed.report);
    let look = Look::at(rehearsed, &format!("#t={time}"));
    let screen = json!({"width": 1240, "height": 1000, "deviceScaleFactor": 1, "mobile": false});
    look.browser
        .devtools("Emulation.setDeviceMetricsOverride", &screen);
    look.browser.emulate("", "light");
    look.browser.click(&format!("#grid [data-node='{node}']"));
    look.browser.run("scrollTo(0, 0);", json!([]));
    look.browser.drawn();
    let shot = look
        .browser
        .devtools("Page.captureScreenshot", &json!({"format": "png"}));
    let shot = BASE64_STANDARD.decode(shot["data"].as_str().expect("a picture"));
    let shot = shot.expect("base64");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rehearse.png");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &shot).expect("it is written");
    }
    let kept = fs::read(&file).expect("the picture");
    assert!(kept.len() <= MOST_BYTES, "{} bytes", kept.len());
    assert_eq!(size(&kept), size(&shot), "UPDATE_GOLDEN=1 takes it anew");
}

/// When a node fails last, and which.
fn last_failure(report: &Report) -> (u64, usize) {
    let failing = |change: &&(u64, usize, char)| change.2 == 'f';
    let (time, node, _) = report
        .changes
        .iter()
        .rfind(failing)
        .expect("a node that fails");
    (*time, *node)
}

/// Width and height, from the head of a PNG.
fn size(png: &[u8]) -> &[u8] {
    &png[16..24]
}

//! A rehearsal as one page for a browser, without anything from elsewhere.
//!
//! What does not depend on the time is HTML from the beginning, so it is there without a script
//! too. The script adds the nodes over time, from the data at the end of the page.

mod markup;
mod sections;

use super::report::{Report, to_data};
use markup::Text;

/// One script: how states follow from the data, then what shows them.
const SCRIPT: &str = concat!(
    include_str!("html/replay.js"),
    include_str!("html/chart.js"),
    include_str!("html/grid.js"),
    include_str!("html/page.js"),
);

/// The page with this rehearsal.
pub fn page(report: &Report) -> String {
    let name = &report.daemon_set;
    let title = format!("Rehearsal of {}/{}", name.namespace, name.name);
    format!(
        include_str!("html/page.html"),
        title = Text(&title),
        style = include_str!("html/page.css"),
        head = sections::head(report),
        events = sections::events(report),
        tables = sections::tables(report),
        data = to_data(report),
        script = SCRIPT,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOSTILE: &str = "</script></title>'\"><img src=x>{title}";

    /// A report with this in all places for text that comes from a cluster.
    fn report(text: &str) -> Report {
        let report = json!({
            "daemonSet": {"namespace": text, "name": text},
            "target": {"revision": text, "hash": text, "number": 2, "isNew": true},
            "began": "2026-11-21T06:00:00Z",
            "ending": {"how": "Stuck", "message": text, "after": 90},
            "figures": {
                "nodes": 1, "updated": 0, "notUpdated": 1, "unavailableBefore": 0, "mostUnavailable": 1,
                "mostUnavailableAfter": 0, "unavailableAtEnd": 1, "created": 1, "deleted": 1,
            },
            "zones": [{"zone": text, "mostUnavailable": 1, "after": 0}],
            "stages": [{"progress": text, "stage": text, "from": 0, "updated": 0, "mostUnavailable": 1}],
            "events": [{"after": 0, "type": "Warning", "reason": text, "message": text}],
            "notUpdated": [{"why": text, "nodes": [text]}, {"why": text, "nodes": vec![text; 31]}],
            "conditions": [{"type": text, "status": text, "reason": text, "message": text}],
            "supposed": {
                "seed": 1, "goneAfter": 10, "notReady": 0, "join": 0,
                "readyAfter": [{"group": text, "pods": 3, "shortest": 1, "median": 2, "longest": 3}],
            },
            "assertions": [{"assertion": text, "holds": false, "found": text}],
            "notes": [text],
            "states": [{"letter": "o", "meaning": text, "available": true, "wanted": true}],
            "nodes": [{"name": text, "zone": text, "first": "o", "last": "o"}],
            "changes": [],
        });
        serde_json::from_value(report).expect("a report")
    }

    #[test]
    fn no_text_of_a_cluster_becomes_markup() {
        let (harmless, hostile) = (page(&report("harmless")), page(&report(HOSTILE)));
        let tags = |page: &str| page.matches('<').count();
        assert_eq!(tags(&hostile), tags(&harmless));
        assert!(hostile.contains("&lt;img src=x&gt;{title}"));
    }

    #[test]
    fn the_data_are_the_report() {
        let (page, report) = (page(&report(HOSTILE)), report(HOSTILE));
        let (_, rest) = page.split_once("id=\"data\">").expect("the data");
        let (data, _) = rest.split_once("</script>").expect("their end");
        let read: serde_json::Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(read, serde_json::to_value(report).expect("JSON"));
    }
}

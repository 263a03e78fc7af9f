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

//! The metrics of a controller, as tests read them.

use std::collections::BTreeMap;

use super::openmetrics::{Exposition, parse};
use super::world::*;

const WEB: [(&str, &str); 2] = [("namespace", "default"), ("daemonset", "web")];

/// All metrics of a controller, as Prometheus reads them.
pub fn metrics(controller: &Controller) -> Exposition {
    let text = controller.monitor.exposition();
    parse(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

/// A gauge of `default/web`, by the end of its name.
pub fn web(controller: &Controller, name: &str) -> Option<f64> {
    metrics(controller).get(&format!("daemonset_controller_{name}"), &WEB)
}

/// The counts of `default/web`: desired, current, ready, available, updated, misscheduled.
pub fn counts(controller: &Controller) -> [Option<f64>; 6] {
    let names = [
        "desired",
        "current",
        "ready",
        "available",
        "updated",
        "misscheduled",
    ];
    names.map(|name| web(controller, &format!("{name}_pods")))
}

/// How often something was done, by what and why.
pub fn actions(controller: &Controller) -> BTreeMap<String, f64> {
    let metrics = metrics(controller);
    let all = metrics.samples("daemonset_controller_actions_total");
    let done = all.filter(|s| s.value > 0.0);
    done.map(|s| {
        (
            format!("{} {}", s.labels["action"], s.labels["cause"]),
            s.value,
        )
    })
    .collect()
}

/// The text of `docs/metrics.md`.
pub fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    std::fs::read_to_string(path).expect("the document")
}

//! `docs/metrics.md` lists the metrics that there are, and no others.

use std::collections::BTreeSet;

use daemonset_controller::model::Time;
use daemonset_controller::runtime::secure::certificate::Shown;
use serde_json::json;

use super::metrics::{document, metrics};
use super::world::*;

/// The rows of the tables in docs/metrics.md: name, type, labels, unit.
fn documented() -> BTreeSet<[String; 4]> {
    let text = document();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let words = |cell: &str| {
        let mut words: Vec<&str> = cell
            .split([',', ' ', '`'])
            .filter(|w| !w.is_empty())
            .collect();
        words.sort_unstable();
        words.join(" ")
    };
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .filter(|cells| cells.len() == 7)
        .map(|cells| [1, 2, 3, 4].map(|n| words(cells[n])))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_document_lists_the_metrics_that_there_are_and_no_others() {
    let server = world(3);
    // It holds, and it stalls.
    let hold = json!({"daemonset-controller.io/hold": "rollot"});
    server.edit(
        "daemonsets",
        "web",
        json!({"metadata": {"annotations": hold}}),
    );
    let a = start(&server, "a");
    seconds(30).await;
    // Its endpoints, which are not served here, show a certificate.
    a.monitor.set_certificate(Shown {
        not_after: Some(Time::from_secs(1_800_000_000)),
        current: true,
    });
    let metrics = metrics(&a);
    let mut exposed = BTreeSet::new();
    for family in &metrics.families {
        assert!(
            !family.samples.is_empty(),
            "{}: nothing to compare",
            family.name
        );
        let labels = family.samples[0].labels.keys().filter(|k| *k != "le");
        let labels: Vec<&str> = labels.map(String::as_str).collect();
        let suffix = match &*family.kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        exposed.insert([
            format!("{}{suffix}", family.name),
            family.kind.clone(),
            {
                let mut l = labels;
                l.sort_unstable();
                l.join(" ")
            },
            family.unit.clone(),
        ]);
        assert!(
            family.help.ends_with('.'),
            "{}: {}",
            family.name,
            family.help
        );
    }
    assert!(exposed.len() > 25, "{exposed:?}");
    let documented = documented();
    let missing: Vec<_> = exposed.difference(&documented).collect();
    let more: Vec<_> = documented.difference(&exposed).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "not in docs/metrics.md: {missing:#?}, only there: {more:#?}"
    );
    server.at_rest().await;
}

/// What the labels of small fixed sets may be is in docs/metrics.md too.
#[tokio::test(start_paused = true)]
async fn the_document_lists_every_action_with_its_cause() {
    let a = start(&world(0), "a");
    seconds(1).await;
    let text = document();
    let all = metrics(&a);
    let mut said: BTreeSet<(String, String)> = BTreeSet::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<String> = row
            .split('|')
            .map(|c| c.trim().trim_matches('`').to_owned())
            .collect();
        if cells.len() == 5 {
            said.insert((cells[1].clone(), cells[2].clone()));
        }
    }
    let counted = all.samples("daemonset_controller_actions_total");
    let counted = counted.map(|s| (s.labels["action"].clone(), s.labels["cause"].clone()));
    assert_eq!(said, counted.collect(), "left: docs/metrics.md");
}

/// The crate that writes the metrics escapes label values, but not help texts: a line feed there
/// would begin a line of its own, and a backslash would begin an escape.
#[tokio::test(start_paused = true)]
async fn no_help_text_has_a_line_feed_or_a_backslash() {
    let a = start(&world(1), "a");
    seconds(30).await;
    let text = a.monitor.exposition();
    let lines: Vec<&str> = text.lines().collect();
    let mut helps = 0;
    for (at, line) in lines.iter().enumerate() {
        let Some(help) = line.strip_prefix("# HELP ") else {
            continue;
        };
        helps += 1;
        assert!(!help.contains(['\\', '\r']), "{help}");
        let name = help.split(' ').next().expect("a name");
        let next = lines[at + 1];
        assert!(
            next.starts_with(&format!("# TYPE {name} ")),
            "{help}\n{next}"
        );
    }
    assert_eq!(helps, metrics(&a).families.len());
}

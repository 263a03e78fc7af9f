//! What handing back leads to, in words, for people.

use std::fmt::Write;

use crate::cli::{
    commands::status::text::cut,
    plan::{
        report::ObjectName,
        table::{self, Row},
        text::reasons::counted,
    },
};

use super::report::{DaemonSetReport, Handback};

/// The longest list of keys in the table, in characters; JSON has all of it.
const KEYS: usize = 100;

/// The whole answer.
pub fn render(handback: &Handback) -> String {
    let mut out = String::new();
    let (rolled, others): (Vec<&DaemonSetReport>, Vec<&DaemonSetReport>) =
        handback.daemon_sets.iter().partition(|d| d.rolls_out);
    if rolled.is_empty() {
        out.push_str("The built-in controller would roll out nothing that is held here.\n");
    } else {
        let rows: Vec<Row<8>> = rolled.iter().map(|d| row(d)).collect();
        let heading = [
            "NAMESPACE",
            "NAME",
            "STAGE",
            "HELD",
            "CREATE",
            "DELETE",
            "OLD",
            "KEYS",
        ];
        out.push_str("The built-in controller does not know the keys, and would roll out:\n\n");
        out.push_str(&table::render(heading, &rows));
        out.push_str(
            "\nHELD: nodes that our rules hold. CREATE, DELETE: pods, at once. OLD: nodes with a pod of another \
             template,\nwhich it replaces one budget after another.\n",
        );
    }
    let conditions: usize = handback
        .daemon_sets
        .iter()
        .map(|d| d.conditions.len())
        .sum();
    if conditions + handback.recorded_revisions > 0 {
        let sets = rolled.iter().chain(&others);
        let of = sets.filter(|d| !d.conditions.is_empty()).count();
        let _ = writeln!(
            out,
            "\nTo be removed: {} of {}, and the state of rollouts from {}.\n\
             The annotations of DaemonSets stay: they are yours.",
            counted(conditions, "condition"),
            counted(of, "DaemonSet"),
            counted(handback.recorded_revisions, "ControllerRevision")
        );
    }
    let gated: usize = handback.daemon_sets.iter().map(|d| d.gated.len()).sum();
    if gated > 0 {
        let _ = writeln!(
            out,
            "\nTo be removed: the scheduling gate of {}, which the built-in controller never removes.",
            counted(gated, "pod")
        );
    }
    for note in &handback.notes {
        let _ = writeln!(out, "\nnote: {note}");
    }
    out
}

fn row(report: &DaemonSetReport) -> Row<8> {
    let ObjectName { namespace, name } = &report.daemon_set;
    let keys = report.keys.iter();
    let keys: Vec<String> = keys.map(|(key, value)| format!("{key}={value}")).collect();
    [
        namespace.clone(),
        name.clone(),
        report.stage.clone(),
        report.held.to_string(),
        report.at_once.create.to_string(),
        report.at_once.delete.to_string(),
        report.old.to_string(),
        cut(&keys.join(" "), KEYS),
    ]
}

//! Notes that help to understand a plan: oddities of a DaemonSet that are no errors, and the
//! defaults that were added to it.

use crate::{
    cli::advice::Advice,
    model::{DaemonSet, IntOrPercent, UpdateStrategy},
    plan::{Plan, names},
    wire::daemon_set::TEMPLATE_GENERATION,
};

/// The number of added defaults that are named; the others are counted.
const NAMED: usize = 3;

/// The notes about one DaemonSet.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// A sentence each.
    pub texts: Vec<String>,
    /// Fields that the API server sets by itself, as `spec.revisionHistoryLimit=10`.
    pub defaults: Vec<String>,
    /// What would be better otherwise.
    pub advice: Vec<Advice>,
}

/// Notes as lines; the added defaults in one, unless all are asked for.
pub fn lines(texts: &[String], defaults: &[String], verbose: bool) -> Vec<String> {
    let mut lines = texts.to_vec();
    let count = defaults.len();
    if count == 0 {
        return lines;
    }
    let fields = if count == 1 { "field" } else { "fields" };
    let added = format!("{count} {fields} that the API server sets by itself");
    if verbose {
        lines.push(format!("{added}:"));
        lines.extend(defaults.iter().map(|field| format!("  {field}")));
    } else {
        let shown = defaults[..count.min(NAMED)].join(", ");
        let more = match count.saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more (-v lists them)"),
        };
        lines.push(format!("{added}: {shown}{more}"));
    }
    lines
}

/// Oddities that the built-in controller ignores in silence, and what of the plan the API server
/// will refuse. A malformed selector is no note: it is the reason why the DaemonSet is left alone.
pub fn about(ds: &DaemonSet, plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    let unread = &plan.revision_ops.read_data;
    if let Some(current) = plan.revision.as_ref().filter(|_| !unread.is_empty()) {
        let names: Vec<&str> = unread.iter().map(|r| &*r.name).collect();
        notes.push(format!(
            "the revisions {} hold the same template; of them the one stays whose stored bytes the built-in controller \
             would recognise, and those are not known here: the plan supposes {}",
            names.join(", "),
            current.name
        ));
    }
    let new = plan.revision.iter().find(|r| r.create);
    if let Some(length) = new.map(|r| r.name.len())
        && length > names::MAX_NAME
    {
        notes.push(format!(
            "the API server will refuse the new revision, and no pod will be created or replaced: the revision's \
             name would have {length} characters, and {} are the most; a DaemonSet of a shorter name is needed",
            names::MAX_NAME
        ));
    }
    let terms = ds.template.node_affinity.iter().flat_map(|a| &a.terms);
    for (i, term) in terms.enumerate() {
        if let Err(why) = term {
            notes.push(format!(
                "term {} of the required node affinity is malformed and matches no node: {why}",
                i + 1
            ));
        }
    }
    if ds.template_generation.is_none()
        && let Some(text) = ds.annotations.get(TEMPLATE_GENERATION)
    {
        notes.push(format!(
            "the annotation {TEMPLATE_GENERATION} is no number and is ignored: {text:?}"
        ));
    }
    match &ds.update_strategy {
        UpdateStrategy::Other(kind) => notes.push(format!(
            "updateStrategy.type {kind:?} is not known: pods are replaced only after somebody else deleted them"
        )),
        UpdateStrategy::RollingUpdate {
            max_unavailable,
            max_surge,
        } => {
            for (name, value) in [("maxUnavailable", max_unavailable), ("maxSurge", max_surge)] {
                if let IntOrPercent::Invalid(text) = value {
                    notes.push(format!(
                        "updateStrategy.rollingUpdate.{name} is neither a number nor a percentage: {text:?}"
                    ));
                }
            }
        }
        UpdateStrategy::OnDelete => {}
    }
    notes
}

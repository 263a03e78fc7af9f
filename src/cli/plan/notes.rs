//! What is odd about a DaemonSet and no error: the built-in controller passes over it in silence.

use crate::{
    model::{DaemonSet, IntOrPercent, UpdateStrategy},
    wire::daemon_set::TEMPLATE_GENERATION,
};

/// What is to be said about a DaemonSet; a malformed selector is why it is left alone, and said there.
pub fn about(ds: &DaemonSet) -> Vec<String> {
    let mut notes = Vec::new();
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

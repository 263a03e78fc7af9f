//! The objects that a list, a watch or a delete of a collection is for.

use serde_json::Value;

use super::path::{Query, Target};
use super::selector::{self, FieldSelector};
use super::status::Result;
use crate::model::LabelSelector;

/// The namespace and the selectors of a request.
pub struct Selection {
    namespace: String,
    labels: LabelSelector,
    fields: FieldSelector,
    /// The one name, and the one node, that the field selector requires. The server has indexes for
    /// these, and looks at no other object.
    single: [Option<String>; 2],
    /// Whether there are selectors.
    pub narrowed: bool,
}

impl Selection {
    /// Reads the parameters of a list or watch.
    pub fn new(target: &Target, query: &Query) -> Result<Selection> {
        let mut fields = query.get("fieldSelector").to_owned();
        if !target.name.is_empty() {
            // A watch of one object.
            let comma = if fields.is_empty() { "" } else { "," };
            fields = format!("{fields}{comma}metadata.name={}", target.name);
        }
        Ok(Selection {
            namespace: target.namespace.clone(),
            labels: selector::labels(query.get("labelSelector"))?,
            single: ["metadata.name=", "spec.nodeName="].map(|index| {
                let mut all = fields.split(',');
                let value = all.find_map(|field| field.strip_prefix(index))?;
                Some(value.trim_start_matches('=').to_owned())
            }),
            narrowed: !fields.is_empty() || !query.get("labelSelector").is_empty(),
            fields: FieldSelector::parse(target.resource, &fields)?,
        })
    }

    /// Whether an object is in the namespace, and has the one name and node if they are required.
    pub fn in_scope(&self, object: &Value) -> bool {
        for (index, (part, key)) in [("metadata", "name"), ("spec", "nodeName")]
            .iter()
            .enumerate()
        {
            let is = object[part][key].as_str().unwrap_or_default();
            if self.single[index].as_ref().is_some_and(|one| one != is) {
                return false;
            }
        }
        self.namespace.is_empty() || object["metadata"]["namespace"] == self.namespace.as_str()
    }

    /// Whether it selects the object.
    pub fn has(&self, object: &Value) -> bool {
        let is_all = !self.narrowed && self.namespace.is_empty();
        is_all
            || self.in_scope(object)
                && selector::matches(&self.labels, object)
                && self.fields.matches(object)
    }
}

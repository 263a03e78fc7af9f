//! The parsed fields, read from messages.

use std::borrow::Cow;

use crate::wire::protobuf::reader::{Field, Malformed, Message, Result};

use super::{
    Affinity, Condition, Lenient, Metadata, NodeAffinity, NodeSelector, NodeSelectorTerm,
    OwnerReference, Pairs, SelectorRequirement, Stamp, Text,
};

/// A field that is a text.
pub fn text<'a>(field: Field<'a>, name: &str) -> Result<Option<Text<'a>>> {
    Ok(Some(Text(Cow::Borrowed(field.text(name)?))))
}

/// A text that only explains.
pub fn lenient_text(field: Field<'_>) -> Lenient<Text<'_>> {
    Lenient(text(field, "").ok().flatten())
}

/// A time. An empty message is Go's zero time, which is null in JSON.
pub fn stamp<'a>(message: Message<'a>) -> Result<Option<Stamp<'a>>> {
    let (mut is_zero, mut seconds) = (true, 0);
    for field in message {
        let field = field?;
        is_zero = false;
        if field.number == 1 {
            seconds = field.number("seconds")?;
        }
    }
    Ok((!is_zero).then_some(Stamp::Seconds(seconds)))
}

/// Adds an entry to a map of texts.
fn pair<'a>(entry: Message<'a>, pairs: &mut Option<Pairs<'a>>) -> Result<()> {
    let (mut key, mut value) = ("", "");
    for field in entry {
        let field = field?;
        match field.number {
            1 => key = field.text("key")?,
            2 => value = field.text("value")?,
            _ => {}
        }
    }
    let pairs = pairs.get_or_insert_default();
    pairs.0.push((Cow::Borrowed(key), Cow::Borrowed(value)));
    Ok(())
}

/// `ObjectMeta`.
pub fn metadata<'a>(message: Message<'a>) -> Result<Metadata<'a>> {
    let mut name = None;
    let mut metadata = Metadata {
        name: Text(Cow::Borrowed("")),
        namespace: None,
        uid: None,
        resource_version: None,
        generation: None,
        creation_timestamp: None,
        deletion_timestamp: None,
        deletion_grace_period_seconds: Lenient(None),
        finalizers: Lenient(None),
        labels: None,
        annotations: None,
        owner_references: None,
    };
    for field in message {
        let field = field?;
        match field.number {
            1 => name = text(field, "name")?,
            3 => metadata.namespace = text(field, "namespace")?,
            5 => metadata.uid = text(field, "uid")?,
            6 => metadata.resource_version = text(field, "resourceVersion")?,
            7 => metadata.generation = Some(field.number("generation")?),
            8 => metadata.creation_timestamp = field.message("creationTimestamp", stamp)?,
            9 => metadata.deletion_timestamp = field.message("deletionTimestamp", stamp)?,
            10 => {
                let seconds = field.number("").ok().and_then(|s| s.try_into().ok());
                metadata.deletion_grace_period_seconds = Lenient(seconds);
            }
            11 => field.message("labels", |entry| pair(entry, &mut metadata.labels))?,
            12 => field.message("annotations", |entry| {
                pair(entry, &mut metadata.annotations)
            })?,
            13 => {
                let owner = field.message("ownerReferences", owner_reference)?;
                metadata
                    .owner_references
                    .get_or_insert_default()
                    .push(owner);
            }
            14 => {
                let finalizers = metadata.finalizers.0.get_or_insert_default();
                finalizers.push(lenient_text(field));
            }
            _ => {}
        }
    }
    // Go writes an empty text where there is none.
    let name = name.filter(|name| !name.0.is_empty());
    metadata.name = name.ok_or_else(|| Malformed::new("missing field `name`"))?;
    Ok(metadata)
}

/// `OwnerReference`.
pub fn owner_reference<'a>(message: Message<'a>) -> Result<OwnerReference<'a>> {
    let mut owner = OwnerReference {
        kind: None,
        uid: Text(Cow::Borrowed("")),
        controller: None,
    };
    for field in message {
        let field = field?;
        match field.number {
            1 => owner.kind = text(field, "kind")?,
            4 => owner.uid = Text(Cow::Borrowed(field.text("uid")?)),
            6 => owner.controller = Some(field.bool("controller")?),
            _ => {}
        }
    }
    Ok(owner)
}

/// `PodCondition` and `NodeCondition`, which have the same numbers for what is read.
pub fn condition<'a>(message: Message<'a>) -> Result<Condition<'a>> {
    let mut condition = Condition {
        kind: None,
        status: None,
        last_transition_time: None,
        reason: Lenient(None),
        message: Lenient(None),
    };
    for field in message {
        let field = field?;
        match field.number {
            1 => condition.kind = text(field, "type")?,
            2 => condition.status = text(field, "status")?,
            4 => condition.last_transition_time = field.message("lastTransitionTime", stamp)?,
            5 => condition.reason = lenient_text(field),
            6 => condition.message = lenient_text(field),
            _ => {}
        }
    }
    Ok(condition)
}

/// `Affinity`.
pub fn affinity<'a>(message: Message<'a>) -> Result<Affinity<'a>> {
    let mut affinity = Affinity {
        node_affinity: None,
    };
    for field in message {
        let field = field?;
        if field.number == 1 {
            affinity.node_affinity = Some(field.message("nodeAffinity", node_affinity)?);
        }
    }
    Ok(affinity)
}

fn node_affinity<'a>(message: Message<'a>) -> Result<NodeAffinity<'a>> {
    let mut required = None;
    for field in message {
        let field = field?;
        if field.number == 1 {
            let name = "requiredDuringSchedulingIgnoredDuringExecution";
            required = Some(field.message(name, node_selector)?);
        }
    }
    Ok(NodeAffinity {
        required_during_scheduling_ignored_during_execution: required,
    })
}

fn node_selector<'a>(message: Message<'a>) -> Result<NodeSelector<'a>> {
    let mut terms = Vec::new();
    for field in message {
        let field = field?;
        if field.number == 1 {
            terms.push(field.message("nodeSelectorTerms", node_selector_term)?);
        }
    }
    Ok(NodeSelector {
        node_selector_terms: Some(terms),
    })
}

fn node_selector_term<'a>(message: Message<'a>) -> Result<NodeSelectorTerm<'a>> {
    let (mut expressions, mut fields) = (Vec::new(), Vec::new());
    for field in message {
        let field = field?;
        match field.number {
            1 => expressions.push(field.message("matchExpressions", requirement)?),
            2 => fields.push(field.message("matchFields", requirement)?),
            _ => {}
        }
    }
    Ok(NodeSelectorTerm {
        match_expressions: Some(expressions),
        match_fields: Some(fields),
    })
}

fn requirement<'a>(message: Message<'a>) -> Result<SelectorRequirement<'a>> {
    let mut requirement = SelectorRequirement {
        key: None,
        operator: None,
        values: None,
    };
    for field in message {
        let field = field?;
        match field.number {
            1 => requirement.key = text(field, "key")?,
            2 => requirement.operator = text(field, "operator")?,
            3 => {
                let values = requirement.values.get_or_insert_default();
                values.extend(text(field, "values")?);
            }
            _ => {}
        }
    }
    Ok(requirement)
}

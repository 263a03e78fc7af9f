//! Nodes.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{Effect, Interner, Labels, Node, Taint, Uid};

use super::{
    DecodeError,
    partial::{Metadata, Text},
};

#[derive(Deserialize)]
struct NodeObject<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow)]
    spec: Option<Spec<'a>>,
}

#[derive(Deserialize)]
struct Spec<'a> {
    #[serde(borrow)]
    taints: Option<Vec<TaintObject<'a>>>,
}

#[derive(Deserialize)]
struct TaintObject<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<Text<'a>>,
    #[serde(borrow)]
    effect: Option<Text<'a>>,
}

/// Reads a node.
pub fn decode(raw: &RawValue, interner: &mut Interner) -> Result<Node, Box<DecodeError>> {
    let object: NodeObject<'_> =
        serde_json::from_str(raw.get()).map_err(|e| DecodeError::new("Node", e, raw))?;
    let taints = object.spec.and_then(|s| s.taints).unwrap_or_default();
    Ok(Node {
        name: interner.text(&object.metadata.name.0),
        uid: object.metadata.uid(),
        version: object.metadata.version(),
        labels: object.metadata.labels(interner),
        taints: taints
            .iter()
            .map(|t| Taint {
                key: interner.text(t.key.as_ref().map_or("", |k| &k.0)),
                value: interner.text(t.value.as_ref().map_or("", |v| &v.0)),
                effect: Effect::parse(t.effect.as_ref().map_or("", |e| &e.0)),
            })
            .collect(),
        readable: true,
    })
}

/// What remains of a node that did not decode; None when not even its name could be read.
pub fn from_error(e: &DecodeError) -> Option<Node> {
    Some(Node {
        name: e.name.clone()?,
        uid: e.uid.clone().unwrap_or(Uid::from("")),
        version: e.version,
        labels: Labels::default(),
        taints: Box::default(),
        readable: false,
    })
}

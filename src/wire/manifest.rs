//! A daemon pod as it is posted, made from the raw template: what this build does not know stays.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::model::{DaemonSet, Placement, Toleration, TolerationEntry};

use super::raw::{self, RawObject};

/// What stands for the two names while a manifest is prepared: texts that the template does not hold.
struct Placeholders {
    name: String,
    node: String,
}

impl Placeholders {
    fn for_template(template: &str) -> Placeholders {
        let free = |what: &str| {
            (0..)
                .map(|i| format!("@{what}-{i}@"))
                .find(|text| !template.contains(text))
                .expect("a text holds finitely many others")
        };
        Placeholders {
            name: free("name"),
            node: free("node"),
        }
    }
}

/// The manifest of a DaemonSet's pods but for their names and nodes: making one is joining texts.
#[derive(Debug)]
pub struct PodManifest {
    /// Texts around the placeholders.
    parts: Vec<String>,
    /// What stands between them.
    holes: Vec<Hole>,
}

#[derive(Debug, Clone, Copy)]
enum Hole {
    Name,
    Node,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OwnerReference<'a> {
    api_version: &'static str,
    kind: &'static str,
    name: &'a str,
    uid: &'a str,
    controller: bool,
    block_owner_deletion: bool,
}

/// The owner reference of what a DaemonSet controls.
pub fn owner_reference(ds: &DaemonSet) -> Box<RawValue> {
    let reference = OwnerReference {
        api_version: "apps/v1",
        kind: "DaemonSet",
        name: &ds.name,
        uid: ds.uid.as_str(),
        controller: true,
        block_owner_deletion: true,
    };
    to_raw_value(&reference).expect("texts and booleans have a JSON form")
}

impl PodManifest {
    /// Prepares the manifest of pods of this revision. Fails when the template is no object of objects.
    pub fn new(
        ds: &DaemonSet,
        hash: &str,
        tolerations: &[TolerationEntry],
        placement: Placement,
    ) -> serde_json::Result<PodManifest> {
        let template: RawObject = serde_json::from_str(&ds.template.raw)?;
        let holes = Placeholders::for_template(&ds.template.raw);
        let mut pod = RawObject::new();
        pod.put("apiVersion", "v1")?;
        pod.put("kind", "Pod")?;
        pod.set("metadata", metadata(ds, hash, &template, &holes.name)?);
        pod.set(
            "spec",
            spec(&template, tolerations, placement, &holes.node)?,
        );
        Ok(PodManifest::cut(pod.to_raw().get(), &holes))
    }

    /// Cuts the text at its placeholders.
    fn cut(text: &str, Placeholders { name, node }: &Placeholders) -> PodManifest {
        let (mut parts, mut holes, mut rest) = (Vec::new(), Vec::new(), text);
        loop {
            let next = [
                (rest.find(node), Hole::Node, node),
                (rest.find(name), Hole::Name, name),
            ]
            .into_iter()
            .filter_map(|(at, hole, p)| Some((at?, hole, p.len())))
            .min_by_key(|(at, _, _)| *at);
            let Some((at, hole, length)) = next else {
                parts.push(rest.to_owned());
                return PodManifest { parts, holes };
            };
            parts.push(rest[..at].to_owned());
            holes.push(hole);
            rest = &rest[at + length..];
        }
    }

    /// The body to post for a pod of this name on this node. Both are names that the API accepted: plain text.
    pub fn body(&self, name: &str, node: &str) -> String {
        let length: usize = self.parts.iter().map(String::len).sum();
        let mut out = String::with_capacity(length + self.holes.len() * 64);
        for (i, part) in self.parts.iter().enumerate() {
            if i > 0 {
                out.push_str(match self.holes[i - 1] {
                    Hole::Name => name,
                    Hole::Node => node,
                });
            }
            out.push_str(part);
        }
        out
    }
}

fn metadata(
    ds: &DaemonSet,
    hash: &str,
    template: &RawObject,
    name: &str,
) -> serde_json::Result<Box<RawValue>> {
    let own = open(template, "metadata")?;
    let mut metadata = RawObject::new();
    metadata.put("name", name)?;
    metadata.put("generateName", &format!("{}-", ds.name))?;
    metadata.put("ownerReferences", &[owner_reference(ds)])?;
    for kept in ["annotations", "finalizers"] {
        if let Some(value) = own.get(kept).filter(|v| !raw::is_null(v)) {
            metadata.set(kept, value.to_owned());
        }
    }
    let mut labels = open(&own, "labels")?;
    if let Some(generation) = ds.template_generation {
        labels.put("pod-template-generation", &generation.to_string())?;
    }
    labels.put("controller-revision-hash", hash)?;
    metadata.set("labels", labels.to_raw());
    Ok(metadata.to_raw())
}

fn spec(
    template: &RawObject,
    tolerations: &[TolerationEntry],
    placement: Placement,
    node: &str,
) -> serde_json::Result<Box<RawValue>> {
    let mut spec = open(template, "spec")?;
    let mut affinity = open(&spec, "affinity")?;
    let mut node_affinity = open(&affinity, "nodeAffinity")?;
    node_affinity.set(
        "requiredDuringSchedulingIgnoredDuringExecution",
        pinned(node)?,
    );
    affinity.set("nodeAffinity", node_affinity.to_raw());
    spec.set("affinity", affinity.to_raw());
    let own = match spec.get("tolerations").filter(|t| !raw::is_null(t)) {
        Some(list) => raw::parse_array(list)?,
        None => Vec::new(),
    };
    let list = tolerations
        .iter()
        .map(|entry| match entry {
            TolerationEntry::Template(i) => Ok(own[*i].clone()),
            TolerationEntry::Default(t) => default_toleration(t),
        })
        .collect::<serde_json::Result<Vec<_>>>()?;
    spec.put("tolerations", &list)?;
    if placement == Placement::NodeName {
        spec.put("nodeName", node)?;
    }
    Ok(spec.to_raw())
}

/// Required node affinity that only the one node satisfies.
fn pinned(node: &str) -> serde_json::Result<Box<RawValue>> {
    let mut field = RawObject::new();
    field.put("key", "metadata.name")?;
    field.put("operator", "In")?;
    field.put("values", &[node])?;
    let mut term = RawObject::new();
    term.put("matchFields", &[field])?;
    let mut selector = RawObject::new();
    selector.put("nodeSelectorTerms", &[term])?;
    Ok(selector.to_raw())
}

fn default_toleration(t: &Toleration) -> serde_json::Result<Box<RawValue>> {
    let mut object = RawObject::new();
    object.put("key", &*t.key)?;
    object.put("operator", &*t.operator)?;
    object.put("effect", &*t.effect)?;
    Ok(object.to_raw())
}

/// The object under a key; an empty one where it is absent or null.
fn open(object: &RawObject, key: &str) -> serde_json::Result<RawObject> {
    Ok(object.read(key)?.unwrap_or_default())
}

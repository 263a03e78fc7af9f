//! The manifest of a daemon pod, made from the raw template, so that fields which this build does
//! not know are kept.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::model::{DaemonSet, Placement, ResourceClass, Template, Toleration, TolerationEntry};

use super::{
    containers,
    raw::{self, RawObject},
};

/// Stand-ins for the name and the node while a manifest is prepared: strings that the template does
/// not contain.
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

/// The manifest of a DaemonSet's pods without names and nodes, which are inserted for each pod.
#[derive(Debug)]
pub struct PodManifest {
    /// The text around the placeholders.
    parts: Vec<String>,
    /// The placeholders between the parts.
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

/// The owner reference of an object that the DaemonSet controls.
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
    /// Prepares the manifest of the pods of the current revision. Fails where the template is no
    /// JSON object of objects.
    pub fn new(
        ds: &DaemonSet,
        hash: &str,
        tolerations: &[TolerationEntry],
        placement: Placement,
    ) -> serde_json::Result<PodManifest> {
        let generation = ds.template_generation;
        Self::of_template(ds, &ds.template, hash, generation, tolerations, placement)
    }

    /// The same on nodes of a class. The hash is that of the revision: only the resources of
    /// containers and one annotation are other ones.
    pub fn of_class(
        ds: &DaemonSet,
        class: &ResourceClass,
        hash: &str,
        tolerations: &[TolerationEntry],
        placement: Placement,
    ) -> serde_json::Result<PodManifest> {
        let generation = ds.template_generation;
        let template = containers::with_class(&ds.template, class)?;
        Self::of_template(ds, &template, hash, generation, tolerations, placement)
    }

    /// The same for an older revision with this template. Its pods carry no template generation:
    /// that of the DaemonSet is the current template's, and would make them count as up to date.
    pub fn of_older(
        ds: &DaemonSet,
        template: &Template,
        hash: &str,
        tolerations: &[TolerationEntry],
        placement: Placement,
    ) -> serde_json::Result<PodManifest> {
        Self::of_template(ds, template, hash, None, tolerations, placement)
    }

    fn of_template(
        ds: &DaemonSet,
        template: &Template,
        hash: &str,
        generation: Option<i64>,
        tolerations: &[TolerationEntry],
        placement: Placement,
    ) -> serde_json::Result<PodManifest> {
        let holes = Placeholders::for_template(&template.raw);
        let template: RawObject = serde_json::from_str(&template.raw)?;
        let mut pod = RawObject::new();
        pod.put("apiVersion", "v1")?;
        pod.put("kind", "Pod")?;
        let labels = (hash, generation);
        pod.set("metadata", metadata(ds, labels, &template, &holes.name)?);
        pod.set(
            "spec",
            spec(&template, tolerations, placement, &holes.node)?,
        );
        Ok(PodManifest::cut(pod.to_raw().get(), &holes))
    }

    /// Splits the text at its placeholders.
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

    /// The body of the POST for a pod of this name on this node. Both are valid Kubernetes names,
    /// which need no escaping in JSON.
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
    (hash, generation): (&str, Option<i64>),
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
    if let Some(generation) = generation {
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

/// Required node affinity that only this node satisfies.
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

/// The object under a key; an empty object where it is absent or null.
fn open(object: &RawObject, key: &str) -> serde_json::Result<RawObject> {
    Ok(object.read(key)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::Interner;

    fn daemon_set(template: &str) -> DaemonSet {
        let raw = format!(
            r#"{{"metadata":{{"name":"web","namespace":"x","uid":"u","annotations":{{"deprecated.daemonset.template.generation":"+5"}}}},
                "spec":{{"selector":{{"matchLabels":{{"app":"web"}}}},"template":{template}}}}}"#
        );
        let raw = RawValue::from_string(raw).unwrap();
        crate::wire::daemon_set::decode(&raw, &mut Interner::default()).unwrap()
    }

    fn body(template: &str, tolerations: &[TolerationEntry], placement: Placement) -> String {
        let manifest =
            PodManifest::new(&daemon_set(template), "h", tolerations, placement).unwrap();
        manifest.body("web-abc", "node-1")
    }

    #[test]
    fn what_this_build_does_not_know_survives_to_the_letter() {
        let body = body(
            r#"{"metadata":{"labels":{"app":"web"}},"spec":{"newField":{"n":1.0,"big":123456789012345678901234567890,"e":1e3},
                "containers":[{"name":"c","future":[null,{"z":1,"a":2}]}]}}"#,
            &[],
            Placement::Scheduler,
        );
        assert!(
            body.contains(r#""newField":{"n":1.0,"big":123456789012345678901234567890,"e":1e3}"#),
            "{body}"
        );
        assert!(body.contains(r#""future":[null,{"z":1,"a":2}]"#), "{body}");
    }

    #[test]
    fn metadata_is_the_templates_labels_annotations_and_finalizers_and_nothing_else_of_it() {
        let body = body(
            r#"{"metadata":{"name":"not-this","namespace":"nor-this","creationTimestamp":null,"finalizers":["f/x"],
                "labels":{"app":"web"},"annotations":{"a":"b"}},"spec":{"containers":[]}}"#,
            &[],
            Placement::Scheduler,
        );
        let pod: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            pod["metadata"],
            json!({
                "name": "web-abc", "generateName": "web-", "finalizers": ["f/x"], "annotations": {"a": "b"},
                "labels": {"app": "web", "controller-revision-hash": "h", "pod-template-generation": "5"},
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "web", "uid": "u",
                    "controller": true, "blockOwnerDeletion": true,
                }],
            })
        );
    }

    #[test]
    fn required_node_affinity_is_replaced_and_all_other_affinity_stays() {
        let template = r#"{"metadata":{},"spec":{"containers":[],"affinity":{"podAffinity":{"p":1},"nodeAffinity":{
            "requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"k","operator":"Exists"}]}]},
            "preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1}]}}}}"#;
        let pod: Value = serde_json::from_str(&body(template, &[], Placement::Scheduler)).unwrap();
        assert_eq!(
            pod["spec"]["affinity"],
            json!({
                "podAffinity": {"p": 1},
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]},
                    ]},
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}],
                },
            })
        );
        assert!(pod["spec"].get("nodeName").is_none());
        let pod: Value = serde_json::from_str(&body(template, &[], Placement::NodeName)).unwrap();
        assert_eq!(pod["spec"]["nodeName"], "node-1");
    }

    #[test]
    fn tolerations_of_the_template_stay_as_they_were_written() {
        let template = r#"{"metadata":{},"spec":{"containers":[],"tolerations":[{"key":"k","operator":"Exists","later":1.50}]}}"#;
        let entries = [
            TolerationEntry::Template(0),
            TolerationEntry::Default(Toleration::exists("d", "NoSchedule")),
        ];
        let body = body(template, &entries, Placement::Scheduler);
        assert!(
            body.contains(
                r#""tolerations":[{"key":"k","operator":"Exists","later":1.50},{"effect":"NoSchedule","key":"d","operator":"Exists"}]"#
            ),
            "{body}"
        );
    }

    #[test]
    fn a_template_may_hold_what_looks_like_a_placeholder() {
        let body = body(
            r#"{"metadata":{"annotations":{"a":"@node-0@ @name-0@"}},"spec":{"containers":[]}}"#,
            &[],
            Placement::Scheduler,
        );
        assert!(
            body.contains("@node-0@ @name-0@") && body.contains(r#""name":"web-abc""#),
            "{body}"
        );
    }
}

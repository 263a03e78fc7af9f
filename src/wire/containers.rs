//! Resources of a template's containers: read for decisions, and replaced by those of a class.
//!
//! They are read leniently. A field of another type counts as absent, because what only a class of
//! nodes asks for must not make a DaemonSet unreadable.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{
    Amounts, ContainerKind, ContainerResources, Interner, ResourceClass, Template,
    TemplateContainer, quantity, resources::MARK,
};

use super::{
    partial::leniently,
    raw::{self, RawObject},
};

const LISTS: [&str; 2] = ["initContainers", "containers"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    restart_policy: Option<&'a RawValue>,
    #[serde(borrow)]
    resources: Option<&'a RawValue>,
    #[serde(borrow)]
    resize_policy: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Resources<'a> {
    #[serde(borrow)]
    requests: Option<&'a RawValue>,
    #[serde(borrow)]
    limits: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResizePolicy<'a> {
    #[serde(borrow)]
    resource_name: Cow<'a, str>,
    #[serde(borrow)]
    restart_policy: Cow<'a, str>,
}

/// The containers of a template: `containers` and `initContainers`.
pub fn read(
    containers: Option<&RawValue>,
    init_containers: Option<&RawValue>,
    interner: &mut Interner,
) -> Vec<TemplateContainer> {
    let mut all = Vec::new();
    for (list, is_init) in [(containers, false), (init_containers, true)] {
        for raw in leniently::<Vec<&RawValue>>(list).unwrap_or_default() {
            let Some(container) = leniently::<Container<'_>>(Some(raw)) else {
                continue;
            };
            all.push(one(&container, is_init, interner));
        }
    }
    all
}

fn one(container: &Container<'_>, is_init: bool, interner: &mut Interner) -> TemplateContainer {
    let resources: Option<Resources<'_>> = leniently(container.resources);
    let (requests, limits) = resources.map_or((None, None), |r| (r.requests, r.limits));
    let restart_policy: Option<Cow<'_, str>> = leniently(container.restart_policy);
    let policies: Vec<ResizePolicy<'_>> = leniently(container.resize_policy).unwrap_or_default();
    let restarts = policies
        .iter()
        .filter(|policy| policy.restart_policy == "RestartContainer");
    TemplateContainer {
        name: interner.text(&container.name),
        kind: match restart_policy.as_deref() {
            _ if !is_init => ContainerKind::Main,
            Some("Always") => ContainerKind::Sidecar,
            _ => ContainerKind::Init,
        },
        restarts: restarts
            .map(|policy| interner.text(&policy.resource_name))
            .collect(),
        resources: ContainerResources {
            requests: amounts(requests, interner),
            limits: amounts(limits, interner),
        },
    }
}

/// The amounts of a list, in the form in which the API server writes them. What is no quantity
/// stays as it is.
fn amounts(list: Option<&RawValue>, interner: &mut Interner) -> Amounts {
    let Some(list) = leniently::<RawObject>(list) else {
        return Amounts::new();
    };
    let all = list.0.iter().filter_map(|(name, value)| {
        // A number stands for itself.
        let text = match serde_json::from_str::<Cow<'_, str>>(value.get()) {
            Ok(text) => text,
            Err(_) if raw::is_null(value) => return None,
            Err(_) => Cow::Borrowed(value.get()),
        };
        let written = quantity::canonical_resource(&text);
        let written = written.as_deref().unwrap_or(&text);
        Some((interner.text(name), interner.text(written)))
    });
    all.collect()
}

/// The template with the resources of this class, and the annotation that says so. All else stays
/// as it was written. Fails where the template is no JSON object of objects.
pub fn with_class(template: &Template, class: &ResourceClass) -> serde_json::Result<Template> {
    let mut object: RawObject = serde_json::from_str(&template.raw)?;
    if let Some(mark) = class.text() {
        let mut metadata: RawObject = object.read("metadata")?.unwrap_or_default();
        let mut annotations: RawObject = metadata.read("annotations")?.unwrap_or_default();
        annotations.put(MARK, &*mark)?;
        metadata.set("annotations", annotations.to_raw());
        object.set("metadata", metadata.to_raw());
    }
    let mut spec: RawObject = object.read("spec")?.unwrap_or_default();
    for list in LISTS {
        let Some(containers) = spec.get(list).filter(|list| !raw::is_null(list)) else {
            continue;
        };
        let mut containers = raw::parse_array(containers)?;
        let mut changed = false;
        for container in &mut containers {
            if let Some(with) = replaced(container, class)? {
                *container = with;
                changed = true;
            }
        }
        if changed {
            spec.put(list, &containers)?;
        }
    }
    object.set("spec", spec.to_raw());
    Ok(Template {
        raw: object.to_raw().get().into(),
        ..template.clone()
    })
}

/// The container with what the class gives to it; None where that is nothing.
fn replaced(
    container: &RawValue,
    class: &ResourceClass,
) -> serde_json::Result<Option<Box<RawValue>>> {
    let mut object = RawObject::parse(container)?;
    let name: Option<String> = object.read("name")?;
    let Some(of_class) = name.and_then(|name| class.containers.get(name.as_str())) else {
        return Ok(None);
    };
    let mut resources: RawObject = object.read("resources")?.unwrap_or_default();
    for (key, wanted) in [
        ("requests", &of_class.requests),
        ("limits", &of_class.limits),
    ] {
        if wanted.is_empty() {
            continue;
        }
        let mut amounts: RawObject = resources.read(key)?.unwrap_or_default();
        for (name, amount) in wanted {
            amounts.put(&**name, &**amount)?;
        }
        resources.set(key, amounts.to_raw());
    }
    object.set("resources", resources.to_raw());
    Ok(Some(object.to_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{DaemonSet, Placement, json::Json},
        wire::{daemon_set, manifest::PodManifest},
    };

    fn daemon_set(template: &str) -> DaemonSet {
        let raw = format!(
            r#"{{"metadata":{{"name":"web","namespace":"x","uid":"u"}},
                "spec":{{"selector":{{"matchLabels":{{"app":"web"}}}},"template":{template}}}}}"#
        );
        let raw = RawValue::from_string(raw).expect("JSON");
        daemon_set::decode(&raw, &mut Interner::default()).expect("a DaemonSet")
    }

    fn class(text: &str) -> ResourceClass {
        ResourceClass::read(&Json::parse(text).expect("JSON"), "c").expect("a class")
    }

    #[test]
    fn a_manifest_of_a_class_differs_in_resources_and_one_annotation_and_in_no_other_letter() {
        let with = |memory: &str, annotations: &str| {
            format!(
                r#"{{"metadata":{{"annotations":{annotations},"labels":{{"app":"web"}}}},"spec":{{"containers":[{{"env":[{{"value":"1e3","n":1e3}}],"name":"c","resources":{{"claims":[{{"name":"x"}}],"limits":{{"memory":"{memory}","x/y":3}},"requests":{{"cpu":0.50}}}}}},{{"zz":1,"name":"other"}}],"future":1.50,"initContainers":null}}}}"#
            )
        };
        let body = |ds: &DaemonSet, class: Option<&ResourceClass>| {
            let manifest = match class {
                Some(class) => PodManifest::of_class(ds, class, "h", &[], Placement::Scheduler),
                None => PodManifest::new(ds, "h", &[], Placement::Scheduler),
            };
            manifest.expect("a manifest").body("web-abc", "node-1")
        };
        let class = class(r#"{"c":{"limits":{"memory":"0.5Gi"}},"nobody":{"limits":{"cpu":"1"}}}"#);
        let made = body(&daemon_set(&with("1Gi", r#"{"a":"b"}"#)), Some(&class));
        let mark = r#"{"a":"b","daemonset-controller.io/resources":"{\"c\":{\"limits\":{\"memory\":\"512Mi\"}},\"nobody\":{\"limits\":{\"cpu\":\"1\"}}}"}"#;
        assert_eq!(made, body(&daemon_set(&with("512Mi", mark)), None));
        assert!(
            made.contains(r#""n":1e3"#) && made.contains(r#""future":1.50"#),
            "{made}"
        );
        // A class that gives nothing changes nothing.
        let plain = daemon_set(&with("1Gi", "null"));
        assert_eq!(
            body(&plain, Some(&ResourceClass::default())),
            body(&plain, None)
        );
    }

    #[test]
    fn containers_are_read_as_far_as_they_can_be() {
        let ds = daemon_set(
            r#"{"metadata":{},"spec":{"resources":{},"containers":[
                {"name":"a","resources":{"requests":{"cpu":0.5,"memory":"1024Mi","x":null},"limits":7},
                 "resizePolicy":[{"resourceName":"cpu","restartPolicy":"NotRequired"},{"resourceName":"memory","restartPolicy":"RestartContainer"}]},
                7, {"image":"no-name"}, {"name":"b","resources":"none"}
            ],"initContainers":[{"name":"c"},{"name":"d","restartPolicy":"Always"}]}}"#,
        );
        let kinds: Vec<String> = ds
            .template
            .containers
            .iter()
            .map(|c| format!("{} {:?}", c.name, c.kind))
            .collect();
        assert_eq!(kinds, ["a Main", "b Main", "c Init", "d Sidecar"]);
        let a = &ds.template.containers[0];
        assert_eq!(
            format!("{:?}", a.resources.requests),
            r#"{"cpu": "500m", "memory": "1Gi"}"#
        );
        assert!(a.resources.limits.is_empty());
        assert_eq!(a.restarts, ["memory".into()]);
        assert!(ds.template.has_pod_resources);
    }
}

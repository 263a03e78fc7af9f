//! Pods to create as a stream of YAML documents, with the plan in comments: `kubectl create -f -`
//! takes it as it is.

use std::fmt::Write;

use serde_json::value::RawValue;

use crate::{cli::to_yaml::to_yaml, wire::raw::RawObject};

use super::report::{CreateReport, Report};

/// The plan's text as comments, and then a document for each pod that a report holds a manifest of.
/// Fails where a manifest cannot be read as JSON.
pub fn stream(text: &str, report: &Report) -> serde_json::Result<String> {
    let mut out = String::new();
    for line in text.lines() {
        out.push_str(format!("# {line}").trim_end());
        out.push('\n');
    }
    for create in &report.create {
        let Some(manifest) = &create.manifest else {
            continue;
        };
        let pod = with_namespace(manifest, &report.daemon_set.namespace)?;
        // An empty line: a reader may take away the line end before the dashes.
        let _ = write!(out, "\n---\n# {}\n{}", title(create), to_yaml(&pod)?);
    }
    Ok(out)
}

fn title(create: &CreateReport) -> String {
    format!("{} for node {}", create.pod_name, create.node)
}

/// The API server takes the namespace from the path of the request; kubectl needs it in the object.
fn with_namespace(pod: &RawValue, namespace: &str) -> serde_json::Result<Box<RawValue>> {
    let mut pod = RawObject::parse(pod)?;
    let mut metadata: RawObject = pod.read("metadata")?.unwrap_or_default();
    metadata.put("namespace", namespace)?;
    pod.set("metadata", metadata.to_raw());
    Ok(pod.to_raw())
}

//! What the demo is given: the DaemonSet that is shown, the nodes, and what else is to exist.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::{Value, json};

use crate::{
    cli::{
        args::{Asked, ReadArgs, Target},
        files::{self, Contents, Document},
        plan::choice::{Choice, some},
    },
    model::{Key, control::PREFIX},
    sim::api::{
        Resource,
        resource::{NAMESPACES, PODS},
    },
};

use super::error::DemoError;
use super::nodes::ZONE;

/// The text of the example, which is part of the source tree.
const EXAMPLE: &str = include_str!("../../../examples/agent.yaml");
const EXAMPLE_FILE: &str = "examples/agent.yaml";

/// `maxUnavailable` of the example in a rolling update.
const SHARE: &str = "30%";

/// The keys of rollout control that the example has in a rolling update.
const KEYS: [(&str, &str); 4] = [
    ("canary", "1"),
    ("bake", "1s"),
    ("order", ZONE),
    ("on-failure", "pause"),
];

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// Kinds that the simulated API server does not serve, although a real one would decide by them
/// about pods.
const WOULD_MATTER: [&str; 7] = [
    "LimitRange",
    "MutatingAdmissionPolicy",
    "MutatingWebhookConfiguration",
    "ResourceQuota",
    "RuntimeClass",
    "ValidatingAdmissionPolicy",
    "ValidatingWebhookConfiguration",
];

/// The DaemonSet to apply.
#[derive(Debug)]
pub struct Agent {
    /// The name of its file on the command line, or `standard input`.
    pub file: String,
    pub namespace: String,
    pub name: String,
    /// The object, as it is sent to the API server.
    pub object: Value,
    /// The change to the example, in words.
    pub with: Option<String>,
}

impl Agent {
    /// Whether it has keys of rollout control.
    pub fn has_keys(&self) -> bool {
        let annotations = self.object["metadata"]["annotations"].as_object();
        annotations.is_some_and(|all| all.keys().any(|key| key.starts_with(PREFIX)))
    }
}

/// An object that is to exist before the DaemonSet.
#[derive(Debug)]
pub struct Given {
    /// Its file.
    pub file: String,
    /// Kind and name, for people.
    pub what: String,
    /// Its resource; None for a priority class, which only admission knows.
    pub resource: Option<&'static Resource>,
    /// Its namespace, empty outside of namespaces.
    pub namespace: String,
    pub object: Value,
}

/// Everything that the demo is given.
#[derive(Debug)]
pub struct Input {
    pub agent: Agent,
    /// Nodes with their files. Without any, the demo makes its own.
    pub nodes: Vec<(String, Value)>,
    /// What else is to exist, in an order in which it can be created.
    pub around: Vec<Given>,
    /// What is odd about the files, and what was left out, a line each.
    pub notes: Vec<String>,
}

/// Reads files, or the example if there are none. `target` names the DaemonSet where there are
/// several. With `update` the example is given a rolling update strategy, and keys of rollout
/// control.
pub fn read(
    files: &[&PathBuf],
    how: &ReadArgs,
    target: Option<&Target>,
    update: bool,
) -> Result<Input, DemoError> {
    how.check()?;
    if files.is_empty() {
        let mut input = sort_out(files::parse(EXAMPLE_FILE, EXAMPLE)?, target)?;
        if update {
            input.agent.object["spec"]["updateStrategy"] = json!({
                "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": SHARE },
            });
            for (key, value) in KEYS {
                let key = format!("{PREFIX}{key}");
                input.agent.object["metadata"]["annotations"][key] = json!(value);
            }
            let keys = KEYS.map(|(key, value)| format!("{key} {value}")).join(", ");
            input.agent.with = Some(format!(
                "with maxUnavailable {SHARE}, and with the keys of rollout control {keys}"
            ));
        }
        return Ok(input);
    }
    let Contents { documents, notes } = how.read(files)?;
    let mut input = sort_out(documents, target)?;
    input.notes.splice(0..0, notes);
    Ok(input)
}

/// The place of an object in the demo.
enum Role {
    DaemonSet,
    Node,
    /// Created before the DaemonSet; what comes first in this order is created first.
    Around(usize),
    /// Left out, for this reason.
    LeftOut(&'static str),
}

const NOT_SERVED: &str = "as they do not matter for the demo";
const DISREGARDED: &str = "although a cluster would heed them";
const OTHERS: &str = "as one DaemonSet is shown at a time";
const OWNED: &str = "as the demo begins without the pods and revisions of DaemonSets";

fn role(document: &Document) -> Role {
    let group = document.api_version.split_once('/').map(|(group, _)| group);
    match (group.unwrap_or(""), &*document.kind) {
        ("apps" | "extensions", "DaemonSet") => Role::DaemonSet,
        ("", "Node") => Role::Node,
        ("", "Namespace") => Role::Around(0),
        ("scheduling.k8s.io", "PriorityClass") => Role::Around(1),
        ("", "Pod") if !is_owned(document) => Role::Around(2),
        ("", "Pod") | ("apps", "ControllerRevision") => Role::LeftOut(OWNED),
        (_, kind) if WOULD_MATTER.contains(&kind) => Role::LeftOut(DISREGARDED),
        _ => Role::LeftOut(NOT_SERVED),
    }
}

fn is_owned(document: &Document) -> bool {
    let object: Value = serde_json::from_str(document.json.get()).unwrap_or_default();
    let owners = object["metadata"]["ownerReferences"].as_array();
    owners.is_some_and(|owners| !owners.is_empty())
}

fn sort_out(documents: Vec<Document>, target: Option<&Target>) -> Result<Input, DemoError> {
    let mut daemon_sets = Vec::new();
    let mut nodes = Vec::new();
    let mut around: Vec<(usize, Given)> = Vec::new();
    let mut left_out: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    let all: Vec<String> = documents.iter().map(named).collect();
    let mut leave_out = |why, kind: &str| {
        let kinds = left_out.entry(why).or_default();
        *kinds.entry(kind.to_owned()).or_default() += 1;
    };
    for document in documents {
        match role(&document) {
            Role::DaemonSet => daemon_sets.push(document),
            Role::Node => nodes.push((document.origin.file.clone(), object(&document)?)),
            Role::Around(place) => around.push((place, given(&document)?)),
            Role::LeftOut(why) => leave_out(why, &document.kind),
        }
    }
    let (chosen, others) = choose(daemon_sets, &all, target)?;
    (0..others).for_each(|_| leave_out(OTHERS, "DaemonSet"));
    around.sort_by_key(|(place, _)| *place);
    let notes = left_out.iter().map(|(why, kinds)| {
        let kinds: Vec<String> = kinds.iter().map(|(k, n)| format!("{n} {k}")).collect();
        format!("left out, {why}: {}", kinds.join(", "))
    });
    Ok(Input {
        agent: Agent {
            file: chosen.origin.file.clone(),
            namespace: namespace(&chosen),
            object: object(&chosen)?,
            name: chosen.name,
            with: None,
        },
        nodes,
        around: around.into_iter().map(|(_, given)| given).collect(),
        notes: notes.collect(),
    })
}

/// The DaemonSet that is meant, and how many others there are. `all` names all objects.
fn choose(
    mut found: Vec<Document>,
    all: &[String],
    target: Option<&Target>,
) -> Result<(Document, usize), DemoError> {
    let asked = target.map_or(Asked::TheOnlyOne, |target| Asked::One(target.clone()));
    let choice = Choice::new(asked, None, None);
    let key = |d: &Document| Key::new(&*namespace(d), &*d.name);
    let list = |of: &[&Document]| some(of.iter().map(|d| format!("{} ({})", key(d), d.origin)));
    let wrong = |why: String| Err(DemoError::Input(why));
    let meant = (0..found.len()).filter(|at| choice.is(&key(&found[*at])));
    let at = match meant.collect::<Vec<_>>()[..] {
        [at] => at,
        [] if !found.is_empty() => {
            let there = list(&found.iter().collect::<Vec<_>>());
            return wrong(format!("{} in the files; there is {there}", choice.none()));
        }
        [] if all.is_empty() => {
            return wrong("a DaemonSet is needed, and there is no object in the files".to_owned());
        }
        [] => {
            let there = some(all.iter().cloned());
            return wrong(format!("a DaemonSet is needed, and there is only {there}"));
        }
        ref several => {
            let there = list(&several.iter().map(|at| &found[*at]).collect::<Vec<_>>());
            return wrong(format!(
                "one DaemonSet is shown at a time, say which one with -d NAMESPACE/NAME: {there}"
            ));
        }
    };
    let chosen = found.swap_remove(at);
    if chosen.api_version != "apps/v1" {
        return wrong(format!(
            "{}: DaemonSet {} is of version {}, apps/v1 is needed",
            chosen.origin, chosen.name, chosen.api_version
        ));
    }
    Ok((chosen, found.len()))
}

fn named(document: &Document) -> String {
    let Document {
        kind, name, origin, ..
    } = document;
    format!("{kind} {name} ({origin})")
}

fn namespace(document: &Document) -> String {
    let own = document.namespace.clone();
    own.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
}

/// The object, without the version that it had in the cluster that it may have been read from.
fn object(document: &Document) -> Result<Value, DemoError> {
    let mut object: Value = serde_json::from_str(document.json.get())
        .map_err(|why| DemoError::Input(format!("{}: {why}", document.origin)))?;
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    Ok(object)
}

fn given(document: &Document) -> Result<Given, DemoError> {
    let (resource, namespace) = match &*document.kind {
        "Namespace" => (Some(&NAMESPACES), String::new()),
        "Pod" => (Some(&PODS), namespace(document)),
        _ => (None, String::new()),
    };
    let name = &document.name;
    Ok(Given {
        file: document.origin.file.clone(),
        what: match &*namespace {
            "" => format!("{} {name}", document.kind),
            namespace => format!("{} {namespace}/{name}", document.kind),
        },
        resource,
        namespace,
        object: object(document)?,
    })
}

//! The API server of a small scope: pods, revisions and one DaemonSet as small numbers, and the
//! JSON that a watch tells of them.
//!
//! Names are used again, so a pod is known by its name and its life: how many pods of that name
//! there were before. Versions count the writes to one name, because the cache compares versions of
//! one name only. So two orders of independent writes end in the same state.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use daemonset_controller::model::{Kind, Time, Uid};
use serde_json::{json, value::RawValue};

use crate::support::*;

/// How far one step of time goes: further than a gone pod is remembered, and than the first
/// backoffs.
pub const STEP: Duration = Duration::from_secs(3);

/// A number for a name of a pod.
pub type Name = u8;

/// A number for a JSON object.
pub type Json = u16;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    Pending,
    Ready,
    Failed,
}

/// A pod. Its revision is that of the template of this number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pod {
    pub name: Name,
    pub life: u8,
    pub version: u8,
    pub node: u8,
    pub template: u8,
    pub phase: Phase,
    /// When it was created, in steps of time.
    pub created: u8,
    /// When it was asked to go.
    pub asked: Option<u8>,
}

impl Pod {
    /// Neither terminating nor terminal.
    pub fn is_live(&self) -> bool {
        self.asked.is_none() && self.phase != Phase::Failed
    }

    pub fn is_available(&self) -> bool {
        self.asked.is_none() && self.phase == Phase::Ready
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Revision {
    pub template: u8,
    pub number: u8,
    pub version: u8,
}

/// What the server has.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Server {
    pub pods: BTreeMap<Name, Pod>,
    /// The life and the version of the last pod of each name.
    pub used: BTreeMap<Name, (u8, u8)>,
    pub revisions: Vec<Revision>,
    /// The number of the DaemonSet's template, and how often it changed.
    pub template: u8,
    pub changes: u8,
    /// How many steps of time there were.
    pub clock: u8,
}

/// A watch tells of this object, or that it is gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Told {
    pub kind: Kind,
    pub gone: bool,
    pub json: Json,
    /// The node of a pod.
    pub node: Option<u8>,
}

/// Names and JSON texts by number.
#[derive(Default)]
pub struct Texts {
    names: Vec<String>,
    json: Vec<Box<RawValue>>,
    numbers: HashMap<String, Json>,
    /// The hash of each template's revision.
    pub hashes: Vec<String>,
    /// How the DaemonSet looks, but for its template.
    pub daemon_set: Option<Object>,
}

/// The time after so many steps.
pub fn time(clock: u8) -> Time {
    now() + STEP * u32::from(clock)
}

fn second(clock: u8) -> String {
    Time::from_secs(time(clock).timestamp().as_second()).to_string()
}

/// The name of a node.
pub fn node_name(node: u8) -> String {
    format!("n{node}")
}

impl Texts {
    pub fn name(&mut self, name: &str) -> Name {
        let known = self.names.iter().position(|n| n == name);
        let at = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        Name::try_from(at).expect("few names")
    }

    pub fn name_of(&self, name: Name) -> &str {
        &self.names[usize::from(name)]
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn uid(&self, name: Name, life: u8) -> Uid {
        Uid::from(&*format!("{}.{life}", self.name_of(name)))
    }

    pub fn json(&self, json: Json) -> &RawValue {
        &self.json[usize::from(json)]
    }

    fn number(&mut self, object: &Object) -> Json {
        let raw = object.raw();
        if let Some(known) = self.numbers.get(raw.get()) {
            return *known;
        }
        let number = Json::try_from(self.json.len()).expect("few objects");
        self.numbers.insert(raw.get().to_owned(), number);
        self.json.push(raw);
        number
    }

    pub fn pod(&mut self, pod: &Pod) -> Json {
        let node = node_name(pod.node);
        let uid = self.uid(pod.name, pod.life);
        let mut object = crate::support::pod(self.name_of(pod.name))
            .pinned(&[&node])
            .hash(&self.hashes[usize::from(pod.template)])
            .version(u64::from(pod.version))
            .with(json!({"metadata": {
                "uid": uid.as_str(), "creationTimestamp": second(pod.created),
            }}));
        if pod.phase != Phase::Pending {
            let (phase, is) = match pod.phase {
                Phase::Ready => ("Running", "True"),
                _ => ("Failed", "False"),
            };
            let condition = json!([{
                "type": "Ready", "status": is, "lastTransitionTime": second(pod.created),
            }]);
            let status = json!({"phase": phase, "conditions": condition});
            object = object.on(&node).with(json!({"status": status}));
        }
        if let Some(asked) = pod.asked {
            let end = Time::from_secs(time(asked).timestamp().as_second() + 30).to_string();
            let metadata = json!({"deletionTimestamp": end, "deletionGracePeriodSeconds": 30});
            object = object.with(json!({"metadata": metadata}));
        }
        self.number(&object)
    }

    pub fn revision(&mut self, revision: &Revision) -> Json {
        let hash = self.hashes[usize::from(revision.template)].clone();
        let template = template(usize::from(revision.template));
        let number = i64::from(revision.number);
        let object = crate::support::revision(&hash, number, &template);
        let object = object.version(u64::from(revision.version));
        self.number(&object)
    }

    pub fn daemon_set(&mut self, template_number: u8, changes: u8) -> Json {
        let object = self.daemon_set.clone().expect("a DaemonSet");
        let template = template(usize::from(template_number));
        let object = object.version(u64::from(changes) + 1).with(json!({
            "metadata": {"generation": u64::from(changes) + 1}, "spec": {"template": template},
        }));
        self.number(&object)
    }

    pub fn node(&mut self, node: u8) -> Json {
        self.number(&crate::support::node(&node_name(node)))
    }
}

impl Server {
    /// The pods on a node.
    pub fn on(&self, node: u8) -> impl Iterator<Item = &Pod> {
        self.pods.values().filter(move |p| p.node == node)
    }

    /// Stores a new state of a pod.
    pub fn put(&mut self, mut pod: Pod, texts: &mut Texts) -> Told {
        let (life, version) = self.used.entry(pod.name).or_default();
        *version += 1;
        (*life, pod.version) = (pod.life, *version);
        self.pods.insert(pod.name, pod);
        let json = texts.pod(&pod);
        let node = Some(pod.node);
        let (kind, gone) = (Kind::Pod, false);
        Told {
            kind,
            gone,
            json,
            node,
        }
    }

    /// Takes a pod away.
    pub fn remove(&mut self, name: Name, texts: &mut Texts) -> Told {
        let pod = self.pods.remove(&name).expect("it is there");
        let told = self.put(pod, texts);
        self.pods.remove(&name);
        Told { gone: true, ..told }
    }

    /// Asks a pod to go: one that runs gets its time, any other is gone at once.
    pub fn ask_to_go(&mut self, name: Name, texts: &mut Texts) -> Told {
        let pod = self.pods[&name];
        if pod.phase != Phase::Ready {
            return self.remove(name, texts);
        }
        let asked = pod.asked.or(Some(self.clock));
        self.put(Pod { asked, ..pod }, texts)
    }

    /// Stores a revision, new or with another number.
    pub fn put_revision(&mut self, revision: Revision, texts: &mut Texts) -> Told {
        self.revisions.retain(|r| r.template != revision.template);
        self.revisions.push(revision);
        self.revisions.sort_unstable();
        let (kind, gone, node) = (Kind::Revision, false, None);
        let json = texts.revision(&revision);
        Told {
            kind,
            gone,
            json,
            node,
        }
    }
}

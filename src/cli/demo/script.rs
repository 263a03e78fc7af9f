//! The script: the changes to the cluster, one after another, and how long each is watched.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::reject;
use crate::sim::{
    api::resource::{DAEMON_SETS, NAMESPACES, NODES},
    kubelets::lifecycle::PREFIX,
};

use super::agent::Agent;
use super::error::DemoError;
use super::names::list_names;
use super::nodes::ZONE;
use super::show::Who;
use super::story::{Story, Until};

/// A change to the cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// The DaemonSet is created.
    Apply,
    /// A node is added.
    Join,
    /// A node with a pod gets a taint of this effect.
    Taint(&'static str),
    /// On a node with a pod, pods fail as soon as they run.
    Break,
    /// Pods on that node fail no longer.
    Repair,
}

/// Each change, the state until which it is watched, and the longest time for that in seconds.
const SCRIPT: [(Step, Until, u64); 6] = [
    (Step::Apply, Until::Covered, 10),
    (Step::Join, Until::Covered, 6),
    (Step::Taint("NoExecute"), Until::Covered, 6),
    (Step::Taint("NoSchedule"), Until::Covered, 6),
    (Step::Break, Until::Waits(2), 6),
    (Step::Repair, Until::Covered, 6),
];

/// The pause after each change.
pub const PAUSE: Duration = Duration::from_millis(900);

impl Story<'_> {
    /// Tells the whole story.
    pub async fn tell(&mut self) -> Result<(), DemoError> {
        for (step, until, seconds) in SCRIPT {
            if step == Step::Repair && self.broken.is_none() {
                continue;
            }
            let heard = self.voice.heard();
            if step != Step::Apply {
                self.show.print("")?;
            }
            let (goes_on, node) = self.take(step)?;
            if !goes_on {
                continue;
            }
            self.watch(until, Duration::from_secs(seconds)).await?;
            if let Some(node) = node.filter(|_| self.voice.heard() == heard) {
                self.nothing(&node)?;
            }
            self.rest(PAUSE).await?;
        }
        Ok(())
    }

    /// Makes a change. Returns whether there is something to watch then, and the node that was
    /// changed, if any.
    fn take(&mut self, step: Step) -> Result<(bool, Option<String>), DemoError> {
        match step {
            Step::Apply => self.apply().map(|()| (true, None)),
            Step::Join => self.join().map(|node| (true, Some(node))),
            Step::Taint(effect) => match self.choose() {
                Some(node) => self.taint(&node, effect).map(|()| (true, Some(node))),
                None => {
                    let words = format!("taint no node {effect}: none has a ready pod");
                    self.say(Who::You, &words)?;
                    Ok((false, None))
                }
            },
            Step::Break => {
                self.broken = self.choose();
                let Some(node) = self.broken.clone() else {
                    self.say(Who::You, "let no pod fail: none is ready")?;
                    return Ok((false, None));
                };
                self.say(
                    Who::You,
                    &format!("break {node}: pods fail as soon as they run there"),
                )?;
                self.behaviour(&node, json!("100ms"))?;
                Ok((true, None))
            }
            Step::Repair => {
                let Some(node) = self.broken.take() else {
                    return Ok((false, None));
                };
                self.say(Who::You, &format!("repair {node}"))?;
                self.behaviour(&node, Value::Null)?;
                Ok((true, None))
            }
        }
    }

    /// Applies the DaemonSet. Nothing is printed before the API server has accepted it: a refusal
    /// stands alone.
    pub fn apply(&mut self) -> Result<(), DemoError> {
        let Agent {
            file,
            namespace,
            name,
            json,
            with,
            ..
        } = self.agent;
        let server = &self.cluster.server;
        let refused = |status| DemoError::Rejected(reject::words(&status, file));
        let is_new = server.get(&NAMESPACES, "", namespace).is_none();
        if is_new {
            let object = json!({ "metadata": { "name": namespace } });
            let made = server.perform("POST", &NAMESPACES.path(""), &object);
            made.map_err(refused)?;
        }
        let object: Value = serde_json::from_str(json.get())
            .map_err(|why| DemoError::Input(format!("{file}: {why}")))?;
        let made = server.perform("POST", &DAEMON_SETS.path(namespace), &object);
        made.map_err(refused)?;
        self.heading()?;
        if is_new {
            let words = format!("create namespace {namespace}, which does not exist yet");
            self.say(Who::You, &words)?;
        }
        let mut words = format!("create DaemonSet {namespace}/{name} from {file}");
        if let Some(with) = with {
            words.push_str(&format!(", {with}"));
        }
        self.say(Who::You, &words)?;
        let news = self.chronicle.catch_up();
        self.voice.hear(news);
        self.verdicts()
    }

    fn heading(&mut self) -> io::Result<()> {
        let nodes = match self.cluster.server.all(&NODES).len() {
            1 => "1 node".to_owned(),
            n => format!("{n} nodes"),
        };
        self.show.heading(&format!(
            "A simulated cluster of {nodes}, and the live controller on it."
        ))?;
        self.show.print(
            "Nothing outside of this process is touched. Each action of the controller stands\n\
             with its reason, from the plan that it follows; times are the cluster's.\n",
        )
    }

    /// Reports which nodes are to have a pod, and why others are not.
    fn verdicts(&mut self) -> Result<(), DemoError> {
        let judged = self.chronicle.judge();
        let eligible = judged.iter().filter(|j| j.verdict.should_run()).count();
        let of = judged.len();
        self.say(
            Who::Plan,
            &match eligible {
                0 => format!("none of {of} nodes is to have a pod"),
                n if n == of => format!("all {of} nodes are to have a pod"),
                n => format!("{n} of {of} nodes are to have a pod"),
            },
        )?;
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for j in judged.iter().filter(|j| !j.verdict.should_run()) {
            match groups.iter_mut().find(|(message, _)| *message == j.message) {
                Some((_, nodes)) => nodes.push(&j.node),
                None => groups.push((&j.message, vec![&j.node])),
            }
        }
        for (message, nodes) in groups {
            let names = list_names(&nodes);
            self.show.say(
                self.cluster.server.elapsed().saturating_sub(self.start),
                Who::Plan,
                &format!("none for {names}: {message}"),
            )?;
        }
        Ok(())
    }

    fn join(&mut self) -> Result<String, DemoError> {
        let node = self.fleet.worker();
        let words = format!("add node {} in zone {}", node.name, node.labels[ZONE]);
        self.say(Who::You, &words)?;
        self.cluster.add_node(&node);
        self.touched.push(node.name.clone());
        Ok(node.name)
    }

    fn taint(&mut self, node: &str, effect: &str) -> Result<(), DemoError> {
        let words = format!("taint {node} with maintenance=now:{effect}");
        self.say(Who::You, &words)?;
        let now = self.cluster.server.get(&NODES, "", node);
        let now = now.unwrap_or_default();
        let mut taints = now["spec"]["taints"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        taints.push(json!({ "key": "maintenance", "value": "now", "effect": effect }));
        self.patch(node, &json!({ "spec": { "taints": taints } }))
    }

    /// Makes pods on this node fail so long after their start, or (null) no longer. They start
    /// quickly then.
    fn behaviour(&mut self, node: &str, fail: Value) -> Result<(), DemoError> {
        let key = |what: &str| format!("{PREFIX}{what}");
        let patch = json!({ "metadata": { "annotations": {
            key("fail-after"): fail, key("start-after"): "200ms",
        } } });
        self.patch(node, &patch)
    }

    /// Patches a node.
    fn patch(&self, node: &str, patch: &Value) -> Result<(), DemoError> {
        let made = self.cluster.patch(&NODES, "", node, patch);
        made.map(drop)
            .map_err(|status| DemoError::Rejected(reject::words(&status, node)))
    }

    /// Reports why nothing happened on a node.
    fn nothing(&mut self, node: &str) -> io::Result<()> {
        let judged = self.chronicle.judge();
        let why = match judged.into_iter().find(|j| j.node == node) {
            Some(j) if j.verdict.should_run() => "it is eligible as before".to_owned(),
            Some(j) => j.message,
            None => "it is not known".to_owned(),
        };
        self.say(Who::Controller, &format!("nothing to do on {node}: {why}"))
    }
}

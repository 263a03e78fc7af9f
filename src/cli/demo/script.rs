//! The script: the changes to the cluster, one after another, and how long each is watched.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::reject;
use crate::sim::{api::resource::NODES, kubelets::script::PREFIX};

use super::error::DemoError;
use super::nodes::ZONE;
use super::objects::text;
use super::show::Who;
use super::story::{Story, Until};

/// A change to the cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
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
const SCRIPT: [(Step, Until, u64); 5] = [
    (Step::Join, Until::Covered, 6),
    (Step::Taint("NoExecute"), Until::Covered, 6),
    (Step::Taint("NoSchedule"), Until::Covered, 6),
    (Step::Break, Until::Waits(2), 6),
    (Step::Repair, Until::Covered, 6),
];

/// The longest wait for the first pods.
pub const START: Duration = Duration::from_secs(10);

/// The pause after each change.
pub const PAUSE: Duration = Duration::from_millis(900);

impl Story<'_> {
    /// Tells the whole story. Returns whether there was any: not if no node is to have a pod.
    pub async fn tell(&mut self) -> Result<bool, DemoError> {
        if !self.apply()? {
            self.end_without_pods()?;
            return Ok(false);
        }
        self.watch(Until::Covered, START).await?;
        self.rest(PAUSE).await?;
        for (step, until, seconds) in SCRIPT {
            if step == Step::Repair && self.broken.is_none() {
                continue;
            }
            let heard = self.voice.heard();
            self.show.print("")?;
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
        Ok(true)
    }

    /// Makes a change. Returns whether there is something to watch then, and the node that was
    /// changed, if any.
    fn take(&mut self, step: Step) -> Result<(bool, Option<String>), DemoError> {
        match step {
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

    fn join(&mut self) -> Result<String, DemoError> {
        let chronicle = &self.chronicle;
        let (node, like) = self.fleet.another(|name| chronicle.is_eligible(name));
        let name = text(&node, "/metadata/name");
        let words = match like {
            Some(like) => format!("add node {name}, which is like {like}"),
            None => {
                let zone = node["metadata"]["labels"][ZONE].as_str().unwrap_or("-");
                format!("add node {name} in zone {zone}")
            }
        };
        self.say(Who::You, &words)?;
        let made = self.cluster.register(node);
        made.map_err(|status| DemoError::Rejected(reject::words(&status, &name)))?;
        self.touched.push(name.clone());
        Ok(name)
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
        let why = match self.chronicle.judge_one(node) {
            Some(j) if j.verdict.should_run() => "it is eligible as before".to_owned(),
            Some(j) => j.message,
            None => "it is not known".to_owned(),
        };
        self.say(Who::Controller, &format!("nothing to do on {node}: {why}"))
    }
}

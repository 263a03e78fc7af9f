//! The beginning of the story: what is given is created, and the plan says for which nodes the
//! DaemonSet is.

use std::io;

use serde_json::{Value, json};

use crate::cli::{advice::AdviceReason, reject};
use crate::sim::api::{
    ApiStatus,
    resource::{DAEMON_SETS, NAMESPACES, NODES},
    validate::unknown,
};

use super::error::DemoError;
use super::input::{Agent, Given};
use super::names::list_names;
use super::show::{WIDTH, Who, wrap};
use super::story::Story;

/// The most groups of nodes that are told why they are to have no pod.
const GROUPS: usize = 20;

impl Story<'_> {
    /// Creates everything that is given, the DaemonSet last. Returns whether any node is to have a
    /// pod. Nothing is printed before the API server has accepted all: a refusal stands alone.
    pub fn apply(&mut self) -> Result<bool, DemoError> {
        let mut done = Vec::new();
        for given in &self.input.around {
            if let Some(told) = self.create(given)? {
                done.push(told);
            }
        }
        let Agent {
            file,
            namespace,
            name,
            object,
            with,
        } = self.agent;
        let refused = |status| DemoError::Rejected(reject::words(&status, file));
        let is_new = self.add_namespace(namespace).map_err(refused)?;
        // kubectl asks the API server to refuse them.
        let unknown = unknown::find(&DAEMON_SETS, object);
        if !unknown.is_empty() {
            return Err(refused(unknown::refusal(&DAEMON_SETS, &unknown)));
        }
        let server = &self.cluster.server;
        let made = server.perform("POST", &DAEMON_SETS.path(namespace), object);
        self.check_class(&made.map_err(refused)?)?;
        self.heading()?;
        if !done.is_empty() {
            let done: Vec<&str> = done.iter().map(|told| &**told).collect();
            self.say(Who::You, &format!("create {}", list_names(&done)))?;
        }
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
        let eligible = self.verdicts()?;
        for advice in self.chronicle.advice() {
            // What will be seen; the rest is for `plan`.
            if advice.reason == AdviceReason::HostPortWithSurge {
                self.say(Who::Plan, &advice.message)?;
            }
        }
        Ok(eligible)
    }

    /// Creates an object that the DaemonSet may need. Returns it in words; None if it is there
    /// already.
    fn create(&self, given: &Given) -> Result<Option<String>, DemoError> {
        let server = &self.cluster.server;
        let refused = |status| DemoError::Rejected(reject::words(&status, &given.file));
        match given.resource {
            None => {
                let made = server.with(|state| state.core.priority_classes.add(&given.object));
                made.map_err(|why| {
                    let words = format!("{}: {} cannot be created: {why}", given.file, given.what);
                    DemoError::Rejected(words)
                })?;
            }
            Some(resource) if *resource == NAMESPACES => {
                let name = given.object["metadata"]["name"].as_str().unwrap_or("");
                if server.get(&NAMESPACES, "", name).is_some() {
                    return Ok(None);
                }
                let made = server.perform("POST", &NAMESPACES.path(""), &given.object);
                made.map_err(refused)?;
            }
            Some(resource) => {
                self.add_namespace(&given.namespace).map_err(refused)?;
                let made = server.perform("POST", &resource.path(&given.namespace), &given.object);
                made.map_err(refused)?;
            }
        }
        Ok(Some(given.what.clone()))
    }

    /// Creates a namespace. False if it is there already.
    fn add_namespace(&self, name: &str) -> Result<bool, ApiStatus> {
        let server = &self.cluster.server;
        if server.get(&NAMESPACES, "", name).is_some() {
            return Ok(false);
        }
        let object = json!({ "metadata": { "name": name } });
        server.perform("POST", &NAMESPACES.path(""), &object)?;
        Ok(true)
    }

    /// Without its priority class no pod could be created.
    fn check_class(&self, daemon_set: &Value) -> Result<(), DemoError> {
        let class = &daemon_set["spec"]["template"]["spec"]["priorityClassName"];
        let class = class.as_str().unwrap_or_default();
        let server = &self.cluster.server;
        let exists = server.with(|state| state.core.priority_classes.has(class));
        if exists {
            return Ok(());
        }
        let Agent {
            file,
            namespace,
            name,
            ..
        } = self.agent;
        Err(DemoError::Input(format!(
            "{file}: every pod of DaemonSet {namespace}/{name} would be forbidden: no PriorityClass \
             with name {class} was found; give its file too, with another -f"
        )))
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

    /// Reports which nodes are to have a pod, and why others are not. Returns whether any is.
    fn verdicts(&mut self) -> Result<bool, DemoError> {
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
        let others = judged.into_iter().filter(|j| !j.verdict.should_run());
        let reasons: Vec<(String, String)> = match eligible {
            0 => self.chronicle.obstacles(),
            _ => others.map(|j| (j.node, j.message)).collect(),
        };
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for (node, why) in &reasons {
            match groups.iter_mut().find(|(message, _)| message == why) {
                Some((_, nodes)) => nodes.push(node),
                None => groups.push((why, vec![node])),
            }
        }
        for (message, nodes) in groups.iter().take(GROUPS) {
            self.say(
                Who::Plan,
                &format!("none for {}: {message}", list_names(nodes)),
            )?;
        }
        let more = groups.iter().skip(GROUPS).map(|(_, nodes)| nodes.len());
        match more.sum() {
            0_usize => {}
            more => self.say(
                Who::Plan,
                &format!("none for {more} more, for other reasons"),
            )?,
        }
        Ok(eligible > 0)
    }

    /// Ends the story of a DaemonSet for no node, before it becomes an empty show.
    pub fn end_without_pods(&mut self) -> io::Result<()> {
        let own = match self.input.nodes.is_empty() {
            true => {
                " These are nodes of the demo's own. It takes the nodes of your cluster too: kubectl \
                 get nodes -o yaml > nodes.yaml, and add -f nodes.yaml."
            }
            false => "",
        };
        let words = format!("So there is nothing to show: no node is eligible.{own}");
        self.show.print("")?;
        self.show.print(&wrap(&words, WIDTH).join("\n"))
    }
}

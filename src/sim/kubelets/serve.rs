//! The task behind [`Kubelets`](super::Kubelets): keeps nodes and pods as last seen, and carries
//! out the steps that `lifecycle` decides on, each when it is due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, timeout};

use super::heartbeat::renew;
use super::lifecycle::{Form, Next, Step, next};
use super::node::{Node, address};
use super::options::{GROUP_LABEL, KubeletOptions};
use super::pod::{Containers, Pod};
use super::rejection::Rejection;
use super::report::Place;
use super::request::{Done, node_request, request, settle};
use super::row::Row;
use super::script::{PREFIX, Script};
use crate::sim::Clock;
use crate::sim::follow::{Event, Target, follow};

/// How long a failed request rests before it is repeated.
const RETRY: Duration = Duration::from_secs(1);

/// A request without an answer for so long has failed: the end of an API server is not always
/// noticed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Node, namespace, name: the pods of a node are neighbours.
type PodKey = (String, String, String);

/// An action with a timer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Job {
    Node(String),
    Pod(PodKey),
    Heartbeat(String),
}

/// The nodes and pods that the kubelets serve, with their timers.
pub(super) struct Server {
    client: kube::Client,
    options: KubeletOptions,
    nodes: BTreeMap<String, Node>,
    pods: BTreeMap<PodKey, Row>,
    /// The timers, earliest first.
    due: BTreeSet<(Instant, Job)>,
    /// How many pods were started; it decides their addresses.
    started: u32,
    /// The nodes whose status is being reported.
    reporting: BTreeSet<String>,
    work: FuturesUnordered<BoxFuture<'static, (Job, String, Step, Done)>>,
}

impl Server {
    pub fn new(client: kube::Client, options: KubeletOptions) -> Self {
        Self {
            client,
            options,
            nodes: BTreeMap::new(),
            pods: BTreeMap::new(),
            due: BTreeSet::new(),
            started: 0,
            reporting: BTreeSet::new(),
            work: FuturesUnordered::new(),
        }
    }

    /// Serves until it is dropped.
    pub async fn run(mut self) {
        let pods = match &self.options.namespace {
            Some(namespace) => format!("/api/v1/namespaces/{namespace}/pods"),
            None => "/api/v1/pods".to_owned(),
        };
        let pods = Target {
            path: pods,
            fields: Some("spec.nodeName!=".to_owned()),
            labels: None,
        };
        let group = format!("{GROUP_LABEL}={}", self.options.group);
        let nodes = Target {
            path: "/api/v1/nodes".to_owned(),
            fields: None,
            labels: Some(group),
        };
        let mut pods = Box::pin(follow::<Pod>(self.client.clone(), pods));
        let mut nodes = Box::pin(follow::<Node>(self.client.clone(), nodes));
        loop {
            self.begin_what_is_due();
            let free = self.work.len() < self.options.in_flight;
            let alarm = self.due.first().filter(|_| free).map(|(at, _)| *at);
            tokio::select! {
                biased;
                Some((job, uid, step, done)) = self.work.next(), if !self.work.is_empty() => {
                    self.finish(job, &uid, step, done);
                }
                Some(event) = nodes.next() => self.node_event(event),
                Some(event) = pods.next() => self.pod_event(event),
                () = tokio::time::sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {}
            }
        }
    }

    fn node_event(&mut self, event: Event<Node>) {
        match event {
            Event::Listed(nodes) => {
                let names: BTreeSet<String> =
                    nodes.iter().map(|n| n.metadata.name.clone()).collect();
                self.nodes.retain(|name, _| names.contains(name));
                for node in nodes {
                    self.node_applied(node);
                }
            }
            Event::Applied(node) => self.node_applied(node),
            Event::Deleted(node) => {
                self.nodes.remove(&node.metadata.name);
                self.replan_node(&node.metadata.name);
            }
        }
    }

    fn node_applied(&mut self, node: Node) {
        let name = node.metadata.name.clone();
        let old = self.nodes.insert(name.clone(), node);
        let known = old.is_some();
        let same = old
            .is_some_and(|old| old.metadata.annotations == self.nodes[&name].metadata.annotations);
        if !same {
            self.replan_node(&name);
        }
        self.report_later(&name, Instant::now());
        if !known && self.options.heartbeat.is_some() {
            self.due.insert((Instant::now(), Job::Heartbeat(name)));
        }
    }

    /// Sets a timer for the report of a node, if it has something to say.
    fn report_later(&mut self, name: &str, at: Instant) {
        let node = self.nodes.get(name).filter(|node| !silent(node));
        if node.is_some_and(|node| node.report("").is_some()) && !self.reporting.contains(name) {
            self.reporting.insert(name.to_owned());
            self.due.insert((at, Job::Node(name.to_owned())));
        }
    }

    /// Reports the status of a node.
    fn report(&mut self, name: String) {
        let now = timestamp(&self.options.clock);
        let node = self.nodes.get(&name).filter(|node| !silent(node));
        let Some(patch) = node.and_then(|node| node.report(&now)) else {
            self.reporting.remove(&name);
            return;
        };
        let client = self.client.clone();
        self.work.push(Box::pin(async move {
            let answer = async {
                let node = client.request::<Node>(node_request(&name, &patch)?).await?;
                Ok::<_, kube::Error>(Done::Reported(Box::new(node)))
            };
            let done = match timeout(PATIENCE, answer).await {
                Ok(Ok(done)) => done,
                Ok(Err(kube::Error::Api(status))) if status.is_not_found() => Done::Settled,
                Ok(Err(_)) | Err(_) => Done::Failed,
            };
            (Job::Node(name), String::new(), Step::Remove, done)
        }));
    }

    fn replan_node(&mut self, node: &str) {
        let keys: Vec<PodKey> = self.on(node).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.replan(&key);
        }
    }

    fn pod_event(&mut self, event: Event<Pod>) {
        match event {
            Event::Listed(pods) => {
                let keys: BTreeSet<PodKey> = pods.iter().map(key).collect();
                let gone: Vec<PodKey> = self
                    .pods
                    .keys()
                    .filter(|key| !keys.contains(*key))
                    .cloned()
                    .collect();
                for key in gone {
                    self.forget(&key);
                }
                // Those that run hold their ports against those that only wait to be admitted.
                let (waiting, admitted): (Vec<Pod>, Vec<Pod>) =
                    pods.into_iter().partition(Pod::waits);
                for pod in admitted.into_iter().chain(waiting) {
                    self.pod_applied(pod);
                }
            }
            Event::Applied(pod) => self.pod_applied(pod),
            Event::Deleted(pod) => {
                let key = key(&pod);
                if self
                    .pods
                    .get(&key)
                    .is_some_and(|row| row.pod.metadata.uid == pod.metadata.uid)
                {
                    self.forget(&key);
                }
            }
        }
    }

    fn forget(&mut self, key: &PodKey) {
        if let Some(row) = self.pods.remove(key)
            && let Some(at) = row.due
        {
            self.due.remove(&(at, Job::Pod(key.clone())));
        }
    }

    fn pod_applied(&mut self, pod: Pod) {
        let key = key(&pod);
        let now = Instant::now();
        if self
            .pods
            .get(&key)
            .is_some_and(|row| row.pod.metadata.uid != pod.metadata.uid)
        {
            self.forget(&key);
        }
        let row = self
            .pods
            .entry(key.clone())
            .or_insert_with(|| Row::new(now));
        if version(&pod) < version(&row.pod) {
            return; // the watch has read back our own write already
        }
        if pod.status.phase == "Running" {
            row.seen.running.get_or_insert(now);
        }
        if pod.metadata.deletion_timestamp.is_some() {
            row.seen.deleting.get_or_insert(now);
        }
        if pod.is_terminal() {
            row.seen.ended.get_or_insert(now);
        }
        row.pod = pod;
        self.replan(&key);
    }

    /// Whether another pod on the node, which has not ended, has one of its host ports.
    fn has_clash(&self, key: &PodKey, pod: &Pod) -> bool {
        let wanted = pod.host_ports();
        !wanted.0.is_empty()
            && self.on(&key.0).any(|(other, row)| {
                let holds = !row.settled && row.seen.rejection.is_none() && !row.pod.is_terminal();
                other != key && holds && wanted.clash(&row.pod.host_ports())
            })
    }

    /// Decides whether to admit a pod that is seen for the first time and has not been started.
    fn admit(&mut self, key: &PodKey) {
        let row = self.pods.get(key).filter(|row| !row.judged);
        let node = self.nodes.get(&key.0).filter(|node| !silent(node));
        let (Some(row), Some(node)) = (row, node) else {
            return;
        };
        let is_fresh = row.pod.waits() && row.pod.containers() == Containers::Unknown;
        let rejection = if !is_fresh {
            None
        } else if node.shuts_down() {
            Some(Rejection::NodeShutdown)
        } else if self.has_clash(key, &row.pod) {
            Some(Rejection::NodePorts)
        } else {
            Script::read(&row.pod.metadata, &node.metadata).reject
        };
        if let Some(row) = self.pods.get_mut(key) {
            (row.judged, row.seen.rejection) = (true, rejection);
        }
    }

    /// The pods of a node.
    fn on(&self, node: &str) -> impl Iterator<Item = (&PodKey, &Row)> {
        let from = (node.to_owned(), String::new(), String::new());
        let node = node.to_owned();
        let pods = self.pods.range(from..);
        pods.take_while(move |(key, _)| key.0 == node)
    }

    /// Sets the timer of a pod again, from its present state.
    fn replan(&mut self, key: &PodKey) {
        self.admit(key);
        let Some(row) = self.pods.get_mut(key) else {
            return;
        };
        if let Some(at) = row.due.take() {
            self.due.remove(&(at, Job::Pod(key.clone())));
        }
        if row.busy || row.settled {
            return;
        }
        let Some(node) = self.nodes.get(&key.0).filter(|node| !silent(node)) else {
            return;
        };
        row.look_at(node, Instant::now());
        let script = Script::read(&row.pod.metadata, &node.metadata);
        let form = form(&self.options, &row.pod);
        if let Next::At(at, _) = next(&row.pod, &script, &row.seen, &form) {
            row.due = Some(at);
            self.due.insert((at, Job::Pod(key.clone())));
        }
    }

    fn begin_what_is_due(&mut self) {
        let now = Instant::now();
        while self.work.len() < self.options.in_flight {
            match self.due.first() {
                Some((at, _)) if *at <= now => {}
                _ => return,
            }
            match self.due.pop_first() {
                Some((_, Job::Pod(key))) => self.begin(key),
                Some((_, Job::Heartbeat(node))) => self.beat(node),
                Some((_, Job::Node(node))) => self.report(node),
                None => return,
            }
        }
    }

    fn begin(&mut self, key: PodKey) {
        let now = timestamp(&self.options.clock);
        let (Some(row), Some(node)) = (self.pods.get_mut(&key), self.nodes.get(&key.0)) else {
            return;
        };
        row.due = None;
        let script = Script::read(&row.pod.metadata, &node.metadata);
        let form = form(&self.options, &row.pod);
        let Next::At(_, step) = next(&row.pod, &script, &row.seen, &form) else {
            return;
        };
        let pod_ip = if row.pod.spec.host_network {
            node.ip().to_owned()
        } else {
            self.started += 1;
            address(11, self.started)
        };
        let place = Place {
            now: &now,
            node_ip: node.ip(),
            pod_ip: &pod_ip,
        };
        let request = request(&row.pod, step, &place);
        let uid = row.pod.metadata.uid.clone();
        let sent = version(&row.pod);
        let client = self.client.clone();
        row.busy = true;
        self.work.push(Box::pin(async move {
            let answer = async {
                let request = request?;
                if step == Step::Remove {
                    client.request_text(request).await.map(|_| Done::Settled)
                } else {
                    let pod = client.request::<Pod>(request).await?;
                    Ok(Done::Updated(Box::new(pod)))
                }
            };
            let done = match timeout(PATIENCE, answer).await {
                Ok(answer) => settle(answer, step, sent),
                Err(_) => Done::Failed,
            };
            (Job::Pod(key), uid, step, done)
        }));
    }

    fn finish(&mut self, job: Job, uid: &str, step: Step, done: Done) {
        let key = match job {
            Job::Pod(key) => key,
            Job::Node(name) => {
                self.reporting.remove(&name);
                match done {
                    // The watch may not have read back our own write yet.
                    Done::Reported(node) if self.nodes.contains_key(&name) => {
                        self.node_applied(*node);
                    }
                    Done::Failed => self.report_later(&name, Instant::now() + RETRY),
                    _ => {}
                }
                return;
            }
            Job::Heartbeat(node) => {
                if let (Some(pause), true) =
                    (self.options.heartbeat, self.nodes.contains_key(&node))
                {
                    self.due
                        .insert((Instant::now() + pause, Job::Heartbeat(node)));
                }
                return;
            }
        };
        let Some(row) = self
            .pods
            .get_mut(&key)
            .filter(|row| row.pod.metadata.uid == uid)
        else {
            return;
        };
        row.busy = false;
        match done {
            Done::Updated(pod) => {
                row.took(step);
                self.pod_applied(*pod);
                self.replan(&key);
            }
            Done::Settled | Done::Reported(_) => row.settled = true,
            // The watch has delivered the newer state already, or will.
            Done::Outdated(sent) if version(&row.pod) > sent => self.replan(&key),
            Done::Outdated(_) => {}
            Done::Failed => {
                let at = Instant::now() + RETRY;
                row.due = Some(at);
                self.due.insert((at, Job::Pod(key)));
            }
        }
    }

    /// Renews the lease of a node, unless the node is silent.
    fn beat(&mut self, node: String) {
        let client = self.client.clone();
        let silent = self.nodes.get(&node).is_none_or(silent);
        let is_fine = |node: &Node| node.ready() || node.shuts_down();
        let ready = self.nodes.get(&node).is_some_and(is_fine);
        let now = (self.options.clock)();
        self.work.push(Box::pin(async move {
            if !silent && let Err(error) = renew(&client, &node, now, ready).await {
                tracing::debug!(node, %error, "cannot renew the lease");
            }
            (
                Job::Heartbeat(node),
                String::new(),
                Step::Ready(true),
                Done::Settled,
            )
        }));
    }
}

fn key(pod: &Pod) -> PodKey {
    (
        pod.spec.node_name.clone(),
        pod.metadata.namespace.clone(),
        pod.metadata.name.clone(),
    )
}

fn form(options: &KubeletOptions, pod: &Pod) -> Form {
    Form {
        detail: options.detail,
        linger: options.linger.of(options.seed, &pod.metadata.uid),
    }
}

fn version(pod: &Pod) -> u64 {
    pod.metadata.resource_version.parse().unwrap_or(0)
}

pub(super) fn silent(node: &Node) -> bool {
    node.metadata
        .annotations
        .get(&format!("{PREFIX}silent"))
        .is_some_and(|value| value == "true")
}

/// The time for an object: RFC 3339, seconds.
pub(super) fn timestamp(clock: &Clock) -> String {
    format!("{:.0}", clock())
}

//! The referee of promise S1: watches every version of the pods of a namespace and reports each
//! moment at which two live pods of one owner are on, or pinned to, one node.
//!
//! Live: no deletionTimestamp, and neither Failed nor Succeeded. The rule is [`Book`], which knows
//! no API; [`Referee`] feeds it from a watch.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use daemonset_controller::sim::follow::{Event, Followed, Target, follow};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::known_gap::Holders;

/// A pod, as far as the referee needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub uid: String,
    pub name: String,
    /// UID of its controller, if it has one.
    pub owner: Option<String>,
    /// The node that it is on, or pinned to.
    pub node: Option<String>,
    /// Whether it counts.
    pub live: bool,
    /// `controller-revision-hash`.
    pub revision: Option<String>,
}

/// Two pods where one should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The resourceVersion at which it came about.
    pub version: String,
    /// The owner's UID.
    pub owner: String,
    pub node: String,
    /// The names of the live pods there.
    pub pods: Vec<String>,
    /// Where it is the known gap: the name of the pod whose create was late.
    pub late: Option<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            owner,
            node,
            pods,
            late,
        } = self;
        write!(
            f,
            "at resourceVersion {version} owner {owner} has {} live pods on {node}: {}",
            pods.len(),
            pods.join(", ")
        )?;
        late.iter()
            .try_for_each(|name| write!(f, " (the create of {name} was late)"))
    }
}

/// The state of all pods at one version, and the rule.
#[derive(Debug, Default)]
pub struct Book {
    pods: BTreeMap<String, Fact>,
    holders: Holders,
    surging: bool,
}

impl Book {
    /// A book for DaemonSets that surge: two pods may be on a node when they are of different
    /// revisions.
    pub fn surging() -> Self {
        Self {
            surging: true,
            ..Self::default()
        }
    }

    /// Takes in a pod's new state; says so if it is one too many.
    pub fn see(&mut self, fact: Fact, version: &str) -> Option<Violation> {
        let uid = fact.uid.clone();
        self.holders.see(&fact);
        self.pods.insert(uid.clone(), fact);
        let fact = &self.pods[&uid];
        let (true, Some(owner), Some(node)) = (fact.live, &fact.owner, &fact.node) else {
            return None;
        };
        let there =
            |other: &&Fact| other.live && other.owner == fact.owner && other.node == fact.node;
        let there: Vec<&Fact> = self.pods.values().filter(there).collect();
        let of_this_revision = there.iter().filter(|pod| pod.revision == fact.revision);
        let allowed = 1 + usize::from(self.surging && of_this_revision.count() == 1);
        let mut pods: Vec<String> = there.iter().map(|pod| pod.name.clone()).collect();
        pods.sort();
        (pods.len() > allowed).then(|| Violation {
            version: version.to_owned(),
            owner: owner.clone(),
            node: node.clone(),
            late: self.holders.late_create(&there),
            pods,
        })
    }

    /// A pod is gone.
    pub fn gone(&mut self, uid: &str) {
        self.pods.remove(uid);
    }
}

/// The verdict of the referee.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Every moment that broke the rule.
    pub violations: Vec<Violation>,
    /// How many versions were looked at.
    pub versions: usize,
    /// The UIDs of all pods that ever had a controller.
    pub pods: BTreeSet<String>,
    /// How often the history was lost (the API server had forgotten it), so that moments may have
    /// been missed.
    pub gaps: usize,
    finished: bool,
}

impl Verdict {
    /// Takes out the moments of the known gap, and gives the pods whose creates were late.
    pub fn take_known_gap(&mut self) -> BTreeSet<String> {
        let known = |violation: &mut Violation| violation.late.is_some();
        let known = self.violations.extract_if(.., known);
        known.filter_map(|violation| violation.late).collect()
    }

    /// Panics unless no moment broke the rule, none was missed, and at least `versions` were seen.
    pub fn expect_clean(&self, versions: usize) {
        let list: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        assert!(list.is_empty(), "two pods on a node:\n{}", list.join("\n"));
        assert_eq!(self.gaps, 0, "the referee missed part of the history");
        assert!(
            self.versions >= versions,
            "the referee saw only {} versions, not {versions}",
            self.versions
        );
    }
}

/// A referee at work on one namespace.
pub struct Referee {
    client: kube::Client,
    namespace: String,
    verdict: watch::Receiver<Option<Verdict>>,
    task: JoinHandle<()>,
}

/// The pod by which a referee knows that it has seen everything before it.
const LAST: &str = "the-referee-leaves";

impl Referee {
    /// Starts watching; every change from the moment this returns is seen.
    pub async fn start(client: kube::Client, namespace: &str) -> Self {
        Self::with(Book::default(), client, namespace).await
    }

    /// The same with the rule for DaemonSets that surge.
    pub async fn start_surging(client: kube::Client, namespace: &str) -> Self {
        Self::with(Book::surging(), client, namespace).await
    }

    async fn with(mut book: Book, client: kube::Client, namespace: &str) -> Self {
        let (sender, mut verdict) = watch::channel(None);
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        let events = follow::<PodView>(
            client.clone(),
            Target {
                path,
                ..Target::default()
            },
        );
        let task = tokio::spawn(async move {
            let mut events = Box::pin(events);
            while let Some(event) = events.next().await {
                sender.send_modify(|verdict| take(&mut book, verdict, event));
            }
        });
        verdict
            .wait_for(Option::is_some)
            .await
            .expect("the referee's task runs");
        Self {
            client,
            namespace: namespace.to_owned(),
            verdict,
            task,
        }
    }

    /// Waits until that many versions were seen in all, to act in the middle of something.
    pub async fn until_versions(&mut self, versions: usize) {
        let seen = self
            .verdict
            .wait_for(|verdict| verdict.as_ref().is_some_and(|v| v.versions >= versions));
        let seen = tokio::time::timeout(Duration::from_secs(60), seen).await;
        assert!(
            seen.is_ok(),
            "within a minute there were not {versions} changes of pods in {}",
            self.namespace
        );
    }

    /// How many versions were seen so far.
    pub fn versions(&self) -> usize {
        let verdict = self.verdict.borrow();
        verdict.as_ref().map_or(0, |verdict| verdict.versions)
    }

    /// Waits until everything up to now was seen, and gives the verdict.
    pub async fn finish(mut self) -> Verdict {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": LAST },
            "spec": { "schedulerName": "nobody", "containers": [{ "name": "c", "image": "none" }] },
        });
        let collection =
            kube::core::Request::new(format!("/api/v1/namespaces/{}/pods", self.namespace));
        let request = collection
            .create(&Default::default(), pod.to_string().into_bytes())
            .expect("a valid request");
        self.client
            .request_text(request)
            .await
            .expect("the referee's last pod can be created");
        let finished = self
            .verdict
            .wait_for(|verdict| verdict.as_ref().is_some_and(|v| v.finished));
        let verdict = tokio::time::timeout(Duration::from_secs(60), finished)
            .await
            .expect("the referee sees its last pod within a minute")
            .expect("the referee's task runs");
        verdict.clone().expect("there is a verdict")
    }
}

impl Drop for Referee {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn take(book: &mut Book, verdict: &mut Option<Verdict>, event: Event<PodView>) {
    let first = verdict.is_none();
    let verdict = verdict.get_or_insert_default();
    match event {
        Event::Listed(pods) => {
            verdict.gaps += usize::from(!first);
            book.pods.clear();
            for pod in pods {
                verdict.pods.extend(pod.owned());
                verdict
                    .violations
                    .extend(book.see(pod.fact(), pod.version()));
            }
        }
        Event::Applied(pod) => {
            verdict.versions += 1;
            verdict.finished |= pod.metadata.name == LAST;
            verdict.pods.extend(pod.owned());
            verdict
                .violations
                .extend(book.see(pod.fact(), pod.version()));
        }
        Event::Deleted(pod) => {
            verdict.versions += 1;
            book.gone(&pod.metadata.uid);
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PodView {
    pub metadata: Meta,
    pub spec: Value,
    status: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Meta {
    name: String,
    pub uid: String,
    resource_version: String,
    pub deletion_timestamp: Option<String>,
    labels: BTreeMap<String, String>,
    owner_references: Vec<Owner>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Owner {
    uid: String,
    controller: bool,
}

impl Followed for PodView {
    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl PodView {
    /// Its UID, if it has a controller.
    fn owned(&self) -> Option<String> {
        let owned = self
            .metadata
            .owner_references
            .iter()
            .any(|owner| owner.controller);
        owned.then(|| self.metadata.uid.clone())
    }

    /// Whether its phase is a terminal one.
    pub fn is_terminal(&self) -> bool {
        matches!(self.status["phase"].as_str(), Some("Failed" | "Succeeded"))
    }

    fn fact(&self) -> Fact {
        let owner = self
            .metadata
            .owner_references
            .iter()
            .find(|owner| owner.controller);
        // One with the gate of the key `exclusive` cannot run.
        let gates = self.spec["schedulingGates"].as_array();
        let is_ours = |gate: &Value| gate["name"] == "daemonset-controller.io/exclusive";
        let gated = gates.is_some_and(|gates| gates.iter().any(is_ours));
        Fact {
            uid: self.metadata.uid.clone(),
            name: self.metadata.name.clone(),
            owner: owner.map(|owner| owner.uid.clone()),
            node: target(&self.spec),
            live: self.metadata.deletion_timestamp.is_none() && !self.is_terminal() && !gated,
            revision: self
                .metadata
                .labels
                .get("controller-revision-hash")
                .cloned(),
        }
    }
}

/// `spec.nodeName`, else the one value of the required node affinity's `metadata.name In [...]`.
pub fn target(spec: &Value) -> Option<String> {
    if let Some(node) = spec["nodeName"].as_str().filter(|node| !node.is_empty()) {
        return Some(node.to_owned());
    }
    let required =
        &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let terms = required["nodeSelectorTerms"].as_array()?;
    terms
        .iter()
        .filter_map(|term| term["matchFields"].as_array())
        .flatten()
        .find_map(|field| {
            let values = field["values"].as_array()?;
            let one =
                field["key"] == "metadata.name" && field["operator"] == "In" && values.len() == 1;
            one.then(|| values[0].as_str().map(str::to_owned))?
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, node: Option<&str>) -> Fact {
        Fact {
            uid: uid.to_owned(),
            name: format!("pod-{uid}"),
            owner: Some("ds".to_owned()),
            node: node.map(str::to_owned),
            live: true,
            revision: Some("first".to_owned()),
        }
    }

    #[test]
    fn while_surging_a_second_pod_is_fine_when_it_is_of_another_revision_but_no_third() {
        let of = |uid: &str, revision: &str| Fact {
            revision: Some(revision.to_owned()),
            ..pod(uid, Some("n"))
        };
        let mut book = Book::surging();
        assert_eq!(book.see(of("1", "first"), "1"), None);
        assert_eq!(book.see(of("2", "second"), "2"), None);
        assert_eq!(book.see(of("1", "first"), "3"), None);
        assert!(book.see(of("3", "third"), "4").is_some(), "a third");
        book.gone("1");
        book.gone("3");
        let violation = book.see(of("4", "second"), "5").expect("two of a revision");
        assert_eq!(violation.pods, ["pod-2", "pod-4"]);
        let mut book = Book::default();
        book.see(of("1", "first"), "1");
        assert!(book.see(of("2", "second"), "2").is_some(), "not surging");
    }

    #[test]
    fn a_second_live_pod_is_reported_with_both_names() {
        let mut book = Book::default();
        assert_eq!(book.see(pod("1", Some("n")), "1"), None);
        let violation = book.see(pod("2", Some("n")), "2").expect("two pods on n");
        assert_eq!(violation.pods, ["pod-1", "pod-2"]);
        assert_eq!(
            (violation.version.as_str(), violation.node.as_str()),
            ("2", "n")
        );
    }

    #[test]
    fn a_pod_that_is_bound_later_is_reported_then() {
        let mut book = Book::default();
        assert_eq!(book.see(pod("1", Some("n")), "1"), None);
        assert_eq!(book.see(pod("2", None), "2"), None);
        assert!(book.see(pod("2", Some("n")), "3").is_some());
    }

    #[test]
    fn what_is_not_a_second_live_pod_is_fine() {
        type Change = fn(&mut Fact);
        let cases: [(&str, Change); 5] = [
            ("another node", |pod| pod.node = Some("m".to_owned())),
            ("another owner", |pod| pod.owner = Some("other".to_owned())),
            ("no owner", |pod| pod.owner = None),
            ("terminating or terminal", |pod| pod.live = false),
            ("the same pod again", |pod| pod.uid = "1".to_owned()),
        ];
        for (case, change) in cases {
            let mut book = Book::default();
            book.see(pod("1", Some("n")), "1");
            let mut second = pod("2", Some("n"));
            change(&mut second);
            assert_eq!(book.see(second, "2"), None, "{case}");
        }
    }

    #[test]
    fn once_the_first_is_gone_or_ends_there_is_room() {
        let mut book = Book::default();
        book.see(pod("1", Some("n")), "1");
        book.gone("1");
        assert_eq!(book.see(pod("2", Some("n")), "3"), None);
        book.see(
            Fact {
                live: false,
                ..pod("2", Some("n"))
            },
            "4",
        );
        assert_eq!(book.see(pod("3", Some("n")), "5"), None);
    }

    #[test]
    fn a_pod_is_where_it_is_bound_or_pinned() {
        let pinned = |operator: &str, values: &[&str]| {
            json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{ "matchFields": [
                    { "key": "metadata.name", "operator": operator, "values": values }] }] } } } })
        };
        assert_eq!(target(&json!({ "nodeName": "n" })).as_deref(), Some("n"));
        assert_eq!(target(&pinned("In", &["n"])).as_deref(), Some("n"));
        assert_eq!(target(&pinned("In", &["n", "m"])), None);
        assert_eq!(target(&pinned("NotIn", &["n"])), None);
        assert_eq!(target(&json!({})), None);
    }

    #[test]
    fn a_lost_history_is_no_clean_verdict() {
        let (mut book, mut verdict) = (Book::default(), None);
        take(&mut book, &mut verdict, Event::Listed(Vec::new()));
        take(&mut book, &mut verdict, Event::Listed(Vec::new()));
        let verdict = verdict.expect("a verdict");
        assert_eq!(verdict.gaps, 1);
        assert!(std::panic::catch_unwind(|| verdict.expect_clean(0)).is_err());
    }
}

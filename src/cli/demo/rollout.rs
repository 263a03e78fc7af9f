//! The story of an update: a new template, then one whose pods never become ready, then the good
//! one again. What rollout control does about it is told by [`super::staged`].

use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::reject;
use crate::sim::{
    api::{self, resource::PODS},
    kubelets::script::{ONLY_ON, PREFIX},
};

use super::budget::{Peak, Places};
use super::error::DemoError;
use super::names::list_names;
use super::objects::{is_of, is_ready, revision, target, text};
use super::rollout_view::{RolloutView, allowed, used, waiting};
use super::script::{PAUSE, START};
use super::show::{WIDTH, Who, wrap};
use super::story::{End, Story, Until};

/// The longest wait for each part of the update.
const ROLLOUT: Duration = Duration::from_secs(60);

/// Pods crash so soon after their start that they never become ready.
const CRASH: &str = "100ms";

/// What is wrong with the pods of a template.
pub enum Fault {
    None,
    NeverReady,
    /// They crash, on nodes with such labels or on all.
    Crashes(Option<String>),
}

impl Story<'_> {
    /// Tells the whole story. Returns whether there was any: not if no node is to have a pod.
    pub async fn update(&mut self) -> Result<bool, DemoError> {
        self.voice.brief = true;
        if !self.apply()? {
            self.end_without_pods()?;
            return Ok(false);
        }
        self.watch(Until::Covered, START).await?;
        self.rest(PAUSE).await?;
        self.updates = true;
        let (begun, since) = (
            self.cluster.server.elapsed(),
            self.cluster.server.read(|store| store.version()),
        );
        let good = self.change("new", &Fault::None)?;
        if self.rollout_view().rollout.is_none() {
            self.replace_by_hand().await?;
        } else if self.agent.has_keys() {
            self.stages(&good).await?;
        } else if self.watch(Until::Halfway, ROLLOUT).await? == End::Stuck {
            // Worse templates would change nothing.
            self.report_stall()?;
        } else {
            self.change("bad", &Fault::NeverReady)?;
            self.watch(Until::Still, ROLLOUT).await?;
            self.report_stall()?;
            self.rest(PAUSE).await?;
            self.put(&good, "back to the template before")?;
            self.watch(Until::Updated, ROLLOUT).await?;
        }
        self.rest(PAUSE).await?;
        self.report_cost(begun, since)?;
        Ok(true)
    }

    /// Gives the template another image, whose pods may have a fault. Returns the new template.
    pub fn change(&mut self, tag: &str, fault: &Fault) -> Result<Value, DemoError> {
        let mut template = self.daemon_set()["spec"]["template"].take();
        let image = retagged(&text(&template, "/spec/containers/0/image"), tag);
        template["spec"]["containers"][0]["image"] = json!(image);
        let mut words = format!("another image in the template: {image}");
        let key = |what: &str| format!("{PREFIX}{what}");
        let annotations = &mut template["metadata"]["annotations"];
        match fault {
            Fault::None => {}
            Fault::NeverReady => {
                annotations[key("ready-after")] = json!("never");
                words.push_str(", whose pods never become ready");
            }
            Fault::Crashes(nodes) => {
                annotations[key("crash-after")] = json!(CRASH);
                words.push_str(", whose pods crash");
                if let Some(nodes) = nodes {
                    annotations[key(ONLY_ON)] = json!(nodes);
                    words.push_str(&format!(" on nodes with {nodes}"));
                }
            }
        }
        self.put(&template, &words)?;
        Ok(template)
    }

    /// Gives the DaemonSet this template, and reports what the plan does about it.
    pub fn put(&mut self, template: &Value, words: &str) -> Result<(), DemoError> {
        let mut daemon_set = self.daemon_set();
        daemon_set["spec"]["template"] = template.clone();
        let made = self.cluster.apply(&daemon_set);
        made.map_err(|status| DemoError::Rejected(reject::words(&status, &self.agent.file)))?;
        self.show.print("")?;
        self.say(Who::You, words)?;
        let news = self.chronicle.catch_up();
        self.voice.hear(news);
        let view = self.rollout_view();
        let Some(rollout) = &view.rollout else {
            let old = self.on(|pod| revision(pod) != view.hash).len();
            let words = format!("OnDelete: {old} old pods stay until somebody deletes them");
            return Ok(self.say(Who::Plan, &words)?);
        };
        self.say(
            Who::Plan,
            &format!("{} old pods, {}", rollout.old, allowed(rollout)),
        )?;
        let now: Vec<&str> = view.now.iter().map(|node| &**node).collect();
        if !now.is_empty() {
            self.say(Who::Plan, &format!("now {}", list_names(&now)))?;
        }
        if !rollout.next.is_empty() {
            let words = format!("then, the oldest pods first: {}", waiting(rollout));
            self.say(Who::Plan, &words)?;
        }
        self.report_holds(&view, false)
    }

    /// The rollout at this moment.
    pub fn rollout_view(&mut self) -> RolloutView {
        let now = self.cluster.server.elapsed();
        RolloutView::at(&mut self.chronicle, now, self.agent.has_keys())
    }

    /// Reports why the rollout does not go on.
    fn report_stall(&mut self) -> io::Result<()> {
        let view = self.rollout_view();
        let Some(rollout) = &view.rollout else {
            return Ok(());
        };
        let stuck = self.on(|pod| revision(pod) == view.hash && !is_ready(pod));
        let stuck: Vec<&str> = stuck.iter().map(|node| &**node).collect();
        let words = match rollout.next.is_empty() {
            true => format!("nothing is left to replace: {}", used(rollout)),
            false => format!("nothing more is replaced: {}", used(rollout)),
        };
        self.say(Who::Plan, &words)?;
        if !stuck.is_empty() {
            let words = format!("new and not ready: the pods on {}", list_names(&stuck));
            self.say(Who::Plan, &words)?;
        }
        if !rollout.next.is_empty() {
            let words = format!(
                "{} old pods stay meanwhile; next would be {}",
                rollout.next.len(),
                waiting(rollout)
            );
            self.say(Who::Plan, &words)?;
        }
        Ok(())
    }

    /// OnDelete: deletes one old pod by hand, which is then replaced.
    async fn replace_by_hand(&mut self) -> Result<(), DemoError> {
        self.watch(Until::Still, START).await?;
        self.show.print("")?;
        let Some(node) = self.choose() else {
            return Ok(self.say(Who::You, "delete no pod: none is ready")?);
        };
        let uid = text(&self.daemon_set(), "/metadata/uid");
        let pods = self.cluster.server.pods();
        let mut own = pods
            .iter()
            .filter(|pod| is_of(pod, &uid) && target(pod) == node);
        let pod = own.next().map(|pod| text(pod, "/metadata/name"));
        let pod = pod.unwrap_or_default();
        self.say(Who::You, &format!("delete pod {pod} on {node} by hand"))?;
        let deleted = self
            .cluster
            .delete(&PODS, &self.agent.namespace, &pod, &Value::Null);
        deleted.map_err(|status| DemoError::Rejected(reject::words(&status, &pod)))?;
        self.watch(Until::Covered, START).await?;
        Ok(())
    }

    /// Reports how long the update took, and how many nodes were unavailable at a time.
    fn report_cost(&mut self, begun: Duration, since: u64) -> Result<(), DemoError> {
        let view = self.rollout_view();
        let judged = self.chronicle.judge();
        let nodes = judged.into_iter().filter(|j| j.verdict.should_run());
        let nodes: Vec<String> = nodes.map(|j| j.node).collect();
        let daemon_set = self.daemon_set();
        let places = Places {
            uid: text(&daemon_set, "/metadata/uid"),
            min_ready: daemon_set["spec"]["minReadySeconds"].as_i64().unwrap_or(0),
            epoch: api::ServerOptions::default().epoch,
            nodes: &nodes,
        };
        let peak = self.cluster.server.read(|store| places.peak(store, since));
        let new = self
            .on(|pod| revision(pod) == view.hash && is_ready(pod))
            .len();
        let old = self.on(|pod| revision(pod) != view.hash).len();
        let of = nodes.len();
        let Peak {
            unavailable,
            doubled,
            last,
        } = peak;
        let took = last.saturating_sub(begun).as_secs_f64();
        let mut words = match old {
            0 => format!("New pods on {new} of {of} nodes, and no old ones; it took {took:.1} s."),
            _ => format!("New pods on {new} of {of} nodes, and {old} old ones."),
        };
        words.push_str(&format!(
            " Nodes without an available pod: at most {unavailable} at a time"
        ));
        match &view.rollout {
            Some(rollout) if rollout.max_surge > 0 => words.push_str(&format!(
                "; with a second one beside it: at most {doubled}, of {} allowed.",
                rollout.max_surge
            )),
            Some(rollout) => words.push_str(&format!(", of {} allowed.", rollout.max_unavailable)),
            None => words.push('.'),
        }
        self.show.print("")?;
        Ok(self.show.print(&wrap(&words, WIDTH).join("\n"))?)
    }
}

/// The image with another tag.
fn retagged(image: &str, tag: &str) -> String {
    let name = image.split('@').next().unwrap_or_default();
    let path = name.rfind('/').map_or(0, |slash| slash + 1);
    let end = name[path..]
        .find(':')
        .map_or(name.len(), |colon| path + colon);
    format!("{}:{tag}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_gets_another_tag() {
        for (image, wanted) in [
            ("busybox", "busybox:new"),
            ("busybox:1.37", "busybox:new"),
            (
                "host:5000/team/agent:v1@sha256:00",
                "host:5000/team/agent:new",
            ),
            ("host:5000/agent", "host:5000/agent:new"),
        ] {
            assert_eq!(retagged(image, "new"), wanted);
        }
    }
}

//! The story of an update under rollout control: a new template goes through its stages. Pods of
//! the next one crash in one zone, so it stops there and is rolled back. Then the spec follows.
//!
//! A DaemonSet of a file keeps its own keys, and decides by them what becomes of the bad template.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::reject;
use crate::model::control::{PREFIX, VERDICT};
use crate::plan::{BlockedBy, HoldRule, Progress};
use crate::sim::api::resource::{CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS};

use super::error::DemoError;
use super::names::list_names;
use super::nodes::ZONE;
use super::objects::{is_of, is_ready, revision, target, text};
use super::rollout::Fault;
use super::rollout_view::RolloutView;
use super::script::PAUSE;
use super::show::Who;
use super::story::{End, Story, Until};

/// The longest wait for a rollout through all stages. A cluster of hundreds of nodes takes longer
/// than one of twenty.
const ROLLOUT: Duration = Duration::from_secs(300);

/// The longest wait for the bad template: there may be no key that asks to look for failures.
const FAILURE: Duration = Duration::from_secs(60);

impl Story<'_> {
    /// Tells what becomes of the good template, which is there already, and of a bad one.
    pub async fn stages(&mut self, good: &Value) -> Result<(), DemoError> {
        if !self.roll().await? {
            return Ok(());
        }
        self.rest(PAUSE).await?;
        let since = self.cluster.server.read(|store| store.version());
        self.change("bad", &Fault::Crashes(self.where_to_crash()))?;
        let end = self.watch(Until::Decided, FAILURE).await?;
        let mut progress = self.rollout_view().progress;
        if end == End::There && matches!(progress, Some(Progress::Complete)) {
            return Ok(());
        }
        self.report_standing()?;
        self.rest(PAUSE).await?;
        // What the keys of somebody else's DaemonSet say stays as it is.
        let is_paused = matches!(
            &progress,
            Some(Progress::AutoPaused(HoldRule::AutoPaused(_)))
        );
        if is_paused && self.agent.with.is_some() {
            self.annotate("on-failure", "rollback")?;
            self.watch(Until::Decided, ROLLOUT).await?;
            progress = self.rollout_view().progress;
        }
        if matches!(
            &progress,
            Some(Progress::AutoPaused(HoldRule::RolledBack(_)))
        ) {
            self.report_rollback(since)?;
            self.rest(PAUSE).await?;
        }
        self.put(good, "back to the template before")?;
        self.watch(Until::Decided, ROLLOUT).await?;
        Ok(())
    }

    /// Watches the good template. Where it waits for an approval, approves it. Returns whether it
    /// completed; where it did not, reports why.
    async fn roll(&mut self) -> Result<bool, DemoError> {
        let mut approved = None;
        loop {
            self.watch(Until::Decided, ROLLOUT).await?;
            match self.rollout_view().progress {
                Some(Progress::Complete) => return Ok(true),
                Some(Progress::AwaitingApproval(hash)) if approved.as_ref() != Some(&hash) => {
                    self.report_standing()?;
                    self.rest(PAUSE).await?;
                    self.annotate("approve", &hash)?;
                    approved = Some(hash);
                }
                _ => {
                    self.report_standing()?;
                    return Ok(false);
                }
            }
        }
    }

    /// The second zone of the nodes that are to have a pod, as a label selector. None if there are
    /// fewer: then pods crash everywhere.
    fn where_to_crash(&self) -> Option<String> {
        let zones = self.coverage().zones.iter();
        let mut zones = zones.filter(|(zone, counts)| *zone != "-" && counts.desired > 0);
        let (zone, _) = zones.nth(1)?;
        Some(format!("{ZONE}={zone}"))
    }

    /// Sets a key of rollout control.
    fn annotate(&mut self, key: &str, value: &str) -> Result<(), DemoError> {
        let key = format!("{PREFIX}{key}");
        self.show.print("")?;
        self.say(Who::You, &format!("annotate the DaemonSet: {key}={value}"))?;
        let mut annotations = json!({});
        annotations[key] = json!(value);
        let patch = json!({ "metadata": { "annotations": annotations } });
        let (namespace, name) = (&self.agent.namespace, &self.agent.name);
        let made = self.cluster.patch(&DAEMON_SETS, namespace, name, &patch);
        made.map_err(|status| DemoError::Rejected(reject::words(&status, &self.agent.file)))?;
        Ok(())
    }

    /// Reports what rollout control holds in a plan, and with `until` what ends it.
    pub fn report_holds(&mut self, view: &RolloutView, until: bool) -> Result<(), DemoError> {
        // An event has told why.
        let is_told = until && matches!(view.progress, Some(Progress::AutoPaused(_)));
        for hold in &view.holds {
            let rule = hold.rule.as_str();
            let mut words = match &hold.nodes {
                Some(nodes) if nodes.count == 1 => format!("{rule} holds {}", nodes.first[0]),
                Some(nodes) => format!("{rule} holds {} nodes", nodes.count),
                None => format!("{rule} holds the rollout"),
            };
            if !is_told {
                words.push_str(&format!(": {}", hold.rule.message()));
            }
            match hold.until {
                Some(time) if until => words.push_str(&format!(", until {time}")),
                None if until => words.push_str(&format!(", until {}", hold.rule.until_what())),
                _ => {}
            }
            self.say(Who::Plan, &words)?;
        }
        Ok(())
    }

    /// Reports the conditions. Their messages repeat events.
    fn report_conditions(&mut self) -> Result<(), DemoError> {
        let daemon_set = self.daemon_set();
        let conditions = daemon_set["status"]["conditions"].as_array();
        let conditions = conditions.into_iter().flatten().map(|condition| {
            let field = |name: &str| text(condition, name);
            [field("/type"), field("/status"), field("/reason")].join(" ")
        });
        let conditions: Vec<String> = conditions.collect();
        match conditions.is_empty() {
            true => Ok(()),
            false => Ok(self.say(Who::Status, &conditions.join(", "))?),
        }
    }

    /// Reports how the rollout stands: the conditions, which nodes are unavailable, which have not
    /// got the new template, and what is held.
    fn report_standing(&mut self) -> Result<(), DemoError> {
        self.report_conditions()?;
        let view = self.rollout_view();
        let blocked = view.rollout.iter().flat_map(|rollout| &rollout.blocked_by);
        for BlockedBy { reason, nodes, .. } in blocked {
            let names: Vec<&str> = nodes.first.iter().map(|node| &**node).collect();
            let mut names = list_names(&names);
            if nodes.first.len() < nodes.count {
                names = format!("{} nodes, {names}, …", nodes.count);
            }
            self.say(Who::Plan, &format!("{} on {names}", reason.as_str()))?;
        }
        let has_new = |pod: &Value| revision(pod) == view.hash;
        let untouched = self.untouched(&self.on(has_new));
        if !untouched.is_empty() {
            let words = format!("nodes without the new template: {}", untouched.join(", "));
            self.say(Who::Plan, &words)?;
        }
        self.report_holds(&view, true)
    }

    /// Counts by zone the nodes that are to have a pod and are none of these: `all 6 of zone c`.
    fn untouched(&mut self, touched: &[String]) -> Vec<String> {
        let zone_of = self.zones();
        let mut zones: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for judged in self.chronicle.judge() {
            if judged.verdict.should_run() {
                let zone = zone_of.get(&judged.node).cloned().unwrap_or_default();
                let (without, all) = zones.entry(zone).or_default();
                *all += 1;
                *without += usize::from(!touched.contains(&judged.node));
            }
        }
        let zones = zones.into_iter().filter(|(_, (without, _))| *without > 0);
        let words = zones.map(|(zone, (without, all))| match without == all {
            true => format!("all {all} of zone {zone}"),
            false => format!("{without} of {all} of zone {zone}"),
        });
        words.collect()
    }

    /// The zones of the nodes.
    fn zones(&self) -> BTreeMap<String, String> {
        let nodes = self.cluster.server.all(&NODES).into_iter();
        let zone = |node: &Value| node["metadata"]["labels"][ZONE].as_str().map(str::to_owned);
        let all = nodes.map(|node| {
            let zone = zone(&node).unwrap_or_else(|| "-".to_owned());
            (text(&node, "/metadata/name"), zone)
        });
        all.collect()
    }

    /// Reports a rollback: the verdict, the nodes that had the failed revision after this version
    /// of the store, and what all nodes have now.
    fn report_rollback(&mut self, since: u64) -> Result<(), DemoError> {
        self.report_conditions()?;
        let failed = self.rollout_view().hash;
        let uid = text(&self.daemon_set(), "/metadata/uid");
        let revisions = self.cluster.server.all(&CONTROLLER_REVISIONS);
        let verdicts = revisions.iter().filter_map(|revision| {
            let kept = revision["metadata"]["annotations"][VERDICT].as_str()?;
            let kept: Value = serde_json::from_str(kept).unwrap_or_default();
            let (node, why) = (text(&kept, "/node"), text(&kept, "/why"));
            let name = text(revision, "/metadata/name");
            is_of(revision, &uid).then(|| format!("{name} failed on {node}: {why}"))
        });
        let verdicts: Vec<String> = verdicts.collect();
        for verdict in verdicts {
            self.say(Who::Status, &format!("the verdict that is kept: {verdict}"))?;
        }
        let touched: BTreeSet<String> = self.cluster.server.read(|store| {
            let pods = store.history(&PODS).iter();
            let new = pods.filter(|write| write.version > since);
            let of_failed =
                new.filter(|write| is_of(&write.object, &uid) && revision(&write.object) == failed);
            of_failed.map(|write| target(&write.object)).collect()
        });
        let touched: Vec<String> = touched.into_iter().collect();
        let names: Vec<&str> = touched.iter().map(|node| &**node).collect();
        let (had, names) = (touched.len(), list_names(&names));
        let back = self.on(|pod| revision(pod) != failed && is_ready(pod));
        let back = back.iter().filter(|node| touched.contains(node)).count();
        let words = format!("{back} of {had} nodes that had the failed revision are back: {names}");
        self.say(Who::Plan, &words)?;
        let never = self.untouched(&touched);
        if !never.is_empty() {
            let words = format!("nodes that never had it: {}", never.join(", "));
            self.say(Who::Plan, &words)?;
        }
        Ok(())
    }
}

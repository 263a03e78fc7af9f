//! The outcome that each step must have.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;

use super::Step;
use super::case::Case;
use crate::cluster::{SOON, controller_of, name_of, node_of, same};

impl Case {
    /// Whether the controller has made of it what it should; `verb` is the one that the step is
    /// about.
    pub async fn done(&self, step: Step, verb: &str) -> Result<(), String> {
        match step {
            Step::Start => same(self.agents().await.len(), 3),
            Step::Status => {
                let status = self.lab.status("agent").await?;
                same(status.desired_number_scheduled, 3)
            }
            Step::Event => same(self.lab.events("SuccessfulCreate").await.is_empty(), false),
            Step::NodeJoins => {
                let nodes: Vec<String> = self.agents().await.iter().map(node_of).collect();
                same(nodes.contains(&self.lab.node_name(4)), true)
            }
            Step::PodGoes => {
                let pods = self.agents().await;
                let back = pods.iter().find(|pod| name_of(pod) == self.gone.0);
                let uid = back.and_then(|pod| pod.metadata.uid.as_deref());
                same(uid.is_some_and(|uid| uid != self.gone.1), true)
            }
            Step::SameEvent => {
                let told = format!("Created pod: {}", self.gone.0);
                let events = self.lab.events("SuccessfulCreate").await;
                let event = events
                    .iter()
                    .find(|e| e.message.as_deref() == Some(told.as_str()));
                same(event.and_then(|e| e.count), Some(2))
            }
            // It is of no revision, so the next thing is that the update replaces it: what it does
            // to its own alone.
            Step::Orphan => match self.lab.pod_api().get_opt("orphan").await {
                Ok(None) => Ok(()),
                Ok(Some(orphan)) => same(controller_of(&orphan).is_some(), true),
                Err(error) => Err(error.to_string()),
            },
            Step::SecondSet => same(self.pods_of("second").await.len() >= 3, true),
            Step::Resize => {
                let pods = self.agents().await;
                let of = |pod: &Pod| {
                    let resources = pod.spec.as_ref()?.containers[0].resources.clone()?;
                    Some(resources.requests?.get("cpu")?.0.clone())
                };
                let requests: BTreeSet<Option<String>> = pods.iter().map(of).collect();
                same(requests, BTreeSet::from([Some("20m".to_owned())]))
            }
            // The holder of the name was read, and the read was allowed.
            Step::Raced => {
                let read = self.answers(verb).iter().any(|code| *code < 300);
                same(read, true)
            }
            Step::NewTemplate => self.all_are("b").await,
            Step::Evicted => self.all_are("d").await,
            Step::Unusable => {
                let status = self.lab.get("agent").await.status.unwrap_or_default();
                let conditions = status.conditions.unwrap_or_default();
                let stalled = conditions
                    .into_iter()
                    .find(|c| c.type_.as_deref() == Some("Stalled"));
                let reason = stalled.and_then(|c| c.reason);
                same(reason.as_deref(), Some("DisruptionBudgetUnusable"))
            }
            Step::Rollback => {
                let highest = self.revisions().await.last().map(|(_, _, number)| *number);
                same(highest, Some(self.number + 1))
            }
            Step::History => {
                let all = self.revisions().await;
                let highest = all.last().map(|(_, _, number)| *number);
                same((all.len(), highest), (2, Some(self.number + 1)))
            }
            Step::RevisionGoes => {
                let all = self.revisions().await;
                let back = all
                    .iter()
                    .any(|(name, uid, _)| *name == self.gone.0 && *uid != self.gone.1);
                same(back, true)
            }
        }
    }

    /// Whether all pods are of this version of the template.
    async fn all_are(&self, version: &str) -> Result<(), String> {
        let pods = self.agents().await;
        let old = pods.iter().filter(|pod| {
            let annotations = pod.metadata.annotations.clone().unwrap_or_default();
            annotations.get("live.test/version").map(String::as_str) != Some(version)
        });
        same((pods.is_empty(), old.count()), (false, 0))
    }

    /// Waits until the step is done.
    pub async fn until_done(&self, step: Step, verb: &str) {
        let what = format!("{}: {step:?}", self.user);
        self.lab
            .until(&what, 2 * SOON, async || self.done(step, verb).await)
            .await;
    }
}

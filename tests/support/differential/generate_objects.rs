//! Objects and changes of them, by chance.

use rand::Rng;
use serde_json::{Value, json};

use super::{Chance, Kind};
use crate::differential::objects::*;

impl Chance {
    /// An object of this kind, sometimes a bad one.
    pub(super) fn object(&mut self, kind: Kind, name: &str) -> Value {
        let mut object = match kind {
            Kind::Pod if self.one_in(2) => pod_on("<ns>-n", name),
            Kind::Pod => pod(name),
            Kind::Node => node(name),
            Kind::DaemonSet => daemon_set(name),
            Kind::Revision => revision(name, self.0.random_range(1..3)),
            Kind::Lease => lease(name),
            Kind::Event => event(name),
            Kind::NewEvent => new_event(name),
        };
        for _ in 0..self.0.random_range(0..3) {
            let (pointer, value) = match self.0.random_range(0..10) {
                0..4 => ("/metadata/labels/l", json!(self.of(&["1", "2"]))),
                4..6 => ("/metadata/annotations/note", json!("x")),
                6..8 => ("/metadata/finalizers", json!(["x.y/hold"])),
                8 => (
                    "/metadata/ownerReferences",
                    json!([
                        {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "a", "uid": "<DaemonSet-a.uid>", "controller": true}
                    ]),
                ),
                _ => self.bad(kind),
            };
            object = with(object, pointer, value);
        }
        object
    }

    /// Something that this kind does not take.
    pub(super) fn bad(&mut self, kind: Kind) -> (&'static str, Value) {
        match (kind, self.0.random_range(0..3)) {
            (_, 0) => ("/metadata/labels", json!({"a b": "c"})),
            (Kind::Pod, 1) => ("/spec/containers", json!([])),
            (Kind::Pod, _) => ("/spec/restartPolicy", json!("Odd")),
            (Kind::DaemonSet, 1) => ("/spec/selector/matchLabels", json!({"app": "other"})),
            (Kind::DaemonSet, _) => ("/spec/minReadySeconds", json!(-1)),
            (Kind::Node, _) => ("/spec/taints", json!([{"key": "k", "effect": "Odd"}])),
            (Kind::Revision, _) => ("/revision", json!(-1)),
            (Kind::Lease, _) => ("/spec/leaseDurationSeconds", json!(-1)),
            (Kind::NewEvent, _) => ("/metadata/annotations", json!({"a b": "c"})),
            (Kind::Event, _) => ("/involvedObject/namespace", json!("elsewhere")),
        }
    }

    /// A patch of what this kind is about.
    pub(super) fn spec_change(&mut self, kind: Kind) -> Value {
        match kind {
            Kind::Pod => self.of(&[
                json!({"spec": {"activeDeadlineSeconds": 50}}),
                json!({"spec": {"containers": [{"name": "main", "image": "image:2"}]}}),
                json!({"spec": {"nodeName": "<ns>-m"}}),
            ]),
            Kind::Node => self.of(&[
                json!({"spec": {"unschedulable": true}}),
                json!({"spec": {"unschedulable": null}}),
                json!({"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}),
                json!({"spec": {"taints": null}}),
            ]),
            Kind::DaemonSet => self.of(&[
                json!({"spec": {"minReadySeconds": 5}}),
                json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "image:2"}]}}}}),
                json!({"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}}),
                json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}}}),
            ]),
            Kind::Revision => self.of(&[json!({"revision": 7}), json!({"data": {"x": 1}})]),
            Kind::Lease => self.of(&[json!({"spec": {"holderIdentity": "you"}}), json!({"spec": {"leaseTransitions": 2}})]),
            Kind::Event => json!({"count": 2}),
            Kind::NewEvent => self.of(&[json!({"note": "other"}), json!({"series": {"count": 2, "lastObservedTime": "2002-02-03T04:05:06.000000Z"}})]),
        }
    }
}

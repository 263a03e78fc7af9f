//! The controllers of a [`World`]: started, held up, asked what they did, and judged at the end.

use std::collections::BTreeSet;
use std::time::Duration;

use daemonset_controller::runtime::run::ControllerOptions;
use daemonset_controller::sim::api::resource;
use daemonset_controller::sim::cluster::Controller;
use daemonset_controller::sim::promises::Violation;

use rand::Rng;

use super::world::{Act, ApiStatus, Entry, Gate, World, resource, seconds, target};

/// What controllers watch.
pub const KINDS: [&str; 4] = ["daemonsets", "nodes", "controllerrevisions", "pods"];

/// A controller whose client has this name.
pub fn start(world: &World, name: &'static str) -> Controller {
    world.controllers.borrow_mut().insert(name);
    world.cluster.borrow_mut().controller(name)
}

/// One with options of its own.
pub fn start_with(world: &World, name: &'static str, options: ControllerOptions) -> Controller {
    world.controllers.borrow_mut().insert(name);
    world.cluster.borrow_mut().controller_with(name, options)
}

/// One that works only while it leads.
pub fn replica(world: &World, name: &'static str) -> Controller {
    world.controllers.borrow_mut().insert(name);
    world.cluster.borrow_mut().replica(name)
}

/// The names that a POST asked for, or the last segment of any other request's path.
pub fn names(requests: &[Entry]) -> Vec<String> {
    let name = |c: &Entry| match c.json()["metadata"]["name"].as_str() {
        Some(name) if c.method == "POST" => name.to_owned(),
        _ => c.path.rsplit('/').next().unwrap_or("").to_owned(),
    };
    requests.iter().map(name).collect()
}

/// The codes of answers.
pub fn codes(requests: &[Entry]) -> Vec<u16> {
    requests.iter().map(|c| c.code).collect()
}

/// The pauses between requests, in seconds, rounded.
pub fn pauses(requests: &[Entry]) -> Vec<u64> {
    let pause = |w: &[Entry]| (w[1].at - w[0].at).as_secs_f64().round();
    requests.windows(2).map(|w| pause(w) as u64).collect()
}

/// What may become of a request, by the dice: it takes so long where it is slow.
pub fn any_trouble(dice: &mut impl Rng, slow: Duration) -> Act {
    let refuse = |code, reason| Act::Refuse(ApiStatus::new(code, reason, "dice"));
    match dice.random_range(0..8) {
        0 => Act::Lose,
        1 => Act::Fail,
        2 => Act::Delay(slow),
        3 => Act::Late(slow),
        4 => refuse(429, "TooManyRequests"),
        5 => refuse(500, "InternalError"),
        6 => refuse(403, "Forbidden"),
        _ => refuse(409, "Conflict"),
    }
}

impl World {
    /// The client's watches of this kind tell nothing, or go on.
    pub fn freeze(&self, client: &str, plural: &str, frozen: bool) {
        self.gate(client, resource(plural), frozen.then_some(Gate::Shut));
    }

    /// The client's watches of all kinds tell what was so long ago.
    pub fn lag(&self, client: &str, lag: Duration) {
        for plural in KINDS {
            let gate = Some(Gate::Lag(lag)).filter(|_| !lag.is_zero());
            self.gate(client, resource(plural), gate);
        }
    }

    /// All watches of this kind end, with a 410 or just so.
    pub fn cut(&self, plural: &str, expired: bool) {
        if expired {
            self.expire(resource(plural));
        } else {
            self.end_watches(resource(plural));
        }
    }

    /// POSTs of pods.
    pub fn posts(&self) -> Vec<Entry> {
        self.requests(|c| c.is("POST", "/pods"))
    }

    /// DELETEs of pods by controllers.
    pub fn deletes(&self) -> Vec<Entry> {
        let controllers = self.controllers.borrow().clone();
        self.requests(|c| c.is_for("DELETE", "pods") && controllers.contains(&*c.client))
    }

    /// Patches of the status of `default/web`.
    pub fn statuses(&self) -> Vec<Entry> {
        self.requests(|c| c.is("PATCH", "/daemonsets/web/status"))
    }

    /// Messages of events with this reason, as they were first written.
    pub fn events(&self, reason: &str) -> Vec<String> {
        let posts = self.requests(|c| c.is("POST", "/events") && c.json()["reason"] == reason);
        let message = |c: &Entry| c.json()["message"].as_str().unwrap_or("").to_owned();
        posts.iter().map(message).collect()
    }

    /// Asserts that the promises of every version held.
    pub async fn finish(&self) {
        let names: Vec<&str> = self.controllers.borrow().iter().copied().collect();
        let broken = self.cluster.borrow().violations(&names);
        if !broken.is_empty()
            && let Ok(node) = std::env::var("SIM_STORY")
        {
            self.tell(&node);
        }
        report(&broken);
    }

    /// Prints what happened to the pods of a node, and who asked for what, for whoever looks into a
    /// failure.
    fn tell(&self, node: &str) {
        let log = self.log();
        let mut lines: Vec<(Duration, String)> = Vec::new();
        let mut pods = BTreeSet::new();
        for write in self.read(|store| store.history(&resource::PODS).to_vec()) {
            let pod = &write.object;
            if target(pod) != node {
                continue;
            }
            let by = log.get(write.request).map_or("", |entry| &*entry.client);
            let name = pod["metadata"]["name"].as_str().unwrap_or("");
            pods.insert(name.to_owned());
            lines.push((
                write.at,
                format!(
                    "{} {:?} {name} {} deleted {} by {by:?} {}",
                    write.version,
                    write.change,
                    pod["status"]["phase"],
                    pod["metadata"]["deletionTimestamp"],
                    pod["metadata"]["creationTimestamp"],
                ),
            ));
        }
        for entry in log
            .iter()
            .filter(|e| e.is_write() && !e.is("POST", "/events"))
        {
            let text = entry.line();
            if pods.iter().any(|pod| text.contains(&**pod)) {
                let cut: String = text.chars().take(160).collect();
                let ended = entry.ended.unwrap_or_default();
                lines.push((entry.at, format!("    {cut} until {ended:?}")));
            }
        }
        lines.sort();
        for (at, line) in lines {
            println!("{:.3} {line}", at.as_secs_f64());
        }
    }

    /// Nothing goes wrong any more: no rules, and all watches tell all.
    pub fn stop_faults(&self) {
        self.clear_rules();
        self.end_late_writes();
        for client in self.controllers.borrow().iter() {
            for plural in KINDS {
                self.gate(client, resource(plural), None);
            }
        }
    }

    /// Faults stop; as [`World::finish`], and after a while all is as it should be and nothing is
    /// written (L1).
    pub async fn at_rest(&self) {
        self.stop_faults();
        let names: Vec<&str> = self.controllers.borrow().iter().copied().collect();
        let minute = Duration::from_secs(60);
        let mut wrong = Vec::new();
        // A DaemonSet that failed often enough is tried again only after a thousand seconds.
        for _ in 0..12 {
            seconds(100).await;
            wrong = self.cluster.borrow().unsettled(&names, minute);
            if wrong.is_empty() {
                break;
            }
        }
        report(&wrong);
        self.finish().await;
    }
}

/// Panics where there is anything.
pub fn report(broken: &[Violation]) {
    let said: Vec<String> = broken.iter().take(10).map(ToString::to_string).collect();
    assert!(
        broken.is_empty(),
        "{} in all:\n{}",
        broken.len(),
        said.join("\n")
    );
}

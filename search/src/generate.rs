//! Makes a history from a seed. Pure: the same seed and scope give the same history.

use daemonset_controller::sim::cluster::Part;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::history::{Controllers, History, Late, Scope, Set};
use crate::step::{Admission, End, Event, Kind, Millis, Step, Trouble, Who};

/// The first step comes this long after the start: the cluster is complete by then.
const BEGIN: Millis = 6_000;
/// The longest time between two steps.
const PAUSE: Millis = 4_000;
/// How many nodes are added at most.
const MORE_NODES: usize = 4;

/// The keys of rollout control, with values that are right. An empty one stands for the hash of the
/// newest revision.
const KEYS: [(&str, &[&str]); 10] = [
    ("hold", &["rollout", "all", "off"]),
    (
        "canary",
        &["1", "2", "40%", "100%", "pool=0", "pool=none", "off"],
    ),
    (
        "order",
        &["pool", "pool=1>0", "kubernetes.io/hostname", "off"],
    ),
    ("bake", &["0s", "5s", "1m", "approval"]),
    ("approve", &["", "0123456789"]),
    ("deadline", &["0s", "3s", "1m", "off"]),
    (
        "on-failure",
        &[
            "pause",
            "pause,tolerate=1",
            "continue",
            "pause,tolerate=40%",
            "rollback",
            "rollback,tolerate=1",
            "off",
        ],
    ),
    (
        "budget",
        &["strict", "bad-nodes=40%", "strict,bad-nodes=1", "off"],
    ),
    ("replace-by", &["eviction", "off"]),
    (
        "resources",
        &[
            r#"[{"nodes":"pool=0","containers":{"c":{"limits":{"memory":"300Mi"}}}}]"#,
            r#"[{"nodes":"pool=0","containers":{"c":{"requests":{"cpu":"20m"},"limits":{"memory":"200Mi"}}}},{"nodes":"!none","containers":{}}]"#,
            "[]",
            "off",
        ],
    ),
];

/// Keys with values that are wrong.
const INVALID: [(&str, &str); 6] = [
    ("hold", "rolout"),
    ("bake", "soon"),
    ("canary", "-1"),
    ("replace-by", "evict"),
    ("on-failure", "tolerate=1"),
    ("resources", "{}"),
];

/// The history of a seed.
pub fn history(seed: u64, scope: &Scope) -> History {
    let mut maker = Maker {
        seed,
        dice: StdRng::seed_from_u64(seed),
        nodes: scope.nodes,
        sets: 1,
        controllers: Controllers::One,
        lag: 0,
        slow: 0,
    };
    maker.controllers = maker.one_of(&[
        Controllers::One,
        Controllers::One,
        Controllers::Two,
        Controllers::Election,
    ]);
    // How far two may be behind each other is limited by the known gap (docs/design.md).
    (maker.lag, maker.slow) = match maker.controllers {
        Controllers::One => (
            maker.one_of(&[0, 300, 9_000]),
            maker.one_of(&[1, 100, 1_500]),
        ),
        _ => (maker.one_of(&[0, 100]), maker.one_of(&[1, 100])),
    };
    maker.sets = maker.one_of(&[1, 1, 2]);
    let sets = (0..maker.sets).map(|_| maker.set()).collect();
    let pools = (0..scope.nodes as usize + MORE_NODES)
        .map(|_| maker.pool())
        .collect();
    let steps = maker.steps(scope);
    History {
        seed,
        controllers: maker.controllers,
        nodes: scope.nodes,
        pools,
        sets,
        lag: maker.lag,
        slow: maker.slow,
        late: (scope.late_per_mille > 0).then_some(Late {
            per_mille: scope.late_per_mille,
            seed,
        }),
        steps,
    }
}

struct Maker {
    seed: u64,
    dice: StdRng,
    nodes: u32,
    sets: usize,
    controllers: Controllers,
    lag: Millis,
    slow: Millis,
}

impl Maker {
    fn steps(&mut self, scope: &Scope) -> Vec<Step> {
        let sum = scope.faults.sum();
        let mut at = BEGIN;
        let mut steps = Vec::with_capacity(scope.steps);
        while sum > 0 && steps.len() < scope.steps {
            at += self.dice.random_range(0..PAUSE);
            let number = self.dice.random_range(0..sum);
            // The first step goes by turns: a few dozen seeds have all kinds.
            let turn = Fault::ALL[(self.seed % Fault::ALL.len() as u64) as usize];
            let is_turn = steps.is_empty() && scope.faults.rate(turn) > 0;
            let drawn = if is_turn {
                Some(turn)
            } else {
                scope.faults.draw(number)
            };
            if is_turn && turn == Fault::StateEdited {
                // There is state only where a template changed under rollout control.
                let (set, version) = (0, 7);
                let (key, value) = ("canary", Some("1"));
                for (fault, event) in [
                    (Fault::Key, Event::Key { set, key, value }),
                    (
                        Fault::Template,
                        Event::Template {
                            set,
                            version,
                            flaw: None,
                        },
                    ),
                ] {
                    steps.push(Step { at, fault, event });
                }
                at += PAUSE;
            }
            if let Some(fault) = drawn {
                let event = self.event(fault);
                steps.push(Step { at, fault, event });
            }
        }
        steps
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.dice.random_range(0..all.len())]
    }

    fn who(&mut self) -> Who {
        Who(self.dice.random_range(0..self.controllers.count()))
    }

    fn node(&mut self) -> u32 {
        self.dice.random_range(0..self.nodes)
    }

    fn a_set(&mut self) -> usize {
        self.dice.random_range(0..self.sets)
    }

    fn pool(&mut self) -> u8 {
        self.one_of(&[0, 0, 1])
    }

    /// A time, of which each order of magnitude is as likely as another.
    fn time(&mut self, least: Millis, most: Millis) -> Millis {
        let share = self.dice.random_range(0.0..1.0);
        (least as f64 * (most as f64 / least as f64).powf(share)) as Millis
    }

    fn set(&mut self) -> Set {
        let mut template = json!({"containers": [{"name": "c", "image": "i"}]});
        if self.dice.random_bool(0.3) {
            template["containers"][0]["resources"] = json!({"requests": {"cpu": "10m", "memory": "10Mi"}, "limits": {"memory": "400Mi"}});
        }
        if self.dice.random_bool(0.2) {
            template["nodeSelector"] = json!({"pool": "0"});
        }
        let strategy = self.strategy();
        let min_ready = self.one_of(&[0, 0, 3, 12]);
        let limit = self.one_of(&[0, 1, 10]);
        Set {
            spec: json!({
                "template": {"spec": template},
                "updateStrategy": strategy,
                "minReadySeconds": min_ready,
                "revisionHistoryLimit": limit,
            }),
        }
    }

    fn strategy(&mut self) -> Value {
        let budget: Value = match self.dice.random_range(0..5) {
            0 | 1 => json!(1),
            2 => json!(3),
            3 => json!("25%"),
            _ => json!("60%"),
        };
        let rolling = |unavailable: Value, surge: Value| {
            let rolling = json!({"maxUnavailable": unavailable, "maxSurge": surge});
            json!({"type": "RollingUpdate", "rollingUpdate": rolling})
        };
        match self.dice.random_range(0..8) {
            0 => json!({"type": "OnDelete", "rollingUpdate": null}),
            1..=4 => rolling(budget, json!(0)),
            _ => rolling(json!(0), budget),
        }
    }

    fn requests(&mut self, trouble: Trouble) -> Event {
        Event::Requests {
            who: self.who(),
            method: self.one_of(&["GET", "POST", "PATCH", "DELETE"]),
            trouble,
            times: self.dice.random_range(1..6),
        }
    }

    fn killed(&mut self, takes_effect: bool) -> Event {
        Event::Killed {
            who: self.who(),
            after: self.one_of(&[0, 0, 0, 1, 2, 5, 12]),
            takes_effect,
            back: self.time(1, 20_000),
        }
    }

    fn script(&mut self, what: &'static str, values: &[&'static str]) -> Event {
        Event::Script {
            node: self.node(),
            what,
            after: self.one_of(values),
            lasts: self.time(1_000, 90_000),
        }
    }

    fn pod(&mut self, end: End) -> Event {
        Event::Pod {
            set: self.a_set(),
            node: self.node(),
            end,
        }
    }

    fn gone(&mut self, part: Part) -> Event {
        Event::PartGone {
            part,
            lasts: self.time(500, 60_000),
        }
    }

    fn admission(&mut self, how: Admission, methods: &[&'static str]) -> Event {
        Event::Admission {
            method: self.one_of(methods),
            how,
            lasts: self.time(500, 60_000),
        }
    }

    fn event(&mut self, fault: Fault) -> Event {
        match fault {
            Fault::RequestLost => self.requests(Trouble::Lost),
            Fault::AnswerLost => self.requests(Trouble::AnswerLost),
            Fault::RequestSlow => {
                let slow = self.dice.random_range(0..=self.slow);
                self.requests(Trouble::Slow(slow))
            }
            Fault::AnswerSlow => {
                let slow = self.dice.random_range(0..=self.slow);
                self.requests(Trouble::AnswerSlow(slow))
            }
            Fault::RequestHangs => self.requests(Trouble::Hangs),
            Fault::Conflict => self.requests(Trouble::Refused(409, None)),
            Fault::TooMany => self.requests(Trouble::Refused(429, None)),
            Fault::RetryAfter => {
                let wait = self.dice.random_range(1..8);
                self.requests(Trouble::Refused(429, Some(wait)))
            }
            Fault::InternalError => self.requests(Trouble::Refused(500, None)),
            Fault::Unavailable => self.requests(Trouble::Refused(503, None)),
            Fault::TimedOut => self.requests(Trouble::Refused(504, None)),
            Fault::Forbidden => self.requests(Trouble::Refused(403, None)),
            Fault::KilledBefore => self.killed(false),
            Fault::KilledAfter => self.killed(true),
            Fault::Stopped => Event::Stopped {
                who: self.who(),
                back: self.time(1, 20_000),
            },
            Fault::Partitioned => Event::Partitioned {
                who: self.who(),
                lasts: self.time(1_000, 180_000),
            },
            Fault::Lag | Fault::LagOfKind => {
                let kind = self.one_of(&Kind::ALL);
                Event::Lag {
                    who: self.who(),
                    kind: (fault == Fault::LagOfKind).then_some(kind),
                    lag: self.dice.random_range(0..=self.lag),
                }
            }
            Fault::Silent => Event::Silent {
                who: self.who(),
                kind: self.one_of(&Kind::ALL),
                lasts: self.time(10, self.lag.max(11)),
            },
            Fault::Cut | Fault::Expired => Event::Cut {
                kind: self.one_of(&Kind::ALL),
                expired: fault == Fault::Expired,
            },
            Fault::NodeAdded => Event::NodeAdded { pool: self.pool() },
            Fault::NodeRemoved | Fault::NodeRecreated => Event::NodeRemoved {
                node: self.node(),
                back: match fault {
                    Fault::NodeRecreated => 0,
                    _ => self.time(500, 60_000),
                },
            },
            Fault::NodeRelabelled => Event::Pool {
                node: self.node(),
                pool: self.pool(),
            },
            Fault::NodeTainted => Event::Tainted {
                node: self.node(),
                effect: self.one_of(&["NoSchedule", "NoExecute"]),
                lasts: self.time(500, 60_000),
            },
            Fault::NodeNotReady => Event::NotReady {
                node: self.node(),
                lasts: self.time(1_000, 300_000),
            },
            Fault::PodsCrash => self.script("crash-after", &["1s", "20s"]),
            Fault::PodsPullFails => self.script("pull-fails-after", &["0s", "2s"]),
            Fault::PodsNeverReady => self.script("ready-after", &["never", "30s", "2s"]),
            Fault::PodsFail => self.script("fail-after", &["0s", "1s", "10s"]),
            Fault::PodsFinish => self.script("succeed-after", &["1s", "10s"]),
            Fault::PodsStay => self.script("terminate-after", &["never", "30s", "2s"]),
            Fault::PodFails => {
                let reason = self.one_of(&["", "", "Evicted", "DeadlineExceeded"]);
                self.pod(End::Fails(reason))
            }
            Fault::PodRejected => {
                let reason = self.one_of(&["OutOfcpu", "NodeAffinity", "NodeShutdown"]);
                self.pod(End::Fails(reason))
            }
            Fault::PodDeleted => {
                let at_once = self.dice.random_bool(0.5);
                self.pod(End::Deleted(at_once))
            }
            Fault::PodFailedAndDeleted => self.pod(End::FailedAndDeleted),
            Fault::PodEvicted => self.pod(End::Evicted),
            Fault::LabelStolen => self.pod(End::LabelStolen),
            Fault::Disowned => self.pod(End::Disowned),
            Fault::Template | Fault::BadTemplate => {
                let flaws = [
                    ("crash-after", "2s"),
                    ("pull-fails-after", "0s"),
                    ("ready-after", "never"),
                    ("fail-after", "1s"),
                ];
                let flaw = self.one_of(&flaws);
                Event::Template {
                    set: self.a_set(),
                    version: self.dice.random_range(0..4),
                    flaw: (fault == Fault::BadTemplate).then_some(flaw),
                }
            }
            Fault::Strategy => {
                let strategy = self.strategy();
                self.spec(json!({ "updateStrategy": strategy }))
            }
            Fault::MinReady => {
                let wait = self.one_of(&[0, 2, 12]);
                self.spec(json!({ "minReadySeconds": wait }))
            }
            Fault::HistoryLimit => {
                let limit = self.one_of(&[0, 1, 10]);
                self.spec(json!({ "revisionHistoryLimit": limit }))
            }
            Fault::Key => {
                let (key, values) = self.one_of(&KEYS);
                let value = self.one_of(values);
                Event::Key {
                    set: self.a_set(),
                    key,
                    value: self.dice.random_bool(0.7).then_some(value),
                }
            }
            Fault::KeyInvalid => {
                let (key, value) = self.one_of(&INVALID);
                Event::Key {
                    set: self.a_set(),
                    key,
                    value: Some(value),
                }
            }
            Fault::StateEdited => Event::StateRemoved {
                set: self.a_set(),
                nth: self.dice.random_range(0..24),
            },
            Fault::SetDeleted => Event::SetDeleted {
                set: self.a_set(),
                cascade: self.one_of(&["Background", "Foreground", "Orphan"]),
                back: self.time(1, 30_000),
            },
            Fault::Disruption => Event::Disruption {
                allowed: self.one_of(&[0, 0, 1, 2]),
                lasts: self.time(1_000, 90_000),
            },
            Fault::Denied => self.admission(Admission::Denies, &["POST", "DELETE", "PATCH"]),
            Fault::AdmissionHangs => self.admission(Admission::Hangs, &["POST", "DELETE"]),
            Fault::Quota => self.admission(Admission::Quota, &["POST"]),
            Fault::GarbageLags => self.gone(Part::GarbageCollector),
            Fault::PodGarbageLags => self.gone(Part::PodGarbageCollector),
            Fault::SchedulerGone => self.gone(Part::Scheduler),
            Fault::KubeletsGone => self.gone(Part::Kubelets),
            Fault::Planted => Event::Planted { node: self.node() },
        }
    }

    fn spec(&mut self, patch: Value) -> Event {
        Event::Spec {
            set: self.a_set(),
            patch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_history_and_another_another() {
        let scope = Scope::usual();
        assert_eq!(history(7, &scope), history(7, &scope));
        assert_ne!(history(7, &scope).steps, history(8, &scope).steps);
        assert_eq!(history(7, &scope).steps.len(), 200);
    }

    #[test]
    fn with_all_faults_off_nothing_happens() {
        let scope = Scope {
            faults: crate::faults::Faults::none(),
            ..Scope::usual()
        };
        assert_eq!(history(7, &scope).steps, []);
    }
}

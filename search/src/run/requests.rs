//! What goes wrong with controllers, their requests and their watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use daemonset_controller::sim::api::resource::LEASES;
use daemonset_controller::sim::api::{Act, ApiStatus, Entry, Gate};
use tokio::time::sleep;

use super::{NAMES, Runner, undo::Undo};
use crate::history::Controllers;
use crate::step::{Admission, Kind, Millis, Trouble, Who};

/// A controller that is not killed at a call by then is killed at none.
const DIES_WITHIN: Millis = 20_000;

/// How long a request of a controller is under way where it dies after its effect.
const FOREVER: Duration = Duration::from_secs(3_600);

/// A death at a call.
pub(super) struct Armed {
    number: usize,
    hit: Arc<AtomicBool>,
    takes_effect: bool,
    back: Millis,
}

fn refusal(code: u16) -> ApiStatus {
    let reason = match code {
        403 => "Forbidden",
        409 => "Conflict",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        _ => "Timeout",
    };
    ApiStatus::new(code, reason, "the search refuses this request")
}

impl Runner<'_> {
    pub(super) fn trouble(
        &self,
        who: Who,
        method: &'static str,
        trouble: Trouble,
        times: usize,
    ) -> bool {
        let act = match trouble {
            Trouble::Lost => Act::Fail,
            Trouble::AnswerLost => Act::Lose,
            Trouble::Slow(time) => Act::Delay(Duration::from_millis(time)),
            Trouble::AnswerSlow(time) => Act::Late(Duration::from_millis(time)),
            Trouble::Hangs => Act::Hang,
            Trouble::Refused(code, None) => Act::Refuse(refusal(code)),
            Trouble::Refused(code, Some(wait)) => Act::RefuseFor(refusal(code), wait),
        };
        let name = who.name();
        // As in a partition. A watch that is refused is tried again with growing pauses.
        let spares_watches = !self.may_be_far_behind();
        let is_meant = move |c: &Entry| {
            c.method == method && &*c.client == name && !(spares_watches && c.is_watch())
        };
        self.server.rule(times, is_meant, act);
        true
    }

    pub(super) fn admission(
        &mut self,
        method: &'static str,
        how: Admission,
        lasts: Millis,
    ) -> bool {
        let act = match how {
            Admission::Hangs => Act::Hang,
            Admission::Denies => Act::Refuse(ApiStatus::new(
                403,
                "Forbidden",
                "admission webhook \"search.example\" denied the request: not now",
            )),
            Admission::Quota => Act::Refuse(ApiStatus::new(
                403,
                "Forbidden",
                "pods is forbidden: exceeded quota: q, requested: pods=1, used: pods=9, limited: pods=9",
            )),
        };
        let is_on = self.rule_that_ends(lasts);
        let is_meant = move |c: &Entry| {
            is_on.load(Ordering::Relaxed) && c.is_for(method, "pods") && NAMES.contains(&&*c.client)
        };
        self.server.rule(usize::MAX, is_meant, act);
        true
    }

    fn rule_that_ends(&mut self, lasts: Millis) -> Arc<AtomicBool> {
        let is_on = Arc::new(AtomicBool::new(true));
        self.later(lasts, Undo::Rule(is_on.clone()));
        is_on
    }

    pub(super) fn arm(&mut self, who: Who, after: usize, takes_effect: bool, back: Millis) -> bool {
        if self.armed.contains_key(&who) || !self.controllers.contains_key(&who) {
            return false;
        }
        let hit = Arc::new(AtomicBool::new(false));
        let (count, told, name) = (AtomicUsize::new(0), hit.clone(), who.name());
        let is_meant = move |c: &Entry| {
            let is_it = &*c.client == name
                && !c.is_upkeep()
                && count.fetch_add(1, Ordering::Relaxed) == after;
            told.fetch_or(is_it, Ordering::Relaxed);
            is_it
        };
        let act = if takes_effect {
            Act::Late(FOREVER)
        } else {
            Act::Hang
        };
        self.server.rule(1, is_meant, act);
        self.begun += 1;
        let armed = Armed {
            number: self.begun,
            hit,
            takes_effect,
            back,
        };
        self.later(DIES_WITHIN, Undo::Kill(who, armed.number));
        self.armed.insert(who, armed);
        true
    }

    /// Lets time pass until a controller that is to die at a call makes that call, for so long at
    /// most.
    pub(super) async fn wait_for_a_death(&mut self, horizon: Duration) {
        let seen = self.server.requests_so_far();
        let is_hit = |armed: &Armed| armed.hit.load(Ordering::Relaxed);
        let armed = &self.armed;
        let any = |_: &Entry| armed.values().any(is_hit);
        self.server.next_request(seen, horizon, any).await;
        let hit = self.armed.iter().filter(|(_, armed)| is_hit(armed));
        let hit: Vec<Who> = hit.map(|(who, _)| *who).collect();
        for who in hit {
            if self.armed[&who].takes_effect {
                // It is carried out after a millisecond; the answer is under way for long.
                sleep(Duration::from_micros(1_500)).await;
            }
            self.kill(who);
        }
    }

    fn kill(&mut self, who: Who) {
        let armed = self.armed.remove(&who);
        if let Some(controller) = self.controllers.remove(&who) {
            self.look_for_its_end(&controller);
            controller.kill();
        }
        self.later(armed.map_or(0, |armed| armed.back), Undo::Start(who));
    }

    pub(super) async fn kill_anyway(&mut self, who: Who, number: usize) {
        let armed = self.armed.get(&who);
        if armed.is_some_and(|armed| armed.number == number) {
            self.kill(who);
        }
    }

    pub(super) async fn stop(&mut self, who: Who, back: Millis) -> bool {
        let Some(controller) = self.controllers.remove(&who) else {
            return false;
        };
        self.armed.remove(&who);
        self.look_for_its_end(&controller);
        controller.stop().await;
        self.later(back, Undo::Start(who));
        true
    }

    /// Whether a controller may be far behind. Of two that are both active none may
    /// (docs/design.md, "Known gap").
    fn may_be_far_behind(&self) -> bool {
        self.history.controllers != Controllers::Two || self.history.late.is_some()
    }

    pub(super) fn partition(&mut self, who: Who, lasts: Millis) -> bool {
        let (is_on, name) = (self.rule_that_ends(lasts), who.name());
        // Where it may not be, its watches go on, and begin again where they end.
        let is_whole = self.may_be_far_behind();
        let is_meant = move |c: &Entry| {
            let hangs = is_whole || c.is_write();
            hangs && is_on.load(Ordering::Relaxed) && &*c.client == name
        };
        self.server.rule(usize::MAX, is_meant, Act::Hang);
        if is_whole {
            for kind in Kind::ALL {
                self.silence(who, kind, lasts);
            }
            self.server.gate(name, &LEASES, Some(Gate::Shut));
        }
        true
    }

    pub(super) fn lag(&mut self, who: Who, kind: Option<Kind>, lag: Millis) -> bool {
        let lag = Duration::from_millis(lag);
        for one in Kind::ALL {
            if kind.is_none_or(|kind| kind == one) {
                self.lags.insert((who, one), lag);
                self.deliver(who, one);
            }
        }
        true
    }

    pub(super) fn silence(&mut self, who: Who, kind: Kind, lasts: Millis) -> bool {
        self.server
            .gate(who.name(), kind.resource(), Some(Gate::Shut));
        self.later(lasts, Undo::Deliver(who, kind));
        true
    }

    pub(super) fn deliver(&mut self, who: Who, kind: Kind) {
        let lag = self.lags.get(&(who, kind)).copied().unwrap_or_default();
        let gate = (!lag.is_zero()).then_some(Gate::Lag(lag));
        self.server.gate(who.name(), kind.resource(), gate);
        self.server.gate(who.name(), &LEASES, None);
    }

    pub(super) fn cut(&self, kind: Kind, expired: bool) -> bool {
        if expired {
            self.server.expire(kind.resource());
        } else {
            self.server.end_watches(kind.resource());
        }
        true
    }
}

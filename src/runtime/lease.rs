//! Leader election by a `coordination.k8s.io` Lease: of several replicas one writes.
//!
//! [`election`] decides, [`record`] is the Lease, and [`Candidate`] talks to the API server. A
//! leader keeps the [`Fence`] of all writes open, never for longer than its renew deadline allows,
//! and so never when another replica can have become the leader by the clock.

pub mod election;
pub mod record;
mod watching;

use std::{sync::Arc, time::Duration};

use kube::Client;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use crate::apply::client::{
    Api, ApiError, Tally,
    fence::{Fence, WallClock},
};

use self::{
    election::{Election, Next, Timing},
    record::Lease,
    watching::Noticed,
};

/// The time that releasing the Lease may take.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);

/// Which Lease it is, and who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseOptions {
    /// `metadata.namespace` of the Lease.
    pub namespace: String,
    /// `metadata.name` of the Lease.
    pub name: String,
    /// `spec.holderIdentity` of this process. It differs for each process.
    pub identity: String,
    /// Durations of the election.
    pub timing: Timing,
}

impl LeaseOptions {
    /// The path of all Leases of the namespace.
    fn leases(&self) -> String {
        let namespace = &self.namespace;
        format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases")
    }

    /// The path of this Lease.
    fn path(&self) -> String {
        format!("{}/{}", self.leases(), self.name)
    }
}

/// What a process needs to take part in an election.
#[derive(Clone, Debug)]
pub struct LeaderElection {
    /// Which Lease it is, and who holds it.
    pub options: LeaseOptions,
    /// Open while this process is the leader. The client for writes must be behind it.
    pub fence: Fence,
}

/// The state of the election.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The time since which this process is the leader; None while another process is, or none.
    pub leading_since: Option<Instant>,
    /// `spec.holderIdentity` of the Lease, as far as it is known; None where nobody holds it.
    pub holder: Option<String>,
    /// When this process last acquired the Lease from a holder that had not released it.
    pub seized: Option<Instant>,
}

/// One replica in the election.
pub struct Candidate {
    options: LeaseOptions,
    api: Api,
    client: Client,
    server: String,
    clock: WallClock,
    fence: Fence,
    rng: StdRng,
    standing: watch::Sender<Standing>,
    election: Election,
    /// The last warning, so that it is logged once.
    logged: Option<String>,
}

impl Candidate {
    /// A candidate that has not begun. `client` is its own, and connects to `server`, which is for
    /// messages. `standing` is told the state of the election, `tally` the requests.
    pub fn new(
        election: LeaderElection,
        client: Client,
        server: String,
        clock: WallClock,
        rng: StdRng,
        standing: watch::Sender<Standing>,
        tally: Arc<dyn Tally>,
    ) -> Candidate {
        let LeaderElection { options, fence } = election;
        let patience = options.timing.renew_deadline / 2;
        let identity = options.identity.clone();
        Candidate {
            election: Election::new(identity, options.timing, Instant::now()),
            api: Api::new(client.clone(), 1, patience).counted(tally),
            options,
            client,
            server,
            clock,
            fence,
            rng,
            standing,
            logged: None,
        }
    }

    /// Takes part in the election until `release` becomes true or its sender is gone. Then it
    /// releases the Lease, if it is the leader.
    pub async fn run(mut self, mut release: watch::Receiver<bool>) {
        let rng = StdRng::from_rng(&mut self.rng);
        let (mut watching, _watch) = watching::watch(
            self.client.clone(),
            self.server.clone(),
            &self.options,
            rng,
            release.clone(),
        );
        loop {
            self.update_standing();
            let next = self.election.next(Instant::now());
            let released = release.wait_for(|release| *release);
            if let Next::WaitUntil(at) = next {
                tokio::select! {
                    biased;
                    _ = released => break,
                    noticed = watching.recv() => match noticed {
                        Some(noticed) => self.notice(noticed),
                        // The watch ends only with the candidate.
                        None => break,
                    },
                    () = sleep_until(at) => {}
                }
            } else {
                tokio::select! {
                    biased;
                    _ = released => break,
                    () = self.act(next) => {}
                }
            }
        }
        self.release().await;
    }

    /// Opens or closes the fence, and reports the state of the election.
    fn update_standing(&mut self) {
        let now = Instant::now();
        let until = self.election.leads_until(now);
        match until {
            Some(until) => self.fence.open_until(until),
            None => {
                self.fence.close();
                self.election.resigned();
            }
        }
        let holder = self.election.holder().map(str::to_owned);
        let before = self.standing.borrow().clone();
        let leading_since = until.map(|_| before.leading_since.unwrap_or(now));
        let standing = Standing {
            leading_since,
            holder,
            seized: self.election.seized(),
        };
        if standing == before {
            return;
        }
        match (before.leading_since, leading_since) {
            (None, Some(_)) => tracing::info!(lease = self.lease(), "became leader"),
            (Some(_), None) => tracing::warn!(
                lease = self.lease(),
                holder = standing.holder.as_deref(),
                "stopped leading: the lease was not renewed in time, or another replica holds it"
            ),
            (None, None) if standing.holder.is_some() && standing.holder != before.holder => {
                tracing::info!(
                    lease = self.lease(),
                    holder = standing.holder.as_deref(),
                    "standing by: another replica leads"
                );
            }
            _ => {}
        }
        self.standing.send_replace(standing);
    }

    fn lease(&self) -> String {
        format!("{}/{}", self.options.namespace, self.options.name)
    }

    fn notice(&mut self, noticed: Noticed) {
        let now = Instant::now();
        match noticed {
            Noticed::Lease(json) => match Lease::read(json.get()) {
                Ok(lease) => self.election.noticed(lease, now),
                // The candidate's own reads will report it.
                Err(why) => tracing::debug!(
                    lease = self.lease(),
                    why,
                    "the watched lease cannot be read"
                ),
            },
            Noticed::Gone(version) => self.election.noticed_gone(version, now),
        }
    }

    /// Sends one request. That of a leader never outlasts its leadership.
    async fn act(&mut self, next: Next) {
        let begun = Instant::now();
        let patience = begun + self.options.timing.renew_deadline;
        let deadline = self.election.leads_until(begun).unwrap_or(patience);
        let now = (self.clock)();
        let LeaseOptions {
            namespace,
            name,
            identity,
            timing,
        } = &self.options;
        let path = self.options.path();
        let duration = timing.lease_duration;
        let (verb, result) = match (next, self.election.lease()) {
            (Next::Create, _) => {
                let lease = Lease::first(namespace, name, identity, duration, now);
                (
                    "create",
                    timeout_at(
                        deadline,
                        self.api.post(&self.options.leases(), text(&lease)),
                    )
                    .await,
                )
            }
            (Next::Write, Some(lease)) => {
                let lease = lease.held(identity, duration, now);
                (
                    "update",
                    timeout_at(deadline, self.api.put(&path, text(&lease))).await,
                )
            }
            _ => ("get", timeout_at(deadline, self.api.get(&path)).await),
        };
        let result = result.unwrap_or(Err(ApiError::Timeout));
        let result = result.and_then(|body| read(&body));
        let now = Instant::now();
        match result {
            Ok(lease) if verb == "get" => self.election.read(lease, now),
            Ok(lease) => {
                self.logged = None;
                self.election.won(begun, lease, now);
            }
            Err(error) if verb == "get" && error.is_not_found() => self.election.absent(now),
            // Another client created, changed or deleted it first.
            Err(error) if error.code() == Some(409) || verb == "update" && error.is_not_found() => {
                self.election.lost_a_race();
            }
            Err(error) => {
                // With jitter, so that candidates do not retry in step.
                let pause = timing.retry_period.mul_f64(self.rng.random_range(1.0..1.2));
                self.election.failed(now, pause);
                self.log_failure(verb, &error);
            }
        }
    }

    fn log_failure(&mut self, verb: &str, error: &ApiError) {
        let text = format!("cannot {verb} lease {}: {error}", self.lease());
        if self.logged.as_ref() != Some(&text) {
            let seconds = self.options.timing.retry_period.as_secs_f64();
            tracing::warn!("{text}; retrying every {seconds} s");
            self.logged = Some(text);
        }
    }

    /// Releases the Lease, so that a standby need not wait until it expires.
    async fn release(&mut self) {
        let now = Instant::now();
        let leads = self.election.leads_until(now).is_some();
        // First of all, because another replica may acquire the Lease at once.
        self.fence.close();
        self.election.resigned();
        self.standing
            .send_modify(|standing| standing.leading_since = None);
        if !leads {
            return;
        }
        let path = self.options.path();
        let write = async {
            // An attempt that was aborted may have changed the version.
            let lease = read(&self.api.get(&path).await?)?;
            if lease.holder != self.options.identity {
                return Ok(());
            }
            let released = text(&lease.released((self.clock)()));
            self.api.put(&path, released).await.map(drop)
        };
        match timeout_at(now + RELEASE_PATIENCE, write)
            .await
            .unwrap_or(Err(ApiError::Timeout))
        {
            Ok(()) => tracing::info!(lease = self.lease(), "released the lease"),
            Err(error) => tracing::warn!(
                "cannot release lease {}: {error}; another replica acquires it when it expires",
                self.lease()
            ),
        }
    }
}

/// The Lease in an answer.
fn read(body: &[u8]) -> Result<Lease, ApiError> {
    let lease = Lease::read(&String::from_utf8_lossy(body));
    lease.map_err(|why| ApiError::Transport(format!("the answer is no lease: {why}")))
}

fn text(lease: &Value) -> String {
    lease.to_string()
}

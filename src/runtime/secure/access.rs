//! Who may ask the endpoints for what: the API server says whose token a request has, and whether
//! they may `get` its path.
//!
//! Its answers count for ten seconds, as in Kubernetes' components. No answer is never a yes. A
//! token of which the API server knew whose it is, in the last hour, has reviews of its own in
//! flight: however many ask with made-up tokens, Prometheus need not wait behind them. Nothing here
//! needs the lead: a standby serves its metrics too.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::HeaderMap;
use kube::Client;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, sleep_until},
};

use crate::apply::client::{Api, Tally};

use super::{
    always_allowed::AlwaysAllowed,
    bearer,
    flights::Flights,
    refusal::Refusal,
    remembered::{Digest, Hasher, Remembered},
    reviews::{self, Judgement, ReviewError, User},
};

/// How long an answer of the API server counts.
pub const COUNTS_FOR: Duration = Duration::from_secs(10);

/// How long a token is familiar after its last review. Whether it is still good is asked all the
/// same.
const FAMILIAR_FOR: Duration = Duration::from_secs(3600);

/// The most answers of each sort that are kept.
const KEPT: usize = 256;

/// The most reviews in flight for familiar tokens, and as many for others.
const IN_FLIGHT: usize = 4;

/// How long a review may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a token that is nobody's keeps its turn. So made-up tokens make 40 requests a second to
/// the API server at most.
const PENALTY: Duration = Duration::from_millis(100);

type Identity = Result<Option<Arc<User>>, ReviewError>;
type Permission = Result<Judgement, ReviewError>;

/// Decides who may ask.
pub struct Access(Arc<Inner>);

struct Inner {
    always: Vec<AlwaysAllowed>,
    api: Api,
    unfamiliar: Semaphore,
    hasher: Hasher,
    known: Mutex<Known>,
    identities: Flights<Identity>,
    permissions: Flights<Permission>,
    /// The last failure of a review, so that it is logged once.
    failed: Mutex<Option<String>>,
}

/// What the API server said. Good and bad answers are apart: bad ones, of which anybody can cause
/// as many as they like, push out no good ones.
struct Known {
    users: Remembered<Arc<User>>,
    nobody: Remembered<()>,
    familiar: Remembered<()>,
    allowed: Remembered<()>,
    denied: Remembered<String>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// Asks through this client, which must not be behind the fence of the election; `tally` counts
    /// it.
    pub fn new(client: Client, always: Vec<AlwaysAllowed>, tally: Arc<dyn Tally>) -> Access {
        Access(Arc::new(Inner {
            always,
            api: Api::new(client, 2 * IN_FLIGHT, PATIENCE).counted(tally),
            unfamiliar: Semaphore::new(IN_FLIGHT),
            hasher: Hasher::default(),
            known: Mutex::new(Known {
                users: Remembered::new(COUNTS_FOR, KEPT),
                nobody: Remembered::new(COUNTS_FOR, KEPT),
                familiar: Remembered::new(FAMILIAR_FOR, KEPT),
                allowed: Remembered::new(COUNTS_FOR, KEPT),
                denied: Remembered::new(COUNTS_FOR, KEPT),
            }),
            identities: Flights::default(),
            permissions: Flights::default(),
            failed: Mutex::default(),
        }))
    }

    /// Whether a request with these headers may have an answer. Says so by `deadline`.
    pub async fn check(
        &self,
        headers: &HeaderMap,
        verb: &str,
        path: &str,
        deadline: Instant,
    ) -> Result<(), Refusal> {
        if self.0.always.iter().any(|always| always.covers(path)) {
            return Ok(());
        }
        let token = bearer::token(headers).ok_or(Refusal::Unauthorized)?;
        let ask = async {
            let Some(user) = Inner::who(&self.0, token).await? else {
                return Ok(Err(Refusal::Unauthorized));
            };
            Ok(match Inner::may(&self.0, &user, verb, path).await? {
                Judgement::Allowed => Ok(()),
                Judgement::Denied(reason) => Err(Refusal::Forbidden {
                    user: user.username.clone(),
                    verb: verb.to_owned(),
                    path: path.to_owned(),
                    reason,
                }),
            })
        };
        let answer = tokio::select! {
            // Who is late asks nothing any more, although it may be their turn just now.
            biased;
            () = sleep_until(deadline) => Err(ReviewError::Late),
            answer = ask => answer,
        };
        match answer {
            Ok(judged) => judged,
            Err(why) => {
                self.0.log(&why);
                Err(Refusal::Unknown {
                    refused: why.is_refused(),
                })
            }
        }
    }
}

impl Inner {
    async fn who(self: &Arc<Self>, token: &str) -> Identity {
        let digest = self.hasher.digest(&[token.as_bytes()]);
        let now = Instant::now();
        let familiar = {
            let known = self.known();
            if let Some(user) = known.users.get(&digest, now) {
                return Ok(Some(user.clone()));
            }
            if known.nobody.get(&digest, now).is_some() {
                return Ok(None);
            }
            known.familiar.get(&digest, now).is_some()
        };
        let (inner, token) = (self.clone(), token.to_owned());
        let flight = self.identities.join(digest, || {
            Box::pin(async move { inner.review_token(digest, &token, familiar).await })
        });
        flight.await
    }

    async fn review_token(&self, digest: Digest, token: &str, familiar: bool) -> Identity {
        let _turn = match familiar {
            true => None,
            // It is never closed.
            false => self.unfamiliar.acquire().await.ok(),
        };
        let user = reviews::who(&self.api, token).await?.map(Arc::new);
        self.answered();
        let now = Instant::now();
        match &user {
            Some(user) => {
                let mut known = self.known();
                known.users.learn(digest, user.clone(), now);
                known.familiar.learn(digest, (), now);
            }
            None => {
                self.known().nobody.learn(digest, (), now);
                sleep(PENALTY).await;
            }
        }
        Ok(user)
    }

    async fn may(self: &Arc<Self>, user: &Arc<User>, verb: &str, path: &str) -> Permission {
        // A user that could not be written would be asked for each time.
        let whose = serde_json::to_vec(&**user).unwrap_or_default();
        let digest = self
            .hasher
            .digest(&[&whose, verb.as_bytes(), path.as_bytes()]);
        let now = Instant::now();
        {
            let known = self.known();
            if known.allowed.get(&digest, now).is_some() {
                return Ok(Judgement::Allowed);
            }
            if let Some(reason) = known.denied.get(&digest, now) {
                return Ok(Judgement::Denied(reason.clone()));
            }
        }
        let (inner, user) = (self.clone(), user.clone());
        let (verb, path) = (verb.to_owned(), path.to_owned());
        let flight = self.permissions.join(digest, || {
            Box::pin(async move {
                let judged = reviews::may(&inner.api, &user, &verb, &path).await?;
                inner.answered();
                let now = Instant::now();
                let mut known = inner.known();
                match &judged {
                    Judgement::Allowed => known.allowed.learn(digest, (), now),
                    Judgement::Denied(why) => known.denied.learn(digest, why.clone(), now),
                }
                Ok(judged)
            })
        });
        flight.await
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reviews are answered, so the next failure is worth a line again.
    fn answered(&self) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn log(&self, why: &ReviewError) {
        // A flood that leaves no time is no failure of the API server, and would fill the log.
        if *why == ReviewError::Late {
            return tracing::debug!("a request to the endpoints was refused: {why}");
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let what = why.to_string();
        if failed.as_ref() == Some(&what) {
            return;
        }
        let advice = match why.is_refused() {
            true => "; the controller needs create on tokenreviews and subjectaccessreviews",
            false => "",
        };
        tracing::warn!("nobody can be let in to the endpoints, because {what}{advice}");
        *failed = Some(what);
    }
}

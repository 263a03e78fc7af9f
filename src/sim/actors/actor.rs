//! The common shape of the controllers around the DaemonSet controller: decide, act, look again.
//!
//! An [`Actor`] decides on a list of [`Task`]s, from the objects that it follows and the time; it
//! does no IO. [`start`] keeps it informed by watches and carries out its tasks until the handle is
//! dropped. Dropping the handle switches the actor off as if its process died: what it remembered
//! is lost. [`step`] reads the objects and carries out only the first task, for tests that choose
//! the order of events.
//!
//! Tasks begin in the order of the list. The next decision waits until the watches show the result
//! of the last one, for a second at most. So no actor acts twice on the same state, and no failed
//! request is repeated at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::objects::Object;
use super::task::{Absent, Outcome, Task};
use super::world::World;
use crate::sim::Clock;
use crate::sim::api::Resource;
use crate::sim::follow::{Event, Target, follow};

/// A controller: the objects that it follows, and the tasks that it decides on.
pub trait Actor: Send + 'static {
    /// Its name, for logs.
    fn name(&self) -> &'static str;

    /// The resources that it follows by watches.
    fn follows(&self) -> Vec<&'static Resource>;

    /// The resources, with a namespace each, that must be read from the API server before a
    /// decision.
    fn reads(&self, _known: &World) -> Vec<(&'static Resource, String)> {
        Vec::new()
    }

    /// The least time between two decisions, so that changes at one moment lead to one decision.
    fn pace(&self) -> Duration {
        Duration::from_millis(10)
    }

    /// The tasks to carry out now, most urgent first. `self` is what the actor remembers; the same
    /// memory, objects and time lead to the same decision.
    fn decide(&mut self, known: &World, now: Timestamp) -> Decision;
}

/// The outcome of [`Actor::decide`].
#[derive(Debug, Default)]
pub struct Decision {
    /// The tasks, in the order in which they begin.
    pub tasks: Vec<Task>,
    /// When to decide again although nothing changes.
    pub again: Option<Timestamp>,
}

impl Decision {
    /// Decides again at `time` at the latest.
    pub fn look_again(&mut self, time: Timestamp) {
        self.again = Some(self.again.map_or(time, |other| other.min(time)));
    }
}

/// The options of an actor.
#[derive(Clone)]
pub struct ActorOptions {
    /// The most requests under way at once.
    pub in_flight: usize,
    /// The clock for decisions and timestamps.
    pub clock: Clock,
}

/// A running actor. Dropping it stops the actor, even in the middle of a task.
pub struct Running {
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The pause after a task that failed, and the longest wait for the watch to show a write.
const RETRY: Duration = Duration::from_secs(1);
/// How long a task that was carried out is not repeated while its object does not change.
const REST: Duration = Duration::from_secs(5);
/// A request without an answer for so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts an actor as a task on this runtime.
pub fn start<A: Actor>(client: kube::Client, actor: A, options: ActorOptions) -> Running {
    let driver = Driver {
        client,
        actor,
        options,
        known: World::default(),
        resting: BTreeMap::new(),
        gone: BTreeSet::new(),
    };
    Running {
        task: tokio::spawn(driver.run()),
    }
}

/// Reads the objects that the actor follows, and carries out the first task that it decides on.
/// Returns what that was, in words; `None` if there is nothing to do. `actor` holds what the actor
/// remembers, so callers keep it between steps.
pub async fn step<A: Actor>(
    client: &kube::Client,
    actor: &mut A,
    clock: &Clock,
) -> kube::Result<Option<String>> {
    let mut known = World::default();
    for resource in actor.follows() {
        known.read(client, resource, "").await?;
    }
    for (resource, namespace) in actor.reads(&known) {
        known.read(client, resource, &namespace).await?;
    }
    'tasks: for task in actor.decide(&known, clock()).tasks {
        for absent in &task.absent {
            if !absent.holds(client).await? {
                continue 'tasks;
            }
        }
        if task.carry_out(client).await? == Outcome::Done {
            return Ok(Some(task.what));
        }
    }
    Ok(None)
}

/// The object that a task is about: collection, namespace, name.
type Subject = (&'static str, String, String);

fn subject(task: &Task) -> Subject {
    (
        task.resource.plural,
        task.namespace.clone(),
        task.name.clone(),
    )
}

/// An object that is left alone for a while, and until when.
struct Rest {
    resource: &'static Resource,
    version: String,
    until: Instant,
    /// Until when to wait for the watch to show the write.
    echo: Option<Instant>,
}

struct Driver<A> {
    client: kube::Client,
    actor: A,
    options: ActorOptions,
    known: World,
    resting: BTreeMap<Subject, Rest>,
    /// UIDs that were found to be gone. A UID is never used again.
    gone: BTreeSet<Absent>,
}

type News = BoxStream<'static, (&'static Resource, Event<Object>)>;

impl<A: Actor> Driver<A> {
    async fn run(mut self) {
        let follows = self.actor.follows();
        let mut missing: Vec<&'static Resource> = follows.clone();
        let streams: Vec<News> = follows
            .into_iter()
            .map(|resource| {
                let target = Target {
                    path: resource.path(""),
                    ..Target::default()
                };
                follow::<Object>(self.client.clone(), target)
                    .map(move |event| (resource, event))
                    .boxed()
            })
            .collect();
        let mut news = stream::select_all(streams);
        let mut next: Option<Instant> = None;
        let mut last = Instant::now();
        loop {
            let ready = next.filter(|_| missing.is_empty());
            tokio::select! {
                biased;
                Some((resource, event)) = news.next() => {
                    if matches!(event, Event::Listed(_)) {
                        missing.retain(|r| *r != resource);
                    }
                    self.known.learn(resource, event);
                    let soon = Instant::now().max(last + self.actor.pace());
                    next = Some(next.map_or(soon, |at| at.min(soon)));
                }
                () = tokio::time::sleep_until(ready.unwrap_or_else(Instant::now)), if ready.is_some() => {
                    next = self.turn(&mut news).await;
                    last = Instant::now();
                }
            }
        }
    }

    /// Decides and acts. Returns when to do so again if nothing changes.
    async fn turn(&mut self, news: &mut stream::SelectAll<News>) -> Option<Instant> {
        let now = Instant::now();
        let known = &self.known;
        self.resting.retain(|subject, rest| {
            let seen = known.get(rest.resource, &subject.1, &subject.2);
            rest.until > now && seen.is_some_and(|o| o.metadata.resource_version == rest.version)
        });
        let mut echoes = self.resting.values().filter_map(|rest| rest.echo);
        if echoes.any(|until| until > now) {
            return Some(now + self.actor.pace());
        }
        for (resource, namespace) in self.actor.reads(&self.known) {
            let read = self.known.read(&self.client, resource, &namespace);
            if let Err(error) = within(read).await {
                tracing::debug!(actor = self.actor.name(), %error, "cannot read, trying again");
                return Some(Instant::now() + RETRY);
            }
        }
        let time = (self.options.clock)();
        let decision = self.actor.decide(&self.known, time);
        let tasks: Vec<Task> = decision
            .tasks
            .into_iter()
            .filter(|task| !self.resting.contains_key(&subject(task)))
            .collect();
        if !tasks.is_empty() {
            self.act(tasks, news).await;
            return Some(Instant::now() + self.actor.pace());
        }
        let again = decision.again.map(|at| {
            let wait = at.duration_since(time).max(jiff::SignedDuration::ZERO);
            Instant::now() + wait.unsigned_abs().max(self.actor.pace())
        });
        let rested = self.resting.values().map(|rest| rest.until).min();
        [again, rested].into_iter().flatten().min()
    }

    /// Carries out tasks, and takes in watch events meanwhile.
    async fn act(&mut self, tasks: Vec<Task>, news: &mut stream::SelectAll<News>) {
        let gone = self.confirm(&tasks).await;
        let (sure, unsure): (Vec<Task>, Vec<Task>) = tasks
            .into_iter()
            .partition(|task| task.absent.iter().all(|absent| gone.contains(absent)));
        for task in unsure {
            self.rest(&task, Outcome::Moot);
        }
        let client = self.client.clone();
        let work = stream::iter(sure)
            .map(|task| async {
                let done = within(task.carry_out(&client)).await;
                (task, done)
            })
            .buffer_unordered(self.options.in_flight);
        let mut work = Box::pin(work);
        loop {
            tokio::select! {
                biased;
                done = work.next() => match done {
                    None => return,
                    Some((task, Ok(outcome))) => self.rest(&task, outcome),
                    Some((task, Err(error))) => {
                        let actor = self.actor.name();
                        tracing::debug!(actor, task.what, %error, "failed, trying again");
                        self.rest(&task, Outcome::Moot);
                    }
                },
                Some((resource, event)) = news.next() => self.known.learn(resource, event),
            }
        }
    }

    /// The objects that must be gone for these tasks, and are gone. Each is read once.
    async fn confirm(&mut self, tasks: &[Task]) -> BTreeSet<Absent> {
        let wanted = tasks.iter().flat_map(|task| &task.absent);
        let unknown: BTreeSet<Absent> = wanted
            .filter(|absent| !self.gone.contains(absent))
            .cloned()
            .collect();
        let client = &self.client;
        let found: BTreeSet<Absent> = stream::iter(unknown)
            .map(|absent| async move {
                let holds = within(absent.holds(client)).await;
                holds.unwrap_or(false).then_some(absent)
            })
            .buffer_unordered(self.options.in_flight)
            .filter_map(std::future::ready)
            .collect()
            .await;
        // A name may be used again; a UID never is.
        let forever = found.iter().filter(|absent| !absent.uid.is_empty());
        self.gone.extend(forever.cloned());
        self.gone.union(&found).cloned().collect()
    }

    /// Leaves a task's object alone for a while.
    fn rest(&mut self, task: &Task, outcome: Outcome) {
        let done = outcome == Outcome::Done;
        if done {
            tracing::debug!(actor = self.actor.name(), "{}", task.what);
        }
        let now = Instant::now();
        let followed = self.actor.follows().contains(&task.resource);
        let rest = Rest {
            resource: task.resource,
            version: task.version.clone(),
            until: now + if done { REST } else { RETRY },
            echo: (done && followed).then_some(now + RETRY),
        };
        self.resting.insert(subject(task), rest);
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer")]
    Silence,
    #[error(transparent)]
    Refused(#[from] kube::Error),
}

async fn within<T, E: Into<Failure>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(Failure::Silence),
    }
}

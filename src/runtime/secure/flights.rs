//! Questions that are under way, so that whoever asks the same meanwhile gets the same answer.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};

use super::remembered::Digest;

type Flight<T> = BoxFuture<'static, T>;

/// Questions by their digests. One that nobody waits for any more is dropped.
pub struct Flights<T: Clone>(Mutex<BTreeMap<Digest, WeakShared<Flight<T>>>>);

impl<T: Clone> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Flights<T> {
    /// The answer to the question of this digest, which `ask` asks where nobody does.
    pub fn join(&self, digest: Digest, ask: impl FnOnce() -> Flight<T>) -> Shared<Flight<T>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is done is no longer under way, although somebody may still hold its answer.
        flights.retain(|_, flight| flight.upgrade().is_some_and(|f| f.peek().is_none()));
        if let Some(flight) = flights.get(&digest).and_then(WeakShared::upgrade) {
            return flight;
        }
        let flight = ask().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(digest, weak);
        }
        flight
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio::time::{sleep, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ask(flights: &Flights<usize>, asked: &Arc<AtomicUsize>) -> Shared<Flight<usize>> {
        let asked = asked.clone();
        flights.join(Digest::default(), move || {
            Box::pin(async move {
                let number = asked.fetch_add(1, Ordering::Relaxed);
                sleep(SECOND).await;
                number
            })
        })
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_the_same_meanwhile_gets_the_same_answer_and_later_another() {
        let (flights, asked) = (Flights::default(), Arc::default());
        let all = (0..50).map(|_| ask(&flights, &asked));
        let answers = futures::future::join_all(all).await;
        assert!(answers.iter().all(|answer| *answer == 0));
        let held = ask(&flights, &asked);
        assert_eq!(held.clone().await, 1);
        assert_eq!(
            ask(&flights, &asked).await,
            2,
            "although one still holds the last one"
        );
        drop(held);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_takes_nobody_else_along() {
        let (flights, asked) = (Flights::default(), Arc::default());
        let hasty = timeout(SECOND / 2, ask(&flights, &asked));
        let (hasty, patient) = tokio::join!(hasty, ask(&flights, &asked));
        assert!(hasty.is_err());
        assert_eq!(patient, 0);
        // Where all give up, the next one begins anew.
        assert!(timeout(SECOND / 2, ask(&flights, &asked)).await.is_err());
        assert_eq!(ask(&flights, &asked).await, 2);
    }
}

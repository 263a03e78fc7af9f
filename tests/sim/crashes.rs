//! A controller dies at any request, and another begins with nothing but the state in the API.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::world::*;

/// When and how it dies.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// Before the request is carried out.
    Before,
    /// After it is carried out, before the answer is read.
    After,
    /// Before, and the request is on its way for so many milliseconds more.
    Stuck(u64),
}

/// How many requests of a rollout on three nodes are tried: its last one is the status.
const REQUESTS: usize = 24;

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_of_a_rollout_makes_nothing_twice() {
    let mut reached = 0;
    for death in [
        Death::Before,
        Death::After,
        Death::Stuck(500),
        Death::Stuck(9_000),
    ] {
        'requests: for nth in 0..REQUESTS {
            let server = world(3);
            if let Death::Stuck(time) = death {
                let count = AtomicUsize::new(0);
                let is_nth = move |c: &Entry| {
                    let wanted = &*c.client == "a" && !c.is_upkeep();
                    wanted && count.fetch_add(1, Ordering::Relaxed) == nth
                };
                server.rule(1, is_nth, Act::Strand(Duration::from_millis(time)));
            } else if let Death::After = death {
                server.rule(
                    usize::MAX,
                    |c| &*c.client == "a",
                    Act::Late(Duration::from_millis(1)),
                );
            }
            let running = start(&server, "a");
            let mut seen = 0;
            for _ in 0..=nth {
                let horizon = Duration::from_secs(5);
                let next = server.next_request(seen, horizon, |c| !c.is_upkeep()).await;
                let Some(next) = next else { break 'requests };
                seen = next.number + 1;
                reached = reached.max(nth);
            }
            if let Death::After = death {
                millis(1).await; // done, and the answer is under way
            }
            running.kill();
            server.clear_rules();
            let again = start(&server, "a");
            seconds(20).await;
            server.assert_covered(3);
            server.at_rest().await;
            assert!(again.is_running());
            assert_eq!(server.pods_ever(), 3, "{death:?} at request {nth}");
            assert_eq!(server.all("controllerrevisions").len(), 1);
            assert!(server.deletes().is_empty());
        }
    }
    assert!(reached >= 12, "only {reached} requests were tried");
}

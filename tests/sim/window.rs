//! Decision "Brakes on creates and deletes": the window of calls closes on errors and opens again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::*;

const SLOW: Act = Act::Delay(Duration::from_millis(99));

/// How many creates began at each moment.
fn rounds(posts: &[Entry]) -> Vec<usize> {
    let mut at_once: BTreeMap<Duration, usize> = BTreeMap::new();
    for post in posts {
        *at_once.entry(post.at).or_default() += 1;
    }
    at_once.into_values().collect()
}

#[tokio::test(start_paused = true)]
async fn the_window_closes_on_every_kind_of_error_and_opens_again() {
    for (code, reason) in [
        (403, "Forbidden"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (504, "Timeout"),
    ] {
        let server = world(100);
        let post = |c: &Entry| c.is("POST", "/pods");
        server.rule(usize::MAX, post, SLOW);
        let _running = start(&server, "a");
        let first = server.next_request(0, Duration::from_secs(5), post).await;
        first.expect("a create");
        millis(350).await;
        assert_eq!(rounds(&server.posts()), [1, 2, 4, 8], "{code}");

        let refused = Act::Refuse(ApiStatus::new(code, reason, "no"));
        server.rule(usize::MAX, post, refused);
        let (closed, so_far) = (server.elapsed(), server.posts().len());
        seconds(10).await;
        let later = server.posts().split_off(so_far);
        // The first of the open window are many, then it is one at a time.
        let late = later
            .iter()
            .filter(|p| p.at > closed + Duration::from_millis(200));
        let late: Vec<Entry> = late.cloned().collect();
        assert!(
            (2..20).contains(&late.len()),
            "{code}: {} calls",
            late.len()
        );
        for pair in late.windows(2) {
            assert!(
                pair[0].ended.is_some_and(|ended| ended <= pair[1].at),
                "{code}"
            );
        }
        assert!(late.iter().all(|p| p.code == code));

        server.clear_rules();
        server.rule(usize::MAX, post, SLOW);
        let so_far = server.posts().len();
        seconds(30).await;
        let open = server.posts().split_off(so_far);
        assert_eq!(rounds(&open)[..6], [1, 2, 4, 8, 16, 32], "{code}");
        server.assert_covered(100);
        server.at_rest().await;
        assert_eq!(server.pods_ever(), 100, "{code}");
    }
}

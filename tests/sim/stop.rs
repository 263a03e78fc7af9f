//! A controller that is asked to stop begins no request and lets open ones finish.

use std::time::Duration;

use super::world::*;

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_middle_of_many_creates() {
    let server = world(250);
    let slow = Act::Delay(Duration::from_secs(2));
    server.rule(usize::MAX, |c| c.is("POST", "/pods"), slow);
    let running = start(&server, "a");
    seconds(13).await;
    let (asked, before) = (server.elapsed(), server.posts());
    assert!((20..200).contains(&before.len()), "{}", before.len());
    assert!(before.iter().any(|p| p.ended.is_none()));
    let took = running.stop().await;
    assert!(took < Duration::from_secs(4), "{took:?}");
    let posts = server.posts();
    assert!(posts.iter().all(|p| p.at <= asked));
    assert!(posts.iter().all(|p| p.code == 201));
    let calls = server.requests(|_| true).len();
    seconds(600).await;
    assert_eq!(server.requests(|_| true).len(), calls);
    // The next controller goes on from there.
    server.clear_rules();
    let _next = start(&server, "b");
    seconds(30).await;
    server.assert_covered(250);
    assert!(server.posts().iter().all(|p| p.code == 201));
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_ends_does_not_hold_up_a_stop() {
    let server = world(50);
    server.rule(usize::MAX, |c| c.is("POST", "/pods"), Act::Hang);
    let running = start(&server, "a");
    seconds(5).await;
    let took = running.stop().await;
    assert!(took <= Duration::from_secs(12), "{took:?}");
    assert_eq!(server.posts().len(), 1);
    server.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_controller_stops_at_once() {
    let server = world(2);
    let running = start(&server, "a");
    seconds(60).await;
    assert!(running.stop().await < Duration::from_secs(1));
    server.finish().await;
}

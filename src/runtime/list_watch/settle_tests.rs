//! What a list lacked is settled in steps, and a watch is opened after the last one.

use std::{collections::VecDeque, time::Duration};

use rand::SeedableRng;

use super::{
    tests::{Answer, Log, Script},
    *,
};
use crate::wire::Encoded;

/// Settles in so many steps.
struct Steps {
    left: u32,
    log: Log,
}

impl Sink for Steps {
    fn list_began(&mut self) {}
    fn listed(&mut self, _: Encoded<'_>) {}
    fn list_completed(&mut self, _: &str) {
        self.log.write("completed");
    }
    fn settle(&mut self) -> bool {
        self.left -= 1;
        self.log.write("step");
        self.left == 0
    }
    fn list_failed(&mut self) {}
    fn changed(&mut self, _: Encoded<'_>) {}
    fn deleted(&mut self, _: Encoded<'_>) {}
    fn bookmark(&mut self, _: &str) {}
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_opened_when_all_is_settled_and_others_have_their_turn_between_the_steps() {
    let page = Answer::Page(r#"{"metadata":{"resourceVersion":"9"},"items":[]}"#);
    let log = Log::default();
    let script = Script::new(VecDeque::from([page]), log.clone());
    let sink = Steps {
        left: 3,
        log: log.clone(),
    };
    let mut it = ListWatch::new(script, "Pod", sink, StdRng::seed_from_u64(1));
    let start = Instant::now();
    let state = it.step(LoopState::Unlisted).await;
    assert_eq!(start.elapsed(), 2 * SETTLE_PAUSE);
    let open = timeout_at(Instant::now() + Duration::from_millis(1), it.step(state));
    assert!(open.await.is_err(), "the script has no watch");
    let expected = ["page -", "completed", "step", "step", "step", "watch 9"];
    assert_eq!(log.take(), expected);
}

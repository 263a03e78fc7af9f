//! A kubelet writes a terminal phase to a pod 0.2 to 1.5 s before it deletes it. The next pod is
//! created at that write, as the built-in controller does it: a node is without an agent for no
//! longer than it has to be.

use std::time::Duration;

use crate::agent::{agent, arguments};
use crate::cluster::NODES;
use crate::installation::Way;
use crate::place::Place;
use crate::record::{Record, Succession};

/// How many rolls each controller does.
const ROLLS: usize = 5;

async fn rolls(name: &str, way: Way) -> Vec<Succession> {
    let place = Place::new(name, way).await;
    place.cover(&agent(&[])).await;
    let record = Record::start(place.api.clone(), &place.namespace);
    for roll in 0..ROLLS {
        place
            .change(&arguments(&[&format!("-linger={}ms", 100 + roll)]))
            .await;
        place.until_all_available().await;
    }
    let mut seen = record.finish();
    place.leave().await;
    seen.sort_by_key(|succession| succession.gap);
    assert!(seen.len() >= ROLLS * NODES - ROLLS, "{name}: {seen:?}");
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_pod_is_created_before_the_last_one_is_deleted() {
    let built_in = rolls("gap-built-in", Way::BuiltIn).await;
    let ours = rolls("gap-ours", Way::Chart).await;
    for (who, seen) in [("built-in", &built_in), ("ours", &ours)] {
        let at = |share: usize| seen[(seen.len() - 1) * share / 100].gap;
        let before = seen.iter().filter(|one| one.before_delete).count();
        println!(
            "{who:8}: from terminal write to create: median {:?}, 90% {:?}, worst {:?}; {before} of {} before the delete",
            at(50),
            at(90),
            at(100),
            seen.len()
        );
    }
    // A busy machine may delay any single one.
    let early = |seen: &[Succession]| seen.iter().filter(|one| one.before_delete).count();
    let median = |seen: &[Succession]| -> Duration { seen[seen.len() / 2].gap };
    assert!(
        2 * early(&ours) >= early(&built_in),
        "most pods wait for the delete of the one before; median {:?}",
        median(&ours)
    );
}

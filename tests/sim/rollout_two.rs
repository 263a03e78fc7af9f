//! Two controllers at one rollout, without a leader: one of them late, halted by lag, or dead for a
//! while. They name the same pods and choose the same victims, so the budget holds for both
//! together, and no pod is replaced twice.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::rollout::*;
use super::world::*;

const NODES: usize = 6;

#[tokio::test(start_paused = true)]
async fn two_controllers_that_hear_alike_roll_as_one() {
    for (strategy, unavailable, doubled) in [(rolling(2, 0), 2, 0), (rolling(0, 2), 0, 2)] {
        let (server, _a) = covered(NODES, strategy).await;
        let _b = start(&server, "b");
        seconds(10).await;
        let before = (version(&server), server.pods_ever());
        change_to(&server, "2", "2s");
        seconds(60).await;
        assert_rolled(&server, NODES, "2");
        assert_eq!(
            worst(&server, before.0),
            Worst {
                unavailable,
                doubled
            }
        );
        assert_eq!(server.pods_ever(), before.1 + NODES);
        let at_work = |who| server.deletes().iter().any(|d| &*d.client == who);
        assert!(at_work("a") && at_work("b"));
        server.at_rest().await;
    }
}

/// One rollout after another, with two controllers, either of which lags by another time each
/// second or so.
async fn seed(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let budgets = [
        (rolling(2, 0), 2),
        (rolling(0, 2), 2),
        (rolling("34%", 0), 3),
    ];
    let (strategy, budget) = budgets[seed as usize % 3].clone();
    let (server, a) = covered(NODES, strategy).await;
    let mut running = vec![a, start(&server, "b")];
    seconds(5).await;
    let before = version(&server);
    for change in 2..5 {
        let ready = ["0s", "700ms", "3s"][dice.random_range(0..3)];
        change_to(&server, &change.to_string(), ready);
        for _ in 0..8 {
            let who = ["a", "b"][dice.random_range(0..2)];
            let lag = Duration::from_millis(dice.random_range(0..400));
            server.lag(
                who,
                if dice.random_bool(0.5) {
                    lag
                } else {
                    Duration::ZERO
                },
            );
            millis(dice.random_range(100..1_500)).await;
        }
        if dice.random_bool(0.5) {
            server.stop_faults();
            running.remove(1).kill();
            millis(dice.random_range(0..2_000)).await;
            running.push(start(&server, "b"));
            seconds(3).await;
        }
    }
    server.stop_faults();
    seconds(60).await;
    assert_rolled(&server, NODES, "4");
    let worst = worst(&server, before);
    println!(
        "seed {seed}: {worst:?}, {} requests",
        server.requests_so_far()
    );
    assert!(
        worst.unavailable + worst.doubled <= budget,
        "seed {seed}: {worst:?}"
    );
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn two_controllers_that_lag_by_turns_keep_the_promises_through_three_rolls() {
    for n in 0..4 {
        seed(n).await;
    }
}

/// `SIM_SEEDS=1000-2000 cargo test --test sim -- --ignored rollout_two::more_seeds`
#[tokio::test(start_paused = true)]
#[ignore = "as many seeds as one likes"]
async fn more_seeds() {
    for n in seeds("4-30") {
        seed(n).await;
    }
}

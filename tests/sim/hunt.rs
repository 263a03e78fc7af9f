//! All searches with one seed after another. `tests/mutants/run.sh` hunts mutants with it: the last
//! line that it prints before it fails names the search and the seed.

use super::world::*;

/// `SIM_SEEDS=0-40 cargo test --test sim -- --ignored --nocapture hunt::all_searches`
#[tokio::test(start_paused = true)]
#[ignore = "as many seeds as one likes"]
async fn all_searches() {
    for n in seeds("0-10") {
        println!("hunt seeds {n}");
        super::seeds::seed(n).await;
        println!("hunt rollout_random {n}");
        super::rollout_random::seed(n).await;
        println!("hunt faults {n}");
        super::faults::seed(n).await;
        println!("hunt hardship {n}");
        super::hardship::seed(n).await;
        // It takes as long as all others together.
        if n % 2 == 0 {
            println!("hunt control_random {}", n / 2);
            super::control_random::seed(n / 2, false).await;
        }
    }
}

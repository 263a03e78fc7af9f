//! The simulated API server as the player meets it: a fresh one for each sequence, in a time of its
//! own.

use std::time::Duration;

use daemonset_controller::sim::api::{ApiServer, ServerOptions};

use super::normal::Normal;
use super::play::{Answer, Pace, Player};
use super::step::Sequence;

/// Time is not real here.
const PACE: Pace = Pace {
    settle: Duration::ZERO,
    idle: Duration::from_secs(1),
};

/// The normalised answers of a fresh simulated server. Blocks, and is not for async code to call
/// directly.
pub fn simulated(sequence: &Sequence) -> Vec<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        let server = ApiServer::new(ServerOptions::default());
        let client = server.client("test");
        let mut player = Player::new(&client, PACE, "run");
        let answers = player.play(&sequence.steps).await;
        Normal::new(&sequence.steps, player.names()).run(&sequence.steps, &answers)
    })
}

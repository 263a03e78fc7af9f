//! `kubectl apply -k deploy/`, as README says.

use crate::agent::{agent, arguments};
use crate::cluster::NODES;
use crate::installation::Way;
use crate::place::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploy_runs_and_rolls() {
    let place = Place::new("manifests", Way::Deploy).await;
    let referee = place.referee().await;
    place.cover(&agent(&[])).await;
    place.change(&arguments(&["-linger=100ms"])).await;
    place.until_all_available().await;
    place.end(referee, NODES * 4).await;
}

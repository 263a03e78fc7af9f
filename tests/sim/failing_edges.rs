//! Failing nodes on a cluster that lives, where pods flap, die and come again.

use serde_json::json;

use super::on_failure::*;
use super::rollout::*;
use super::world::*;

#[tokio::test(start_paused = true)]
async fn explore_a() {
    for (what, after) in [
        ("fail-after", "5s"),
        ("fail-after", "0s"),
        ("crash-after", "5s"),
    ] {
        for strategy in [rolling(1, 0), rolling(0, 1)] {
            let (server, _running) = covered(8, strategy.clone()).await;
            set_key(&server, "on-failure", "pause");
            seconds(5).await;
            respec(
                &server,
                json!({"template": {"metadata": {"annotations": {
                    "v": "2", (format!("{}{what}", daemonset_controller::sim::kubelets::lifecycle::PREFIX)): after,
                }}}}),
            );
            let mut flips = 0;
            let mut last = None;
            for _ in 0..3600 {
                seconds(1).await;
                let now = condition(&server, "Progressing");
                flips += usize::from(now != last);
                last = now;
            }
            println!(
                "{what} {after} {strategy}: touched {:?} flips {flips} last {last:?}",
                touched(&server, "2")
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn explore_c() {
    let (server, _running) = covered(4, rolling(1, 0)).await;
    set_key(&server, "on-failure", "rollback");
    seconds(5).await;
    change_with(&server, "2", &[("pull-fails-after", "1s")]);
    seconds(300).await;
    println!(
        "{:?} {:?}",
        condition(&server, "Progressing"),
        condition(&server, "Stalled")
    );
    for node in ["n0", "n1", "n2", "n3"] {
        lose_readiness(&server, node).await;
        seconds(5).await;
        println!(
            "{:?} {:?}",
            condition(&server, "Progressing"),
            condition(&server, "Stalled")
        );
    }
}

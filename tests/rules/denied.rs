//! Creates that the API server denied are tried again, and held until one is accepted.

use daemonset_controller::plan::{HoldRule, Plan};

use crate::support::*;

fn cluster() -> Cluster {
    Cluster::new(
        daemon_set(),
        [node("a"), node("b"), node("c"), pod("p").on("c").ready(100)],
    )
}

/// The words, the nodes and since when of the plan's hold on denied creates.
fn denied(plan: &Plan) -> Option<(String, usize, i64)> {
    plan.holds.iter().find_map(|hold| match &hold.rule {
        HoldRule::CreatesDenied(words) => Some((
            words.to_string(),
            hold.nodes.as_ref().expect("it is on nodes").count,
            now()
                .since(hold.since.expect("since when"))
                .as_secs()
                .try_into()
                .unwrap(),
        )),
        _ => None,
    })
}

#[test]
fn denied_creates_are_tried_again_and_held_since_the_first_denial() {
    let mut cluster = cluster();
    assert_eq!(denied(&cluster.plan()), None);
    for (seconds, words) in [(60, "exceeded quota"), (20, "denied the request")] {
        let at = ago(seconds).parse().expect("a time");
        cluster
            .cache
            .creates_carried_out(&key(), Some(words.into()), at);
    }
    let plan = cluster.plan();
    let nodes: Vec<&str> = plan.creates.iter().map(|c| &*c.node).collect();
    assert_eq!(nodes, ["a", "b"], "they are tried again");
    assert_eq!(
        denied(&plan),
        Some(("denied the request".to_owned(), 2, 60))
    );
}

#[test]
fn an_accepted_create_ends_the_hold() {
    let mut cluster = cluster();
    let now = cluster.now;
    cluster
        .cache
        .creates_carried_out(&key(), Some("exceeded quota".into()), now);
    cluster.cache.creates_carried_out(&key(), None, now);
    assert_eq!(denied(&cluster.plan()), None);
}

#[test]
fn nothing_is_held_where_nothing_is_to_be_created() {
    let mut cluster = Cluster::new(daemon_set(), [node("a"), pod("p").on("a").ready(100)]);
    let now = cluster.now;
    cluster
        .cache
        .creates_carried_out(&key(), Some("exceeded quota".into()), now);
    assert_eq!(denied(&cluster.plan()), None);
}

//! The history after a rollout: a template that comes back has its revision back, under a higher
//! number, and revisions beyond `revisionHistoryLimit` are deleted unless a pod carries them.

use std::collections::BTreeMap;

use serde_json::json;

use super::rollout::*;
use super::world::*;

/// The version of the template of each revision, by its number.
fn history(server: &World) -> BTreeMap<i64, String> {
    let all = server.all("controllerrevisions").into_iter();
    let version = |r: serde_json::Value| {
        let annotations = &r["data"]["spec"]["template"]["metadata"]["annotations"];
        let version = annotations["v"].as_str().unwrap_or("").to_owned();
        (r["revision"].as_i64().unwrap_or(0), version)
    };
    all.map(version).collect()
}

#[tokio::test(start_paused = true)]
async fn going_back_takes_the_old_revision_again_and_raises_its_number() {
    for strategy in [rolling(3, 0), rolling(0, 3)] {
        let (server, _running) = covered(3, strategy).await;
        for (to, expected) in [
            ("2", &[(1, ""), (2, "2")][..]),
            ("3", &[(1, ""), (2, "2"), (3, "3")]),
            ("2", &[(1, ""), (3, "3"), (4, "2")]),
            ("3", &[(1, ""), (4, "2"), (5, "3")]),
        ] {
            change_to(&server, to, "1s");
            seconds(30).await;
            assert_rolled(&server, 3, to);
            let expected = expected.iter().map(|(n, v)| (*n, (*v).to_owned()));
            assert_eq!(history(&server), expected.collect(), "to {to}");
        }
        let posts = server.requests(|c| c.is("POST", "/controllerrevisions"));
        assert_eq!(codes(&posts), [201; 3], "one for each template");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_keeps_as_many_old_revisions_and_those_that_pods_carry() {
    for (limit, left) in [
        (0, &["6"][..]),
        // While pods carried the second, the next higher went in its place.
        (1, &["2", "6"]),
        (3, &["2", "4", "5", "6"]),
    ] {
        let (server, _running) = covered(3, rolling(1, 0)).await;
        respec(&server, json!({"revisionHistoryLimit": limit}));
        // A rollout that is stuck: pods of two revisions, whatever the limit.
        change_to(&server, "2", "1s");
        seconds(30).await;
        for version in ["3", "4", "5"] {
            change_to(&server, version, "never");
            seconds(30).await;
            assert_eq!(nodes_of(&server, "2").len(), 2);
            let of: Vec<String> = history(&server).into_values().collect();
            assert!(
                of.contains(&"2".to_owned()) && of.contains(&version.to_owned()),
                "{of:?}"
            );
            assert!(
                of.len() <= usize::max(limit, 1) + 1,
                "{of:?} with a limit of {limit}"
            );
        }
        change_to(&server, "6", "1s");
        seconds(60).await;
        assert_rolled(&server, 3, "6");
        let of: Vec<String> = history(&server).into_values().collect();
        assert_eq!(of, left, "with a limit of {limit}");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_none_makes_no_revision_and_replaces_nothing() {
    let (server, _running) = covered(3, rolling(3, 0)).await;
    let before = (history(&server), server.pods_ever());
    for spec in [
        json!({"revisionHistoryLimit": 4}),
        json!({"minReadySeconds": 1}),
        json!({"updateStrategy": rolling(0, 2)}),
        // Set by the API server.
        json!({"template": {"spec": {"terminationGracePeriodSeconds": 30, "dnsPolicy": null}}}),
    ] {
        respec(&server, spec);
        seconds(30).await;
    }
    assert_eq!((history(&server), server.pods_ever()), before);
    server.at_rest().await;
}

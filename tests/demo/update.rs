//! `demo --update` of a DaemonSet without keys of rollout control, and what is the same with them.

use super::{assert_has, daemon_set, flat, played, shown};

/// A DaemonSet with this update strategy, for the nodes that tolerate nothing.
pub fn with(strategy: &str) -> String {
    daemon_set("name: a", "").replace(
        "spec: {selector",
        &format!("spec: {{updateStrategy: {strategy}, selector"),
    )
}

const FOUR: &str = "{rollingUpdate: {maxUnavailable: 4}}";

/// Counts that lines have before these words, as in `3 of 4 unavailable`: used, and allowed.
fn used(told: &str, word: &str) -> Vec<(u32, u32)> {
    let words: Vec<&str> = told.split_whitespace().collect();
    let all = words
        .windows(4)
        .filter(|w| w[1] == "of" && w[3].trim_end_matches([',', '.']) == word);
    all.map(|w| {
        (
            w[0].parse().expect("a number"),
            w[2].parse().expect("a number"),
        )
    })
    .collect()
}

/// Asserts that the text has these, in this order.
pub fn in_order(told: &str, parts: &[&str]) {
    let told = flat(told);
    let mut from = 0;
    for part in parts {
        let found = told[from..].find(part);
        from +=
            found.unwrap_or_else(|| panic!("{part:?} is not in the rest of:\n{told}")) + part.len();
    }
}

#[test]
fn an_update_stops_at_pods_that_never_become_ready_and_goes_on_when_mended() {
    let told = shown(&["--update", "-f", "-"], &with(FOUR));
    in_order(
        &told,
        &[
            "another image in the template: a:new",
            "18 old pods, at most 4 of 18 nodes unavailable at a time",
            "now batch-1, batch-2, gpu-2, windows-1",
            "its turn has come",
            "a:bad, whose pods never",
            "and not available",
            "nothing more is replaced: 4 of 4 unavailable",
            "new and not ready: the pods on worker-",
            "old pods stay meanwhile; next would be worker-",
            "back to the template before",
            "raise controllerrevision a-",
            "18 new 18 ready 0 old, 0 of 4 unavailable",
            "New pods on 18 of 18 nodes, and no old ones",
        ],
    );
    assert_has(
        &told,
        &[
            "Nodes without an available pod: at most 4 at a time, of 4 allowed.",
            "the controller wrote nothing.",
            "none was broken: no node ever had two live pods.",
        ],
    );
    let used = used(&told, "unavailable");
    assert!(
        used.len() > 10 && used.iter().all(|(now, most)| now <= most && *most == 4),
        "{used:?}"
    );
    assert!(!told.contains("not settled"), "{told}");
    for line in told.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
}

#[test]
fn the_oldest_pods_are_replaced_first() {
    // Until the template changes again, whose update begins with pods that are not available.
    let told = shown(&["--update", "-f", "-"], &with(FOUR));
    let first = told.split("a:bad").next().expect("a text");
    let first = flat(first);
    let deletes = first.split("controller delete ").skip(1);
    let nodes: Vec<String> = deletes
        .flat_map(|text| {
            let names = text.split(" on ").nth(1).and_then(|t| t.split(':').next());
            names
                .expect("nodes")
                .split(", ")
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(nodes.len() >= 8, "{nodes:?}");
    // All are of one second, or of two: then by name.
    assert!(nodes.is_sorted(), "{nodes:?}");
}

#[test]
fn the_same_arguments_lead_to_the_same_update() {
    let args = ["--update", "--nodes=7", "--seed=3"];
    assert_eq!(shown(&args, ""), shown(&args, ""));
}

#[test]
fn any_size_can_be_updated() {
    for nodes in ["1", "2", "30"] {
        let told = shown(&["--update", "--nodes", nodes], "");
        assert_has(
            &told,
            &[
                "and no old ones",
                "the controller wrote nothing.",
                "none was broken",
            ],
        );
        assert!(!told.contains("not settled"), "{told}");
    }
}

#[test]
fn with_on_delete_nothing_is_replaced_until_somebody_deletes() {
    let told = shown(&["--update", "-f", "-"], &with("{type: OnDelete}"));
    in_order(
        &told,
        &[
            "OnDelete: ",
            "old pods stay until somebody deletes them",
            "by hand",
            "the node is",
            " 1 ready ",
            "New pods on 1 of ",
        ],
    );
    assert_eq!(told.matches("controller  delete").count(), 0, "{told}");
    assert!(!told.contains(":bad"), "{told}");
}

#[test]
fn a_surge_puts_new_pods_beside_old_ones() {
    let told = shown(
        &["--update", "-f", "-"],
        &with("{rollingUpdate: {maxSurge: 3, maxUnavailable: 0}}"),
    );
    in_order(
        &told,
        &[
            "nodes with a second pod",
            "surging: beside an old pod",
            "successor is available",
            "nothing more is replaced: 3 of 3 surging",
            "back to the template before",
            "and no old ones",
        ],
    );
    assert_has(
        &told,
        &[
            "Nodes without an available pod: at most 0 at a time; with a second one beside it: at most 3, of 3 allowed.",
            "no node ever had two live pods, but for one old and one new.",
        ],
    );
    let used = used(&told, "surging");
    assert!(
        used.len() > 10 && used.iter().all(|(now, _)| *now <= 3),
        "{used:?}"
    );
}

#[test]
fn a_terminal_shows_the_budget_below_the_bars() {
    let seen = played(80, &["--update"]).lines();
    let (_, bars) = seen.split_at(seen.len() - 3);
    assert!(
        bars[0].ends_with("16 new  16 ready   0 old of 16"),
        "{bars:?}"
    );
    assert_eq!(bars[1].trim_end(), "budget 0 of 5 unavailable");
    assert_eq!(bars[2].trim_end(), "stage  Complete");
}

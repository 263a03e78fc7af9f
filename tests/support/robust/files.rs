//! Files that people write: objects for `plan`, and the rules of `--rollout-defaults`.

use std::time::Duration;

use daemonset_controller::{
    cache::Cache,
    cli::{
        args::{Asked, Validation},
        documents, files,
        plan::{check, choice::Choice, input},
        rehearse::{html, report::Report},
        rollout_defaults, yaml,
    },
    model::{FeatureGates, Key, Settings},
    rehearse::{self, Cluster, Nodes, Scenario, disruption::Budgets},
    wire::place,
};

use super::objects::{decide, now};

/// The longest text that JSON of a document may have by its aliases.
const FROM_ALIASES: usize = 16 << 20;

/// Any text, as a file of objects.
pub fn file(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(documents) = documents::split(text) {
        for document in documents {
            let json = document.json.get();
            assert!(json.len() <= FROM_ALIASES.max(8 * text.len()) + 1024);
            assert!(place::depth(json) <= yaml::MAX_DEPTH + 1);
        }
    }
    let mut documents = match files::parse("f", text) {
        Ok(documents) => documents,
        Err(why) => {
            assert!(why.to_string().contains('f'), "{why}");
            return;
        }
    };
    let mut lines = files::Lines::default();
    for document in &documents {
        lines.of(document, "spec.template.spec.containers[0].image");
    }
    let checked = check::daemon_sets(&mut documents, None, Validation::Warn);
    if !checked.refusals.is_empty() {
        return;
    }
    let choice = Choice::new(Asked::Each, None, None);
    match input::load(documents, &choice, None, FeatureGates::default()) {
        Ok(mut loaded) => {
            loaded.cache.tick(now());
            for chosen in loaded.chosen {
                rehearse(loaded.cache.clone(), chosen.key);
            }
            decide(&mut loaded.cache);
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

/// A rehearsal of what anybody wrote ends.
fn rehearse(cache: Cache, key: Key) {
    let scenario = Scenario {
        fail: vec![Nodes::Percent(50)],
        join: 1,
        horizon: Duration::from_secs(5 * 60),
        ..Scenario::default()
    };
    let cluster = Cluster::new(cache, key.clone(), Settings::default(), now());
    let cluster = cluster.expect("the DaemonSet was chosen");
    let rehearsal = rehearse::rehearse(cluster, &Budgets::default(), &scenario);
    let report = Report::new(&key, &scenario, &rehearsal, &[], Vec::new());
    assert!(html::page(&report).contains(&rehearsal.ending.as_str().to_owned()));
}

/// Any bytes, as a file of defaults.
pub fn defaults(data: &[u8]) {
    match rollout_defaults::parse(data) {
        Ok(defaults) => drop(defaults),
        Err(why) => assert!(
            !why.is_empty() && why.len() < 2000,
            "{} bytes: {why}",
            why.len()
        ),
    }
}

//! Nothing in the sources breaks determinism, as far as their text shows it.

use std::collections::BTreeSet;

use super::tree::rust_files;

/// The rooms of which the same seed must make the same requests. `cli` is where the clock and the
/// dice come from.
const ROOMS: [&str; 9] = [
    "model", "wire", "stored", "plan", "cache", "rehearse", "apply", "runtime", "sim",
];

/// Names that the sources may not have, and the replacement of each.
const FORBIDDEN: [(&str, &str); 11] = [
    (
        "sync::watch",
        "Notify, which wakes those who wait in the order in which they came",
    ),
    ("StreamMap", "streams in a stated order"),
    ("thread_rng", "a seeded generator"),
    ("rand::rng(", "a seeded generator"),
    ("random()", "a seeded generator"),
    ("from_os_rng", "a seeded generator"),
    ("SystemTime", "the clock that is handed in"),
    ("std::time::Instant", "tokio's Instant"),
    ("Timestamp::now", "the clock that is handed in"),
    ("RandomState", "an ordered map"),
    ("std::thread", "tasks"),
];

/// Exceptions: file, name and reason.
const ALLOWED: [(&str, &str, &str); 10] = [
    (
        "sim/mod.rs",
        "Timestamp::now",
        "the wall clock, for simulated kubelets on a real cluster",
    ),
    (
        "sim/cluster.rs",
        "sync::watch",
        "one waits, or a controller ends",
    ),
    ("runtime/list_watch.rs", "sync::watch", "ends"),
    ("runtime/lease/watching.rs", "sync::watch", "ends"),
    ("runtime/lease.rs", "sync::watch", "one waits, or it ends"),
    ("runtime/leading.rs", "sync::watch", "one waits"),
    ("runtime/conflict.rs", "sync::watch", "one waits"),
    ("runtime/foreign_pods.rs", "sync::watch", "one waits"),
    ("runtime/run.rs", "sync::watch", "ends"),
    (
        "runtime/shared.rs",
        "sync::watch",
        "workers wait, who are all alike",
    ),
];

/// Files with maps or sets in no order, and why no order comes out of them.
const UNORDERED: [(&str, &str); 19] = [
    ("model/gone_pods.rs", "looked up by node"),
    ("model/unsettled.rs", "looked up by node"),
    ("model/intern.rs", "looked up by text"),
    (
        "model/node.rs",
        "looked up by name; nodes are gone through by slot",
    ),
    ("runtime/sync.rs", "looked up by key"),
    (
        "cache/pods.rs",
        "looked up by key and owner; the pods of an owner are a list",
    ),
    (
        "cache/by_namespace.rs",
        "looked up by namespace; what is gone through of all is sorted by who asks",
    ),
    ("cache/listed.rs", "looked up by key"),
    ("cache/short_lived.rs", "looked up by UID"),
    (
        "cache/ledger.rs",
        "looked up by UID and key; what is forgotten is forgotten in any order",
    ),
    (
        "cache/dirty.rs",
        "looked up by key; what is gone through ends in an ordered set",
    ),
    (
        "cache/mod.rs",
        "looked up by key; what is gone through ends in an ordered set or in a plan, which sorts",
    ),
    ("stored/types.rs", "looked up by type and by field"),
    ("plan/revisions.rs", "asked what is in it"),
    ("plan/names.rs", "asked what is in it"),
    ("plan/rollout/census.rs", "asked what is in it"),
    ("plan/rollout/surge.rs", "asked what is in it"),
    ("plan/draft.rs", "asked what is in it"),
    ("plan/facts.rs", "asked what is in it"),
];

/// A file's offences.
fn check(path: &str, source: &str) -> Vec<String> {
    let code = code(source);
    let mut offences = Vec::new();
    for (word, instead) in FORBIDDEN {
        let allowed = ALLOWED.iter().any(|(p, w, _)| *p == path && *w == word);
        if names(&code, word) && !allowed {
            offences.push(format!("{path}: {word}; take {instead}"));
        }
    }
    for (at, _) in code.match_indices("select!") {
        let body = code[at + "select!".len()..].trim_start();
        let body = body.strip_prefix(['{', '(']).unwrap_or(body).trim_start();
        if !body.starts_with("biased;") {
            offences.push(format!("{path}: a select! without biased"));
        }
    }
    let unordered = code.contains("HashMap") || code.contains("HashSet");
    if unordered && !UNORDERED.iter().any(|(p, _)| *p == path) {
        offences.push(format!(
            "{path}: a map or set in no order, without a reason in the list"
        ));
    }
    offences
}

/// Whether the code has this word, or names it in a use tree.
fn names(code: &str, word: &str) -> bool {
    let Some((path, name)) = word.rsplit_once("::") else {
        return code.contains(word);
    };
    let tree = format!("{path}::{{");
    let mut trees = code.match_indices(&tree).map(|(at, _)| {
        let tree = code[at..].split('}').next().unwrap_or("");
        tree.split(|c: char| !c.is_alphanumeric() && c != '_')
    });
    code.contains(word) || trees.any(|mut tree| tree.any(|segment| segment == name))
}

/// The code without comments and without `#[cfg(test)]` modules, which come last in a file.
fn code(source: &str) -> String {
    let mut code = String::new();
    for line in source.lines() {
        if line.starts_with("#[cfg(test)]") && source.contains("\nmod tests {") {
            break;
        }
        code.push_str(line.split("//").next().unwrap_or(""));
        code.push('\n');
    }
    code
}

/// Files of the search that take the machine's clock and threads: they live through no history.
const OUTSIDE: [&str; 2] = ["search/args.rs", "search/soak.rs"];

/// The files of all rooms, by their paths below `src`, and those of the search.
fn all() -> Vec<(String, String)> {
    let mut found = rust_files("src");
    found.retain(|(path, _)| {
        let room = path.split_once('/').map_or("", |(room, _)| room);
        ROOMS.contains(&room) && !path.ends_with("tests.rs")
    });
    let search = rust_files("search/src").into_iter();
    let search = search.map(|(path, text)| (format!("search/{path}"), text));
    found.extend(search.filter(|(path, _)| !OUTSIDE.contains(&path.as_str())));
    found
}

#[test]
fn nothing_in_the_sources_breaks_determinism() {
    let all = all();
    assert!(all.len() > 80, "{} files", all.len());
    let offences: Vec<String> = all
        .iter()
        .flat_map(|(path, source)| check(path, source))
        .collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn every_exception_is_needed() {
    let all = all();
    let code = |path: &str| {
        let found = all.iter().find(|(p, _)| p == path);
        found.map(|(_, source)| code(source)).unwrap_or_default()
    };
    for (path, word, _) in ALLOWED {
        assert!(names(&code(path), word), "{path}: {word}");
    }
    let paths: BTreeSet<&str> = UNORDERED.iter().map(|(path, _)| *path).collect();
    assert_eq!(paths.len(), UNORDERED.len());
    for path in paths {
        let code = code(path);
        assert!(
            code.contains("HashMap") || code.contains("HashSet"),
            "{path}"
        );
    }
}

#[test]
fn made_up_sources_are_judged_by_table() {
    for (source, expected) in [
        ("tokio::select! {\n    biased;\n    a = b => {}\n}", 0),
        ("tokio::select! {\n    a = b => {}\n}", 1),
        ("// tokio::select! { a = b }, SystemTime\n", 0),
        ("let t = std::time::SystemTime::now();", 1),
        ("let t = std::time::Instant::now();", 1),
        ("let t = tokio::time::Instant::now();", 0),
        ("let x: u64 = rand::random();", 1),
        ("let x = rand::rng().random_range(0..3);", 1),
        ("use std::collections::{BTreeMap, HashMap};", 1),
        (
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::collections::HashSet;\n}",
            0,
        ),
        ("let mut all = StreamMap::new();", 1),
        ("use tokio::sync::{Notify, watch};", 1),
        ("use tokio::sync::Notify; use super::watch;", 0),
    ] {
        let found = check("plan/made_up.rs", source);
        assert_eq!(found.len(), expected, "{source}: {found:?}");
    }
}

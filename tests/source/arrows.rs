//! The arrows between the rooms of `src`: the imports that each room may have, and the names that
//! pure rooms may not mention.
//!
//! Code that is only compiled for tests is left out: a test may look where the code that it tests
//! may not (an `apply` test at the simulated cluster, say).

use std::collections::BTreeSet;

use super::tree::{read, rust_files};

/// The imports that each room may have besides its own, as `docs/design.md` has them too. An import
/// with a path stands for what is below that path. A room inside another one has a row of its own,
/// and may import nothing else of the room around it.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("wire", &["model"]),
    ("stored", &["model::quantity", "wire::raw"]),
    ("plan", &["model"]),
    ("cache", &["wire", "model", "plan::eligibility"]),
    ("rehearse", &["model", "wire", "plan", "cache"]),
    ("apply/client", &["model", "wire::protobuf"]),
    ("apply", &["wire", "model", "plan"]),
    ("runtime", &["model", "wire", "plan", "cache", "apply"]),
    (
        "sim",
        &[
            "model", "wire", "stored", "plan", "cache", "apply", "runtime",
        ],
    ),
    (
        "cli",
        &[
            "model", "wire", "stored", "plan", "cache", "rehearse", "apply", "runtime", "sim",
        ],
    ),
];

/// Rooms without IO, clock, async or randomness.
const PURE: &[&str] = &["model", "plan", "cache", "rehearse"];

/// Names that pure rooms do not mention.
const IMPURE: &[&str] = &[
    "tokio",
    "kube",
    "k8s_openapi",
    "rand",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
];

#[test]
fn no_arrow_turns() {
    let mut offences = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, source) in rust_files("src") {
        offences.extend(check(&path, &source));
        let room = room(&path).to_owned();
        seen.extend(imports(&path, &source).into_iter().map(|i| {
            let to = i.split("::").next().unwrap_or_default().to_owned();
            (room.clone(), to)
        }));
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
    for (from, to) in [("wire", "model"), ("plan", "model"), ("cache", "plan")] {
        let arrow = (from.to_owned(), to.to_owned());
        assert!(seen.contains(&arrow), "this test no longer reads imports");
    }
}

/// `docs/design.md` has the same table: the room first, what it may import last, both as code.
#[test]
fn the_design_has_the_same_table() {
    let design = read("docs/design.md");
    let section = design.split("\n## ").find(|s| s.starts_with("Rooms"));
    let code = |cell: &str| -> BTreeSet<String> {
        let words = cell.split('`').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    let mut rows = BTreeSet::new();
    for line in section.expect("a section on rooms").lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        if let [room, _, imports] = cells[..]
            && let Some(room) = code(room).first()
        {
            rows.insert((room.clone(), code(imports)));
        }
    }
    let expected = ARROWS.iter().map(|(room, imports)| {
        let imports = imports.iter().map(|i| (*i).to_owned()).collect();
        ((*room).to_owned(), imports)
    });
    assert_eq!(rows, expected.collect());
}

/// The offences of a file, by its path below `src`.
fn check(path: &str, source: &str) -> Vec<String> {
    let mut offences = Vec::new();
    let room = room(path);
    if matches!(room, "lib" | "main") || is_test_file(path) {
        return offences;
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
        offences.push(format!("{path}: no rule says what {room} may import"));
        return offences;
    };
    let inside = room.replace('/', "::");
    let below = |import: &str, allowed: &str| {
        import == allowed
            || import
                .strip_prefix(allowed)
                .is_some_and(|r| r.starts_with("::"))
    };
    for import in imports(path, source) {
        if !below(&import, &inside) && !allowed.iter().any(|a| below(&import, a)) {
            offences.push(format!("{path}: {room} must not import {import}"));
        }
    }
    if PURE.contains(&room) {
        let tokens = without_tests(tokens(source));
        for word in IMPURE {
            let parts: Vec<&str> = match word.split_once("::") {
                Some((a, b)) => vec![a, "::", b],
                None => vec![word],
            };
            if tokens.windows(parts.len()).any(|w| w == parts) {
                offences.push(format!("{path}: {room} must not mention {word}"));
            }
        }
    }
    offences
}

/// The room of a file: the innermost one of the table, or else the module at the top of `src`.
fn room(path: &str) -> &str {
    let is_in = |room: &str| path.strip_prefix(room).is_some_and(|p| p.starts_with('/'));
    let rooms = ARROWS.iter().map(|(room, _)| *room);
    if let Some(room) = rooms.filter(|r| is_in(r)).max_by_key(|r| r.len()) {
        return room;
    }
    let first = path.split('/').next().unwrap_or_default();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// `tests.rs`, `http_tests.rs`: bodies of `#[cfg(test)]` modules.
fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs")
}

/// All paths of a file that begin with `crate` or `super`, from the crate's root.
fn imports(path: &str, source: &str) -> Vec<String> {
    let tokens = without_tests(tokens(source));
    let module = path.strip_suffix(".rs").unwrap_or(path);
    let module = module.strip_suffix("/mod").unwrap_or(module);
    let module: Vec<&str> = module.split('/').filter(|m| *m != "lib").collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = at == 0 || tokens[at - 1] != "::";
        if !begins || !matches!(tokens[at].as_str(), "crate" | "super") {
            at += 1;
            continue;
        }
        let mut paths = Vec::new();
        tree(&tokens, &mut at, "", &mut paths);
        for path in paths {
            let mut rest = path.as_str();
            let mut up = 0;
            while let Some(r) = rest.strip_prefix("super::") {
                (rest, up) = (r, up + 1);
            }
            // `pub(super)` leads nowhere, and the compiler refuses what leads out of the crate.
            if up > 0 && rest != "super" && up <= module.len() {
                let above = &module[..module.len() - up];
                found.push([above, &[rest]].concat().join("::"));
            }
            // `pub(crate)` and `crate` in macros lead nowhere.
            found.extend(path.strip_prefix("crate::").map(str::to_owned));
        }
    }
    found
}

/// Spreads out a use tree: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn tree(tokens: &[String], at: &mut usize, prefix: &str, found: &mut Vec<String>) {
    let mut path = prefix.to_owned();
    loop {
        match tokens.get(*at).map(String::as_str) {
            Some("{") => {
                *at += 1;
                while tokens.get(*at).is_some_and(|t| t != "}") {
                    tree(tokens, at, &path, found);
                    if tokens.get(*at).is_some_and(|t| t == "as") {
                        *at += 2;
                    }
                    if tokens.get(*at).is_some_and(|t| t == ",") {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            Some(segment) if segment == "*" || is_word(segment) => {
                if !path.is_empty() {
                    path.push_str("::");
                }
                path.push_str(segment);
                *at += 1;
            }
            // Anything else is no use tree, and the compiler's to judge.
            _ => {
                *at += 1;
                return;
            }
        }
        let goes_on = tokens.get(*at).is_some_and(|t| t == "::")
            && tokens
                .get(*at + 1)
                .is_some_and(|t| t == "{" || t == "*" || is_word(t));
        if !goes_on {
            found.push(path);
            return;
        }
        *at += 1;
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Words, `::` and single characters; without comments, texts, character literals and white space.
fn tokens(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let is = |at: usize, c: char| chars.get(at) == Some(&c);
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if c == '/' && is(at + 1, '/') {
            while at < chars.len() && !is(at, '\n') {
                at += 1;
            }
        } else if c == '/' && is(at + 1, '*') {
            let mut depth = 0;
            while at < chars.len() {
                if is(at, '/') && is(at + 1, '*') {
                    depth += 1;
                    at += 2;
                } else if is(at, '*') && is(at + 1, '/') {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        break;
                    }
                } else {
                    at += 1;
                }
            }
        } else if c == '"' {
            at += 1;
            while at < chars.len() && !is(at, '"') {
                at += if is(at, '\\') { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\'' {
            if is(at + 1, '\\') {
                at += 3;
                while at < chars.len() && !is(at, '\'') {
                    at += 1;
                }
                at += 1;
            } else if is(at + 2, '\'') {
                at += 3;
            } else {
                at += 1; // a lifetime
            }
        } else if is_word(&c.to_string()) {
            let start = at;
            while chars
                .get(at)
                .is_some_and(|c| c.is_alphanumeric() || *c == '_')
            {
                at += 1;
            }
            let word: String = chars[start..at].iter().collect();
            let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
            if matches!(word.as_str(), "r" | "br" | "cr") && is(at + hashes, '"') {
                let end: Vec<char> = std::iter::once('"')
                    .chain(std::iter::repeat_n('#', hashes))
                    .collect();
                at += hashes + 1;
                while at < chars.len() && !chars[at..].starts_with(&end) {
                    at += 1;
                }
                at += end.len();
            } else {
                tokens.push(word);
            }
        } else if c == ':' && is(at + 1, ':') {
            tokens.push("::".into());
            at += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.into());
            }
            at += 1;
        }
    }
    tokens
}

/// Leaves out every item marked `#[cfg(test)]`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].iter().take(MARK.len()).eq(MARK.iter()) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += MARK.len();
        let mut depth = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                ";" if depth == 0 => break,
                _ => continue,
            }
            if depth == 0 {
                break;
            }
        }
    }
    kept
}

#[test]
fn made_up_sources_are_judged_by_table() {
    for (path, source, expected) in [
        ("model/a.rs", "use std::fmt; use super::Str;", vec![]),
        (
            "model/a.rs",
            "use crate::model::Str;\nuse crate::plan::Plan;",
            vec!["model must not import plan::Plan"],
        ),
        (
            "plan/a.rs",
            "use crate::{model::{A, B}, wire::{self, body as b}};",
            vec![
                "plan must not import wire::self",
                "plan must not import wire::body",
            ],
        ),
        (
            "plan/a.rs",
            "fn f() -> crate::cache::Cache<'static> { 'c'; crate::model::f::<u8>() }",
            vec!["plan must not import cache::Cache"],
        ),
        ("wire/a.rs", "use crate::*;", vec!["wire must not import *"]),
        (
            "stored/a.rs",
            "use crate::wire::{body, raw::RawObject};",
            vec!["stored must not import wire::body"],
        ),
        (
            "wire/mod.rs",
            "use super::plan::Plan; pub(super) fn f() {} pub(crate) fn g() {}",
            vec!["wire must not import plan::Plan"],
        ),
        (
            "wire/a/b.rs",
            "use super::super::super::cache; use super::{super::{super::apply::x, plan}, sim};",
            vec![
                "wire must not import cache",
                "wire must not import apply::x",
            ],
        ),
        (
            "cache/a.rs",
            "use crate::{plan::eligibility::{Eligibility, reason}, wire::body};",
            vec![],
        ),
        (
            "cache/a.rs",
            "use crate::plan::{self, Plan, eligibility_of};",
            vec![
                "cache must not import plan::self",
                "cache must not import plan::Plan",
                "cache must not import plan::eligibility_of",
            ],
        ),
        (
            "apply/a.rs",
            "use crate::cache::Cache; use crate::plan::Plan;",
            vec!["apply must not import cache::Cache"],
        ),
        (
            "apply/client/a.rs",
            "use super::{error::E, super::carry_out::CarryOut}; pub(super) fn f() {}
             use crate::{apply::client::b, apply::Action, model::Key, plan::Plan};",
            vec![
                "apply/client must not import apply::carry_out::CarryOut",
                "apply/client must not import apply::Action",
                "apply/client must not import plan::Plan",
            ],
        ),
        (
            "apply/client/mod.rs",
            "pub mod a; pub use a::A; use super::Action; use super::super::plan;",
            vec![
                "apply/client must not import apply::Action",
                "apply/client must not import plan",
            ],
        ),
        (
            "apply/clients.rs",
            "use crate::plan::Plan; use super::client::Api;",
            vec![],
        ),
        (
            "runtime/a.rs",
            "use crate::{apply, cache, plan, sim::Sim};",
            vec!["runtime must not import sim::Sim"],
        ),
        (
            "sim/a.rs",
            "use crate::{cli::run, runtime};",
            vec!["sim must not import cli::run"],
        ),
        ("cli/a.rs", "use crate::{sim, runtime, cli, model};", vec![]),
        (
            "drawer/a.rs",
            "",
            vec!["no rule says what drawer may import"],
        ),
        (
            "plan/a.rs",
            "fn f() { std::time::Instant::now(); let t: Instant = rand::random(); }",
            vec![
                "plan must not mention rand",
                "plan must not mention Instant::now",
            ],
        ),
        (
            "cache/a.rs",
            "use std::time::SystemTime; use tokio::x; type T = kube::Client;",
            vec![
                "cache must not mention tokio",
                "cache must not mention kube",
                "cache must not mention SystemTime",
            ],
        ),
        (
            "wire/a.rs",
            "use tokio::x; use std::time::SystemTime;",
            vec![],
        ),
        (
            "plan/a.rs",
            "// crate::wire, tokio\n/* crate::wire /* tokio */ */\nconst A: &str = \"crate::wire tokio \\\" kube\";\n\
             const B: &str = r#\"crate::wire \" kube\"#; const C: char = '\"'; fn brand<'a>() { '\\''; }",
            vec![],
        ),
        (
            "plan/a.rs",
            "#[cfg(test)]\nuse crate::wire::{a, b};\n#[cfg(test)]\nmod tests { fn f() { crate::wire::g() } }\nuse crate::apply::x;",
            vec!["plan must not import apply::x"],
        ),
        ("plan/tests.rs", "use crate::sim::Sim;", vec![]),
        ("lib.rs", "pub mod plan; use crate::sim::Sim;", vec![]),
    ] {
        let expected: Vec<String> = expected
            .into_iter()
            .map(|e| format!("{path}: {e}"))
            .collect();
        assert_eq!(check(path, source), expected, "{source}");
    }
}

//! The mutants of `tests/mutants`: each patch says which bug it plants and what it must break, fits
//! the sources as they are, and is in the table of `docs/mutants.md`.

use std::fs;

use super::tree::{read, root};

/// So many lines a mutant takes away or adds at most.
const MOST: usize = 10;

/// The promises that a mutant may have to break.
const PROMISES: [&str; 9] = ["S1", "S2", "S3", "S4", "S5", "S6", "S8", "C1", "L1"];

/// All patches, by name.
fn patches() -> Vec<(String, String)> {
    let files = fs::read_dir(root().join("tests/mutants")).expect("the folder of mutants");
    let paths = files.map(|file| file.expect("a file").path());
    let paths = paths.filter(|path| path.extension().is_some_and(|e| e == "patch"));
    let mut all: Vec<(String, String)> = paths
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            let text = fs::read_to_string(&path).expect("a patch");
            (name.into_owned(), text)
        })
        .collect();
    all.sort();
    all
}

fn header<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let head = text.split("\n--- ").next()?;
    head.lines().find_map(|line| line.strip_prefix(key))
}

/// The file of each hunk, with the lines that it expects there and those that it changes.
fn hunks(text: &str) -> Vec<(String, Vec<&str>, usize)> {
    let mut found: Vec<(String, Vec<&str>, usize)> = Vec::new();
    let mut file = "";
    for line in text.lines().skip_while(|line| !line.starts_with("--- ")) {
        if let Some(path) = line.strip_prefix("+++ b/") {
            file = path;
        } else if line.starts_with("@@ ") {
            found.push((file.to_owned(), Vec::new(), 0));
        } else if let Some((_, before, changed)) = found.last_mut() {
            match line.split_at_checked(1) {
                Some((" ", rest)) => before.push(rest),
                Some(("-", rest)) if !line.starts_with("--- ") => {
                    before.push(rest);
                    *changed += 1;
                }
                Some(("+", _)) => *changed += 1,
                _ => {}
            }
        }
    }
    found
}

#[test]
fn every_mutant_names_its_bug_and_fits_the_sources_and_is_in_the_table() {
    let table = read("docs/mutants.md");
    let all = patches();
    assert!(all.len() >= 25, "{} mutants", all.len());
    for (name, text) in &all {
        let bug = header(text, "Bug: ").unwrap_or_default();
        assert!(bug.contains('#'), "{name} names no bug: {bug}");
        let promise = header(text, "Promise: ").unwrap_or_default();
        let mut named = promise.split(' ');
        assert!(named.all(|p| PROMISES.contains(&p)), "{name}: {promise}");
        let hunks = hunks(text);
        let changed: usize = hunks.iter().map(|(_, _, changed)| changed).sum();
        assert!((1..=MOST).contains(&changed), "{name} has {changed} lines");
        for (file, before, _) in &hunks {
            assert!(file.starts_with("src/"), "{name} changes {file}");
            let source = read(file);
            let lines: Vec<&str> = source.lines().collect();
            let fits = lines.windows(before.len()).any(|w| w == before.as_slice());
            assert!(fits, "{name} does not fit {file}: {before:#?}");
        }
        let row = format!("| `{name}` | {bug} |");
        assert!(table.contains(&row), "docs/mutants.md lacks {row}");
    }
    let rows = table.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, all.len(), "docs/mutants.md has mutants that are gone");
}

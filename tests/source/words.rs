//! Names, comments, logs and documents have the words of the glossary (CONTRIBUTING.md).

use std::{fs, path::Path};

use super::tree::rust_files;

/// Words that are not used, and the word of the glossary to take instead. Compared without case,
/// and within longer words and names.
const BANNED: [(&str, &str); 7] = [
    ("stranger", "foreign pod, or whose pod it is"),
    ("newcomer", "new DaemonSet, or new pod"),
    ("departed", "gone"),
    ("vanished", "gone"),
    ("vanishes", "is gone"),
    ("passes by", "skips, or what happens instead"),
    ("passed by", "skipped, or what happened instead"),
];

/// The banned words of a text, with the numbers of their lines.
fn check(path: &str, text: &str) -> Vec<String> {
    let mut offences = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let lower = line.to_lowercase();
        for (word, instead) in BANNED {
            if lower.contains(word) {
                offences.push(format!("{path}:{}: {word}; take: {instead}", number + 1));
            }
        }
    }
    offences
}

/// The documents of the root and of `docs`, by path.
fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for directory in [".", "docs"] {
        for entry in fs::read_dir(root.join(directory)).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "md") {
                let text = fs::read_to_string(&path).expect("a text");
                let name = path.strip_prefix(root).expect("below the root");
                found.push((name.display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_sources_and_documents_have_the_words_of_the_glossary() {
    let documents = documents();
    assert!(documents.len() > 10, "this test no longer finds documents");
    let mut offences = Vec::new();
    for (path, text) in documents {
        offences.extend(check(&path, &text));
    }
    for directory in ["src", "search"] {
        for (path, text) in rust_files(directory) {
            let path = format!("{directory}/{path}");
            offences.extend(check(&path, &path));
            offences.extend(check(&path, &text));
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

#[test]
fn made_up_texts_are_judged() {
    for (text, expected) in [
        ("struct Newcomers;", 1),
        ("a pod\nthat has vanished, a stranger", 2),
        ("what passes by the budget", 1),
        ("the pod is gone", 0),
    ] {
        assert_eq!(check("f", text).len(), expected, "{text}");
    }
}

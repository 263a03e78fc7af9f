//! Comments wrap at 100 columns.

use super::tree::rust_files;

const COLUMNS: usize = 100;

/// The lines of a file that hold nothing but a comment and are too long, with their numbers.
///
/// Rows of tables and words without a blank (addresses) cannot be wrapped, and are left out.
fn check(path: &str, text: &str) -> Vec<String> {
    let mut offences = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some(comment) = line.trim_start().strip_prefix("//") else {
            continue;
        };
        let words = comment.trim_start_matches(['/', '!']).trim();
        let fixed = words.starts_with('|') || !words.contains(' ');
        let columns = line.chars().count();
        if columns > COLUMNS && !fixed {
            offences.push(format!("{path}:{}: {columns} columns", number + 1));
        }
    }
    offences
}

#[test]
fn comments_of_src_tests_benches_and_search_wrap_at_a_hundred_columns() {
    let mut offences = Vec::new();
    for directory in ["src", "tests", "benches", "search"] {
        let files = rust_files(directory);
        assert!(!files.is_empty(), "{directory} has no Rust files");
        for (path, text) in files {
            offences.extend(check(&format!("{directory}/{path}"), &text));
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

#[test]
fn made_up_comments_are_judged() {
    let long = format!("    // a {}", "x".repeat(COLUMNS));
    let offence = format!("f:1: {} columns", COLUMNS + 9);
    assert_eq!(check("f", &long), [offence]);
    let fits = format!("/// a {}", "ä".repeat(COLUMNS - 6));
    let row = format!("//! | a | {} |", "x".repeat(COLUMNS));
    let address = format!("// https://{}", "x".repeat(COLUMNS));
    let code = format!("let a = \"{} b\"; // c", "x".repeat(COLUMNS));
    for text in [fits, row, address, code] {
        assert_eq!(check("f", &text), [""; 0], "{text}");
    }
}

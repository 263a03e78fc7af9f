//! No Rust file has more than 500 lines, whether it is code, a test or a benchmark.

use super::tree::rust_files;

const MAX_LINES: usize = 500;

/// Why a file is too long, or None when it is not.
fn check(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > MAX_LINES).then(|| format!("{path}: {lines} lines, more than {MAX_LINES}"))
}

#[test]
fn no_file_of_src_tests_benches_or_search_has_more_than_five_hundred_lines() {
    let mut offences = Vec::new();
    for directory in ["src", "tests", "benches", "search"] {
        let files = rust_files(directory);
        assert!(!files.is_empty(), "{directory} has no Rust files");
        for (path, text) in files {
            let path = format!("{directory}/{path}");
            offences.extend(check(&path, &text));
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

#[test]
fn a_file_of_five_hundred_and_one_lines_is_too_long() {
    assert_eq!(check("src/lib.rs", &"\n".repeat(500)), None);
    assert_eq!(
        check("src/lib.rs", &"\n".repeat(501)).as_deref(),
        Some("src/lib.rs: 501 lines, more than 500")
    );
}

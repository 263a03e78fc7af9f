//! The files of this repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
pub fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All Rust files below a directory of the repository, with their texts, in the order of their
/// paths.
///
/// Paths are relative to that directory and have `/` between their parts.
pub fn rust_files(directory: &str) -> Vec<(String, String)> {
    let directory = root().join(directory);
    let mut paths = Vec::new();
    collect(&directory, &mut paths);
    let read = |path: PathBuf| {
        let relative = path.strip_prefix(&directory).expect("it is below");
        let name = relative.to_str().expect("UTF-8").replace('\\', "/");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (name, text)
    };
    let mut files: Vec<_> = paths.into_iter().map(read).collect();
    files.sort();
    files
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory);
    let entries = entries.unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

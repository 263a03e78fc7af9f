//! The files that a path of the command line stands for, as kubectl has it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{FileError, hints};

/// What the names of manifests end with; a file that is named on the command line may have any.
const ENDINGS: [&str; 3] = [".json", ".yaml", ".yml"];

/// The file itself, or the manifests in a directory by name, with `recursive` those in its
/// subdirectories too.
pub(super) fn files(path: &Path, recursive: bool) -> Result<Vec<PathBuf>, FileError> {
    if let Some(hint) = hints::address(path).or_else(|| hints::file(path)) {
        return Err(hint);
    }
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Found::default();
    walk(path, recursive, &mut found)?;
    if found.files.is_empty() {
        return Err(FileError::EmptyDirectory {
            directory: path.display().to_string(),
            deeper: found.skipped,
        });
    }
    Ok(found.files)
}

#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    /// Whether subdirectories were left out.
    skipped: bool,
}

fn walk(directory: &Path, recursive: bool, found: &mut Found) -> Result<(), FileError> {
    if let Some(hint) = hints::directory(directory) {
        return Err(hint);
    }
    for path in entries(directory).map_err(|source| FileError::Read {
        file: directory.display().to_string(),
        source,
    })? {
        // Links to directories are not followed, so there is no way to go round in circles.
        let is_directory = path.is_dir() && !path.is_symlink();
        if is_directory && recursive {
            walk(&path, recursive, found)?;
        } else if is_directory {
            found.skipped = true;
        } else if is_manifest(&path) && !path.is_dir() {
            found.files.push(path);
        }
    }
    Ok(())
}

/// What is in a directory, by name.
fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn is_manifest(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    ENDINGS.iter().any(|end| name.ends_with(end.as_bytes()))
}

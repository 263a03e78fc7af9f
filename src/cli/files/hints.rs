//! What is no manifest but makes some: the error says how.

use std::path::Path;

use super::{FileError, STDIN};

/// The names of kustomize's files.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

fn hint(file: &str, what: &'static str, instead: String) -> FileError {
    FileError::NotRendered {
        file: file.to_owned(),
        what,
        instead,
    }
}

/// An address instead of a file.
pub(super) fn address(path: &Path) -> Option<FileError> {
    let text = path.to_str()?;
    let is_address = text.starts_with("http://") || text.starts_with("https://");
    is_address.then(|| {
        let instead = format!("use `curl -fsSL {text} | … -f -`");
        hint(text, "an address", instead)
    })
}

/// A directory that kustomize or helm reads.
pub(super) fn directory(path: &Path) -> Option<FileError> {
    let name = path.display().to_string();
    if KUSTOMIZATIONS.iter().any(|file| path.join(file).is_file()) {
        return Some(kustomization_in(path));
    }
    if path.join("Chart.yaml").is_file() {
        let instead = format!("use `helm template {name} | … -f -`");
        return Some(hint(&name, "a chart", instead));
    }
    None
}

/// A file that kustomize reads.
pub(super) fn file(path: &Path) -> Option<FileError> {
    let is_one = KUSTOMIZATIONS
        .iter()
        .any(|name| path.file_name() == Some(name.as_ref()));
    is_one.then(|| kustomization(&path.display().to_string()))
}

/// A kustomization that is asked for as such.
pub fn kustomization_in(directory: &Path) -> FileError {
    let name = directory.display().to_string();
    let instead = format!("use `kubectl kustomize {name} | … -f -`");
    hint(&name, "a kustomization", instead)
}

/// The file of a kustomization, by its name or by what is in it.
pub(super) fn kustomization(file: &str) -> FileError {
    let directory = match Path::new(file).parent() {
        Some(directory) if file != STDIN && directory != Path::new("") => {
            directory.display().to_string()
        }
        _ => ".".to_owned(),
    };
    let instead = format!("use `kubectl kustomize {directory} | … -f -`");
    hint(file, "a kustomization", instead)
}

/// An archive, by its first bytes.
pub(super) fn archive(file: &str, bytes: &[u8]) -> Option<FileError> {
    let is_tar = [".tgz", ".tar.gz"].iter().any(|end| file.ends_with(end));
    if bytes.starts_with(b"\x1f\x8b") {
        return Some(match (is_tar, file == STDIN) {
            (true, _) => {
                let instead = format!("for a chart, use `helm template {file} | … -f -`");
                hint(file, "an archive", instead)
            }
            (_, true) => hint(
                file,
                "what gzip has packed",
                "use `… | gunzip | … -f -`".to_owned(),
            ),
            _ => {
                let instead = format!("use `gunzip -c {file} | … -f -`");
                hint(file, "what gzip has packed", instead)
            }
        });
    }
    if bytes.starts_with(b"PK\x03\x04") {
        let instead =
            "unpack it and give its directory; for a chart, use `helm template DIRECTORY | … -f -`";
        return Some(hint(file, "an archive", instead.to_owned()));
    }
    None
}

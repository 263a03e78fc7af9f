//! Why files could not be read.

use std::io;

use thiserror::Error;

use super::Origin;

/// Why files could not be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// The file cannot be opened or read.
    #[error("{file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// The error of the system.
        source: io::Error,
    },
    /// Nothing in the directory has the name of a manifest.
    #[error("{directory}: no file in it ends with .json, .yaml or .yml{}", match .deeper {
        true => "; -R reads its subdirectories too",
        false => "",
    })]
    EmptyDirectory {
        /// The directory.
        directory: String,
        /// Whether there are subdirectories that have not been looked at.
        deeper: bool,
    },
    /// Something that another program makes manifests of.
    #[error("{file}: it is {what}, no manifest; {instead}")]
    NotRendered {
        /// The file, directory or address.
        file: String,
        /// What it is.
        what: &'static str,
        /// The command that makes manifests of it.
        instead: String,
    },
    /// The file is no text.
    #[error("{file}: line {line} is not UTF-8")]
    NotUtf8 {
        /// The file.
        file: String,
        /// The first line that is not, from 1.
        line: usize,
    },
    /// Neither YAML nor JSON.
    #[error("{origin}: line {line}: {message}")]
    Syntax {
        /// The document.
        origin: Origin,
        /// The line in the file, from 1.
        line: usize,
        /// The error.
        message: String,
    },
    /// Something else than a mapping.
    #[error(
        "{origin}: {found} where an object (a mapping with kind, apiVersion and metadata) is needed"
    )]
    NotAnObject {
        /// The document or item.
        origin: Origin,
        /// The kind of value that is there instead.
        found: &'static str,
    },
    /// A field that every object needs is not there.
    #[error("{origin}: {object} has no {field}")]
    Missing {
        /// The document or item.
        origin: Origin,
        /// The object as far as it is known.
        object: String,
        /// The field.
        field: &'static str,
    },
    /// A field that every object needs is of another type.
    #[error("{origin}: {message}")]
    Malformed {
        /// The document or item.
        origin: Origin,
        /// The error.
        message: String,
    },
    /// `-` is given more than once.
    #[error("- can be given once only: standard input cannot be read again")]
    StdinTwice,
}

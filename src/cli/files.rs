//! The objects of YAML and JSON files (`-f`), lists taken apart.
//!
//! Objects are kept as JSON text, in JSON files exactly as written; YAML is converted as kubectl
//! converts it. Pods, nodes and revisions are used as they are; what DaemonSets lack is added by
//! [`stored::defaults`](crate::stored::defaults).

mod encoding;
mod error;
mod hints;
mod lines;
mod objects;
mod paths;
mod source;

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use serde_json::value::RawValue;

use super::documents::{self, SyntaxError, Text};
use encoding::Decoded;
pub use error::FileError;
pub use hints::kustomization_in;
pub use lines::Lines;
use source::Source;

/// The most bytes of a file. All of it is held in memory, several times over.
pub const LONGEST: u64 = 1 << 30;

/// How standard input is named in messages.
pub const STDIN: &str = "standard input";

/// The place that an object came from; as text `FILE: document 3, item 2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The file as named on the command line, or `standard input`.
    pub file: String,
    /// The document in the file, from 1; empty ones are counted.
    pub document: usize,
    /// The item where the document is a list, from 1; within a list in a list, that of the outer
    /// one.
    pub item: Option<usize>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: document {}", self.file, self.document)?;
        match self.item {
            Some(item) => write!(f, ", item {item}"),
            None => Ok(()),
        }
    }
}

/// An object from a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// File, document and item.
    pub origin: Origin,
    /// `kind`, never empty.
    pub kind: String,
    /// `apiVersion`, never empty.
    pub api_version: String,
    /// `metadata.namespace`, where there is one.
    pub namespace: Option<String>,
    /// `metadata.name`, never empty.
    pub name: String,
    /// The object as JSON; an item of a typed list has got the kind and version that the list
    /// implies.
    pub json: Box<RawValue>,
    /// Where its text is.
    source: Source,
}

impl Document {
    /// What [`Lines::of`] says of one field. The text is read again for it at each call.
    pub fn line_of(&self, field: &str) -> Option<usize> {
        Lines::default().of(self, field)
    }
}

/// What files hold.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The objects, in order.
    pub documents: Vec<Document>,
    /// What is odd about the files, a sentence each.
    pub notes: Vec<String>,
}

/// Reads all objects of `files`, in order; `-` stands for `stdin`. Of a directory the manifests are
/// read, with `recursive` those of its subdirectories too.
pub fn read<P: AsRef<Path>>(
    files: &[P],
    recursive: bool,
    stdin: &mut dyn Read,
) -> Result<Contents, FileError> {
    let mut contents = Contents::default();
    let mut stdin = Some(stdin);
    for path in files {
        let path = path.as_ref();
        if path == Path::new("-") {
            let stdin = stdin.take().ok_or(FileError::StdinTwice)?;
            add_file(STDIN, whole(stdin, LONGEST), &mut contents)?;
            continue;
        }
        for file in paths::files(path, recursive)? {
            let bytes = File::open(&file).and_then(|file| whole(file, LONGEST));
            add_file(&file.display().to_string(), bytes, &mut contents)?;
        }
    }
    Ok(contents)
}

/// Reads the objects of one file's text.
pub fn parse(file: &str, text: &str) -> Result<Vec<Document>, FileError> {
    let mut contents = Contents::default();
    let decoded = Decoded {
        text: text.to_owned(),
        stand_in: None,
    };
    add_text(file, decoded, &mut contents)?;
    Ok(contents.documents)
}

/// All bytes, where there are no more than `most`.
fn whole(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let why =
            format!("it is longer than {most} bytes; the objects around one DaemonSet are enough");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

fn add_file(
    file: &str,
    bytes: io::Result<Vec<u8>>,
    contents: &mut Contents,
) -> Result<(), FileError> {
    let bytes = bytes.map_err(|source| FileError::Read {
        file: file.to_owned(),
        source,
    })?;
    if let Some(hint) = hints::archive(file, &bytes) {
        return Err(hint);
    }
    add_text(file, encoding::decode(bytes), contents)
}

fn add_text(file: &str, decoded: Decoded, contents: &mut Contents) -> Result<(), FileError> {
    let Decoded { text, stand_in } = decoded;
    let text: Arc<str> = text.into();
    let origin = |document| Origin {
        file: file.to_owned(),
        document,
        item: None,
    };
    let not_utf8 = |line| FileError::NotUtf8 {
        file: file.to_owned(),
        line,
    };
    let texts = documents::split(&text).map_err(|error| {
        if let Some(line) = stand_in.and_then(|sign| error_at(&text, &error, sign)) {
            return not_utf8(line);
        }
        FileError::Syntax {
            origin: origin(error.number),
            line: error.line,
            message: error.message,
        }
    })?;
    for part in texts {
        let source = Source::new(&text, &part);
        // What is not UTF-8 is no harm in a comment, and never gets into an object.
        if let Some(sign) = stand_in.filter(|sign| part.json.get().contains(*sign)) {
            return Err(not_utf8(source.line_with(sign).unwrap_or(1)));
        }
        let origin = origin(part.number);
        contents.notes.extend(repeated(&origin, &part));
        objects::add(&part.json, origin, source, None, &mut contents.documents)?;
    }
    Ok(())
}

/// The line of bytes that are not UTF-8, where they are the reason of an error.
fn error_at(text: &str, error: &SyntaxError, stand_in: char) -> Option<usize> {
    let mut lines = text.lines().zip(1..);
    let is_meant = |(_, line): &(&str, usize)| *line == error.line || error.is_binary();
    lines
        .find(|found| found.0.contains(stand_in) && is_meant(found))
        .map(|(_, line)| line)
}

/// A note about keys at the top that are there more than once: mostly two files that have been put
/// together without a line between them.
fn repeated(origin: &Origin, part: &Text<'_>) -> Option<String> {
    let first = part.repeated.first()?;
    let keys: Vec<&str> = part.repeated.iter().map(|r| r.key.as_str()).collect();
    let subject = match &keys[..] {
        [key] => format!("the key {key} is"),
        [rest @ .., last] => format!("the keys {} and {last} are", rest.join(", ")),
        [] => return None,
    };
    let times = match first.lines.len() {
        2 => "twice".to_owned(),
        times => format!("{times} times"),
    };
    let of = if keys.len() > 1 {
        &*format!("{} on ", first.key)
    } else {
        ""
    };
    let lines: Vec<String> = first.lines.iter().map(usize::to_string).collect();
    let (last, before) = lines.split_last()?;
    Some(format!(
        "{origin}: {subject} there {times} ({of}lines {} and {last}); the last one counts, as for kubectl: \
         is a `---` missing?",
        before.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_given_up() {
        assert_eq!(whole(io::repeat(7).take(9), 9).unwrap(), [7; 9]);
        let error = whole(io::repeat(7), 9).unwrap_err().to_string();
        assert!(error.starts_with("it is longer than 9 bytes; "), "{error}");
    }
}

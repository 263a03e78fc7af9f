//! A file's text, split into documents as kubectl splits it.
//!
//! A file that begins with `{` is a stream of JSON values; where one of the first two cannot be
//! read as JSON, the rest is YAML. Otherwise lines that begin with `---` separate documents,
//! wherever they stand, and only a comment may follow on such a line. Documents are numbered from
//! 1; empty ones count, but blank lines and comments before the first `---` are not a document.

use std::{borrow::Cow, ops::Range};

use serde_json::value::RawValue;

use super::yaml::{self, Converted, Repeated};
use crate::wire::place;

/// A document of a file: its number, from 1, and its JSON text. Empty ones are left out.
#[derive(Debug)]
pub struct Text<'a> {
    /// The number of the document in its file.
    pub number: usize,
    /// The document as JSON, borrowed where the file holds it as such.
    pub json: Cow<'a, RawValue>,
    /// The bytes of the document in the file.
    pub range: Range<usize>,
    /// The keys at its top that are there more than once, with their lines in the file.
    pub repeated: Vec<Repeated>,
}

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The number of the document in its file.
    pub number: usize,
    /// The line in the file, from 1.
    pub line: usize,
    /// The error.
    pub message: String,
}

impl SyntaxError {
    /// Whether the file is probably no text at all.
    pub fn is_binary(&self) -> bool {
        self.message == yaml::CONTROL_CHARACTERS
    }
}

/// What is said of JSON that is nested deeper than YAML may be. What reads it later calls itself
/// for each level.
fn too_deep(json: &RawValue) -> Option<String> {
    (place::depth(json.get()) > yaml::MAX_DEPTH).then(|| yaml::TOO_DEEP.to_owned())
}

/// Splits a file's text and converts what is YAML.
pub fn split(text: &str) -> Result<Vec<Text<'_>>, SyntaxError> {
    let from = match text.starts_with('\u{feff}') {
        true => '\u{feff}'.len_utf8(),
        false => 0,
    };
    let mut documents = Vec::new();
    if !text[from..].trim_start().starts_with('{') {
        split_yaml(text, from, &mut documents)?;
        return Ok(documents);
    }
    split_json(text, from, &mut documents)?;
    Ok(documents)
}

/// Splits a text that begins with `{`.
fn split_json<'a>(
    whole: &'a str,
    from: usize,
    documents: &mut Vec<Text<'a>>,
) -> Result<(), SyntaxError> {
    let text = &whole[from..];
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut end = 0;
    let error = loop {
        match values.next() {
            None => return Ok(()),
            Some(Ok(json)) => {
                let number = documents.len() + 1;
                if let Some(message) = too_deep(json) {
                    let line = lines(&whole[..from + end]) + 1;
                    return Err(SyntaxError {
                        number,
                        line,
                        message,
                    });
                }
                end = values.byte_offset();
                let range = from + end - json.get().len()..from + end;
                documents.push(Text {
                    number,
                    json: Cow::Borrowed(json),
                    range,
                    repeated: Vec::new(),
                });
            }
            Some(Err(error)) => break error,
        }
    };
    let read = documents.len();
    let as_json = SyntaxError {
        number: read + 1,
        line: error.line(),
        message: json_message(&error),
    };
    if read > 1 {
        return Err(as_json);
    }
    match split_yaml(whole, from + end, documents) {
        Err(as_yaml) if as_yaml.number == 1 && looks_like_json(text) => Err(as_json),
        as_yaml => as_yaml,
    }
}

/// Whether the author of a text that begins with `{` meant JSON: a quote follows, or the end.
fn looks_like_json(text: &str) -> bool {
    let inside = text.trim_start().trim_start_matches('{').trim_start();
    inside.is_empty() || inside.starts_with(['"', '}'])
}

/// The error without serde_json's position.
fn json_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// Splits `text` from a byte offset on at `---`.
fn split_yaml<'a>(
    text: &'a str,
    from: usize,
    documents: &mut Vec<Text<'a>>,
) -> Result<(), SyntaxError> {
    let mut line = lines(&text[..from]);
    // Text before the first `---` is a document only if it has content.
    let mut number = documents.len() + 1;
    let mut first = true;
    let mut rest = &text[from..];
    loop {
        let (chunk, separator, after) = until_separator(rest);
        let counts = !first || !is_blank(chunk);
        if counts {
            if let Some((json, repeated)) = convert(chunk, number, line)? {
                let start = text.len() - rest.len();
                documents.push(Text {
                    number,
                    json,
                    range: start..start + chunk.len(),
                    repeated,
                });
            }
            number += 1;
        }
        let Some(separator) = separator else {
            return Ok(());
        };
        line += lines(chunk);
        let beside = separator[3..].trim();
        if !beside.is_empty() && !beside.starts_with('#') {
            return Err(SyntaxError {
                number,
                line: line + 1,
                message: format!("only a comment may follow `---` on its line, not `{beside}`"),
            });
        }
        line += lines(separator);
        first = false;
        rest = after;
    }
}

/// The text up to a line that begins with `---`, that line, and what follows it.
fn until_separator(text: &str) -> (&str, Option<&str>, &str) {
    let start = if text.starts_with("---") {
        0
    } else {
        match text.find("\n---") {
            Some(at) => at + 1,
            None => return (text, None, ""),
        }
    };
    let end = text[start..]
        .find('\n')
        .map_or(text.len(), |at| start + at + 1);
    (&text[..start], Some(&text[start..end]), &text[end..])
}

/// A document as JSON, and its repeated keys.
type Json<'a> = (Cow<'a, RawValue>, Vec<Repeated>);

/// One document as JSON; `None` where it is empty or null.
fn convert(chunk: &str, number: usize, line: usize) -> Result<Option<Json<'_>>, SyntaxError> {
    let chunk = chunk.strip_prefix('\u{feff}').unwrap_or(chunk);
    if is_blank(chunk) {
        return Ok(None);
    }
    if chunk.trim_start().starts_with('{')
        && let Ok(json) = serde_json::from_str::<&RawValue>(chunk)
    {
        if let Some(message) = too_deep(json) {
            let line = line + 1;
            return Err(SyntaxError {
                number,
                line,
                message,
            });
        }
        return Ok(Some((Cow::Borrowed(json), Vec::new())));
    }
    // kubectl reads by lines, and gives the last one the end that it may lack.
    let whole = match chunk.ends_with('\n') {
        true => Cow::Borrowed(chunk),
        false => Cow::Owned(format!("{chunk}\n")),
    };
    let fail = |at: usize, message| SyntaxError {
        number,
        line: line + at,
        message,
    };
    let Converted { json, mut repeated } =
        yaml::convert(&whole).map_err(|error| fail(error.line, error.message))?;
    if json == "null" {
        return Ok(None);
    }
    for at in repeated.iter_mut().flat_map(|key| &mut key.lines) {
        *at += line;
    }
    match RawValue::from_string(json) {
        Ok(json) => Ok(Some((Cow::Owned(json), repeated))),
        Err(error) => Err(fail(1, error.to_string())),
    }
}

/// Whether there is nothing but blank lines and comments, for sure: a comment that another sign
/// ends than a line feed is left to the parser, and so are tabs.
fn is_blank(chunk: &str) -> bool {
    let is_break = |c: char| matches!(c, '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    chunk.split('\n').all(|line| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let line = line.trim_start_matches([' ', '\u{feff}']);
        line.is_empty() || line.starts_with('#') && !line.contains(is_break)
    })
}

/// The number of line ends.
fn lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

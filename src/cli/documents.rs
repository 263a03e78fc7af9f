//! A file's text, split into documents as kubectl splits it.
//!
//! A file that begins with `{` is a stream of JSON values; where one of the first two cannot be
//! read as JSON, the rest is YAML. Otherwise lines that begin with `---` separate documents,
//! wherever they stand, and only a comment may follow on such a line. Documents are numbered from
//! 1; empty ones count, but blank lines and comments before the first `---` are not a document.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::yaml;

/// A document of a file: its number, from 1, and its JSON text. Empty ones are left out.
#[derive(Debug)]
pub struct Text<'a> {
    /// The number of the document in its file.
    pub number: usize,
    /// The document as JSON, borrowed where the file holds it as such.
    pub json: Cow<'a, RawValue>,
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

/// Splits a file's text and converts what is YAML.
pub fn split(text: &str) -> Result<Vec<Text<'_>>, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    if !text.trim_start().starts_with('{') {
        split_yaml(text, 0, &mut documents)?;
        return Ok(documents);
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut end = 0;
    let error = loop {
        match values.next() {
            None => return Ok(documents),
            Some(Ok(json)) => {
                end = values.byte_offset();
                documents.push(Text {
                    number: documents.len() + 1,
                    json: Cow::Borrowed(json),
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
    match split_yaml(&text[end..], lines(&text[..end]), &mut documents) {
        Err(as_yaml) if as_yaml.number == 1 && looks_like_json(text) => Err(as_json),
        Err(as_yaml) => Err(as_yaml),
        Ok(()) => Ok(documents),
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

/// Splits `text`, which begins after `line` lines of its file, at `---`.
fn split_yaml<'a>(
    text: &'a str,
    mut line: usize,
    documents: &mut Vec<Text<'a>>,
) -> Result<(), SyntaxError> {
    // Text before the first `---` is a document only if it has content.
    let mut number = documents.len() + 1;
    let mut first = true;
    let mut rest = text;
    loop {
        let (chunk, separator, after) = until_separator(rest);
        let counts = !first || !is_blank(chunk);
        if counts {
            if let Some(json) = convert(chunk, number, line)? {
                documents.push(Text { number, json });
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

/// One document as JSON; `None` where it is empty or null.
fn convert(
    chunk: &str,
    number: usize,
    line: usize,
) -> Result<Option<Cow<'_, RawValue>>, SyntaxError> {
    let chunk = chunk.strip_prefix('\u{feff}').unwrap_or(chunk);
    if is_blank(chunk) {
        return Ok(None);
    }
    if chunk.trim_start().starts_with('{')
        && let Ok(json) = serde_json::from_str::<&RawValue>(chunk)
    {
        return Ok(Some(Cow::Borrowed(json)));
    }
    let json = yaml::to_json(chunk).map_err(|error| SyntaxError {
        number,
        line: line + error.line.max(1),
        message: error.message,
    })?;
    if json == "null" {
        return Ok(None);
    }
    match RawValue::from_string(json) {
        Ok(json) => Ok(Some(Cow::Owned(json))),
        Err(error) => Err(SyntaxError {
            number,
            line: line + 1,
            message: error.to_string(),
        }),
    }
}

/// Whether there is nothing but blank lines and comments.
fn is_blank(chunk: &str) -> bool {
    chunk.lines().all(|line| {
        let line = line.trim_start_matches([' ', '\u{feff}']).trim_end();
        line.is_empty() || line.starts_with('#')
    })
}

/// The number of line ends.
fn lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

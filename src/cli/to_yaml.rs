//! JSON text as YAML that means the same to kubectl.
//!
//! It is written from the raw text, so that numbers keep their spelling and nothing is lost on the
//! way through a serializer's own types. A string is written without quotes only where no reader of
//! YAML 1.1 or 1.2 can take it for something else; all others are quoted as JSON quotes them, which
//! YAML has in common, or stand in a block.

use std::fmt::Write;

use serde_json::value::RawValue;

use super::scalar::{Scalar, resolve};
use crate::wire::raw::{RawObject, parse_array};

/// A longer key is no key to readers of YAML, unless `?` says so: 1,024 characters with its colon.
const LONGEST_KEY: usize = 1000;

/// The value as the text of one YAML document, which ends with a line end. Keys are sorted.
///
/// Fails where the text of an object, a list or a string cannot be read as JSON.
pub fn to_yaml(json: &RawValue) -> serde_json::Result<String> {
    let mut out = String::with_capacity(json.get().len() * 2);
    match Level::read(json)? {
        Level::Map(object) if !object.is_empty() => map(&object, 0, &mut out)?,
        Level::List(items) if !items.is_empty() => list(&items, 0, &mut out)?,
        value => {
            inline(&value, 0, &mut out);
            out.push('\n');
        }
    }
    Ok(out)
}

/// A string as YAML writes it within one line: plain, or in double quotes.
pub fn one_line(text: &str) -> String {
    let mut out = String::new();
    if is_plain(text) {
        out.push_str(text);
    } else {
        quoted(text, &mut out);
    }
    out
}

/// One level of a JSON value.
enum Level<'a> {
    Map(RawObject),
    List(Vec<Box<RawValue>>),
    Text(String),
    /// A number, `true`, `false` or `null`: spelt the same in YAML.
    Other(&'a str),
}

impl<'a> Level<'a> {
    fn read(json: &'a RawValue) -> serde_json::Result<Level<'a>> {
        let text = json.get().trim();
        Ok(match text.as_bytes().first() {
            Some(b'{') => Level::Map(RawObject::parse(json)?),
            Some(b'[') => Level::List(parse_array(json)?),
            Some(b'"') => Level::Text(serde_json::from_str(text)?),
            _ => Level::Other(text),
        })
    }
}

fn indentation(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// The entries of a mapping, the first one where the line stands already.
fn map(object: &RawObject, depth: usize, out: &mut String) -> serde_json::Result<()> {
    for (i, (key, value)) in object.0.iter().enumerate() {
        if i > 0 {
            indentation(depth, out);
        }
        let written = one_line(key);
        if written.chars().count() > LONGEST_KEY {
            out.push_str("? ");
            out.push_str(&written);
            out.push('\n');
            indentation(depth, out);
        } else {
            out.push_str(&written);
        }
        out.push(':');
        match Level::read(value)? {
            Level::Map(object) if !object.is_empty() => {
                out.push('\n');
                indentation(depth + 1, out);
                map(&object, depth + 1, out)?;
            }
            // As kubectl writes them: items stand below their key.
            Level::List(items) if !items.is_empty() => {
                out.push('\n');
                indentation(depth, out);
                list(&items, depth, out)?;
            }
            value => {
                out.push(' ');
                inline(&value, depth + 1, out);
                out.push('\n');
            }
        }
    }
    Ok(())
}

/// The items of a sequence, the first one where the line stands already.
fn list(items: &[Box<RawValue>], depth: usize, out: &mut String) -> serde_json::Result<()> {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            indentation(depth, out);
        }
        out.push_str("- ");
        match Level::read(item)? {
            Level::Map(object) if !object.is_empty() => map(&object, depth + 1, out)?,
            Level::List(items) if !items.is_empty() => list(&items, depth + 1, out)?,
            value => {
                inline(&value, depth + 1, out);
                out.push('\n');
            }
        }
    }
    Ok(())
}

/// Writes a value beside its key or dash. The lines of a block are indented by `depth`.
fn inline(value: &Level<'_>, depth: usize, out: &mut String) {
    match value {
        Level::Map(_) => out.push_str("{}"),
        Level::List(_) => out.push_str("[]"),
        Level::Other(text) => out.push_str(text),
        Level::Text(text) if depth > 0 && is_block(text) => block(text, depth, out),
        Level::Text(text) => out.push_str(&one_line(text)),
    }
}

/// Several lines as they are. A dash after the bar says that no line end closes the text.
fn block(text: &str, depth: usize, out: &mut String) {
    let lines = text.strip_suffix('\n');
    out.push_str(if lines.is_some() { "|" } else { "|-" });
    for line in lines.unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indentation(depth, out);
            out.push_str(line);
        }
    }
}

/// Whether it has several lines and all can stand in a block: the first one says how far all are
/// indented, and blanks and empty lines at the end are too easily lost.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\t', '\n'])
        && !text.ends_with("\n\n")
        && text.split('\n').all(|line| {
            let blank_at_end = line.ends_with([' ', '\t']);
            !blank_at_end && line.chars().all(|c| c == '\t' || is_printable(c))
        })
}

/// Whether no reader takes it for anything but this text, though there are no quotes around it.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Numbers, dates and times begin with a digit, a sign or a dot; YAML 1.1 has more of them than
    // 1.2.
    let begins_well = match bytes {
        [b'-', second, ..] => *second == b'-' || second.is_ascii_alphabetic(),
        [first, ..] => first.is_ascii_alphabetic() || matches!(first, b'/' | b'_'),
        [] => false,
    };
    let harmless = |b: &u8| b.is_ascii_alphanumeric() || b" _./-+@%,=()$:".contains(b);
    begins_well
        && !text.starts_with("---")
        && bytes.iter().all(harmless)
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && resolve(text, true, "") == Ok(Scalar::Text(text.to_owned()))
}

/// In double quotes, with escapes that JSON and YAML have in common.
fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) > 0xffff => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
        }
    }
    out.push('"');
}

/// Whether YAML lets it stand unescaped, and no reader takes it for a line end or a byte order
/// mark.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(json: &str) -> String {
        to_yaml(&RawValue::from_string(json.to_owned()).unwrap()).unwrap()
    }

    #[test]
    fn objects_and_lists_are_laid_out_as_kubectl_lays_them_out() {
        let json = r#"{"kind":"Pod","spec":{"containers":[{"args":["--a","b"],"name":"c","ports":[]},{"name":"d"}],
            "empty":{},"nested":[["x"],[[1]]],"none":null,"on":true}}"#;
        let expected = "\
kind: Pod
spec:
  containers:
  - args:
    - --a
    - b
    name: c
    ports: []
  - name: d
  empty: {}
  nested:
  - - x
  - - - 1
  none: null
  \"on\": true
";
        assert_eq!(yaml(json), expected);
        assert_eq!(yaml("[]"), "[]\n");
        assert_eq!(yaml("\"a\\nb\""), "\"a\\nb\"\n");
    }

    #[test]
    fn strings_that_look_like_something_else_are_quoted() {
        for text in [
            "",
            "~",
            "null",
            "Null",
            "true",
            "yes",
            "on",
            "y",
            "N",
            "off",
            "0755",
            "0o7",
            "1e3",
            "1_000",
            "0x1f",
            "1.0",
            ".5",
            "+1",
            "-1",
            "12:30:45",
            "2026-11-21",
            ".nan",
            "-.inf",
            "100m",
            " a",
            "a ",
            "a: b",
            "a #b",
            "a:",
            "#a",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'a",
            "\"a",
            "[a",
            "{a",
            "|",
            ">",
            "- a",
            "-",
            "---",
            "? a",
            ":a",
            "<<",
            "=",
            "a\tb",
            "é",
            "a\u{85}b",
            "\u{feff}a",
            "\u{2028}",
        ] {
            let written = one_line(text);
            assert!(written.starts_with('"'), "{text:?}: {written}");
        }
        for text in [
            "registry.example/agent:1.0",
            "--level=info",
            "-c",
            "/etc/agent",
            "a b",
            "truest",
            "_x",
        ] {
            assert_eq!(one_line(text), text);
        }
        assert_eq!(one_line("a\u{85}\u{1}\""), r#""a\u0085\u0001\"""#);
    }

    #[test]
    fn several_lines_stand_in_a_block_where_nothing_can_be_lost() {
        assert_eq!(yaml(r#"{"a":"x\n  y\n\nz"}"#), "a: |-\n  x\n    y\n\n  z\n");
        assert_eq!(yaml(r#"{"a":"x\ny\n"}"#), "a: |\n  x\n  y\n");
        for text in [
            r" x\ny",
            r"x \ny",
            r"x\n\n",
            r"\nx",
            r"\n",
            r"x\r\ny",
            r"x\ty\u0007\n",
        ] {
            let json = format!(r#"{{"a":"{text}"}}"#);
            assert!(yaml(&json).starts_with("a: \""), "{text}");
        }
    }

    #[test]
    fn numbers_are_spelt_as_they_were() {
        let json = r#"{"a":1.0,"b":1e3,"c":123456789012345678901234567890,"d":-0.50}"#;
        assert_eq!(
            yaml(json),
            "a: 1.0\nb: 1e3\nc: 123456789012345678901234567890\nd: -0.50\n"
        );
    }
}

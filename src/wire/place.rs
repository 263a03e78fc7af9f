//! Where in a JSON text something is, found without decoding the text and without recursion.

use serde_json::error::Category;

/// The deepest nesting of a template, or of the data of a revision, that is read. What reads them
/// calls itself for each level, and reads what is inside once for each. A template has about 15.
/// The API server takes 10,000 levels in a revision's data, which no
/// thread's stack would hold.
pub const MAX_DEPTH: usize = 64;

/// One level of nesting, as far as it has been read.
enum Level<'a> {
    /// The key whose value is read, as it is spelt. None before the first one.
    Object(Option<&'a str>),
    /// The item that is read.
    List(usize),
}

/// The deepest nesting of a text that is JSON.
pub fn depth(json: &str) -> usize {
    let (mut now, mut deepest) = (0_usize, 0);
    let mut rest = json.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'"' => rest = &after[string_end(after)..],
            b'{' | b'[' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What is wrong, after the path of the field where it was found: `spec.nodeName: invalid type: …`.
/// `json` is the text that the error is about.
pub fn said(error: &serde_json::Error, json: &str) -> String {
    said_within("", error, json)
}

/// The same for a part of an object: `at` is the path of the part, and `json` its text.
pub fn said_within(at: &str, error: &serde_json::Error, json: &str) -> String {
    // In what is no JSON there are no fields.
    let inside = match error.classify() {
        Category::Data if error.line() > 0 => {
            path(json, offset(json, error.line(), error.column()))
        }
        _ => String::new(),
    };
    let words = match inside.is_empty() && at.is_empty() && !error.is_data() {
        true => error.to_string(),
        false => words(error),
    };
    match (at, inside.as_str()) {
        ("", "") => words,
        ("", path) | (path, "") => format!("{path}: {words}"),
        (at, inside) if inside.starts_with('[') => format!("{at}{inside}: {words}"),
        (at, inside) => format!("{at}.{inside}: {words}"),
    }
}

/// The error without its place, for a text that nobody has.
pub fn words(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.rfind(" at line ") {
        text.truncate(end);
    }
    text
}

/// The offset of a place that serde_json names: the column counts the bytes that have been read of
/// the line.
fn offset(json: &str, line: usize, column: usize) -> usize {
    let lines = json.split_inclusive('\n').take(line - 1);
    lines.map(str::len).sum::<usize>() + column
}

/// The path of the value whose last byte stands before `end`.
fn path(json: &str, end: usize) -> String {
    let bytes = json.as_bytes();
    let end = end.min(bytes.len());
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut at = 0;
    while at < end {
        let byte = bytes[at];
        at += 1;
        match byte {
            b'"' => {
                let close = at + string_end(&bytes[at..]);
                let is_key = bytes[close..].iter().find(|b| !b.is_ascii_whitespace());
                if let (Some(b':'), Some(Level::Object(key))) = (is_key, levels.last_mut()) {
                    *key = json.get(at..close - 1);
                }
                at = close;
            }
            b'{' => levels.push(Level::Object(None)),
            b'[' => levels.push(Level::List(0)),
            // What lacks something is the object that ends here.
            b'}' | b']' if at == end => {
                levels.pop();
                break;
            }
            b'}' | b']' => {
                levels.pop();
            }
            b',' => {
                if let Some(Level::List(item)) = levels.last_mut() {
                    *item += 1;
                }
            }
            _ => {}
        }
    }
    let mut path = String::new();
    for level in levels {
        match level {
            Level::Object(Some(key)) => {
                let dot = if path.is_empty() { "" } else { "." };
                path.push_str(dot);
                path.push_str(key);
            }
            Level::Object(None) => {}
            Level::List(item) => path.push_str(&format!("[{item}]")),
        }
    }
    path
}

/// How many bytes a string has after its opening quote, the closing one included.
fn string_end(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => return at,
            b'\\' => at += 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code)]
    struct Outer {
        spec: Inner,
        list: Option<Vec<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code)]
    struct Inner {
        number: i32,
        text: Option<String>,
    }

    fn wrong(json: &str) -> String {
        said(&serde_json::from_str::<Outer>(json).unwrap_err(), json)
    }

    #[test]
    fn brackets_count_outside_of_strings() {
        for (json, deepest) in [
            ("7", 0),
            ("{}", 1),
            (r#"{"a":[1,{"b":[]}],"c":[[[]]]}"#, 4),
            (r#"["[[[[\"[[[", "\\"]"#, 1),
        ] {
            assert_eq!(depth(json), deepest, "{json}");
        }
        assert_eq!(depth(&"[".repeat(1_000_000)), 1_000_000);
    }

    #[test]
    fn an_error_says_in_which_field_it_is() {
        for (json, said) in [
            (
                r#"{"spec":{"number":"x"}}"#,
                r#"spec.number: invalid type: string "x", expected i32"#,
            ),
            (
                "{\"spec\": {\n  \"text\": \"},[\",\n  \"number\": 1.5 } }",
                "spec.number: invalid type: floating point `1.5`, expected i32",
            ),
            (
                r#"{"spec":{"number":1},"list":[{"number":1},{"number":2,"text":{"a":1}}]}"#,
                "list[1].text: invalid type: map, expected a string",
            ),
            (
                r#"{"spec":{"text":"a"},"list":null}"#,
                "spec: missing field `number`",
            ),
            ("{}", "missing field `spec`"),
            ("7", "invalid type: integer `7`, expected struct Outer"),
        ] {
            assert_eq!(wrong(json), said, "{json}");
        }
        assert!(wrong(r#"{"spec""#).contains("EOF"));
    }
}

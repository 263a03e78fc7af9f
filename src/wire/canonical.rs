//! The form in which Go's JSON encoder writes a value that it has read, which is how upstream
//! stores a revision's `data`, byte for byte.
//!
//! Keys are sorted, and there is no white space. `<`, `>`, `&`, U+2028 and U+2029 are escaped.
//! Integers of 64 bits stay as they are; all other numbers are written as Go prints the float64
//! that it reads them into. (Upstream decodes with apimachinery's `util/json`, which tells the two
//! apart.) So values from files and from the API compare alike.

use std::{collections::BTreeMap, fmt::Write};

use serde::de::Error;
use serde_json::value::RawValue;

use super::place::{self, MAX_DEPTH};

/// The canonical form of any JSON value. Fails where it is nested deeper than [`MAX_DEPTH`].
pub fn canonical(raw: &RawValue) -> serde_json::Result<String> {
    check_depth(raw)?;
    let mut out = String::with_capacity(raw.get().len());
    write_value(raw.get().trim(), 0, &mut out)?;
    Ok(out)
}

/// A longer text is refused before its levels are opened one by one, each of which reads all that
/// is inside.
const LONG: usize = 64 << 10;

fn check_depth(json: &RawValue) -> serde_json::Result<()> {
    match json.get().len() > LONG && place::depth(json.get()) > MAX_DEPTH {
        true => Err(too_deep()),
        false => Ok(()),
    }
}

fn too_deep() -> serde_json::Error {
    serde_json::Error::custom(format_args!("it is nested deeper than {MAX_DEPTH} levels"))
}

/// The `data` of a revision of this template, and the same without a `creationTimestamp: null` in
/// the template's metadata (None where there is none). Fails where the template is no JSON object,
/// or nested deeper than [`MAX_DEPTH`].
pub fn revision_data(template: &RawValue) -> serde_json::Result<(String, Option<String>)> {
    check_depth(template)?;
    let object: BTreeMap<String, &RawValue> = serde_json::from_str(template.get())?;
    let with = render_template(&object, false)?;
    let without = match object.get("metadata") {
        Some(metadata) if has_null_timestamp(metadata)? => Some(render_template(&object, true)?),
        _ => None,
    };
    Ok((with, without))
}

/// The same two forms of the `data` of an existing revision.
pub fn existing_data(data: &RawValue) -> serde_json::Result<(String, Option<String>)> {
    let form = canonical(data)?;
    let template = (|| {
        let data: BTreeMap<String, &RawValue> = serde_json::from_str(data.get()).ok()?;
        let spec: BTreeMap<String, &RawValue> =
            serde_json::from_str(data.get("spec")?.get()).ok()?;
        Some(*spec.get("template")?)
    })();
    // Data in another form than upstream's is compared as it is only.
    let without = match template {
        Some(template) => match revision_data(template)? {
            (with, without) if with == form => without,
            _ => None,
        },
        None => None,
    };
    Ok((form, without))
}

fn has_null_timestamp(metadata: &RawValue) -> serde_json::Result<bool> {
    if !metadata.get().starts_with('{') {
        return Ok(false);
    }
    let metadata: BTreeMap<String, &RawValue> = serde_json::from_str(metadata.get())?;
    Ok(metadata
        .get("creationTimestamp")
        .is_some_and(|t| t.get() == "null"))
}

/// How deep the fields of a template are nested in the `data` of a revision.
const DEPTH_OF_FIELDS: usize = 3;

fn render_template(
    template: &BTreeMap<String, &RawValue>,
    drop_timestamp: bool,
) -> serde_json::Result<String> {
    let mut out = String::from(r#"{"spec":{"template":{"$patch":"replace""#);
    for (key, value) in template {
        if key == "$patch" {
            continue;
        }
        out.push(',');
        write_string(key, &mut out);
        out.push(':');
        if drop_timestamp && key == "metadata" {
            let mut metadata: BTreeMap<String, &RawValue> = serde_json::from_str(value.get())?;
            metadata.remove("creationTimestamp");
            let entries = metadata.iter().map(|(k, v)| (k.as_str(), *v));
            write_object(entries, DEPTH_OF_FIELDS, &mut out)?;
        } else {
            write_value(value.get(), DEPTH_OF_FIELDS, &mut out)?;
        }
    }
    out.push_str("}}}");
    Ok(out)
}

fn write_value(text: &str, depth: usize, out: &mut String) -> serde_json::Result<()> {
    if depth >= MAX_DEPTH && text.starts_with(['{', '[']) {
        return Err(too_deep());
    }
    match text.as_bytes().first() {
        Some(b'{') => {
            let object: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            write_object(object.iter().map(|(k, v)| (k.as_str(), *v)), depth, out)?;
        }
        Some(b'[') => {
            let array: Vec<&RawValue> = serde_json::from_str(text)?;
            out.push('[');
            for (i, value) in array.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(value.get(), depth + 1, out)?;
            }
            out.push(']');
        }
        Some(b'"') => write_string(&serde_json::from_str::<String>(text)?, out),
        Some(b'-' | b'0'..=b'9') => write_number(text, out),
        _ => out.push_str(text),
    }
    Ok(())
}

fn write_object<'a>(
    entries: impl Iterator<Item = (&'a str, &'a RawValue)>,
    depth: usize,
    out: &mut String,
) -> serde_json::Result<()> {
    out.push('{');
    for (i, (key, value)) in entries.enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        write_value(value.get(), depth + 1, out)?;
    }
    out.push('}');
    Ok(())
}

/// A string as Go's encoder writes it, with HTML escaping on.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A number as Go prints it: an integer of 64 bits as it is, any other as the float64 that Go reads
/// it into. A number beyond float64 stays as it is.
fn write_number(text: &str, out: &mut String) {
    if let Ok(n) = text.parse::<i64>() {
        let _ = write!(out, "{n}");
        return;
    }
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() => {
            let abs = n.abs();
            if abs != 0.0 && !(1e-6..1e21).contains(&abs) {
                let scientific = format!("{n:e}");
                match scientific.split_once('e') {
                    Some((mantissa, exponent)) if !exponent.starts_with('-') => {
                        let _ = write!(out, "{mantissa}e+{exponent}");
                    }
                    _ => out.push_str(&scientific),
                }
            } else {
                let _ = write!(out, "{n}");
            }
        }
        _ => out.push_str(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    /// Go 1.26 printed each row: apimachinery 0.37's `util/json.Unmarshal` into a map, then
    /// `Marshal`.
    #[test]
    fn as_go_writes_it() {
        for (given, expected) in include_str!("../../tests/data/go-json.tsv")
            .lines()
            .map(|l| l.split_once('\t').expect("two columns"))
        {
            assert_eq!(canonical(&raw(given)).unwrap(), expected, "{given}");
        }
    }

    #[test]
    fn a_template_with_and_without_its_timestamp() {
        let (with, without) = revision_data(&raw(
            r#"{"spec":{"a":"<b>"},"metadata":{"labels":{"x":"y"},"creationTimestamp":null}}"#,
        ))
        .unwrap();
        assert_eq!(
            with,
            r#"{"spec":{"template":{"$patch":"replace","metadata":{"creationTimestamp":null,"labels":{"x":"y"}},"spec":{"a":"\u003cb\u003e"}}}}"#
        );
        let without = without.unwrap();
        assert_eq!(
            without,
            r#"{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"x":"y"}},"spec":{"a":"\u003cb\u003e"}}}}"#
        );
        assert_eq!(
            existing_data(&raw(&with)).unwrap(),
            (with, Some(without.clone()))
        );
        assert_eq!(existing_data(&raw(&without)).unwrap(), (without, None));
    }

    #[test]
    fn what_is_nested_deeper_than_the_limit_is_refused_whatever_the_stack() {
        let nested = |levels| raw(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
        assert!(canonical(&nested(MAX_DEPTH)).is_ok());
        for levels in [MAX_DEPTH + 1, 1_000_000] {
            let error = canonical(&nested(levels)).unwrap_err().to_string();
            assert_eq!(error, "it is nested deeper than 64 levels");
        }
        // The data of a template that is read is read too.
        let template = |levels: usize| {
            let (open, close) = (r#"{"a":"#.repeat(levels), "}".repeat(levels));
            raw(&format!("{open}1{close}"))
        };
        let (data, _) = revision_data(&template(MAX_DEPTH - 2)).unwrap();
        assert_eq!(existing_data(&raw(&data)).unwrap().0, data);
        assert!(revision_data(&template(MAX_DEPTH - 1)).is_err());
    }

    #[test]
    fn the_sample_is_its_own_canonical_form() {
        let stored = include_str!("../../tests/data/samples/controllerrevision.data.bin");
        let stored = stored.trim_end();
        assert_eq!(canonical(&raw(stored)).unwrap(), stored);
    }
}

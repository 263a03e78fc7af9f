//! The meaning of a YAML scalar to kubectl.
//!
//! kubectl reads YAML 1.1 through go-yaml v2 and writes JSON: `0755` is 493, `yes`, `on` and `y`
//! are true, `1_000` is 1000, and a number that does not fit is a float or stays a string. The
//! rules here are go-yaml's, the way numbers are written is that of Go's JSON encoder. The table
//! `tests/data/yaml/kubectl.json` was written by the real code and holds every rule.

/// The meaning of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// No value.
    Null,
    /// `true`, `yes`, `on`, `y` and their opposites.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// An integer above the signed range.
    Uint(u64),
    /// Anything with a fraction or an exponent, and integers of more than 64 bits.
    Float(f64),
    /// Everything else.
    Text(String),
}

/// The prefix of YAML's own tags, `!!` in short.
const CORE: &str = "tag:yaml.org,2002:";

/// The meaning of `text`, written plain (without quotes) or not, under `tag` (in full, without one:
/// empty).
pub fn resolve(text: &str, plain: bool, tag: &str) -> Result<Scalar, String> {
    if tag.is_empty() {
        return Ok(if plain {
            untagged(text)
        } else {
            Scalar::Text(text.to_owned())
        });
    }
    let wrong = |short: &str| Err(format!("`{text}` is not a !!{short}"));
    match tag.strip_prefix(CORE) {
        Some("binary") => binary(text).map(Scalar::Text),
        Some("null") => match untagged(text) {
            Scalar::Null => Ok(Scalar::Null),
            _ => wrong("null"),
        },
        Some("bool") => match untagged(text) {
            Scalar::Bool(value) => Ok(Scalar::Bool(value)),
            _ => wrong("bool"),
        },
        Some("int") => match untagged(text) {
            value @ (Scalar::Int(_) | Scalar::Uint(_)) => Ok(value),
            _ => wrong("int"),
        },
        Some("float") => match untagged(text) {
            Scalar::Float(value) => Ok(Scalar::Float(value)),
            Scalar::Int(value) => Ok(Scalar::Float(value as f64)),
            _ => wrong("float"),
        },
        Some("timestamp") if !looks_like_date(text) => wrong("timestamp"),
        _ => Ok(Scalar::Text(text.to_owned())),
    }
}

/// The meaning of a plain scalar without a tag.
fn untagged(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Scalar::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let number = match text.as_bytes()[0] {
        b'.' if underscores_are_between_digits(text) => float(&text.replace('_', "")),
        b'+' | b'-' | b'0'..=b'9' => {
            let plain = text.replace('_', "");
            integer(&plain)
                .or_else(|| float(&plain))
                .or_else(|| binary_prefix(&plain))
        }
        _ => None,
    };
    number.unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

/// Integers as Go reads them with base 0: `0x`, `0o`, `0b`, a leading 0 for octal.
fn integer(text: &str) -> Option<Scalar> {
    let (negative, signed, digits) = match text.as_bytes()[0] {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(hex) = lower.strip_prefix("0x") {
        (16, hex)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (8, octal)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (2, binary)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, &lower[..])
    };
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).ok()?;
    match i64::try_from(value) {
        Ok(value) => Some(Scalar::Int(if negative { -value } else { value })),
        Err(_) if negative && value == i64::MIN.unsigned_abs() => Some(Scalar::Int(i64::MIN)),
        Err(_) if signed => None,
        Err(_) => Some(Scalar::Uint(value)),
    }
}

/// go-yaml reads what follows `0b` once more with a sign of its own, so `0b-1` is -1.
fn binary_prefix(text: &str) -> Option<Scalar> {
    i64::from_str_radix(text.strip_prefix("0b")?, 2)
        .ok()
        .map(Scalar::Int)
}

/// A decimal number with an optional fraction and exponent; what is too large is no number.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let well_formed = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => digits(mantissa) && !mantissa.is_empty(),
    };
    let exponent_well_formed = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        digits(e) && !e.is_empty()
    });
    if !well_formed || !exponent_well_formed {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(Scalar::Float(value))
}

/// Go's rule for `_` in a number that begins with a dot.
fn underscores_are_between_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: Option<&u8>| at.is_some_and(u8::is_ascii_digit);
    bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'_')
        .all(|(i, _)| {
            digit(i.checked_sub(1).and_then(|before| bytes.get(before))) && digit(bytes.get(i + 1))
        })
}

/// Whether `text` begins like a date, `2006-1`.
fn looks_like_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 5
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[5].is_ascii_digit()
}

/// The text that `!!binary` holds; bytes that are no UTF-8 become U+FFFD each, as in Go's JSON.
fn binary(text: &str) -> Result<String, String> {
    let bytes = base64(text).ok_or("!!binary holds no valid base64")?;
    let mut out = String::with_capacity(bytes.len());
    let mut rest = &bytes[..];
    loop {
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                out.push_str(valid);
                return Ok(out);
            }
            Err(error) => {
                let (valid, broken) = rest.split_at(error.valid_up_to());
                out.push_str(&String::from_utf8_lossy(valid));
                out.push('\u{fffd}');
                rest = &broken[1..];
            }
        }
    }
}

/// Standard base64 with padding; line breaks are skipped.
fn base64(text: &str) -> Option<Vec<u8>> {
    let symbols: Vec<u8> = text
        .bytes()
        .filter(|b| !matches!(b, b'\n' | b'\r'))
        .collect();
    let padding = symbols.iter().rev().take_while(|b| **b == b'=').count();
    if !symbols.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(symbols.len() / 4 * 3);
    let mut bits: u32 = 0;
    for (i, symbol) in symbols[..symbols.len() - padding].iter().enumerate() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        if i % 4 != 0 {
            out.push((bits >> (6 - 2 * (i % 4))) as u8);
        }
    }
    Some(out)
}

impl Scalar {
    /// The scalar as JSON, written as Go writes it; infinities and NaN have no JSON form.
    pub fn write_json(&self, out: &mut String) -> Result<(), String> {
        match self {
            Scalar::Null => out.push_str("null"),
            Scalar::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Scalar::Int(value) => out.push_str(&value.to_string()),
            Scalar::Uint(value) => out.push_str(&value.to_string()),
            Scalar::Float(value) => out.push_str(&json_float(*value)?),
            Scalar::Text(text) => write_json_string(text, out),
        }
        Ok(())
    }

    /// The scalar as the key of a JSON object; null and integers above the signed range cannot be
    /// one.
    pub fn into_key(self) -> Result<String, String> {
        match self {
            Scalar::Text(text) => Ok(text),
            Scalar::Bool(value) => Ok(value.to_string()),
            Scalar::Int(value) => Ok(value.to_string()),
            Scalar::Float(value) => Ok(key_float(value)),
            Scalar::Null => Err("null cannot be a key".to_owned()),
            Scalar::Uint(value) => Err(format!("{value} is too large for a key")),
        }
    }
}

/// `text` as a JSON string.
pub fn write_json_string(text: &str, out: &mut String) {
    let needs_escape = |byte: u8| byte < b' ' || matches!(byte, b'"' | b'\\');
    if text.bytes().any(needs_escape) {
        out.push_str(&serde_json::Value::from(text).to_string());
        return;
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}

/// The shortest digits that give `value` again, with an exponent below 1e-6 and from 1e21 on.
fn json_float(value: f64) -> Result<String, String> {
    if !value.is_finite() {
        return Err(format!("{value} has no form in JSON"));
    }
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        return Ok(if size < 1.0 {
            text
        } else {
            text.replace('e', "e+")
        });
    }
    Ok(value.to_string())
}

/// A float as a key has the precision of 32 bits (so does sigs.k8s.io/yaml's).
fn key_float(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    format!(
        "{digits}e{}{:02}",
        if exponent < 0 { '-' } else { '+' },
        exponent.abs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        for (text, bytes) in [
            ("", ""),
            ("YQ==", "a"),
            ("YWI=", "ab"),
            ("YWJj", "abc"),
            ("YW\nJj", "abc"),
        ] {
            assert_eq!(base64(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        for text in ["YQ", "YQ=", "Y===", "Y!==", "YQ==YQ=="] {
            assert_eq!(base64(text), None, "{text}");
        }
    }

    #[test]
    fn keys_of_floats() {
        for (value, key) in [
            (1.5, "1.5"),
            (1000.0, "1000"),
            (123456.0, "123456"),
            (1234567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e300, ".inf"),
            (0.0, "0"),
        ] {
            assert_eq!(key_float(value), key);
        }
    }
}

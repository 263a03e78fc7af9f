//! Quantities (`500m`, `1Gi`, `0.5`) in the form in which the API server writes them.
//!
//! An object from a file must compare equal to what the API server makes of it, and the server
//! rewrites quantities: `0.5` becomes `500m`, `1024Mi` becomes `1Gi`. Where the server takes a
//! short cut it keeps the text, so that some forms survive that are not canonical (`1.001`, `007`).
//! The same short cuts are taken here.

/// How many digits fit the server's short cut for decimal numbers.
const SHORT_DIGITS: i32 = 18;
/// The largest value of a quantity with a binary suffix.
const MAX: u128 = i64::MAX as u128;
/// Quantities are rounded up to this power of ten.
const NANO: i32 = -9;
/// Quantities in resource lists are rounded up to this power of ten.
const MILLI: i32 = -3;

/// The notation of a quantity, which is kept when it is rewritten.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    /// `500m`, `2`, `1k`.
    Decimal,
    /// `1e3`.
    Exponent,
    /// `1Gi`.
    Binary,
}

/// A quantity: `digits` times ten to the power of `scale`.
struct Amount {
    negative: bool,
    digits: u128,
    scale: i32,
    format: Format,
    /// Whether the server keeps the text.
    kept: bool,
}

/// `text` as the server writes it. None where it is no quantity, or has more digits than are
/// handled here (about 38).
pub fn canonical(text: &str) -> Option<String> {
    let text = text.trim();
    let amount = parse(text)?;
    if amount.kept {
        Some(text.to_owned())
    } else {
        write(amount)
    }
}

/// `text` as the server writes it in a list of resources, where less than a thousandth is rounded
/// up. None as for [`canonical`].
pub fn canonical_resource(text: &str) -> Option<String> {
    let text = text.trim();
    let mut amount = parse(text)?;
    if amount.scale < MILLI {
        round_up(&mut amount, MILLI);
        amount.kept = false;
    }
    if amount.kept {
        Some(text.to_owned())
    } else {
        write(amount)
    }
}

/// The value of `text` in billionths, the smallest unit that the server keeps. None where it is no
/// quantity, or does not fit.
pub fn billionths(text: &str) -> Option<i128> {
    let mut amount = parse(text.trim())?;
    if amount.scale < NANO {
        round_up(&mut amount, NANO);
    }
    let power = u32::try_from(amount.scale.checked_sub(NANO)?).ok()?;
    let digits = i128::try_from(amount.digits).ok()?;
    let value = digits.checked_mul(10i128.checked_pow(power)?)?;
    Some(if amount.negative { -value } else { value })
}

/// The notation and the power (of two for binary suffixes, else of ten) of a suffix.
fn suffix(text: &str) -> Option<(Format, i32)> {
    Some(match text {
        "n" => (Format::Decimal, -9),
        "u" => (Format::Decimal, -6),
        "m" => (Format::Decimal, -3),
        "" => (Format::Decimal, 0),
        "k" => (Format::Decimal, 3),
        "M" => (Format::Decimal, 6),
        "G" => (Format::Decimal, 9),
        "T" => (Format::Decimal, 12),
        "P" => (Format::Decimal, 15),
        "E" => (Format::Decimal, 18),
        "Ki" => (Format::Binary, 10),
        "Mi" => (Format::Binary, 20),
        "Gi" => (Format::Binary, 30),
        "Ti" => (Format::Binary, 40),
        "Pi" => (Format::Binary, 50),
        "Ei" => (Format::Binary, 60),
        _ => (
            Format::Exponent,
            text.strip_prefix(['e', 'E'])?.parse().ok()?,
        ),
    })
}

fn parse(text: &str) -> Option<Amount> {
    if text.is_empty() {
        return None;
    }
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits_end = |s: &str| {
        s.bytes()
            .position(|b| !b.is_ascii_digit())
            .unwrap_or(s.len())
    };
    let (whole, rest) = unsigned.split_at(digits_end(unsigned));
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(after) => after.split_at(digits_end(after)),
        None => ("", rest),
    };
    let (format, power) = suffix(rest)?;
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        stripped => stripped,
    };
    let joined = format!("{whole}{fraction}");
    let digits: u128 = joined.parse().ok()?;
    let places = i32::try_from(fraction.len()).ok()?;
    let length = i32::try_from(joined.len()).ok()?;
    let kept = text == "0"
        || match format {
            // The short cut for binary numbers: no fraction, and few enough digits.
            Format::Binary => {
                fraction.is_empty() && 14 - length - power * 3 / 10 >= 0 && digits & 7 != 0
            }
            _ => {
                let scale = power.checked_sub(places)?;
                length <= SHORT_DIGITS
                    && scale >= NANO
                    && scale % 3 == 0
                    && !joined.ends_with("000")
                    && !joined.starts_with('0')
            }
        };
    let mut amount = Amount {
        negative,
        digits,
        scale: power.checked_sub(places)?,
        format,
        kept,
    };
    if format == Format::Binary {
        amount.scale = -places;
        amount.digits = digits.saturating_mul(1 << power);
    }
    if amount.scale < NANO {
        round_up(&mut amount, NANO);
    }
    if format == Format::Binary {
        let one = 10u128.checked_pow(amount.scale.unsigned_abs())?;
        if amount.digits > MAX.checked_mul(one)? {
            amount.digits = MAX;
            amount.scale = 0;
        } else if amount.digits < one {
            amount.format = Format::Decimal;
        }
    }
    Some(amount)
}

/// Rounds up, away from zero, to a multiple of ten to the power of `scale`.
fn round_up(amount: &mut Amount, scale: i32) {
    let places = scale.abs_diff(amount.scale);
    amount.digits = match 10u128.checked_pow(places) {
        Some(unit) => amount.digits.div_ceil(unit),
        None => u128::from(amount.digits > 0),
    };
    amount.scale = scale;
}

fn write(amount: Amount) -> Option<String> {
    let Amount {
        negative,
        mut digits,
        mut scale,
        mut format,
        ..
    } = amount;
    if digits == 0 {
        return Some("0".to_owned());
    }
    while digits % 10 == 0 {
        digits /= 10;
        scale = scale.checked_add(1)?;
    }
    let sign = if negative { "-" } else { "" };
    if format == Format::Binary {
        // Fractions and values below 1024 are written with decimal suffixes.
        let value = u32::try_from(scale)
            .ok()
            .and_then(|s| digits.checked_mul(10u128.checked_pow(s)?));
        match value.filter(|value| *value >= 1024) {
            Some(mut value) => {
                let mut power = 0;
                while value % 1024 == 0 {
                    value /= 1024;
                    power += 1;
                }
                let suffix = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].get(power)?;
                return Some(format!("{sign}{value}{suffix}"));
            }
            None => format = Format::Decimal,
        }
    }
    while scale % 3 != 0 {
        digits = digits.checked_mul(10)?;
        scale -= 1;
    }
    let suffix = match (format, scale) {
        (_, 0) => String::new(),
        (Format::Exponent, _) => format!("e{scale}"),
        // There is no suffix beyond exa, and the server then writes none.
        _ => ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"]
            .get(usize::try_from(scale / 3 + 3).ok()?)
            .map_or(String::new(), |suffix| (*suffix).to_owned()),
    };
    Some(format!("{sign}{digits}{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    #[test]
    fn quantities_are_what_they_stand_for() {
        for (text, billionths) in [
            ("0", Some(0)),
            ("1", Some(1_000_000_000)),
            ("1000m", Some(1_000_000_000)),
            ("-1.5", Some(-1_500_000_000)),
            ("1e3", Some(1_000_000_000_000)),
            ("1Ki", Some(1_024_000_000_000)),
            ("1n", Some(1)),
            ("0.1n", Some(1)),
            ("ten", None),
            ("", None),
        ] {
            assert_eq!(super::billionths(text), billionths, "{text}");
        }
    }

    /// Pairs that `k8s.io/apimachinery/pkg/api/resource` 0.37.1 wrote; null for what it refuses.
    #[test]
    fn every_quantity_of_the_table() {
        let table = include_str!("../../tests/data/quantities.json");
        let pairs: Vec<(Box<RawValue>, Option<String>)> = serde_json::from_str(table).unwrap();
        let mut wrong = Vec::new();
        let mut beyond = 0;
        for (text, expected) in &pairs {
            let text = text.get().trim_matches('"');
            let ours = canonical(text);
            if ours.is_none() && expected.is_some() {
                beyond += 1;
            } else if ours != *expected {
                wrong.push(format!("{text}: {ours:?}, not {expected:?}"));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of {}:\n{}",
            wrong.len(),
            pairs.len(),
            wrong.join("\n")
        );
        assert!(beyond < 5, "{beyond} have too many digits");
    }

    #[test]
    fn resource_lists_have_no_less_than_thousandths() {
        for (text, expected) in [
            ("0.0001", "1m"),
            ("1u", "1m"),
            ("1.0001", "1001m"),
            ("-1n", "-1m"),
            ("500m", "500m"),
            ("1.001", "1.001"),
            ("0.1Ki", "102400m"),
        ] {
            assert_eq!(
                canonical_resource(text).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn exponents_at_the_end_of_their_range() {
        for text in [
            "10e2147483647",
            "1e2147483647",
            "1e-2147483648",
            "0.1e-2147483648",
            "1e2147483648",
        ] {
            let _ = (canonical(text), canonical_resource(text));
            let small = text
                .contains('-')
                .then_some(1)
                .filter(|_| !text.starts_with("0.1"));
            assert_eq!(super::billionths(text), small, "{text}");
        }
        assert_eq!(canonical("10e2147483647"), None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_canonical_stays(
            whole in 0u64.., fraction in "[0-9]{0,6}", suffix in "n|u|m||k|M|G|T|Ki|Mi|Gi|Ti|e3|E-3",
        ) {
            let once = canonical(&format!("{whole}.{fraction}{suffix}"));
            if let Some(once) = once {
                proptest::prop_assert_eq!(canonical(&once), Some(once.clone()));
            }
        }
    }
}

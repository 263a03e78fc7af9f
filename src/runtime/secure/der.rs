//! The little of DER (X.690) that a certificate is written and read with.

/// `BOOLEAN`.
pub const BOOLEAN: u8 = 0x01;
/// `INTEGER`.
pub const INTEGER: u8 = 0x02;
/// `BIT STRING`.
pub const BIT_STRING: u8 = 0x03;
/// `OCTET STRING`.
pub const OCTET_STRING: u8 = 0x04;
/// `OBJECT IDENTIFIER`.
pub const OID: u8 = 0x06;
/// `UTF8String`.
pub const UTF8_STRING: u8 = 0x0c;
/// `UTCTime`: a year of two digits, until 2049.
pub const UTC_TIME: u8 = 0x17;
/// `GeneralizedTime`: a year of four digits.
pub const GENERALIZED_TIME: u8 = 0x18;
/// `SEQUENCE`.
pub const SEQUENCE: u8 = 0x30;
/// `SET`.
pub const SET: u8 = 0x31;

/// A value with its tag and its length.
pub fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut out = vec![tag];
    match significant {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | long.len() as u8);
            out.extend(long);
        }
    }
    out.extend(content);
    out
}

/// A value that consists of values.
pub fn values(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    value(tag, &parts.concat())
}

/// A `BIT STRING` of whole bytes.
pub fn bits(bytes: &[u8]) -> Vec<u8> {
    values(BIT_STRING, &[&[0], bytes])
}

/// Takes one value after another from the front of a text.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The tag and the content of the next value; None at the end, or where there is none that is
    /// whole.
    pub fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            short if *short < 0x80 => (usize::from(*short), rest),
            // Longer than four bytes is no certificate, and without a length it is no DER.
            long => {
                let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                let known = (1..=4).contains(&bytes.len());
                let add = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
                (known.then(|| bytes.iter().fold(0, add))?, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The content of the next value, where it has this tag.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|v| v.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_off_is_not() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 70_000] {
            let content = vec![7; length];
            let whole = value(OCTET_STRING, &content);
            assert_eq!(Reader(&whole).expect(OCTET_STRING), Some(&*content));
            assert_eq!(Reader(&whole).expect(SEQUENCE), None);
            let cut = &whole[..whole.len() - 1];
            assert_eq!(Reader(cut).next(), None, "{length}");
        }
        for nonsense in [
            &[][..],
            &[0x30],
            &[0x30, 0x80],
            &[0x30, 0x85, 0, 0, 0, 0, 0],
        ] {
            assert_eq!(Reader(nonsense).next(), None, "{nonsense:?}");
        }
        assert_eq!(value(SEQUENCE, &[1; 200])[..3], [0x30, 0x81, 200]);
    }
}

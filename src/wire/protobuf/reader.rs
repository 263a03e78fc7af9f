//! Reads messages of protobuf without copying: a field is a number, and a piece of the message.
//!
//! What a message means is said by those who read it; fields that they do not name are passed over
//! by their length, so that a new version of the API adds no cost and cannot break decoding.

use std::fmt;

/// What is wrong with a message, after the path of the field where it was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    path: String,
    what: &'static str,
}

/// The error is boxed because it is rare, and results are handed on for every field.
pub type Result<T> = std::result::Result<T, Box<Malformed>>;

impl Malformed {
    pub(in crate::wire) fn new(what: &'static str) -> Box<Malformed> {
        let path = String::new();
        Box::new(Malformed { path, what })
    }

    /// The same, said of a field of this name.
    pub fn within(mut self: Box<Self>, field: &str) -> Box<Malformed> {
        let dot = if self.path.is_empty() { "" } else { "." };
        self.path = format!("{field}{dot}{}", self.path);
        self
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(self.what),
            path => write!(f, "{path}: {}", self.what),
        }
    }
}

/// The rest of a message: an iterator over its fields, which ends with the first that is malformed.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a>(&'a [u8]);

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Its number, which stands for its name.
    pub number: u64,
    value: Value<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    /// Whole numbers and booleans.
    Number(u64),
    /// Texts, bytes and messages.
    Bytes(&'a [u8]),
    /// Numbers of a fixed length, which no field has that is read.
    Fixed,
}

impl<'a> Message<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Message(bytes)
    }

    /// The first field of this number, whatever comes after it. None where it holds no bytes.
    pub fn find(mut self, number: u64) -> Option<&'a [u8]> {
        loop {
            let field = self.next()?.ok()?;
            if field.number == number {
                return field.bytes("").ok();
            }
        }
    }

    /// As [`Message::find`], as a text.
    pub fn find_text(self, number: u64) -> Option<&'a str> {
        str::from_utf8(self.find(number)?).ok()
    }

    fn field(&mut self) -> Option<Field<'a>> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(usize::try_from(length).ok()?)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        let number = tag >> 3;
        (number != 0).then_some(Field { number, value })
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of up to 64 bits, seven bits a byte, the lowest first.
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

impl<'a> Iterator for Message<'a> {
    type Item = Result<Field<'a>>;

    fn next(&mut self) -> Option<Result<Field<'a>>> {
        if self.0.is_empty() {
            return None;
        }
        Some(self.field().ok_or_else(|| {
            // Nothing says where the next field begins.
            self.0 = &[];
            Malformed::new("a field that is cut off, or has an unknown form")
        }))
    }
}

impl<'a> Field<'a> {
    /// The field as bytes. `name` is what it is called in messages of errors, here and below.
    pub fn bytes(self, name: &str) -> Result<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed::new("a number where bytes should be").within(name)),
        }
    }

    pub fn text(self, name: &str) -> Result<&'a str> {
        str::from_utf8(self.bytes(name)?)
            .map_err(|_| Malformed::new("a text that is no UTF-8").within(name))
    }

    /// A number of the types `int32`, `int64` and `bool`.
    pub fn number(self, name: &str) -> Result<i64> {
        match self.value {
            Value::Number(number) => Ok(number.cast_signed()),
            _ => Err(Malformed::new("bytes where a number should be").within(name)),
        }
    }

    pub fn bool(self, name: &str) -> Result<bool> {
        Ok(self.number(name)? != 0)
    }

    /// What `read` makes of the message in the field.
    pub fn message<T>(self, name: &str, read: impl FnOnce(Message<'a>) -> Result<T>) -> Result<T> {
        read(Message(self.bytes(name)?)).map_err(|error| error.within(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &[u8], read: impl Fn(Field<'_>) -> Result<()>) -> String {
        let mut fields = Message::new(message);
        fields.try_for_each(|f| read(f?)).unwrap_err().to_string()
    }

    #[test]
    fn fields_of_all_forms_are_passed_over() {
        let message = b"\x08\x96\x01\x11\0\0\0\0\0\0\0\0\x1a\x02hi\x25\0\0\0\0\xfa\xff\xff\xff\x0f\x00\x28\x01";
        let numbers: Vec<u64> = Message::new(message).map(|f| f.unwrap().number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 536_870_911, 5]);
        assert_eq!(Message::new(message).find_text(3), Some("hi"));
        let first = Message::new(message).next().unwrap().unwrap();
        assert_eq!(first.number("a").unwrap(), 150);
        let minus_one = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        let first = Message::new(minus_one).next().unwrap().unwrap();
        assert_eq!(first.number("a").unwrap(), -1);
    }

    #[test]
    fn what_is_malformed_ends_the_message() {
        for bytes in [
            &b"\x08"[..],
            b"\x0a\x05hell",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x09\0\0\0\0\0\0\0",
            b"\x0d\0\0\0",
            b"\x0b\x0c",
            b"\x0f",
            b"\x02\x00",
        ] {
            let message = [&b"\x10\x01"[..], bytes].concat();
            let fields: Vec<_> = Message::new(&message).collect();
            assert!(matches!(&fields[..], [Ok(_), Err(_)]), "{bytes:?}");
            assert_eq!(Message::new(&message).find(3), None, "{bytes:?}");
        }
    }

    #[test]
    fn an_error_says_in_which_field_it_is() {
        let in_spec = |f: Field<'_>| {
            f.message("spec", |spec| {
                let mut fields = spec;
                fields.try_for_each(|f| f?.text("nodeName").map(drop))
            })
        };
        for (message, expected) in [
            (
                &b"\x0a\x03\x0a\x01\xff"[..],
                "spec.nodeName: a text that is no UTF-8",
            ),
            (
                b"\x0a\x02\x08\x01",
                "spec.nodeName: a number where bytes should be",
            ),
            (
                b"\x0a\x01\x0a",
                "spec: a field that is cut off, or has an unknown form",
            ),
            (b"\x0a", "a field that is cut off, or has an unknown form"),
            (b"\x08\x01", "spec: a number where bytes should be"),
        ] {
            assert_eq!(said(message, in_spec), expected);
        }
        let number = |f: Field<'_>| f.number("code").map(drop);
        assert_eq!(
            said(b"\x0a\x00", number),
            "code: bytes where a number should be"
        );
    }
}

//! Anchors, aliases, tags and directives.

use std::borrow::Cow;

use super::{YamlError, scanner::Scanner, token::TokenKind};

impl<'a> Scanner<'a> {
    /// `&name` or `*name`.
    pub(super) fn scan_anchor(&mut self) -> Result<TokenKind<'a>, YamlError> {
        let is_alias = self.cursor.peek(0) == b'*';
        self.cursor.skip(1);
        let name = self.word();
        let ends = self.cursor.separates(0)
            || matches!(
                self.cursor.peek(0),
                b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'
            );
        if name.is_empty() || !ends {
            return Err(self.error("did not find expected alphabetic or numeric character"));
        }
        Ok(match is_alias {
            true => TokenKind::Alias(name),
            false => TokenKind::Anchor(name),
        })
    }

    /// `!suffix`, `!handle!suffix` or `!<suffix>`.
    pub(super) fn scan_tag(&mut self) -> Result<TokenKind<'a>, YamlError> {
        let tag = if self.cursor.peek(1) == b'<' {
            self.cursor.skip(2);
            let suffix = self.uri(false)?;
            if self.cursor.peek(0) != b'>' {
                return Err(self.error("did not find the expected '>'"));
            }
            self.cursor.skip(1);
            TokenKind::Tag { handle: "", suffix }
        } else {
            let from = self.cursor.offset();
            let handle = self.handle()?;
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.uri(false)?;
                TokenKind::Tag { handle, suffix }
            } else {
                // It was no handle: what has been read is the beginning of the suffix.
                let rest = self.uri(true)?;
                let suffix = match rest {
                    Cow::Borrowed(_) => {
                        Cow::Borrowed(self.cursor.slice(from + 1, self.cursor.offset()))
                    }
                    Cow::Owned(rest) => Cow::Owned(format!("{}{rest}", &handle[1..])),
                };
                match suffix.is_empty() {
                    true => TokenKind::Tag {
                        handle: "",
                        suffix: Cow::Borrowed("!"),
                    },
                    false => TokenKind::Tag {
                        handle: "!",
                        suffix,
                    },
                }
            }
        };
        if !self.cursor.separates(0) {
            return Err(self.error("did not find expected whitespace or line break"));
        }
        Ok(tag)
    }

    /// `%YAML 1.1` or `%TAG !handle! prefix`.
    pub(super) fn scan_directive(&mut self) -> Result<TokenKind<'a>, YamlError> {
        self.cursor.skip(1);
        let name = self.word();
        if name.is_empty() {
            return Err(self.error("could not find expected directive name"));
        }
        if !self.cursor.separates(0) {
            return Err(self.error("found unexpected non-alphabetical character"));
        }
        let directive = match name {
            "YAML" => self.version()?,
            "TAG" => self.tag_directive()?,
            _ => return Err(self.error("found unknown directive name")),
        };
        self.end_of_line()?;
        Ok(directive)
    }

    /// Only blanks and a comment may be on the rest of the line.
    pub(super) fn end_of_line(&mut self) -> Result<(), YamlError> {
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.is_break_or_end() {
            return Err(self.error("did not find expected comment or line break"));
        }
        self.cursor.line_break();
        Ok(())
    }

    fn version(&mut self) -> Result<TokenKind<'a>, YamlError> {
        self.cursor.skip_blanks();
        let major = self.version_number()?;
        if self.cursor.peek(0) != b'.' {
            return Err(self.error("did not find expected digit or '.' character"));
        }
        self.cursor.skip(1);
        Ok(TokenKind::Version(major, self.version_number()?))
    }

    /// One or two digits.
    fn version_number(&mut self) -> Result<u8, YamlError> {
        let from = self.cursor.offset();
        while self.cursor.peek(0).is_ascii_digit() {
            self.cursor.skip(1);
        }
        match self.cursor.slice(from, self.cursor.offset()) {
            "" => Err(self.error("did not find expected version number")),
            digits if digits.len() > 2 => Err(self.error("found extremely long version number")),
            digits => Ok(digits
                .bytes()
                .fold(0, |sum, digit| sum * 10 + (digit - b'0'))),
        }
    }

    fn tag_directive(&mut self) -> Result<TokenKind<'a>, YamlError> {
        self.cursor.skip_blanks();
        let handle = self.handle()?;
        if handle != "!" && !(handle.len() > 1 && handle.ends_with('!')) {
            return Err(self.error("did not find expected '!'"));
        }
        if !self.cursor.is_blank() {
            return Err(self.error("did not find expected whitespace"));
        }
        self.cursor.skip_blanks();
        let prefix = self.uri(false)?;
        if !self.cursor.separates(0) {
            return Err(self.error("did not find expected whitespace or line break"));
        }
        Ok(TokenKind::TagDirective { handle, prefix })
    }

    /// `!`, `!!` or `!word!`; without the last `!` it is the beginning of something else.
    fn handle(&mut self) -> Result<&'a str, YamlError> {
        let from = self.cursor.offset();
        if self.cursor.peek(0) != b'!' {
            return Err(self.error("did not find expected '!'"));
        }
        self.cursor.skip(1);
        self.word();
        if self.cursor.peek(0) == b'!' {
            self.cursor.skip(1);
        }
        Ok(self.cursor.slice(from, self.cursor.offset()))
    }

    /// Letters, digits, `_` and `-`.
    fn word(&mut self) -> &'a str {
        let from = self.cursor.offset();
        while is_word(self.cursor.peek(0)) {
            self.cursor.skip(1);
        }
        self.cursor.slice(from, self.cursor.offset())
    }

    /// The characters of a tag, with `%` escapes resolved.
    fn uri(&mut self, may_be_empty: bool) -> Result<Cow<'a, str>, YamlError> {
        let from = self.cursor.offset();
        let mut resolved: Option<Vec<u8>> = None;
        loop {
            let next = self.cursor.peek(0);
            if next == b'%' {
                let so_far = self.cursor.slice(from, self.cursor.offset());
                let resolved = resolved.get_or_insert_with(|| so_far.as_bytes().to_vec());
                self.escaped_character(resolved)?;
            } else if is_word(next) || b";/?:@&=+$,.!~*'()[]".contains(&next) {
                if let Some(resolved) = &mut resolved {
                    resolved.push(next);
                }
                self.cursor.skip(1);
            } else {
                break;
            }
        }
        let raw = self.cursor.slice(from, self.cursor.offset());
        if raw.is_empty() && !may_be_empty {
            return Err(self.error("did not find expected tag URI"));
        }
        Ok(match resolved {
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
            None => Cow::Borrowed(raw),
        })
    }

    /// The bytes of one character, each as `%` and two hexadecimal digits.
    fn escaped_character(&mut self, into: &mut Vec<u8>) -> Result<(), YamlError> {
        let mut left = None;
        while left != Some(0) {
            let digits = (hex(self.cursor.peek(1)), hex(self.cursor.peek(2)));
            let (b'%', (Some(high), Some(low))) = (self.cursor.peek(0), digits) else {
                return Err(self.error("did not find URI escaped octet"));
            };
            let byte = (high << 4 | low) as u8;
            left = Some(match left {
                Some(left) if byte & 0xc0 == 0x80 => left - 1,
                Some(_) => {
                    return Err(self.error("found an incorrect trailing UTF-8 octet"));
                }
                None => match byte {
                    0..0x80 => 0,
                    0xc0..0xe0 => 1,
                    0xe0..0xf0 => 2,
                    0xf0..0xf8 => 3,
                    _ => return Err(self.error("found an incorrect leading UTF-8 octet")),
                },
            });
            into.push(byte);
            self.cursor.skip(3);
        }
        Ok(())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}

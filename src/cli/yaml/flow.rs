//! Plain and quoted scalars, which may go on over several lines.

use std::borrow::Cow;

use super::{YamlError, cursor::Cursor, names::hex, scanner::Scanner, token::TokenKind};

/// The line breaks between two pieces of a scalar.
#[derive(Default)]
struct Breaks {
    /// Whether a line has ended, escaped or not.
    any: bool,
    first: Option<char>,
    further: String,
}

impl Breaks {
    /// Goes over blanks and line breaks. Blanks count only before the first break; they are handed
    /// out as the end of a slice that begins at the cursor.
    fn skip(&mut self, cursor: &mut Cursor<'_>) -> usize {
        let mut end = cursor.offset();
        loop {
            if cursor.is_blank() {
                cursor.skip(1);
                if !self.any {
                    end = cursor.offset();
                }
            } else if !self.take(cursor) {
                return end;
            }
        }
    }

    /// Goes over a line break, if there is one.
    fn take(&mut self, cursor: &mut Cursor<'_>) -> bool {
        match cursor.line_break() {
            None => false,
            Some(meaning) if self.any => {
                self.further.push(meaning);
                true
            }
            Some(meaning) => {
                self.any = true;
                self.first = Some(meaning);
                true
            }
        }
    }

    /// What the breaks mean: a single one is a space, of several the first is left out. The
    /// separators of Unicode always stay.
    fn fold_into(&mut self, text: &mut String) {
        match self.first {
            Some('\n') if self.further.is_empty() => text.push(' '),
            Some('\n') | None => {}
            Some(separator) => text.push(separator),
        }
        text.push_str(&self.further);
        *self = Breaks::default();
    }
}

impl<'a> Scanner<'a> {
    /// A scalar without quotes. It ends before `: `, ` #`, an indicator of brackets it is in, and a
    /// line that is not indented deeper than the collection around it.
    pub(super) fn scan_plain(&mut self) -> Result<TokenKind<'a>, YamlError> {
        let from = self.cursor.offset();
        let mut to = from;
        let mut folded: Option<String> = None;
        let mut breaks = Breaks::default();
        loop {
            if self.cursor.is_document_marker(b'-')
                || self.cursor.is_document_marker(b'.')
                || self.cursor.peek(0) == b'#'
            {
                break;
            }
            let start = self.cursor.offset();
            self.cursor.skip_to(self.end_of_plain_run());
            let end = self.cursor.offset();
            if end > start {
                if breaks.any {
                    let whole = self.cursor.slice(from, to);
                    let text = folded.get_or_insert_with(|| whole.to_owned());
                    breaks.fold_into(text);
                    text.push_str(self.cursor.slice(start, end));
                } else if let Some(text) = &mut folded {
                    text.push_str(self.cursor.slice(to, end));
                }
                to = end;
            }
            if !self.cursor.is_blank() && !self.cursor.is_break() {
                break;
            }
            self.skip_plain_gap(&mut breaks)?;
            if self.level == 0 && (self.cursor.column() as isize) <= self.indent {
                break;
            }
        }
        if breaks.any {
            self.key_allowed = true;
        }
        let text = match folded {
            Some(text) => Cow::Owned(text),
            None => Cow::Borrowed(self.cursor.slice(from, to)),
        };
        Ok(TokenKind::Scalar { text, plain: true })
    }

    /// Blanks and line breaks within a plain scalar; a tab must not stand for indentation.
    fn skip_plain_gap(&mut self, breaks: &mut Breaks) -> Result<(), YamlError> {
        loop {
            if self.cursor.is_blank() {
                let is_indentation = breaks.any && (self.cursor.column() as isize) <= self.indent;
                if is_indentation && self.cursor.peek(0) == b'\t' {
                    return Err(self.error("found a tab character that violates indentation"));
                }
                self.cursor.skip(1);
            } else if !breaks.take(&mut self.cursor) {
                return Ok(());
            }
        }
    }

    /// Where the characters end that belong to a plain scalar for sure.
    fn end_of_plain_run(&self) -> usize {
        let start = self.cursor.offset();
        let mut ahead = 0;
        loop {
            match self.cursor.peek(ahead) {
                0 | b' ' | b'\t' | b'\n' | b'\r' => break,
                b':' if self.cursor.separates(ahead + 1) => break,
                b',' | b'?' | b'[' | b']' | b'{' | b'}' if self.level > 0 => break,
                0xc2 | 0xe2 if self.cursor.separates(ahead) => break,
                _ => ahead += 1,
            }
        }
        start + ahead
    }

    /// A scalar in single or double quotes.
    pub(super) fn scan_quoted(&mut self) -> Result<TokenKind<'a>, YamlError> {
        let quote = self.cursor.peek(0);
        let line = self.cursor.line();
        self.cursor.skip(1);
        let text = match self.verbatim(quote) {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.folded(quote, line)?),
        };
        self.cursor.skip(1);
        Ok(TokenKind::Scalar { text, plain: false })
    }

    /// The text up to the closing quote, where it means what is written.
    fn verbatim(&mut self, quote: u8) -> Option<&'a str> {
        let from = self.cursor.offset();
        let mut ahead = 0;
        loop {
            match self.cursor.peek(ahead) {
                next if next == quote => break,
                0 | b'\n' | b'\r' => return None,
                b'\\' if quote == b'"' => return None,
                0xc2 | 0xe2 if self.cursor.separates(ahead) => return None,
                _ => ahead += 1,
            }
        }
        if quote == b'\'' && self.cursor.peek(ahead + 1) == b'\'' {
            return None;
        }
        self.cursor.skip_to(from + ahead);
        Some(self.cursor.slice(from, from + ahead))
    }

    /// The text up to the closing quote, with escapes and line breaks resolved.
    fn folded(&mut self, quote: u8, begun: usize) -> Result<String, YamlError> {
        let mut text = String::new();
        loop {
            if self.cursor.is_document_marker(b'-') || self.cursor.is_document_marker(b'.') {
                return Err(self.error("found unexpected document indicator"));
            }
            if self.cursor.is_end() {
                // Where it begins says more than where the file ends.
                return Err(YamlError::new(begun, "found unexpected end of stream"));
            }
            let mut breaks = Breaks::default();
            while !self.cursor.separates(0) {
                match self.cursor.peek(0) {
                    b'\'' if quote == b'\'' && self.cursor.peek(1) == b'\'' => {
                        text.push('\'');
                        self.cursor.skip(2);
                    }
                    next if next == quote => break,
                    b'\\' if quote == b'"' => {
                        self.cursor.skip(1);
                        if self.cursor.line_break().is_some() {
                            breaks.any = true;
                            break;
                        }
                        text.push(self.escaped()?);
                    }
                    _ => text.push_str(self.cursor.character()),
                }
            }
            if self.cursor.peek(0) == quote {
                return Ok(text);
            }
            let from = self.cursor.offset();
            let to = breaks.skip(&mut self.cursor);
            if breaks.any {
                breaks.fold_into(&mut text);
            } else {
                text.push_str(self.cursor.slice(from, to));
            }
        }
    }

    /// The character that a backslash and what follows it stand for.
    fn escaped(&mut self) -> Result<char, YamlError> {
        let code = self.cursor.peek(0);
        let digits = match code {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => 0,
        };
        if digits > 0 {
            self.cursor.skip(1);
            return self.escaped_code(digits);
        }
        let character = match code {
            b'0' => '\0',
            b'a' => '\u{7}',
            b'b' => '\u{8}',
            b't' | b'\t' => '\t',
            b'n' => '\n',
            b'v' => '\u{b}',
            b'f' => '\u{c}',
            b'r' => '\r',
            b'e' => '\u{1b}',
            b' ' | b'"' | b'\'' | b'\\' => char::from(code),
            b'N' => '\u{85}',
            b'_' => '\u{a0}',
            b'L' => '\u{2028}',
            b'P' => '\u{2029}',
            _ => return Err(self.error("found unknown escape character")),
        };
        self.cursor.skip(1);
        Ok(character)
    }

    fn escaped_code(&mut self, digits: usize) -> Result<char, YamlError> {
        let mut value = 0;
        for ahead in 0..digits {
            let Some(digit) = hex(self.cursor.peek(ahead)) else {
                return Err(self.error("did not find expected hexdecimal number"));
            };
            value = value << 4 | digit;
        }
        let Some(character) = char::from_u32(value) else {
            return Err(self.error("found invalid Unicode character escape code"));
        };
        self.cursor.skip(digits);
        Ok(character)
    }
}

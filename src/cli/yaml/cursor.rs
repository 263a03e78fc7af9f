//! A position in a text, counted as libyaml counts: in characters, with all line breaks of
//! YAML 1.1.

/// A place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Characters before it.
    pub index: usize,
    /// Lines before it.
    pub line: usize,
    /// Characters before it on its line.
    pub column: usize,
}

/// The text and how far it has been read.
///
/// The text has no NUL ([`forbidden`] refuses it), so 0 stands for "behind the end".
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Bytes before `at` that begin no character.
    inside: usize,
    line: usize,
    /// The index of the line's first character.
    line_start: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Cursor<'a> {
        Cursor {
            text,
            at: 0,
            inside: 0,
            line: 0,
            line_start: 0,
        }
    }

    pub fn mark(&self) -> Mark {
        Mark {
            index: self.index(),
            line: self.line,
            column: self.column(),
        }
    }

    fn index(&self) -> usize {
        self.at - self.inside
    }

    pub fn column(&self) -> usize {
        self.index() - self.line_start
    }

    pub fn line(&self) -> usize {
        self.line
    }

    /// The byte offset.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The text from one byte offset to another.
    pub fn slice(&self, from: usize, to: usize) -> &'a str {
        &self.text[from..to]
    }

    /// The byte `ahead` bytes further on; 0 behind the end.
    pub fn peek(&self, ahead: usize) -> u8 {
        self.text
            .as_bytes()
            .get(self.at + ahead)
            .copied()
            .unwrap_or(0)
    }

    pub fn is_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub fn is_blank(&self) -> bool {
        matches!(self.peek(0), b' ' | b'\t')
    }

    pub fn is_break(&self) -> bool {
        break_length(self.text.as_bytes(), self.at) > 0
    }

    pub fn is_break_or_end(&self) -> bool {
        self.is_end() || self.is_break()
    }

    /// Whether a space, tab, line break or the end is `ahead` bytes further on.
    pub fn separates(&self, ahead: usize) -> bool {
        match self.peek(ahead) {
            0 | b' ' | b'\t' => true,
            _ => break_length(self.text.as_bytes(), self.at + ahead) > 0,
        }
    }

    /// Whether the line begins with `---` or `...` and nothing that belongs to it.
    pub fn is_document_marker(&self, sign: u8) -> bool {
        self.column() == 0 && (0..3).all(|ahead| self.peek(ahead) == sign) && self.separates(3)
    }

    /// Goes over `count` ASCII characters.
    pub fn skip(&mut self, count: usize) {
        self.at += count;
    }

    /// Goes over one character and hands it out; it must not be at the end.
    pub fn character(&mut self) -> &'a str {
        let from = self.at;
        let width = self.text[from..].chars().next().map_or(0, char::len_utf8);
        self.skip_to(from + width);
        &self.text[from..self.at]
    }

    /// Goes to a byte offset on the same line.
    pub fn skip_to(&mut self, to: usize) {
        let run = &self.text.as_bytes()[self.at..to];
        if !run.is_ascii() {
            self.inside += run.iter().filter(|byte| is_inside(**byte)).count();
        }
        self.at = to;
    }

    pub fn skip_blanks(&mut self) {
        while self.is_blank() {
            self.skip(1);
        }
    }

    /// Goes over a comment, if one begins here.
    pub fn skip_comment(&mut self) {
        if self.peek(0) == b'#' {
            self.rest_of_line();
        }
    }

    /// Goes to the end of the line and hands out what is on it.
    pub fn rest_of_line(&mut self) -> &'a str {
        let bytes = self.text.as_bytes();
        let mut to = self.at;
        while to < bytes.len() && break_length(bytes, to) == 0 {
            to += 1;
        }
        let from = self.at;
        self.skip_to(to);
        &self.text[from..to]
    }

    /// Goes over a line break, if there is one, and hands out what it means: a line feed for all
    /// but the two separators of Unicode.
    pub fn line_break(&mut self) -> Option<char> {
        let bytes = self.text.as_bytes();
        let length = break_length(bytes, self.at);
        let meaning = match (length, bytes.get(self.at + 2)) {
            (0, _) => return None,
            (3, Some(0xa8)) => '\u{2028}',
            (3, _) => '\u{2029}',
            _ => '\n',
        };
        let run = &bytes[self.at..self.at + length];
        self.inside += run.iter().filter(|byte| is_inside(**byte)).count();
        self.at += length;
        self.line += 1;
        self.line_start = self.index();
        Some(meaning)
    }
}

/// Whether the byte goes on with a character of UTF-8.
fn is_inside(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// The length of the line break at an offset, 0 without one: CR, LF, CR LF, NEL, LS, PS.
pub(super) fn break_length(bytes: &[u8], at: usize) -> usize {
    let Some(first) = bytes.get(at) else { return 0 };
    match first {
        b'\n' => 1,
        b'\r' if bytes.get(at + 1) == Some(&b'\n') => 2,
        b'\r' => 1,
        0xc2 if bytes.get(at + 1) == Some(&0x85) => 2,
        0xe2 if bytes[at..].starts_with(b"\xe2\x80\xa8") => 3,
        0xe2 if bytes[at..].starts_with(b"\xe2\x80\xa9") => 3,
        _ => 0,
    }
}

/// The line, from 0, of the first character that YAML does not allow: most control characters.
pub(super) fn forbidden(text: &str) -> Option<usize> {
    let suspect = |byte: u8| {
        byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r') || matches!(byte, 0x7f | 0xc2 | 0xef)
    };
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(found) = bytes[from..].iter().position(|byte| suspect(*byte)) {
        let at = from + found;
        let allowed = match bytes[at] {
            0xc2 => bytes[at + 1] == 0x85 || bytes[at + 1] >= 0xa0,
            0xef => !matches!(bytes[at + 1..at + 3], [0xbf, 0xbe | 0xbf]),
            _ => false,
        };
        if !allowed {
            return Some(bytes[..at].iter().filter(|byte| **byte == b'\n').count());
        }
        from = at + 1;
    }
    None
}

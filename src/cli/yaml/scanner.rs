//! From text to tokens, as libyaml does it.
//!
//! Two things are decided after the fact. A key without `?` is known as such only at its `:`, so
//! each place where one may begin is remembered, and the tokens from there on are held back until
//! the `:` comes or cannot come any more. And a block collection has no sign of its own: its start
//! and end are made from the columns of what is in it.

use std::collections::VecDeque;

use super::{
    YamlError,
    cursor::{Cursor, Mark},
    token::{Token, TokenKind},
};

/// The deepest nesting of indentations, and of brackets, that is scanned.
const MAX_LEVELS: usize = 10_000;

/// How many characters a key without `?` may have up to its `:`.
const MAX_KEY: usize = 1024;

/// A place where a key without `?` may have begun; at most one for each level of brackets.
struct PossibleKey {
    level: usize,
    /// It can be nothing but a key, because it stands at the column of a block mapping.
    required: bool,
    /// The number of its first token.
    token: usize,
    /// Whether the tokens from there on are held back.
    holds: bool,
    mark: Mark,
}

/// The text, and the tokens that have been made of it.
pub(super) struct Scanner<'a> {
    pub(super) cursor: Cursor<'a>,
    queue: VecDeque<Token<'a>>,
    /// The number of tokens that have left the queue.
    taken: usize,
    /// The column of the innermost block collection; -1 outside of all.
    pub(super) indent: isize,
    indents: Vec<isize>,
    /// The number of open brackets.
    pub(super) level: usize,
    /// Whether a key without `?` may begin here.
    pub(super) key_allowed: bool,
    /// The outermost level comes first.
    keys: Vec<PossibleKey>,
    ended: bool,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Scanner<'a> {
        Scanner {
            cursor: Cursor::new(text),
            queue: VecDeque::new(),
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            level: 0,
            key_allowed: true,
            keys: Vec::new(),
            ended: false,
        }
    }

    /// The next token. After the end of the text there is none, and it must not be asked for.
    pub fn peek(&mut self) -> Result<&Token<'a>, YamlError> {
        while self.queue.is_empty() || self.may_become_key()? {
            self.scan_token()?;
        }
        Ok(&self.queue[0])
    }

    /// Takes the next token.
    pub fn next(&mut self) -> Result<Token<'a>, YamlError> {
        self.peek()?;
        self.taken += 1;
        let next = self.queue.pop_front();
        next.ok_or_else(|| self.error("did not find expected node content"))
    }

    pub fn error(&self, message: &str) -> YamlError {
        YamlError::new(self.cursor.line(), message)
    }

    /// Whether the next token may turn out to be the beginning of a key.
    fn may_become_key(&mut self) -> Result<bool, YamlError> {
        let is_next = |key: &PossibleKey| key.holds && key.token == self.taken;
        let Some(place) = self.keys.iter().position(is_next) else {
            return Ok(false);
        };
        let key = &self.keys[place];
        if !self.is_stale(key) {
            return Ok(true);
        }
        refuse_required(key)?;
        self.keys.remove(place);
        Ok(false)
    }

    /// Whether the `:` of a key can come no more.
    fn is_stale(&self, key: &PossibleKey) -> bool {
        let now = self.cursor.mark();
        self.ended || key.mark.line < now.line || key.mark.index + MAX_KEY < now.index
    }

    /// Remembers that a key may begin with the token to come.
    fn save_key(&mut self) -> Result<(), YamlError> {
        if !self.key_allowed {
            return Ok(());
        }
        let mark = self.cursor.mark();
        self.remove_key()?;
        self.keys.push(PossibleKey {
            level: self.level,
            required: self.level == 0 && self.indent == mark.column as isize,
            token: self.taken + self.queue.len(),
            holds: true,
            mark,
        });
        Ok(())
    }

    /// Forgets the possible key of this level.
    fn remove_key(&mut self) -> Result<(), YamlError> {
        if let Some(key) = self.keys.last().filter(|key| key.level == self.level) {
            refuse_required(key)?;
            self.keys.pop();
        }
        Ok(())
    }

    fn push(&mut self, kind: TokenKind<'a>, line: usize) {
        self.queue.push_back(Token { kind, line });
    }

    /// Begins a block collection if the column is deeper than the current one. Its token goes to
    /// `position` of the queue, or to the end.
    fn roll_indent(
        &mut self,
        mark: Mark,
        position: Option<usize>,
        kind: TokenKind<'a>,
    ) -> Result<(), YamlError> {
        let column = mark.column as isize;
        if self.level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_LEVELS {
            return Err(self.error(&format!("exceeded max depth of {MAX_LEVELS}")));
        }
        let line = mark.line;
        let position = position.unwrap_or(self.queue.len());
        self.queue.insert(position, Token { kind, line });
        Ok(())
    }

    /// Ends the block collections that are deeper than `column`.
    fn unroll_indent(&mut self, column: isize) {
        if self.level > 0 {
            return;
        }
        while self.indent > column {
            self.push(TokenKind::BlockEnd, self.cursor.line());
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    /// Adds at least one token to the queue.
    fn scan_token(&mut self) -> Result<(), YamlError> {
        self.skip_to_token();
        self.unroll_indent(self.cursor.column() as isize);
        if self.cursor.is_end() {
            return self.stream_end();
        }
        let first = self.cursor.peek(0);
        if first == b'%' && self.cursor.column() == 0 {
            return self.directive();
        }
        if self.cursor.is_document_marker(b'-') {
            return self.document_marker(TokenKind::DocumentStart);
        }
        if self.cursor.is_document_marker(b'.') {
            return self.document_marker(TokenKind::DocumentEnd);
        }
        let in_flow = self.level > 0;
        let alone = self.cursor.separates(1);
        match first {
            b'[' => self.flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.flow_start(TokenKind::FlowMappingStart),
            b']' => self.flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.flow_end(TokenKind::FlowMappingEnd),
            b',' => self.flow_entry(),
            b'-' if alone => self.block_entry(),
            b'?' if alone || in_flow => self.key(),
            b':' if alone || in_flow => self.value(),
            b'*' | b'&' => self.keylike(Self::scan_anchor),
            b'!' => self.keylike(Self::scan_tag),
            b'|' if !in_flow => self.block_scalar(true),
            b'>' if !in_flow => self.block_scalar(false),
            b'\'' | b'"' => self.keylike(Self::scan_quoted),
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => Err(self.stray()),
            _ => self.keylike(Self::scan_plain),
        }
    }

    fn stray(&self) -> YamlError {
        self.error("found character that cannot start any token")
    }

    /// Goes over spaces, comments and line breaks. Tabs are spaces where no key may begin.
    fn skip_to_token(&mut self) {
        loop {
            let tabs = self.level > 0 || !self.key_allowed;
            while self.cursor.peek(0) == b' ' || tabs && self.cursor.peek(0) == b'\t' {
                self.cursor.skip(1);
            }
            self.cursor.skip_comment();
            if self.cursor.line_break().is_none() {
                return;
            }
            if self.level == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn stream_end(&mut self) -> Result<(), YamlError> {
        self.unroll_indent(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.ended = true;
        self.push(TokenKind::StreamEnd, self.cursor.line());
        Ok(())
    }

    fn directive(&mut self) -> Result<(), YamlError> {
        self.unroll_indent(-1);
        self.remove_key()?;
        self.key_allowed = false;
        let line = self.cursor.line();
        let kind = self.scan_directive()?;
        self.push(kind, line);
        Ok(())
    }

    fn document_marker(&mut self, kind: TokenKind<'a>) -> Result<(), YamlError> {
        self.unroll_indent(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.push(kind, self.cursor.line());
        self.cursor.skip(3);
        Ok(())
    }

    /// One character that is a token.
    fn sign(&mut self, kind: TokenKind<'a>) {
        self.push(kind, self.cursor.line());
        self.cursor.skip(1);
    }

    fn flow_start(&mut self, kind: TokenKind<'a>) -> Result<(), YamlError> {
        self.save_key()?;
        self.level += 1;
        if self.level > MAX_LEVELS {
            return Err(self.error(&format!("exceeded max depth of {MAX_LEVELS}")));
        }
        self.key_allowed = true;
        self.sign(kind);
        Ok(())
    }

    fn flow_end(&mut self, kind: TokenKind<'a>) -> Result<(), YamlError> {
        self.remove_key()?;
        self.level = self.level.saturating_sub(1);
        self.key_allowed = false;
        // go-yaml loses sight of a key that is an empty pair of brackets. Such a key is an error
        // anywhere but at the end of a document, where it leaves out what follows.
        let last = self.queue.back().map(|token| &token.kind);
        if let Some(TokenKind::FlowSequenceStart | TokenKind::FlowMappingStart) = last
            && let Some(key) = self.keys.last_mut()
            && key.token + 1 == self.taken + self.queue.len()
        {
            key.holds = false;
        }
        self.sign(kind);
        Ok(())
    }

    fn flow_entry(&mut self) -> Result<(), YamlError> {
        self.remove_key()?;
        self.key_allowed = true;
        self.sign(TokenKind::FlowEntry);
        Ok(())
    }

    fn block_entry(&mut self) -> Result<(), YamlError> {
        // Within brackets it is an error that the parser reports.
        if self.level == 0 {
            if !self.key_allowed {
                return Err(self.error("block sequence entries are not allowed in this context"));
            }
            self.roll_indent(self.cursor.mark(), None, TokenKind::BlockSequenceStart)?;
        }
        self.remove_key()?;
        self.key_allowed = true;
        self.sign(TokenKind::BlockEntry);
        Ok(())
    }

    fn key(&mut self) -> Result<(), YamlError> {
        if self.level == 0 {
            if !self.key_allowed {
                return Err(self.error("mapping keys are not allowed in this context"));
            }
            self.roll_indent(self.cursor.mark(), None, TokenKind::BlockMappingStart)?;
        }
        self.remove_key()?;
        self.key_allowed = self.level == 0;
        self.sign(TokenKind::Key);
        Ok(())
    }

    fn value(&mut self) -> Result<(), YamlError> {
        let key = match self.keys.last() {
            Some(key) if key.level == self.level => self.keys.pop(),
            _ => None,
        };
        let fresh = match key {
            Some(key) if self.is_stale(&key) => {
                refuse_required(&key)?;
                None
            }
            key => key,
        };
        if let Some(key) = fresh {
            let position = key.token.checked_sub(self.taken);
            let position = position.unwrap_or(self.queue.len());
            let line = key.mark.line;
            let kind = TokenKind::Key;
            self.queue.insert(position, Token { kind, line });
            self.roll_indent(key.mark, Some(position), TokenKind::BlockMappingStart)?;
            self.key_allowed = false;
        } else {
            if self.level == 0 {
                if !self.key_allowed {
                    return Err(self.error("mapping values are not allowed in this context"));
                }
                self.roll_indent(self.cursor.mark(), None, TokenKind::BlockMappingStart)?;
            }
            self.key_allowed = self.level == 0;
        }
        self.sign(TokenKind::Value);
        Ok(())
    }

    /// A token that may be the beginning of a key; after it no key can begin.
    fn keylike(
        &mut self,
        scan: fn(&mut Self) -> Result<TokenKind<'a>, YamlError>,
    ) -> Result<(), YamlError> {
        self.save_key()?;
        self.key_allowed = false;
        let line = self.cursor.line();
        let kind = scan(self)?;
        self.push(kind, line);
        Ok(())
    }

    fn block_scalar(&mut self, literal: bool) -> Result<(), YamlError> {
        self.remove_key()?;
        self.key_allowed = true;
        let line = self.cursor.line();
        let kind = self.scan_block(literal)?;
        self.push(kind, line);
        Ok(())
    }
}

/// What can be nothing but a key has no `:`.
fn refuse_required(key: &PossibleKey) -> Result<(), YamlError> {
    if key.required {
        return Err(YamlError::new(key.mark.line, "could not find expected ':'"));
    }
    Ok(())
}

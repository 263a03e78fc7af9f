//! Block scalars: `|` keeps line breaks, `>` folds them.

use std::borrow::Cow;

use super::{YamlError, scanner::Scanner, token::TokenKind};

/// What happens to the line breaks at the end.
#[derive(Clone, Copy, PartialEq)]
enum Chomping {
    /// `-`: none stays.
    Strip,
    /// One stays.
    Clip,
    /// `+`: all stay.
    Keep,
}

impl<'a> Scanner<'a> {
    /// A block scalar from its `|` or `>` on.
    pub(super) fn scan_block(&mut self, literal: bool) -> Result<TokenKind<'a>, YamlError> {
        self.cursor.skip(1);
        let mut chomping = self.chomping();
        let increment = self.indentation_indicator()?;
        if chomping.is_none() && increment.is_some() {
            chomping = self.chomping();
        }
        self.end_of_line()?;
        let chomping = chomping.unwrap_or(Chomping::Clip);
        let mut indent = increment.map(|by| self.indent.max(0) as usize + by);

        let mut text = String::new();
        // The break after the last line, and those of the empty lines that follow it.
        let mut last_break = None;
        let mut empty_lines = String::new();
        let mut column = self.skip_empty_lines(&mut indent, &mut empty_lines)?;
        let mut was_indented = false;
        while self.cursor.column() == column && !self.cursor.is_end() {
            // Lines that begin with a blank beyond the indentation are not folded.
            let is_indented = self.cursor.is_blank();
            let folds = !literal && !was_indented && !is_indented && last_break == Some('\n');
            match last_break {
                Some(_) if folds && empty_lines.is_empty() => text.push(' '),
                Some(last) if !folds => text.push(last),
                _ => {}
            }
            text.push_str(&empty_lines);
            empty_lines.clear();
            was_indented = is_indented;
            text.push_str(self.cursor.rest_of_line());
            last_break = self.cursor.line_break();
            column = self.skip_empty_lines(&mut indent, &mut empty_lines)?;
        }
        if chomping != Chomping::Strip {
            text.extend(last_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&empty_lines);
        }
        Ok(TokenKind::Scalar {
            text: Cow::Owned(text),
            plain: false,
        })
    }

    fn chomping(&mut self) -> Option<Chomping> {
        let chomping = match self.cursor.peek(0) {
            b'+' => Chomping::Keep,
            b'-' => Chomping::Strip,
            _ => return None,
        };
        self.cursor.skip(1);
        Some(chomping)
    }

    fn indentation_indicator(&mut self) -> Result<Option<usize>, YamlError> {
        match self.cursor.peek(0) {
            b'0' => Err(self.error("found an indentation indicator equal to 0")),
            digit @ b'1'..=b'9' => {
                self.cursor.skip(1);
                Ok(Some(usize::from(digit - b'0')))
            }
            _ => Ok(None),
        }
    }

    /// Goes over indentation and empty lines, and hands out the column of the content. Where none
    /// is given, the deepest line up to the first that has content decides.
    fn skip_empty_lines(
        &mut self,
        indent: &mut Option<usize>,
        breaks: &mut String,
    ) -> Result<usize, YamlError> {
        let mut deepest = 0;
        loop {
            let is_indentation = |column: usize| indent.is_none_or(|indent| column < indent);
            while self.cursor.peek(0) == b' ' && is_indentation(self.cursor.column()) {
                self.cursor.skip(1);
            }
            deepest = deepest.max(self.cursor.column());
            if self.cursor.peek(0) == b'\t' && is_indentation(self.cursor.column()) {
                return Err(
                    self.error("found a tab character where an indentation space is expected")
                );
            }
            match self.cursor.line_break() {
                Some(meaning) => breaks.push(meaning),
                None => break,
            }
        }
        let least = (self.indent + 1).max(1) as usize;
        Ok(*indent.get_or_insert(deepest.max(least)))
    }
}

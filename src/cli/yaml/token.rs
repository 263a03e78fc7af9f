//! What the scanner makes of a text.

use std::borrow::Cow;

/// A token and its line, from 0.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub kind: TokenKind<'a>,
    pub line: usize,
}

/// The kinds of tokens; the names are those of libyaml.
#[derive(Debug, PartialEq)]
pub(super) enum TokenKind<'a> {
    /// The end of the text.
    StreamEnd,
    /// `%YAML`, with the version as it is written.
    Version(u8, u8),
    /// `%TAG`.
    TagDirective {
        handle: &'a str,
        prefix: Cow<'a, str>,
    },
    /// `---`
    DocumentStart,
    /// `...`
    DocumentEnd,
    /// A deeper indentation, with `-`.
    BlockSequenceStart,
    /// A deeper indentation, with a key.
    BlockMappingStart,
    /// The end of an indentation.
    BlockEnd,
    /// `[`
    FlowSequenceStart,
    /// `]`
    FlowSequenceEnd,
    /// `{`
    FlowMappingStart,
    /// `}`
    FlowMappingEnd,
    /// `-`
    BlockEntry,
    /// `,`
    FlowEntry,
    /// `?`, or nothing before a key that a `:` follows on its line.
    Key,
    /// `:`
    Value,
    /// `*name`
    Alias(&'a str),
    /// `&name`
    Anchor(&'a str),
    /// `!suffix`, `!handle!suffix`, or `!<suffix>`, then with an empty handle.
    Tag {
        handle: &'a str,
        suffix: Cow<'a, str>,
    },
    /// A scalar, in quotes and block form too.
    Scalar { text: Cow<'a, str>, plain: bool },
}

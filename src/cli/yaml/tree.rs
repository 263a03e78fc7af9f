//! The nodes of a document, made of its tokens by libyaml's grammar.

use std::{borrow::Cow, collections::HashMap};

use super::{
    MAX_DEPTH, TOO_DEEP, YamlError,
    scanner::Scanner,
    token::{Token, TokenKind},
};

/// The index of a node.
pub(super) type Id = usize;

/// A node and its line, from 0.
pub(super) struct Node<'a> {
    pub line: usize,
    pub content: Content<'a>,
}

/// What a node is.
pub(super) enum Content<'a> {
    Scalar {
        text: Cow<'a, str>,
        plain: bool,
        /// In full; without a tag, empty.
        tag: Cow<'a, str>,
    },
    Sequence(Vec<Id>),
    Mapping(Vec<(Id, Id)>),
    Alias(Id),
}

/// The nodes of a document.
pub(super) struct Tree<'a> {
    pub nodes: Vec<Node<'a>>,
    pub root: Option<Id>,
    /// The length of the text.
    pub length: usize,
}

impl<'a> Tree<'a> {
    /// Reads a text that holds one document.
    pub fn read(text: &'a str) -> Result<Tree<'a>, YamlError> {
        let mut grammar = Grammar {
            scanner: Scanner::new(text),
            nodes: Vec::new(),
            anchors: HashMap::new(),
            handles: Vec::new(),
            depth: 0,
        };
        let root = grammar.document()?;
        let nodes = grammar.nodes;
        let length = text.len();
        Ok(Tree {
            nodes,
            root,
            length,
        })
    }

    /// The node, or the one that it is an alias of.
    pub fn target(&self, id: Id) -> Id {
        match self.nodes[id].content {
            Content::Alias(target) => target,
            _ => id,
        }
    }
}

/// It would be the plan of another cluster if text was left out without a word.
const LEFT_OUT: &str = "text after the end of the document, which kubectl would leave out";

/// What `---`, a directive or the end says: there is no node.
fn ends_document(kind: &TokenKind<'_>) -> bool {
    matches!(
        kind,
        TokenKind::Version(..)
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd
    )
}

/// The two signs that may come instead of a node within brackets.
type Signs = [TokenKind<'static>; 2];

const IN_SEQUENCE: Signs = [TokenKind::FlowEntry, TokenKind::FlowSequenceEnd];
const IN_MAPPING: Signs = [TokenKind::FlowEntry, TokenKind::FlowMappingEnd];

struct Grammar<'a> {
    scanner: Scanner<'a>,
    nodes: Vec<Node<'a>>,
    anchors: HashMap<&'a str, Id>,
    /// The handles of tags and what they stand for.
    handles: Vec<(&'a str, Cow<'a, str>)>,
    depth: usize,
}

impl<'a> Grammar<'a> {
    fn peek(&mut self) -> Result<&TokenKind<'a>, YamlError> {
        Ok(&self.scanner.peek()?.kind)
    }

    /// Takes the next token if it is `kind`.
    fn take(&mut self, kind: &TokenKind<'static>) -> Result<bool, YamlError> {
        let found = self.peek()? == kind;
        if found {
            self.scanner.next()?;
        }
        Ok(found)
    }

    /// An error at the next token.
    fn fail<T>(&mut self, message: &str) -> Result<T, YamlError> {
        let line = self.scanner.peek()?.line;
        Err(YamlError::new(line, message))
    }

    fn add(&mut self, line: usize, content: Content<'a>) -> Id {
        self.nodes.push(Node { line, content });
        self.nodes.len() - 1
    }

    /// A node without any text, which is null.
    fn empty(&mut self, line: usize) -> Id {
        let content = Content::Scalar {
            text: Cow::Borrowed(""),
            plain: true,
            tag: Cow::Borrowed(""),
        };
        self.add(line, content)
    }

    fn document(&mut self) -> Result<Option<Id>, YamlError> {
        let root = match self.peek()? {
            TokenKind::StreamEnd => return Ok(None),
            TokenKind::Version(..) | TokenKind::TagDirective { .. } | TokenKind::DocumentStart => {
                self.directives()?;
                if !self.take(&TokenKind::DocumentStart)? {
                    return self.fail("did not find expected <document start>");
                }
                if ends_document(self.peek()?) {
                    let line = self.scanner.peek()?.line;
                    self.empty(line)
                } else {
                    self.node(true, false)?
                }
            }
            _ => {
                self.default_handles();
                self.node(true, false)?
            }
        };
        self.no_text_follows()?;
        Ok(Some(root))
    }

    /// go-yaml reads one document and no further, after `...` not a single token.
    fn no_text_follows(&mut self) -> Result<(), YamlError> {
        let mut marked = false;
        loop {
            let line = self.scanner.cursor.line();
            match self.scanner.peek() {
                Ok(token) => match token.kind {
                    TokenKind::StreamEnd => return Ok(()),
                    TokenKind::DocumentEnd => marked = true,
                    _ => return Err(YamlError::new(token.line, LEFT_OUT)),
                },
                Err(_) if marked => return Err(YamlError::new(line + 1, LEFT_OUT)),
                Err(error) => return Err(error),
            }
            self.scanner.next()?;
        }
    }

    fn directives(&mut self) -> Result<(), YamlError> {
        let mut has_version = false;
        while matches!(
            self.peek()?,
            TokenKind::Version(..) | TokenKind::TagDirective { .. }
        ) {
            let Token { kind, line } = self.scanner.next()?;
            match kind {
                TokenKind::Version(..) if has_version => {
                    return Err(YamlError::new(line, "found duplicate %YAML directive"));
                }
                TokenKind::Version(1, 1) => has_version = true,
                TokenKind::TagDirective { handle, prefix } => {
                    if self.handles.iter().any(|(known, _)| *known == handle) {
                        return Err(YamlError::new(line, "found duplicate %TAG directive"));
                    }
                    self.handles.push((handle, prefix));
                }
                _ => return Err(YamlError::new(line, "found incompatible YAML document")),
            }
        }
        self.default_handles();
        Ok(())
    }

    /// The handles that need no directive; one of the document's own comes before them.
    fn default_handles(&mut self) {
        self.handles.push(("!", Cow::Borrowed("!")));
        self.handles
            .push(("!!", Cow::Borrowed("tag:yaml.org,2002:")));
    }

    /// A node with its anchor and tag. Within brackets there are no block collections; an
    /// indentless sequence is one at the column of its key.
    fn node(&mut self, block: bool, indentless: bool) -> Result<Id, YamlError> {
        if self.depth > MAX_DEPTH {
            return self.fail(TOO_DEEP);
        }
        self.depth += 1;
        let node = self.node_of_any_depth(block, indentless);
        self.depth -= 1;
        node
    }

    fn node_of_any_depth(&mut self, block: bool, indentless: bool) -> Result<Id, YamlError> {
        let line = self.scanner.peek()?.line;
        if let TokenKind::Alias(name) = *self.peek()? {
            self.scanner.next()?;
            return match self.anchors.get(name) {
                Some(target) => Ok(self.add(line, Content::Alias(*target))),
                None => Err(YamlError::new(
                    line,
                    format!("unknown anchor '{name}' referenced"),
                )),
            };
        }
        let (mut anchor, mut tag) = (None, None);
        loop {
            match self.peek()? {
                TokenKind::Anchor(name) if anchor.is_none() => anchor = Some(*name),
                TokenKind::Tag { .. } if tag.is_none() => {}
                _ => break,
            }
            if let TokenKind::Tag { handle, suffix } = self.scanner.next()?.kind {
                tag = Some(self.full_tag(handle, suffix, line)?);
            }
        }
        let has_properties = anchor.is_some() || tag.is_some();
        // The node's number comes before those of its children, as an alias within it may mean it.
        let id = self.empty(line);
        if let Some(name) = anchor {
            self.anchors.insert(name, id);
        }
        let content = match self.peek()? {
            TokenKind::BlockEntry if indentless => self.indentless_sequence()?,
            TokenKind::Scalar { .. } => match self.scanner.next()?.kind {
                TokenKind::Scalar { text, plain } => {
                    let tag = tag.unwrap_or_default();
                    Content::Scalar { text, plain, tag }
                }
                _ => return self.fail("did not find expected node content"),
            },
            TokenKind::FlowSequenceStart => self.flow_sequence()?,
            TokenKind::FlowMappingStart => self.flow_mapping()?,
            TokenKind::BlockSequenceStart if block => self.block_sequence()?,
            TokenKind::BlockMappingStart if block => self.block_mapping()?,
            _ if has_properties => Content::Scalar {
                text: Cow::Borrowed(""),
                plain: true,
                tag: tag.unwrap_or_default(),
            },
            _ => return self.fail("did not find expected node content"),
        };
        self.nodes[id].content = content;
        Ok(id)
    }

    fn full_tag(
        &self,
        handle: &str,
        suffix: Cow<'a, str>,
        line: usize,
    ) -> Result<Cow<'a, str>, YamlError> {
        if handle.is_empty() {
            return Ok(suffix);
        }
        let known = self.handles.iter().find(|(known, _)| *known == handle);
        match known {
            Some((_, prefix)) => Ok(Cow::Owned(format!("{prefix}{suffix}"))),
            None => Err(YamlError::new(line, "found undefined tag handle")),
        }
    }

    fn block_sequence(&mut self) -> Result<Content<'a>, YamlError> {
        self.scanner.next()?;
        let mut items = Vec::new();
        loop {
            let Token { kind, line } = self.scanner.peek()?;
            match kind {
                TokenKind::BlockEntry => {}
                TokenKind::BlockEnd => {
                    self.scanner.next()?;
                    return Ok(Content::Sequence(items));
                }
                _ => return self.fail("did not find expected '-' indicator"),
            }
            let line = *line;
            self.scanner.next()?;
            items.push(match self.peek()? {
                TokenKind::BlockEntry | TokenKind::BlockEnd => self.empty(line),
                _ => self.node(true, false)?,
            });
        }
    }

    fn indentless_sequence(&mut self) -> Result<Content<'a>, YamlError> {
        let mut items = Vec::new();
        while *self.peek()? == TokenKind::BlockEntry {
            let line = self.scanner.next()?.line;
            items.push(match self.peek()? {
                TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                    self.empty(line)
                }
                _ => self.node(true, false)?,
            });
        }
        Ok(Content::Sequence(items))
    }

    fn block_mapping(&mut self) -> Result<Content<'a>, YamlError> {
        self.scanner.next()?;
        let mut pairs = Vec::new();
        loop {
            match self.peek()? {
                TokenKind::Key => {}
                TokenKind::BlockEnd => {
                    self.scanner.next()?;
                    return Ok(Content::Mapping(pairs));
                }
                _ => return self.fail("did not find expected key"),
            }
            let line = self.scanner.next()?.line;
            let key = self.block_part(line)?;
            let value = match *self.peek()? == TokenKind::Value {
                true => {
                    let line = self.scanner.next()?.line;
                    self.block_part(line)?
                }
                false => self.empty(line),
            };
            pairs.push((key, value));
        }
    }

    /// The key or the value of a block mapping.
    fn block_part(&mut self, line: usize) -> Result<Id, YamlError> {
        match self.peek()? {
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => Ok(self.empty(line)),
            _ => self.node(true, true),
        }
    }

    /// The separator before the next entry within brackets, unless it is the first.
    fn flow_separator(
        &mut self,
        first: bool,
        begun: usize,
        message: &str,
    ) -> Result<(), YamlError> {
        if first || self.take(&TokenKind::FlowEntry)? {
            return Ok(());
        }
        match self.peek()? {
            // Where the brackets open says more than where the file ends.
            TokenKind::StreamEnd => Err(YamlError::new(begun, message)),
            _ => self.fail(message),
        }
    }

    fn flow_sequence(&mut self) -> Result<Content<'a>, YamlError> {
        let begun = self.scanner.next()?.line;
        let mut items = Vec::new();
        while !self.take(&TokenKind::FlowSequenceEnd)? {
            self.flow_separator(items.is_empty(), begun, "did not find expected ',' or ']'")?;
            match self.peek()? {
                TokenKind::Key => items.push(self.pair_in_sequence()?),
                TokenKind::FlowSequenceEnd => {}
                _ => items.push(self.node(false, false)?),
            }
        }
        Ok(Content::Sequence(items))
    }

    /// `[key: value]` is a sequence with a mapping of one entry.
    fn pair_in_sequence(&mut self) -> Result<Id, YamlError> {
        let line = self.scanner.next()?.line;
        let id = self.empty(line);
        let next = self.peek()?;
        let key = match *next == TokenKind::Value || IN_SEQUENCE.contains(next) {
            true => {
                // libyaml goes over this token, so nothing but `[?]` is read of the sort.
                self.scanner.next()?;
                self.empty(line)
            }
            false => self.node(false, false)?,
        };
        let value = self.flow_value(&IN_SEQUENCE)?;
        self.nodes[id].content = Content::Mapping(vec![(key, value)]);
        Ok(id)
    }

    /// The value within brackets, if there is one.
    fn flow_value(&mut self, ends: &Signs) -> Result<Id, YamlError> {
        let line = self.scanner.peek()?.line;
        if self.take(&TokenKind::Value)? && !ends.contains(self.peek()?) {
            return self.node(false, false);
        }
        Ok(self.empty(line))
    }

    fn flow_mapping(&mut self) -> Result<Content<'a>, YamlError> {
        let begun = self.scanner.next()?.line;
        let mut pairs = Vec::new();
        while !self.take(&TokenKind::FlowMappingEnd)? {
            self.flow_separator(pairs.is_empty(), begun, "did not find expected ',' or '}'")?;
            let line = self.scanner.peek()?.line;
            match self.peek()? {
                TokenKind::Key => {
                    self.scanner.next()?;
                    let next = self.peek()?;
                    let key = match *next == TokenKind::Value || IN_MAPPING.contains(next) {
                        true => self.empty(line),
                        false => self.node(false, false)?,
                    };
                    pairs.push((key, self.flow_value(&IN_MAPPING)?));
                }
                TokenKind::FlowMappingEnd => {}
                _ => {
                    let key = self.node(false, false)?;
                    pairs.push((key, self.empty(line)));
                }
            }
        }
        Ok(Content::Mapping(pairs))
    }
}

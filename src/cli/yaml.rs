//! One YAML document as JSON text, as kubectl converts it.
//!
//! The structure comes from `granit-parser`, a maintained YAML parser that hands out events, so
//! that the meaning of scalars, keys and merges can be kubectl's (see [`scalar`](super::scalar));
//! parsers that fill serde types decide these for themselves and differently. The document is first
//! read into nodes, as an alias may refer to any of them, then written as JSON.

use std::collections::{BTreeMap, HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, Tag};

use super::scalar::{Scalar, resolve, write_json_string};

/// Why a document could not be converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// The line within the document's text, from 1.
    pub line: usize,
    /// The error.
    pub message: String,
}

/// The deepest nesting that is converted, aliases included.
const MAX_DEPTH: usize = 255;

/// How many nodes aliases may add to a document; a tenth of its own where that is more.
const MAX_FROM_ALIASES: usize = 400_000;

/// The tag of a merge key.
const MERGE: &str = "tag:yaml.org,2002:merge";

/// Converts the text of one document; a document without content is `null`.
///
/// Of equal keys the last one wins. Merge keys (`<<`) count where they stand: keys before them are
/// overwritten, keys after them overwrite.
pub fn to_json(text: &str) -> Result<String, YamlError> {
    let tree = Tree::read(text)?;
    let mut writer = Writer {
        tree: &tree,
        active: HashSet::new(),
        written: 0,
    };
    let mut out = String::with_capacity(text.len());
    match tree.root {
        Some(root) => writer.write(root, 0, &mut out)?,
        None => out.push_str("null"),
    }
    Ok(out)
}

/// The index of a node.
type Id = usize;

struct YamlNode {
    line: usize,
    content: Content,
}

enum Content {
    Scalar {
        text: String,
        plain: bool,
        tag: String,
    },
    Sequence(Vec<Id>),
    Mapping(Vec<(Id, Id)>),
    Alias(Id),
}

/// The nodes of a document.
struct Tree {
    nodes: Vec<YamlNode>,
    root: Option<Id>,
}

/// A collection whose end has not been read yet.
struct Open {
    id: Id,
    children: Vec<Id>,
}

impl Tree {
    fn read(text: &str) -> Result<Self, YamlError> {
        let options = granit_parser::options! { emit_comments: false };
        let mut tree = Tree {
            nodes: Vec::new(),
            root: None,
        };
        let mut anchors: HashMap<usize, Id> = HashMap::new();
        let mut open: Vec<Open> = Vec::new();
        let mut ended = false;
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next.map_err(|error| YamlError {
                line: error.marker().line(),
                message: error.info(),
            })?;
            let line = span.start.line();
            let fail = |message: &str| {
                Err(YamlError {
                    line,
                    message: message.to_owned(),
                })
            };
            let (content, anchor) = match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let plain = style == ScalarStyle::Plain;
                    (
                        Content::Scalar {
                            text: text.into_owned(),
                            plain,
                            tag: full(tag.as_deref()),
                        },
                        anchor,
                    )
                }
                Event::SequenceStart(_, anchor, _) => (Content::Sequence(Vec::new()), anchor),
                Event::MappingStart(_, anchor, _) => (Content::Mapping(Vec::new()), anchor),
                Event::Alias(id) => match anchors.get(&id) {
                    Some(target) => (Content::Alias(*target), 0),
                    None => return fail("alias without its anchor"),
                },
                Event::SequenceEnd | Event::MappingEnd => {
                    let Some(Open { id, children }) = open.pop() else {
                        return fail("end of a collection that was not begun");
                    };
                    match &mut tree.nodes[id].content {
                        Content::Sequence(items) => *items = children,
                        Content::Mapping(pairs) => {
                            *pairs = children
                                .chunks_exact(2)
                                .map(|pair| (pair[0], pair[1]))
                                .collect();
                        }
                        _ => {}
                    }
                    continue;
                }
                Event::DocumentStart(..) if ended => {
                    return fail(
                        "text after the end of the document (`...`), which kubectl would leave out",
                    );
                }
                Event::DocumentEnd => {
                    ended = true;
                    continue;
                }
                _ => continue,
            };
            let id = tree.nodes.len();
            if anchor != 0 {
                anchors.insert(anchor, id);
            }
            match open.last_mut() {
                Some(parent) => parent.children.push(id),
                None => tree.root = Some(id),
            }
            if matches!(content, Content::Sequence(_) | Content::Mapping(_)) {
                open.push(Open {
                    id,
                    children: Vec::new(),
                });
            }
            tree.nodes.push(YamlNode { line, content });
        }
        Ok(tree)
    }
}

/// A tag in full; without one, empty.
fn full(tag: Option<&Tag>) -> String {
    tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix()))
        .unwrap_or_default()
}

/// Writes nodes as JSON, following aliases.
struct Writer<'a> {
    tree: &'a Tree,
    /// Aliases that are being followed.
    active: HashSet<Id>,
    /// How many nodes have been written, those behind aliases each time.
    written: usize,
}

impl<'a> Writer<'a> {
    fn write(&mut self, id: Id, depth: usize, out: &mut String) -> Result<(), YamlError> {
        self.count(id, depth)?;
        let tree = self.tree;
        match &tree.nodes[id].content {
            Content::Scalar { text, plain, tag } => resolve(text, *plain, tag)
                .and_then(|scalar| scalar.write_json(out))
                .or_else(|message| self.fail(id, message)),
            Content::Sequence(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    self.write(*item, depth + 1, out)?;
                }
                out.push(']');
                Ok(())
            }
            Content::Mapping(pairs) => {
                let mut entries = BTreeMap::new();
                self.collect(pairs, depth, &mut entries)?;
                out.push('{');
                for (i, (key, value)) in entries.into_iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_json_string(&key, out);
                    out.push(':');
                    self.write(value, depth + 1, out)?;
                }
                out.push('}');
                Ok(())
            }
            Content::Alias(target) => {
                if !self.active.insert(id) {
                    return self.fail(id, "an anchor's value contains itself");
                }
                let result = self.write(*target, depth + 1, out);
                self.active.remove(&id);
                result
            }
        }
    }

    /// Gathers a mapping's entries by key, in order, so that the last one stands; merges included.
    fn collect(
        &mut self,
        pairs: &[(Id, Id)],
        depth: usize,
        into: &mut BTreeMap<String, Id>,
    ) -> Result<(), YamlError> {
        for (key, value) in pairs {
            if self.is_merge(*key) {
                self.merge(*value, depth + 1, into)?;
            } else {
                let key = self.key(*key)?;
                into.insert(key, *value);
            }
        }
        Ok(())
    }

    /// Merges a mapping, or a sequence of them of which the first has the last word.
    fn merge(
        &mut self,
        id: Id,
        depth: usize,
        into: &mut BTreeMap<String, Id>,
    ) -> Result<(), YamlError> {
        self.count(id, depth)?;
        let tree = self.tree;
        match &tree.nodes[id].content {
            Content::Sequence(items) => {
                for item in items.iter().rev() {
                    let pairs = self.mapping(*item)?;
                    self.collect(pairs, depth + 1, into)?;
                }
                Ok(())
            }
            _ => {
                let pairs = self.mapping(id)?;
                self.collect(pairs, depth + 1, into)
            }
        }
    }

    /// The pairs of a mapping that is to be merged, there or behind an alias.
    fn mapping(&self, id: Id) -> Result<&'a [(Id, Id)], YamlError> {
        let tree = self.tree;
        let target = match tree.nodes[id].content {
            Content::Alias(target) => target,
            _ => id,
        };
        match &tree.nodes[target].content {
            Content::Mapping(pairs) => Ok(pairs),
            _ => self.fail(id, "`<<` needs a mapping or a sequence of mappings"),
        }
    }

    /// Whether a key asks for a merge: `<<`, neither quoted nor tagged as a string.
    fn is_merge(&self, id: Id) -> bool {
        match &self.tree.nodes[id].content {
            Content::Scalar { text, plain, tag } => {
                text == "<<" && (tag.is_empty() && *plain || tag == "!" || tag == MERGE)
            }
            _ => false,
        }
    }

    /// The text of a key, which must be a scalar.
    fn key(&self, id: Id) -> Result<String, YamlError> {
        let target = match self.tree.nodes[id].content {
            Content::Alias(target) => target,
            _ => id,
        };
        match &self.tree.nodes[target].content {
            Content::Scalar { text, plain, tag } => resolve(text, *plain, tag)
                .and_then(Scalar::into_key)
                .or_else(|message| self.fail(id, message)),
            _ => self.fail(id, "a mapping or sequence cannot be a key"),
        }
    }

    /// Stops nesting that is too deep, and aliases that multiply a document's size.
    fn count(&mut self, id: Id, depth: usize) -> Result<(), YamlError> {
        self.written += 1;
        if depth > MAX_DEPTH {
            return self.fail(id, "nested too deeply");
        }
        let own = self.tree.nodes.len();
        if self.written > own + MAX_FROM_ALIASES.max(own / 10) {
            return self.fail(id, "too much of the document comes from aliases");
        }
        Ok(())
    }

    fn fail<T>(&self, id: Id, message: impl Into<String>) -> Result<T, YamlError> {
        Err(YamlError {
            line: self.tree.nodes[id].line,
            message: message.into(),
        })
    }
}

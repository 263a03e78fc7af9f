//! Nodes as JSON text.

use std::collections::{BTreeMap, HashSet};

use super::{
    MAX_BYTES, MAX_DEPTH, MAX_FROM_ALIASES, MERGE, TOO_DEEP, YamlError,
    tree::{Content, Id, Tree},
};
use crate::cli::scalar::{Scalar, resolve, write_json_string};

const TOO_MUCH: &str = "too much of the document comes from aliases";

/// Writes nodes as JSON, following aliases.
pub(super) struct Writer<'a> {
    tree: &'a Tree<'a>,
    /// Aliases that are being followed.
    active: HashSet<Id>,
    /// How many nodes have been written, those behind aliases each time.
    written: usize,
}

impl<'a> Writer<'a> {
    pub fn new(tree: &'a Tree<'a>) -> Writer<'a> {
        Writer {
            tree,
            active: HashSet::new(),
            written: 0,
        }
    }

    /// Writes a node that is `depth` levels below the document.
    pub fn write(&mut self, id: Id, depth: usize, out: &mut String) -> Result<(), YamlError> {
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
                if out.len() > MAX_BYTES.max(4 * self.tree.length) {
                    return self.fail(id, TOO_MUCH);
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
                    self.count_all(*item, depth, pairs.len())?;
                    self.collect(pairs, depth + 1, into)?;
                }
                Ok(())
            }
            _ => {
                let pairs = self.mapping(id)?;
                self.count_all(id, depth, pairs.len())?;
                self.collect(pairs, depth + 1, into)
            }
        }
    }

    /// The pairs of a mapping that is to be merged, there or behind an alias.
    fn mapping(&self, id: Id) -> Result<&'a [(Id, Id)], YamlError> {
        let tree = self.tree;
        match &tree.nodes[tree.target(id)].content {
            Content::Mapping(pairs) => Ok(pairs),
            _ => self.fail(id, "`<<` needs a mapping or a sequence of mappings"),
        }
    }

    /// Whether a key asks for a merge: `<<`, neither quoted nor tagged as a string.
    pub fn is_merge(&self, id: Id) -> bool {
        match &self.tree.nodes[id].content {
            Content::Scalar { text, plain, tag } => {
                text == "<<" && (tag.is_empty() && *plain || tag == "!" || tag == MERGE)
            }
            _ => false,
        }
    }

    /// The text of a key, which must be a scalar.
    pub fn key(&self, id: Id) -> Result<String, YamlError> {
        match &self.tree.nodes[self.tree.target(id)].content {
            Content::Scalar { text, plain, tag } => resolve(text, *plain, tag)
                .and_then(Scalar::into_key)
                .or_else(|message| self.fail(id, message)),
            _ => self.fail(id, "a mapping or sequence cannot be a key"),
        }
    }

    /// Stops nesting that is too deep, and aliases that multiply a document's size.
    fn count(&mut self, id: Id, depth: usize) -> Result<(), YamlError> {
        self.count_all(id, depth, 1)
    }

    fn count_all(&mut self, id: Id, depth: usize, nodes: usize) -> Result<(), YamlError> {
        self.written += nodes;
        if depth > MAX_DEPTH {
            return self.fail(id, TOO_DEEP);
        }
        let own = self.tree.nodes.len();
        if self.written > own + MAX_FROM_ALIASES.max(own / 10) {
            return self.fail(id, TOO_MUCH);
        }
        Ok(())
    }

    fn fail<T>(&self, id: Id, message: impl Into<String>) -> Result<T, YamlError> {
        Err(YamlError::new(self.tree.nodes[id].line, message))
    }
}

//! The lines of fields in a document's text.

use super::{
    read,
    tree::{Content, Id, Tree},
    write::Writer,
};
use crate::cli::field_path::deepest;

/// How deep merges within merges are followed.
const MAX_MERGES: usize = 16;

/// A field: its line, from 0, and its value.
#[derive(Clone, Copy)]
struct Field {
    line: usize,
    value: Id,
}

/// A text that holds one document, read for the lines of its fields.
pub struct Located<'a> {
    tree: Tree<'a>,
    /// The last list that was looked into: the way to it, and its items.
    list: Option<(Vec<usize>, Id)>,
}

impl<'a> Located<'a> {
    /// Reads a text. None where it is no YAML.
    pub fn read(text: &'a str) -> Option<Located<'a>> {
        let tree = read(text).ok()?;
        Some(Located { tree, list: None })
    }

    /// The line, from 1, of a field below the item that `items` leads to through lists, or of its
    /// deepest ancestor that is there. None where there is no such item.
    pub fn line_of(&mut self, items: &[usize], field: &str) -> Option<usize> {
        let item = match items.split_last() {
            None => self.root()?,
            Some((index, way)) => {
                let list = self.list(way)?;
                child(&self.tree, list, &index.to_string(), 0)?
            }
        };
        let tree = &self.tree;
        let found = deepest(item, field, |at, name| child(tree, at.value, name, 0));
        Some(found.line + 1)
    }

    fn root(&self) -> Option<Field> {
        let value = self.tree.root?;
        let line = self.tree.nodes[value].line;
        Some(Field { line, value })
    }

    /// The items of the list that is here.
    fn list(&mut self, way: &[usize]) -> Option<Id> {
        if let Some((known, list)) = &self.list
            && known == way
        {
            return Some(*list);
        }
        let mut at = self.root()?.value;
        for index in way {
            at = child(&self.tree, at, "items", 0)?.value;
            at = child(&self.tree, at, &index.to_string(), 0)?.value;
        }
        let list = child(&self.tree, at, "items", 0)?.value;
        self.list = Some((way.to_vec(), list));
        Some(list)
    }
}

/// A key of a mapping, also of one that is merged into it, or an item of a sequence.
fn child(tree: &Tree<'_>, of: Id, name: &str, merges: usize) -> Option<Field> {
    let writer = Writer::new(tree);
    match &tree.nodes[tree.target(of)].content {
        Content::Mapping(pairs) => {
            let is_named = |id: Id| !writer.is_merge(id) && writer.key(id).is_ok_and(|k| k == name);
            if let Some((key, value)) = pairs.iter().rfind(|(key, _)| is_named(*key)) {
                let (line, value) = (tree.nodes[*key].line, *value);
                return Some(Field { line, value });
            }
            let merged = pairs.iter().rev().filter(|(key, _)| writer.is_merge(*key));
            let merged = merged.filter(|_| merges < MAX_MERGES);
            merged
                .flat_map(|(_, value)| match &tree.nodes[*value].content {
                    Content::Sequence(items) => items.clone(),
                    _ => vec![*value],
                })
                .find_map(|mapping| child(tree, mapping, name, merges + 1))
        }
        Content::Sequence(items) => {
            let value = *items.get(name.parse::<usize>().ok()?)?;
            let line = tree.nodes[value].line;
            Some(Field { line, value })
        }
        _ => None,
    }
}

/// The line, from 1, on which the first scalar begins that holds a character.
pub fn line_with(text: &str, character: char) -> Option<usize> {
    let tree = read(text).ok()?;
    let holds = |content: &Content<'_>| match content {
        Content::Scalar { text, .. } => text.contains(character),
        _ => false,
    };
    let found = tree.nodes.iter().find(|node| holds(&node.content))?;
    Some(found.line + 1)
}

//! One YAML document as JSON text, as kubectl converts it.
//!
//! kubectl reads YAML through go-yaml v2, a port of libyaml. Scanner and grammar here follow the
//! same rules, and the meaning of scalars, keys and merges is that of `cli/scalar.rs`. A document
//! is first read into nodes, as an alias may refer to any of them, then written as JSON.

mod block;
mod cursor;
mod flow;
mod locate;
mod names;
mod scanner;
mod token;
mod tree;
mod write;

use std::collections::HashMap;

use cursor::forbidden;
use tree::{Content, Tree};
use write::Writer;

pub use locate::{Located, line_with};

/// Why a document could not be converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// The line within the document's text, from 1.
    pub line: usize,
    /// The error.
    pub message: String,
}

impl YamlError {
    /// An error on a line that is counted from 0.
    fn new(line: usize, message: impl Into<String>) -> YamlError {
        YamlError {
            line: line + 1,
            message: message.into(),
        }
    }
}

/// A document as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The JSON text.
    pub json: String,
    /// The keys at the top of the document that are there more than once.
    pub repeated: Vec<Repeated>,
}

/// A key that is there more than once; the last one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The key.
    pub key: String,
    /// Its lines within the document's text, from 1.
    pub lines: Vec<usize>,
}

/// The message for a text that is probably none.
pub const CONTROL_CHARACTERS: &str = "control characters are not allowed";

/// The message for a text that is nested deeper than [`MAX_DEPTH`].
pub const TOO_DEEP: &str = "nested too deeply, more than 255 levels";

/// The deepest nesting that is converted, aliases included.
pub const MAX_DEPTH: usize = 255;

/// How many nodes aliases may add to a document; a tenth of its own where that is more.
const MAX_FROM_ALIASES: usize = 400_000;

/// How long the JSON text may get by aliases; four times the YAML text where that is more.
const MAX_BYTES: usize = 16 << 20;

/// The tag of a merge key.
const MERGE: &str = "tag:yaml.org,2002:merge";

/// Converts the text of one document; a document without content is `null`.
///
/// Of equal keys the last one wins. Merge keys (`<<`) count where they stand: keys before them are
/// overwritten, keys after them overwrite.
pub fn to_json(text: &str) -> Result<String, YamlError> {
    convert(text).map(|converted| converted.json)
}

/// Converts the text of one document, and says what is odd about it.
pub fn convert(text: &str) -> Result<Converted, YamlError> {
    convert_tree(text).map_err(|error| {
        // The end of a text is after its last line.
        let last = text.lines().count().max(1);
        YamlError {
            line: error.line.min(last),
            ..error
        }
    })
}

fn convert_tree(text: &str) -> Result<Converted, YamlError> {
    let tree = read(text)?;
    let mut json = String::with_capacity(text.len());
    match tree.root {
        Some(root) => Writer::new(&tree).write(root, 0, &mut json)?,
        None => json.push_str("null"),
    }
    let repeated = repeated(&tree);
    Ok(Converted { json, repeated })
}

/// The nodes of a text, without its byte order mark.
fn read(text: &str) -> Result<Tree<'_>, YamlError> {
    if let Some(line) = forbidden(text) {
        return Err(YamlError::new(line, CONTROL_CHARACTERS));
    }
    Tree::read(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The first key that is there more than once in one mapping, wherever that is. None for a text
/// that is no YAML.
pub fn first_repeated(text: &str) -> Option<Repeated> {
    let tree = read(text).ok()?;
    let mut all = tree.nodes.iter();
    all.find_map(|node| repeated_in(&tree, &node.content).into_iter().next())
}

/// The keys at the top that are there more than once, in the order of their first lines.
fn repeated(tree: &Tree<'_>) -> Vec<Repeated> {
    let root = tree.root.map(|root| &tree.nodes[root].content);
    root.map_or_else(Vec::new, |root| repeated_in(tree, root))
}

/// The keys of a mapping that are there more than once, in the order of their first lines.
fn repeated_in(tree: &Tree<'_>, content: &Content<'_>) -> Vec<Repeated> {
    let Content::Mapping(pairs) = content else {
        return Vec::new();
    };
    let writer = Writer::new(tree);
    let mut keys: Vec<Repeated> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (id, _) in pairs.iter().filter(|(id, _)| !writer.is_merge(*id)) {
        let Ok(key) = writer.key(*id) else { continue };
        let place = *places.entry(key.clone()).or_insert(keys.len());
        if place == keys.len() {
            let lines = Vec::new();
            keys.push(Repeated { key, lines });
        }
        keys[place].lines.push(tree.nodes[*id].line + 1);
    }
    keys.retain(|key| key.lines.len() > 1);
    keys
}

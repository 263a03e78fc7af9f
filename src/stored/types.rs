//! The Go types of the objects, from `types.txt`.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What one value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    /// A text; the name of its Go type.
    Text(&'static str),
    /// A truth value.
    Bool,
    /// A number of 32 bits.
    Int32,
    /// A number of 64 bits.
    Int64,
    /// An amount of a resource.
    Quantity,
    /// A number or a text, as ports and shares are.
    NumberOrText,
    /// A time of whole seconds.
    Time,
    /// A time with six decimal places.
    MicroTime,
    /// Any JSON.
    Raw,
    /// A struct; its name in `types.txt`.
    Struct(&'static str),
}

/// How a field holds its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// As it is.
    Plain,
    /// Behind a pointer.
    Pointer,
    /// A list of values.
    List,
    /// A map of texts to values.
    Map,
}

/// A field of a struct.
#[derive(Debug)]
pub struct Field {
    /// Its name in JSON.
    pub key: &'static str,
    /// The embedded struct that it is in, empty if it is in none.
    pub within: &'static str,
    /// How it holds its values.
    pub shape: Shape,
    /// What its value is, or its values.
    pub of: Type,
    /// Whether it is left out when empty.
    pub omitted: bool,
}

/// A struct.
#[derive(Debug)]
pub struct Struct {
    /// Its fields in Go's order.
    pub fields: Vec<Field>,
    positions: HashMap<&'static str, usize>,
}

impl Struct {
    /// The field of this name.
    pub fn field(&self, key: &str) -> Option<&Field> {
        self.positions.get(key).map(|at| &self.fields[*at])
    }
}

static TYPES: LazyLock<HashMap<&'static str, Struct>> = LazyLock::new(|| {
    let lines = include_str!("types.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, fields)| {
            let fields = fields.split(", ").filter_map(|f| f.split_once(' '));
            let fields: Vec<Field> = fields.map(|(name, kind)| read(name, kind)).collect();
            let positions = fields.iter().enumerate().map(|(i, f)| (f.key, i));
            let positions = positions.collect();
            (name, Struct { fields, positions })
        })
        .collect()
});

/// The struct of this name in `types.txt`.
pub fn find(name: &str) -> Option<&'static Struct> {
    TYPES.get(name)
}

fn read(name: &'static str, kind: &'static str) -> Field {
    let (within, key) = name.rsplit_once('.').unwrap_or(("", name));
    let (shape, rest) = match kind.split_at(1) {
        ("*" | "&", rest) => (Shape::Pointer, rest),
        ("=", rest) => (Shape::Plain, rest),
        _ => match kind.split_at(2.min(kind.len())) {
            ("[]", rest) => (Shape::List, rest),
            ("{}", rest) => (Shape::Map, rest),
            _ => (Shape::Plain, kind),
        },
    };
    Field {
        key,
        within,
        shape,
        of: value(rest.trim_matches('?')),
        omitted: kind.starts_with('*') || kind.contains('?'),
    }
}

fn value(name: &'static str) -> Type {
    match name {
        "string" => Type::Text("string"),
        "bool" => Type::Bool,
        "int32" => Type::Int32,
        "int64" => Type::Int64,
        "q" => Type::Quantity,
        "intstr" => Type::NumberOrText,
        "time" => Type::Time,
        "microtime" => Type::MicroTime,
        "raw" => Type::Raw,
        _ => match name.strip_prefix("string:") {
            Some(text) => Type::Text(text),
            None => Type::Struct(name),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_struct_that_a_field_names_is_in_the_file() {
        assert!(TYPES.len() > 150);
        for (name, fields) in &*TYPES {
            for field in &fields.fields {
                if let Type::Struct(of) = field.of {
                    assert!(find(of).is_some(), "{name}.{}: {of}", field.key);
                }
            }
        }
    }
}

//! Source: rules that the text of the sources must keep.

mod tree;

mod arrows;
mod determinism;
mod length;
mod mutants;
mod words;
mod wrap;

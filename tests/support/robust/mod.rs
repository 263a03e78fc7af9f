//! What every decoder promises of any input whatever: it does not panic, it ends, an error has an
//! end and says where it is, what is printed decodes to the same, and what is bad hides nothing
//! good.
//!
//! The fuzzers of `fuzz/` give bytes to these functions, and so do the tests of
//! `tests/invariants/robust.rs`, which mutate recorded objects. None takes a time that grows faster
//! than its input does.

mod files;
mod objects;
mod patches;
pub mod seeds;
mod texts;
mod watches;

/// A check of one decoder; panics where the decoder does not keep its promises.
pub type Target = fn(&[u8]);

/// All of them, by the names of the fuzzers.
pub const TARGETS: [(&str, Target); 11] = [
    ("annotation", texts::annotation),
    ("defaults", files::defaults),
    ("file", files::file),
    ("object", objects::object),
    ("patch", patches::patch),
    ("protobuf", objects::message),
    ("quantity", texts::quantity),
    ("selector", texts::selector),
    ("state", texts::state),
    ("template", objects::template),
    ("watch", watches::watch),
];

/// Runs the check of this name.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.expect("a target of this name").1(data);
}

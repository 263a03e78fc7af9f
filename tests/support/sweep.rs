//! Sweeps: tests that try all of something, of which `cargo test` tries a part to be quick. With
//! `WHOLE_SWEEPS=1` they try all, as `.ci/run` does.

#![allow(dead_code)] // each test binary uses its part of it

/// Whether all is tried.
pub fn is_whole() -> bool {
    std::env::var_os("WHOLE_SWEEPS").is_some()
}

/// How far it is from one that is tried to the next: this far, or to the next of all.
pub fn stride(of_a_part: usize) -> usize {
    if is_whole() { 1 } else { of_a_part }
}

/// The first of these, so many of them in a part.
pub fn first(all: std::ops::Range<u64>, in_a_part: u64) -> std::ops::Range<u64> {
    let end = if is_whole() {
        all.end
    } else {
        all.start + in_a_part
    };
    all.start..end
}

//! Names in a sentence: the first few, and how many more there are.

/// The most names in one sentence.
pub const NAMED: usize = 5;

/// The first few names, and how many more there are.
pub fn list_names(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let mut words = names[..names.len() - more].join(", ");
    if more > 0 {
        words.push_str(&format!(" and {more} more"));
    }
    words
}

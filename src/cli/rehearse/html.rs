//! A rehearsal as one page for a browser, without anything from elsewhere.

use super::report::{Report, to_data};

/// The page without its data.
const PAGE: &str = include_str!("page.html");

/// Where the data go.
const PLACE: &str = "/*DATA*/";

/// The page with this rehearsal.
pub fn page(report: &Report) -> String {
    PAGE.replacen(PLACE, &to_data(report), 1)
}

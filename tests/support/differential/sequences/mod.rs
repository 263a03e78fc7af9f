//! Hand-written sequences, each for a rule of the API.

mod deletes;
mod kinds;
mod lists;
mod paths;
mod pods;
mod versions;
mod watches;
mod writes;

use super::step::Sequence;

/// All of them.
pub fn all() -> Vec<Sequence> {
    [
        writes::all(),
        versions::all(),
        deletes::all(),
        lists::all(),
        watches::all(),
        pods::all(),
        kinds::all(),
        paths::all(),
    ]
    .concat()
}

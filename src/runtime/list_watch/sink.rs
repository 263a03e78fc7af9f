//! What is listed and watched, and where its objects go.

use crate::apply::client::verbs::Verb;
use crate::wire::{Encoded, Encoding};

/// What is listed and watched.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The kind, for logs: `Pod`.
    pub kind: &'static str,
    /// The path, e.g. `/api/v1/pods` or `/apis/apps/v1/namespaces/x/daemonsets`.
    pub path: String,
    /// The field selector, e.g. `metadata.name=x`; None for all objects.
    pub field_selector: Option<String>,
    /// Objects in a page of a list; 0 reads the list in one piece.
    pub page_size: u32,
    /// The form that is asked for. A server that does not have it may send JSON.
    pub encoding: Encoding,
}

/// Takes what lists and watches bring. Called synchronously and in order; must not block.
///
/// A list is `list_began`, any number of `listed`, and then `list_completed` or `list_failed`.
/// Between lists come `changed`, `deleted` and `bookmark`. On shutdown nothing is called any more,
/// even in the middle of a list.
pub trait Sink: Send {
    /// A page was read or a watch was opened. `outcome` is `ok`, or one of the words of the metrics
    /// for a failure.
    fn asked(&mut self, _verb: Verb, _outcome: &'static str) {}
    /// A list begins. What was known stays valid.
    fn list_began(&mut self);
    /// An object of the list, undecoded.
    fn listed(&mut self, item: Encoded<'_>);
    /// The list is complete. It holds what the API server had at this resourceVersion.
    fn list_completed(&mut self, version: &str);
    /// Settles some of what the list lacked. True when all of it is settled: then a watch is
    /// opened.
    fn settle(&mut self) -> bool {
        true
    }
    /// The list broke off: it says nothing about objects that were not listed.
    fn list_failed(&mut self);
    /// An object was added or modified.
    fn changed(&mut self, item: Encoded<'_>);
    /// An object was deleted. `item` is its last state, with the resourceVersion of the deletion.
    fn deleted(&mut self, item: Encoded<'_>);
    /// Everything up to this resourceVersion has been handed over.
    fn bookmark(&mut self, version: &str);
    /// A watch is open: what happens is told from now on. Or none is, until the next one is open.
    fn watching(&mut self, _is_open: bool) {}
    /// The event of this resourceVersion, and with it everything before it, has been handed over.
    fn seen(&mut self, _version: &str) {}
}

//! What is read of protobuf, the API server's binary form: the answers to lists and watches of pods
//! and nodes, and the stored bytes of a revision's `data`, which its JSON does not show (see
//! [`StoredData`](crate::model::StoredData)).
//!
//! The reader is our own, because it borrows: a message is a piece of the body, and so are its
//! texts. Field numbers are those of `generated.proto` in Kubernetes' API, where a number never
//! changes its meaning. They stand where the fields are read, with the fields' names.

mod answer;
pub(super) mod reader;

pub use answer::{
    Envelope, Event, List, Status, envelope, event, is_protobuf, list, resource_version,
};
pub use reader::Malformed;

use reader::Message;

/// What is read of a ControllerRevision in the binary form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredRevision<'a> {
    /// `metadata.uid`.
    pub uid: &'a str,
    /// The bytes that are stored as `data`.
    pub data: &'a [u8],
}

/// Reads a ControllerRevision. None for anything but the binary form of one that has data.
pub fn revision(object: &[u8]) -> Option<StoredRevision<'_>> {
    let revision = Message::new(envelope(object).ok()?.object);
    let metadata = Message::new(revision.find(1)?);
    let data = Message::new(revision.find(2)?);
    Some(StoredRevision {
        uid: metadata.find_text(5)?,
        data: data.find(1)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A revision as kube-apiserver 1.37.1 sent it, posted with this `data`.
    const STORED: &[u8] =
        include_bytes!("../../tests/data/samples/controllerrevision.protobuf.bin");
    const DATA: &str =
        r#"{"spec": {"template":{"$patch":"replace","metadata":{"annotations":{"html":"<b>&"}}}}}"#;

    #[test]
    fn the_stored_bytes_are_those_that_were_posted() {
        let stored = revision(STORED).expect("a revision");
        assert_eq!(stored.uid, "545b7248-305e-4f33-ae29-b45e4a42e12f");
        assert_eq!(stored.data, DATA.as_bytes());
    }

    #[test]
    fn what_is_cut_off_or_something_else_has_none() {
        assert_eq!(revision(br#"{"kind":"ControllerRevision"}"#), None);
        assert_eq!(revision(b""), None);
        let whole = revision(STORED);
        for end in 0..STORED.len() {
            let cut = revision(&STORED[..end]);
            assert!(cut.is_none() || cut == whole, "cut at {end}");
        }
        let too_long = [&b"k8s\0\x12"[..], &[0xff; 10]].concat();
        assert_eq!(revision(&too_long), None);
    }
}

//! The little that is read of the API server's binary form: the stored bytes of a revision's
//! `data`, which its JSON does not show (see [`StoredData`](crate::model::StoredData)).

/// What every object in the binary form begins with.
const MAGIC: &[u8] = b"k8s\0";

/// Field numbers of Kubernetes' messages: `raw` of the envelope, `metadata` and `data` of a
/// ControllerRevision, `uid` of its metadata, `raw` of its data.
const ENVELOPE_RAW: u64 = 2;
const REVISION_METADATA: u64 = 1;
const REVISION_DATA: u64 = 2;
const METADATA_UID: u64 = 5;
const EXTENSION_RAW: u64 = 1;

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
    let envelope = object.strip_prefix(MAGIC)?;
    let revision = bytes_of(envelope, ENVELOPE_RAW)?;
    let metadata = bytes_of(revision, REVISION_METADATA)?;
    let data = bytes_of(revision, REVISION_DATA)?;
    Some(StoredRevision {
        uid: str::from_utf8(bytes_of(metadata, METADATA_UID)?).ok()?,
        data: bytes_of(data, EXTENSION_RAW)?,
    })
}

/// The last field of this number in a message, if it is of bytes; None where the message is
/// malformed.
fn bytes_of(mut message: &[u8], number: u64) -> Option<&[u8]> {
    let mut found = None;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let field = match tag & 7 {
            0 => {
                varint(&mut message)?;
                continue;
            }
            1 => take(&mut message, 8)?,
            2 => {
                let length = varint(&mut message)?;
                take(&mut message, usize::try_from(length).ok()?)?
            }
            5 => take(&mut message, 4)?,
            _ => return None,
        };
        if tag == number << 3 | 2 {
            found = Some(field);
        }
    }
    found
}

fn take<'a>(from: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

/// A number of up to 64 bits, seven bits a byte, the lowest first.
fn varint(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(from, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
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
        let too_long = [MAGIC, &[0x12], &[0xff; 10]].concat();
        assert_eq!(revision(&too_long), None);
    }
}

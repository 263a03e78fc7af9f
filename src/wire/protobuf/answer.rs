//! What the API server answers in protobuf: an object or a list in an envelope, and the frames of a
//! watch. Items stay bytes, so that a broken one spoils only itself.

use super::reader::{Malformed, Message, Result};

/// What every answer in protobuf begins with. No JSON text does.
const MAGIC: &[u8] = b"k8s\0";

/// An object in its envelope, `runtime.Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The kind that the envelope names.
    pub kind: &'a str,
    /// The message of the object.
    pub object: &'a [u8],
}

/// A page of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct List<'a> {
    /// `metadata.resourceVersion`: the version of the whole list.
    pub resource_version: &'a str,
    /// `metadata.continue`: the token of the next page; empty on the last page.
    pub next: &'a str,
    /// The messages of the objects.
    pub items: Vec<&'a [u8]>,
}

/// An event of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub event: &'a str,
    /// The object, or the `Status` of an `ERROR`.
    pub object: Envelope<'a>,
}

/// What is read of a `Status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status<'a> {
    /// `reason`, a word.
    pub reason: &'a str,
    /// `message`, for people.
    pub message: &'a str,
    /// `code`, that of HTTP.
    pub code: u16,
    /// `details.retryAfterSeconds`.
    pub retry_after_seconds: u32,
}

/// Whether a body is in protobuf.
pub fn is_protobuf(body: &[u8]) -> bool {
    body.starts_with(MAGIC)
}

/// Opens the envelope of a body, or of the object of an event.
pub fn envelope(body: &[u8]) -> Result<Envelope<'_>> {
    let body = body
        .strip_prefix(MAGIC)
        .ok_or_else(|| Malformed::new("an object that is not in protobuf"))?;
    let (mut kind, mut object) = ("", &[][..]);
    for field in Message::new(body) {
        let field = field?;
        match field.number {
            1 => {
                kind = field.message("typeMeta", |type_meta| {
                    Ok(type_meta.find_text(2).unwrap_or_default())
                })?;
            }
            2 => object = field.bytes("raw")?,
            // A server compresses the whole answer or nothing.
            3 if !field.text("contentEncoding")?.is_empty() => {
                return Err(Malformed::new("an object that is encoded once more"));
            }
            _ => {}
        }
    }
    Ok(Envelope { kind, object })
}

/// Reads a page of a list.
pub fn list(body: &[u8]) -> Result<List<'_>> {
    let Envelope { kind, object } = envelope(body)?;
    // The fields of any other message would be taken for those of a list.
    if !kind.ends_with("List") {
        return Err(Malformed::new("an answer that is no list"));
    }
    let mut list = List::default();
    for field in Message::new(object) {
        let field = field?;
        match field.number {
            1 => field.message("metadata", |metadata| {
                for field in metadata {
                    let field = field?;
                    match field.number {
                        2 => list.resource_version = field.text("resourceVersion")?,
                        3 => list.next = field.text("continue")?,
                        _ => {}
                    }
                }
                Ok(())
            })?,
            2 => list.items.push(field.bytes("items")?),
            _ => {}
        }
    }
    Ok(list)
}

/// Reads a frame of a watch, without its length.
pub fn event(frame: &[u8]) -> Result<Event<'_>> {
    let (mut event, mut object) = ("", None);
    for field in Message::new(frame) {
        let field = field?;
        match field.number {
            1 => event = field.text("type")?,
            2 => {
                object = field.message("object", |extension| {
                    extension.find(1).map(envelope).transpose()
                })?;
            }
            _ => {}
        }
    }
    let object = object.ok_or_else(|| Malformed::new("an event without an object"))?;
    Ok(Event { event, object })
}

impl<'a> Status<'a> {
    /// Reads a `Status`. Fails for an object of another kind.
    pub fn read(envelope: Envelope<'a>) -> Result<Status<'a>> {
        if envelope.kind != "Status" {
            return Err(Malformed::new("an error that is no Status"));
        }
        let mut status = Status::default();
        for field in Message::new(envelope.object) {
            let field = field?;
            match field.number {
                3 => status.message = field.text("message")?,
                4 => status.reason = field.text("reason")?,
                5 => field.message("details", |details| {
                    for field in details {
                        let field = field?;
                        if field.number == 5 {
                            let seconds = field.number("retryAfterSeconds")?;
                            status.retry_after_seconds = seconds.try_into().unwrap_or(0);
                        }
                    }
                    Ok(())
                })?,
                6 => status.code = field.number("code")?.try_into().unwrap_or(0),
                _ => {}
            }
        }
        Ok(status)
    }
}

/// `metadata.resourceVersion` of an object, which need not be readable otherwise.
pub fn resource_version(object: &[u8]) -> Option<&str> {
    Message::new(Message::new(object).find(1)?).find_text(6)
}

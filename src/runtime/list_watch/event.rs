//! The events of a watch: lines of JSON, or frames of protobuf.

use kube::core::Status;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::apply::client::response::status_in;
use crate::wire::{Encoded, protobuf};

/// An event of a watch, its object undecoded and borrowed from the line or the frame.
#[derive(Debug)]
pub enum WatchEvent<'a> {
    /// ADDED or MODIFIED.
    Changed(Encoded<'a>),
    /// DELETED.
    Deleted(Encoded<'a>),
    /// BOOKMARK.
    Bookmark(Encoded<'a>),
    /// ERROR, or a bare `Status`.
    Error(Box<Status>),
}

/// Decodes a line of a watch. The error says what is wrong with it, without quoting it.
pub fn decode_event(line: &[u8]) -> Result<WatchEvent<'_>, &'static str> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(rename = "type", borrow)]
        event: &'a str,
        #[serde(borrow)]
        object: &'a RawValue,
    }
    let status = |text: &[u8]| {
        let status: Status =
            serde_json::from_slice(text).map_err(|_| "an error that is no Status")?;
        Ok(WatchEvent::Error(status.boxed()))
    };
    match serde_json::from_slice::<Line<'_>>(line) {
        Ok(Line { event, object }) => match event {
            "ERROR" => status(object.get().as_bytes()),
            _ => of_type(event, object.into()),
        },
        Err(_) => {
            #[derive(Deserialize)]
            struct Kind {
                kind: String,
            }
            match serde_json::from_slice::<Kind>(line) {
                Ok(Kind { kind }) if kind == "Status" => status(line),
                _ => Err("a line that is no watch event"),
            }
        }
    }
}

/// Decodes a frame of a watch, with its length.
pub fn decode_frame(frame: &[u8]) -> Result<WatchEvent<'_>, &'static str> {
    let (_, message) = frame.split_at_checked(4).unwrap_or_default();
    let event = protobuf::event(message).map_err(|_| "a frame that is no watch event")?;
    match event.event {
        "ERROR" => {
            let status = status_in(event.object).ok_or("an error that is no Status")?;
            Ok(WatchEvent::Error(status.boxed()))
        }
        other => of_type(other, Encoded::Protobuf(event.object.object)),
    }
}

fn of_type<'a>(event: &str, object: Encoded<'a>) -> Result<WatchEvent<'a>, &'static str> {
    match event {
        "ADDED" | "MODIFIED" => Ok(WatchEvent::Changed(object)),
        "DELETED" => Ok(WatchEvent::Deleted(object)),
        "BOOKMARK" => Ok(WatchEvent::Bookmark(object)),
        _ => Err("a watch event of an unknown type"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sim::api::protobuf as made;

    #[test]
    fn a_line_is_read_in_either_order() {
        assert!(matches!(
            decode_event(br#"{"type":"ADDED","object":{}}"#),
            Ok(WatchEvent::Changed(_))
        ));
        assert!(matches!(
            decode_event(br#"{"object":{},"type":"DELETED"}"#),
            Ok(WatchEvent::Deleted(_))
        ));
        assert!(
            matches!(decode_event(br#"{"kind":"Status","code":410}"#), Ok(WatchEvent::Error(s)) if s.code == 410)
        );
        for bad in [
            "",
            "{",
            "<html>",
            r#"{"type":"NEW","object":{}}"#,
            r#"{"type":"ERROR","object":7}"#,
        ] {
            assert!(decode_event(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_frame_is_read_by_its_type() {
        let pod = json!({"metadata": {"name": "p", "resourceVersion": "7"}});
        let pod = made::enveloped("Pod", &pod);
        for (event, is_right) in [
            ("ADDED", true),
            ("MODIFIED", true),
            ("DELETED", true),
            ("BOOKMARK", true),
            ("NEW", false),
            ("", false),
            // A pod is no Status.
            ("ERROR", false),
        ] {
            let frame = made::frame(event, &pod);
            let decoded = decode_frame(&frame);
            assert_eq!(decoded.is_ok(), is_right, "{event}");
            if let Ok(WatchEvent::Changed(o) | WatchEvent::Deleted(o) | WatchEvent::Bookmark(o)) =
                decoded
            {
                assert_eq!(o.version(), Some("7"));
            }
            let cut = decode_frame(&frame[..frame.len() - 1]);
            assert!(cut.is_err(), "{event} without its end");
        }
        let status = json!({"status": "Failure", "reason": "Expired", "message": "too old", "code": 410,
            "details": {"retryAfterSeconds": 3}});
        let frame = made::frame("ERROR", &made::status(&status));
        let Ok(WatchEvent::Error(status)) = decode_frame(&frame) else {
            panic!("an error");
        };
        assert_eq!(
            (status.code, &*status.reason, &*status.message),
            (410, "Expired", "too old")
        );
        assert_eq!(status.details.map(|d| d.retry_after_seconds), Some(3));
        assert!(decode_frame(&[]).is_err());
        assert!(decode_frame(&[0; 4]).is_err(), "an event without an object");
    }
}

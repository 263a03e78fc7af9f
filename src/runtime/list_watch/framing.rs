//! Where an event of a watch ends: JSON comes in lines, protobuf in frames with their length.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::source::LONGEST_EVENT;

/// How the events of a watch are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// An event ends with its line.
    Lines,
    /// Before an event stand four bytes with its length, the highest first.
    Frames,
}

impl Framing {
    /// The framing of an answer with these headers.
    pub fn of(headers: &HeaderMap) -> Framing {
        let media_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
        match media_type {
            Some(value) if value.starts_with(b"application/vnd.kubernetes.protobuf") => {
                Framing::Frames
            }
            _ => Framing::Lines,
        }
    }

    /// How many bytes of `piece` belong to the event of which `event` has been read.
    pub fn takes(self, event: &[u8], piece: &[u8]) -> usize {
        match self {
            Framing::Lines => {
                let end = piece.iter().position(|byte| *byte == b'\n');
                end.map_or(piece.len(), |at| at + 1)
            }
            Framing::Frames => (frame_length(event) - event.len()).min(piece.len()),
        }
    }

    /// Whether all of the event has been read.
    pub fn is_whole(self, event: &[u8]) -> bool {
        match self {
            Framing::Lines => event.last() == Some(&b'\n'),
            Framing::Frames => event.len() >= 4 && event.len() == frame_length(event),
        }
    }

    /// Whether the event goes on beyond [`LONGEST_EVENT`].
    pub fn is_too_long(self, event: &[u8]) -> bool {
        match self {
            Framing::Lines => event.len() > LONGEST_EVENT,
            Framing::Frames => frame_length(event) > LONGEST_EVENT,
        }
    }
}

/// How long the frame is of which this is the beginning, its length included.
fn frame_length(event: &[u8]) -> usize {
    let length = event
        .first_chunk()
        .map_or(0, |length| u32::from_be_bytes(*length));
    usize::try_from(length).map_or(usize::MAX, |length| length.saturating_add(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events in these bytes, and what is left of them, where they come in pieces.
    fn split(framing: Framing, bytes: &[u8], pieces: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
        let (mut events, mut event) = (Vec::new(), Vec::new());
        for mut piece in bytes.chunks(pieces) {
            while !piece.is_empty() {
                let taken = framing.takes(&event, piece);
                event.extend_from_slice(&piece[..taken]);
                piece = &piece[taken..];
                if framing.is_whole(&event) {
                    events.push(std::mem::take(&mut event));
                }
            }
        }
        (events, event)
    }

    #[test]
    fn events_are_the_same_in_pieces_of_any_length() {
        let frames = b"\0\0\0\x02hi\0\0\0\0\0\0\0\x03a\nb\0\0\0\x05cut";
        let lines = b"{}\n\nab\ncut";
        for pieces in 1..=frames.len() {
            let (events, rest) = split(Framing::Frames, frames, pieces);
            let expected = [&b"\0\0\0\x02hi"[..], b"\0\0\0\0", b"\0\0\0\x03a\nb"];
            assert_eq!(
                (events, &*rest),
                (expected.map(<[u8]>::to_vec).to_vec(), &b"\0\0\0\x05cut"[..])
            );
            let (events, rest) = split(Framing::Lines, lines, pieces);
            let expected = [&b"{}\n"[..], b"\n", b"ab\n"];
            assert_eq!(
                (events, &*rest),
                (expected.map(<[u8]>::to_vec).to_vec(), &b"cut"[..])
            );
        }
    }

    #[test]
    fn a_frame_is_too_long_before_it_is_read() {
        let length = |length: usize| u32::try_from(length).expect("a length").to_be_bytes();
        assert!(!Framing::Frames.is_too_long(&length(LONGEST_EVENT - 4)));
        assert!(Framing::Frames.is_too_long(&length(LONGEST_EVENT - 3)));
        assert!(Framing::Frames.is_too_long(&[0xff; 4]));
        assert!(!Framing::Frames.is_too_long(&[0xff; 3]));
    }
}

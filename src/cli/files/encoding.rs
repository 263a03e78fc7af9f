//! From bytes to text: UTF-8, or UTF-16 with a byte order mark, as kubectl reads files.

/// A text that may stand for one that was not all text.
pub(super) struct Decoded {
    pub text: String,
    /// The character that stands where bytes were none. It is nowhere else.
    pub stand_in: Option<char>,
}

/// Decodes a file. Byte order marks are left out.
pub(super) fn decode(bytes: Vec<u8>) -> Decoded {
    match bytes[..] {
        [0xff, 0xfe, ..] => utf16(&bytes[2..], u16::from_le_bytes),
        [0xfe, 0xff, ..] => utf16(&bytes[2..], u16::from_be_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: Vec<u8>) -> Decoded {
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            if text.starts_with('\u{feff}') {
                text.drain(..'\u{feff}'.len_utf8());
            }
            Decoded {
                text,
                stand_in: None,
            }
        }
        Err(error) => {
            let chunks = error.as_bytes().utf8_chunks();
            joined(chunks.flat_map(|chunk| {
                let invalid = !chunk.invalid().is_empty();
                [Ok(chunk.valid()), if invalid { Err(()) } else { Ok("") }]
            }))
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Decoded {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let characters = char::decode_utf16(units).map(|c| c.map(String::from).map_err(|_| ()));
    let odd = (!odd.is_empty()).then_some(Err(()));
    joined(characters.chain(odd))
}

/// Puts pieces of a text together, with a character that it does not have for each that is none.
fn joined<S: AsRef<str>>(pieces: impl Iterator<Item = Result<S, ()>>) -> Decoded {
    let mut text = String::new();
    let mut strays = Vec::new();
    for piece in pieces {
        match piece {
            Ok(piece) => text.push_str(piece.as_ref()),
            Err(()) => strays.push(text.len()),
        }
    }
    if strays.is_empty() {
        return Decoded {
            text,
            stand_in: None,
        };
    }
    let stand_in = ('\u{e000}'..='\u{f8ff}').find(|sign| !text.contains(*sign));
    let stand_in = stand_in.unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut whole = String::with_capacity(text.len() + strays.len() * stand_in.len_utf8());
    let mut from = 0;
    for stray in strays {
        whole.push_str(&text[from..stray]);
        whole.push(stand_in);
        from = stray;
    }
    whole.push_str(&text[from..]);
    if whole.starts_with('\u{feff}') {
        whole.drain(..'\u{feff}'.len_utf8());
    }
    Decoded {
        text: whole,
        stand_in: Some(stand_in),
    }
}

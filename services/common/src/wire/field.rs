//! Single fields: bytes, text, durations.

use std::{cell::RefCell, time::Duration};

use bytes::{Bytes, BytesMut};

/// Fields below this are copied out of the message they came in.
const COPIED_BELOW: usize = 4096;

/// What is copied goes side by side into pieces of memory of this size. They come and go in about one order, and what stays
/// behind keeps no more than this.
const PIECE: usize = 1024;

thread_local! {
    static ROOM: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// A field that outlives its message. A slice of the message's buffer keeps all of the buffer alive, so what is small is
/// copied; what is large is most of its message anyway.
#[must_use]
pub fn detach(bytes: Bytes) -> Bytes {
    match bytes.len() {
        0 => Bytes::new(),
        COPIED_BELOW.. => bytes,
        length if length > PIECE / 4 => Bytes::copy_from_slice(&bytes),
        length => ROOM.with_borrow_mut(|room| {
            if room.capacity() < length {
                *room = BytesMut::with_capacity(PIECE);
            }
            room.extend_from_slice(&bytes);
            room.split().freeze()
        }),
    }
}

/// Text for a protobuf string; what is not UTF-8 is replaced, since the schema cannot carry it.
#[must_use]
pub fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Most bytes of names and labels: they are for people.
pub(crate) const NAME_BYTES: usize = 256;

/// Cuts text to at most `most` bytes, at a character.
pub(crate) fn cut(text: String, most: usize) -> Bytes {
    let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    if end < text.len() {
        // What is cut off is not kept.
        return Bytes::copy_from_slice(&text.as_bytes()[..end]);
    }
    text.into()
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn millis_u32(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_fields_leave_their_message_and_large_ones_stay() {
        let message = Bytes::from(vec![7; 1 << 20]);
        let (small, large) = (message.slice(10..20), message.slice(..COPIED_BELOW));
        assert_ne!(detach(small.clone()).as_ptr(), small.as_ptr());
        assert_eq!(detach(small.clone()), small);
        assert_eq!(detach(large.clone()).as_ptr(), large.as_ptr());
    }

    #[test]
    fn text_is_cut_at_a_character() {
        assert_eq!(cut("aé".to_owned(), 2), "a");
        assert_eq!(cut("aé".to_owned(), 3), "aé");
    }
}

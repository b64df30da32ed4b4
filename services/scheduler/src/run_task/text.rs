//! What a task writes, as text: bytes come in pieces that may end within a character.

/// Bytes of a character at most.
const CHARACTER: usize = 4;

/// One stream of bytes on its way to text.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The first bytes of a character whose others have not come.
    begun: Vec<u8>,
}

impl Decoder {
    /// The text of what has come, but for a character that is not whole. What is no UTF-8 is replaced.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let whole = all.len() - unfinished(&all);
        self.begun = all.split_off(whole);
        String::from_utf8_lossy(&all).into_owned()
    }

    /// What is left when nothing more comes.
    pub(super) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.begun)).into_owned()
    }
}

/// How many bytes at the end are the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let last = &bytes[bytes.len().saturating_sub(CHARACTER - 1)..];
    let begun = (1..=last.len()).find(|back| last[last.len() - back] & 0xC0 != 0x80);
    let Some(back) = begun else { return 0 };
    let length = match last[last.len() - back] {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF7 => 4,
        _ => 1,
    };
    if back < length { back } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_whole_wherever_their_bytes_are_cut() {
        let text = "aä€😀z";
        for cut in 0..=text.len() {
            let mut decoder = Decoder::default();
            let (first, second) = text.as_bytes().split_at(cut);
            let (first, second) = (decoder.push(first), decoder.push(second));
            assert!(text.starts_with(&first), "{first}");
            assert_eq!(first + &second + &decoder.finish(), text);
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_and_nothing_waits_for_it() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(b"a\xFFb\x80"), "a\u{FFFD}b\u{FFFD}");
        assert_eq!(decoder.push(b"\xE2\x82"), "");
        assert_eq!(decoder.finish(), "\u{FFFD}");
        assert_eq!(decoder.push(&[0x80; 10]), "\u{FFFD}".repeat(10));
    }
}

//! Failures are for people, and travel in one message: their texts have a limit.

use bytes::Bytes;
use paraply_core::outcome::Failure;

const NAME_BYTES: usize = 1 << 10;
const MESSAGE_BYTES: usize = 64 << 10;
const TRACEBACK_BYTES: usize = 256 << 10;

/// Cuts the middle out of texts that are too long. An exception that is too large to send beside them is left out: its
/// text is there.
pub(crate) fn shorten(failure: &mut Failure) {
    cut(&mut failure.type_name, NAME_BYTES);
    cut(&mut failure.message, MESSAGE_BYTES);
    cut(&mut failure.traceback, TRACEBACK_BYTES);
    failure.exception.take_if(|exception| exception.inline_size() > TRACEBACK_BYTES as u64);
}

fn cut(text: &mut Bytes, most: usize) {
    if text.len() <= most {
        return;
    }
    let (start, end) = (text.slice(..most / 2), text.slice(text.len() - most / 2..));
    let (start, end) = (String::from_utf8_lossy(&start), String::from_utf8_lossy(&end));
    let left_out = text.len() - most / 2 * 2;
    *text = format!("{start}\n[... {left_out} bytes left out ...]\n{end}").into();
}

#[cfg(test)]
mod tests {
    use paraply_core::outcome::{FailureKind, Outcome};

    use super::*;

    #[test]
    fn what_is_long_keeps_its_ends() {
        let text = format!("{}middle{}", "ä".repeat(1 << 20), "z".repeat(1 << 20));
        let mut failure = Outcome::failed(FailureKind::Exception, "Exception", text, None).value.unwrap_err();
        shorten(&mut failure);
        let message = std::str::from_utf8(&failure.message).unwrap();
        assert!(message.len() < MESSAGE_BYTES + 100 && message.starts_with("ää") && message.ends_with("zz"));
        assert!(message.contains(&format!("[... {} bytes left out ...]", (3 << 20) + 6 - MESSAGE_BYTES)));
        assert_eq!(failure.type_name, "Exception");
        let before = failure.clone();
        shorten(&mut failure);
        assert_eq!(failure.traceback, before.traceback, "what is short stays");
    }
}

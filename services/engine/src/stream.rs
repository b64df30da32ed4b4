//! One output stream of one task, bounded: its beginning is passed on as it comes, and of what is over the limit the
//! end is kept until the task is over, since that is where the error is.

use bytes::Bytes;

/// How much of the end is kept of a stream that is over its limit.
const TAIL: usize = 16 << 10;

/// Where a stream is.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Bytes written.
    total: u64,
    /// Bytes passed on.
    passed: u64,
    tail: Vec<u8>,
}

/// A piece to pass on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) data: Bytes,
    pub(crate) dropped: u64,
}

impl Stream {
    /// Takes what was written; returns what of it is passed on now.
    pub(crate) fn take(&mut self, data: &[u8], limit: u64) -> Option<Piece> {
        let room = if self.total == self.passed { limit.saturating_sub(self.passed) } else { 0 };
        let now = usize::try_from(room).map_or(data.len(), |room| room.min(data.len()));
        let offset = self.total;
        self.total += data.len() as u64;
        self.passed += now as u64;
        self.tail.extend_from_slice(&data[now..]);
        if self.tail.len() > 2 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
        (now > 0).then(|| Piece { offset, data: Bytes::copy_from_slice(&data[..now]), dropped: 0 })
    }

    /// The task is over: how much it wrote, and the end that was kept. The stream starts anew.
    pub(crate) fn finish(&mut self) -> (u64, Option<Piece>) {
        let Self { total, passed, mut tail } = std::mem::take(self);
        if tail.is_empty() {
            return (total, None);
        }
        tail.drain(..tail.len().saturating_sub(TAIL));
        let offset = total - tail.len() as u64;
        (total, Some(Piece { offset, dropped: offset - passed, data: tail.into() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_on_what_fits_and_starts_anew() {
        let mut stream = Stream::default();
        assert_eq!(stream.take(b"abc", 10), Some(Piece { offset: 0, data: "abc".into(), dropped: 0 }));
        assert_eq!(stream.take(b"de", 10), Some(Piece { offset: 3, data: "de".into(), dropped: 0 }));
        assert_eq!(stream.finish(), (5, None));
        assert_eq!(stream.take(b"x", 10), Some(Piece { offset: 0, data: "x".into(), dropped: 0 }));
    }

    #[test]
    fn keeps_the_end_of_what_is_over_the_limit_and_counts_the_rest() {
        let mut stream = Stream::default();
        assert_eq!(stream.take(b"abcdef", 4), Some(Piece { offset: 0, data: "abcd".into(), dropped: 0 }));
        let filler = vec![b'-'; 5 * TAIL];
        assert_eq!(stream.take(&filler, 4), None);
        assert_eq!(stream.take(b"end", 1 << 20), None, "a limit that grows does not open a gap again");
        let total = 6 + filler.len() as u64 + 3;
        let (counted, last) = stream.finish();
        let last = last.unwrap();
        assert_eq!(counted, total);
        assert!(last.data.ends_with(b"--end") && last.data.len() == TAIL);
        assert_eq!(4 + last.dropped + last.data.len() as u64, total);
        assert_eq!(last.offset + last.data.len() as u64, total);
    }
}

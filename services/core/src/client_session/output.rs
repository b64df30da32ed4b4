//! How much of each open task's output was delivered, so that a repeat is dropped.

use crate::{
    hash::HashMap,
    outcome::{Output, OutputKind},
};

#[derive(Debug, Default)]
pub(super) struct Delivered {
    by_task: HashMap<u64, Written>,
}

/// What one attempt wrote.
#[derive(Debug, Default)]
struct Written {
    attempt: u32,
    next_offsets: Vec<(OutputKind, u64)>,
}

impl Delivered {
    /// What of a piece is new; `None` if nothing is.
    pub(super) fn new_part(&mut self, index: u64, attempt: u32, mut output: Output) -> Option<Output> {
        let written = self.by_task.entry(index).or_default();
        if attempt < written.attempt {
            return None;
        }
        if attempt > written.attempt {
            *written = Written { attempt, next_offsets: Vec::new() };
        }
        let is_stream = matches!(output.kind, OutputKind::Stdout | OutputKind::Stderr);
        let end = output.offset.saturating_add(if is_stream { output.data.len() as u64 } else { 1 });
        let known = written.next_offsets.iter_mut().find(|(kind, _)| *kind == output.kind);
        let Some((_, next)) = known else {
            written.next_offsets.push((output.kind, end));
            return Some(output);
        };
        // An empty piece is a notice of bytes dropped up to its offset.
        if end <= *next || (output.data.is_empty() && output.dropped == 0) {
            return None;
        }
        if is_stream && output.offset < *next {
            let skip = usize::try_from(*next - output.offset).unwrap_or(usize::MAX).min(output.data.len());
            output.data = output.data.slice(skip..);
            output.offset = *next;
            output.dropped = 0;
        }
        *next = end.max(*next);
        Some(output)
    }

    /// The tasks that have written.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &u64> {
        self.by_task.keys()
    }

    /// The task is over.
    pub(super) fn forget(&mut self, index: u64) {
        self.by_task.remove(&index);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn stdout(offset: u64, data: &'static str) -> Output {
        Output { kind: OutputKind::Stdout, offset, data: Bytes::from_static(data.as_bytes()), dropped: 0 }
    }

    #[test]
    fn repeats_are_trimmed_by_offset() {
        let mut delivered = Delivered::default();
        assert_eq!(delivered.new_part(0, 1, stdout(0, "abc")), Some(stdout(0, "abc")));
        assert_eq!(delivered.new_part(0, 1, stdout(0, "abc")), None);
        assert_eq!(delivered.new_part(0, 1, stdout(1, "bcde")), Some(stdout(3, "de")));
        assert_eq!(delivered.new_part(0, 1, stdout(9, "j")), Some(stdout(9, "j")), "a hole is passed on");
    }

    #[test]
    fn a_notice_of_dropped_bytes_is_passed_on_once() {
        let mut delivered = Delivered::default();
        let notice = Output { dropped: 20, ..stdout(23, "") };
        delivered.new_part(0, 1, stdout(0, "abc"));
        assert_eq!(delivered.new_part(0, 1, notice.clone()), Some(notice.clone()));
        assert_eq!(delivered.new_part(0, 1, notice), None);
        assert_eq!(delivered.new_part(0, 1, stdout(23, "d")), Some(stdout(23, "d")));
    }

    #[test]
    fn a_later_attempt_starts_over_and_an_older_one_is_dropped() {
        let mut delivered = Delivered::default();
        delivered.new_part(0, 1, stdout(0, "abc"));
        assert_eq!(delivered.new_part(0, 2, stdout(0, "abc")), Some(stdout(0, "abc")));
        assert_eq!(delivered.new_part(0, 1, stdout(3, "def")), None);
    }
}

//! What is due to the scheduler, in the order in which it has to hear it.

use std::collections::VecDeque;

use super::task::{Finished, REPORT_OVERHEAD, State, Task, outcome_size};
use crate::{
    engine_link::Reports,
    hash::HashMap,
    id::{AttemptId, Digest},
    outcome::{Output, OutputKind},
};

/// Reports that wait for the line, and output that waits for its task's ack.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) claims: Vec<AttemptId>,
    pub(super) outcomes: VecDeque<AttemptId>,
    pub(super) answers: Vec<(AttemptId, bool)>,
    pub(super) need_functions: Vec<Digest>,
    pub(super) fetched: Vec<AttemptId>,
    output: VecDeque<Piece>,
    output_bytes: u64,
    max_output_bytes: u64,
    /// Number of the next piece that arrives.
    next_piece: u64,
    /// Number of the first piece that was not sent on this stream.
    unsent: u64,
    lost: HashMap<(AttemptId, OutputKind), Lost>,
}

#[derive(Debug)]
struct Piece {
    number: u64,
    attempt: AttemptId,
    output: Output,
}

/// Output that found no room, not announced yet.
#[derive(Debug)]
struct Lost {
    next_offset: u64,
    bytes: u64,
}

impl Outbox {
    pub(super) fn new(max_output_bytes: u64) -> Self {
        Self {
            claims: Vec::new(),
            outcomes: VecDeque::new(),
            answers: Vec::new(),
            need_functions: Vec::new(),
            fetched: Vec::new(),
            output: VecDeque::new(),
            output_bytes: 0,
            max_output_bytes,
            next_piece: 0,
            unsent: 0,
            lost: HashMap::default(),
        }
    }

    /// A new stream: its hello says what is held, output goes again.
    pub(super) fn restart(&mut self) {
        self.claims.clear();
        self.outcomes.clear();
        self.answers.clear();
        self.need_functions.clear();
        self.fetched.clear();
        self.unsent = self.output.front().map_or(self.next_piece, |piece| piece.number);
    }

    /// Takes a piece of output; says whether there was room.
    pub(super) fn push_output(&mut self, attempt: AttemptId, mut output: Output) -> bool {
        let size = output.data.len() as u64 + REPORT_OVERHEAD;
        while self.output_bytes + size > self.max_output_bytes
            && let Some(oldest) = self.output.front().filter(|piece| piece.number < self.unsent)
        {
            self.output_bytes -= oldest.output.data.len() as u64 + REPORT_OVERHEAD;
            self.output.pop_front();
        }
        let key = (attempt, output.kind);
        if self.output_bytes + size > self.max_output_bytes {
            let lost = self.lost.entry(key).or_insert(Lost { next_offset: 0, bytes: 0 });
            lost.bytes += output.dropped + output.data.len() as u64;
            lost.next_offset = end_offset(&output);
            return false;
        }
        output.dropped += self.lost.remove(&key).map_or(0, |lost| lost.bytes);
        self.keep(attempt, output);
        true
    }

    /// A task ended: what was lost at its end is announced by empty pieces. Gives the number of pieces so far.
    pub(super) fn end_output(&mut self, attempt: AttemptId) -> u64 {
        if !self.lost.is_empty() {
            for kind in KINDS {
                if let Some(lost) = self.lost.remove(&(attempt, kind)) {
                    let output =
                        Output { kind, offset: lost.next_offset, data: Default::default(), dropped: lost.bytes };
                    self.keep(attempt, output);
                }
            }
        }
        self.next_piece
    }

    /// Some output is kept or was lost.
    pub(super) fn keeps_output(&self) -> bool {
        !self.output.is_empty() || !self.lost.is_empty()
    }

    /// These attempts are over: nobody will ask for their output again.
    pub(super) fn forget_output(&mut self, over: impl Fn(AttemptId) -> bool) {
        let mut bytes = self.output_bytes;
        self.output.retain(|piece| {
            let keep = !over(piece.attempt);
            bytes -= if keep { 0 } else { piece.output.data.len() as u64 + REPORT_OVERHEAD };
            keep
        });
        self.output_bytes = bytes;
        self.lost.retain(|(attempt, _), _| !over(*attempt));
    }

    pub(super) fn output_bytes(&self) -> u64 {
        self.output_bytes
    }

    /// Checks that the bytes are counted.
    pub(super) fn check(&self) -> Result<(), String> {
        let bytes: u64 = self.output.iter().map(|piece| piece.output.data.len() as u64 + REPORT_OVERHEAD).sum();
        if bytes == self.output_bytes {
            return Ok(());
        }
        Err(format!("{bytes} bytes of output are kept, {} are counted", self.output_bytes))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
            && self.outcomes.is_empty()
            && self.answers.is_empty()
            && self.need_functions.is_empty()
            && self.fetched.is_empty()
            && self.output.back().is_none_or(|piece| piece.number < self.unsent)
    }

    /// Takes out what fits one message of about `max_bytes`; what is larger goes alone. Claims always fit: they are
    /// bounded by the task window. Outcomes go before new output, so that a flood of it holds none up.
    pub(super) fn take(&mut self, tasks: &HashMap<AttemptId, Task>, max_bytes: u64) -> Reports {
        let mut reports = Reports {
            claimed: std::mem::take(&mut self.claims),
            retracted: std::mem::take(&mut self.answers),
            need_functions: std::mem::take(&mut self.need_functions),
            fetched: std::mem::take(&mut self.fetched),
            ..Reports::default()
        };
        let lists =
            [reports.claimed.len(), reports.retracted.len(), reports.need_functions.len(), reports.fetched.len()];
        let small: usize = lists.iter().sum();
        let room = max_bytes.saturating_sub(small as u64 * REPORT_OVERHEAD);
        let room = self.take_outcomes(tasks, room, &mut reports);
        let room = self.take_output(room, &mut reports);
        self.take_outcomes(tasks, room, &mut reports);
        reports
    }

    fn take_output(&mut self, mut room: u64, reports: &mut Reports) -> u64 {
        let first = self.output.partition_point(|piece| piece.number < self.unsent);
        for piece in self.output.range(first..) {
            let size = piece.output.data.len() as u64 + REPORT_OVERHEAD;
            if size > room && !(reports.output.is_empty() && reports.finished.is_empty()) {
                room = 0;
                break;
            }
            room = room.saturating_sub(size);
            self.unsent = piece.number + 1;
            reports.output.push((piece.attempt, piece.output.clone()));
        }
        if self.output.back().is_none_or(|piece| piece.number < self.unsent) {
            self.unsent = self.next_piece;
        }
        room
    }

    /// Outcomes whose output has gone, or goes with them.
    fn take_outcomes(&mut self, tasks: &HashMap<AttemptId, Task>, mut room: u64, reports: &mut Reports) -> u64 {
        while let Some(attempt) = self.outcomes.front() {
            if let Some(finished) = finished(tasks, *attempt) {
                let size = outcome_size(&finished.outcome);
                let alone = reports.finished.is_empty() && reports.output.is_empty();
                if finished.after_output > self.unsent || (size > room && !alone) {
                    return room;
                }
                room = room.saturating_sub(size);
                reports.finished.push((*attempt, finished.outcome.clone()));
            }
            self.outcomes.pop_front();
        }
        room
    }

    fn keep(&mut self, attempt: AttemptId, output: Output) {
        self.output_bytes += output.data.len() as u64 + REPORT_OVERHEAD;
        self.output.push_back(Piece { number: self.next_piece, attempt, output });
        self.next_piece += 1;
    }
}

pub(super) const KINDS: [OutputKind; 7] = [
    OutputKind::Stdout,
    OutputKind::Stderr,
    OutputKind::DisplayData,
    OutputKind::ExecuteResult,
    OutputKind::ExecuteInput,
    OutputKind::Published,
    OutputKind::PublishedPortable,
];

/// Where the piece after this one starts.
fn end_offset(output: &Output) -> u64 {
    match output.kind {
        OutputKind::Stdout | OutputKind::Stderr => output.offset + output.data.len() as u64,
        _ => output.offset + 1,
    }
}

fn finished(tasks: &HashMap<AttemptId, Task>, attempt: AttemptId) -> Option<&Finished> {
    match &tasks.get(&attempt)?.state {
        State::Finished(finished) => Some(finished),
        _ => None,
    }
}

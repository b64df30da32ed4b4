//! From what a view asks for to what the machine takes.

use std::sync::Arc;

use bytes::Bytes;
use paraply_core::{
    call::{CallHead, Placement, Work},
    client_session::SubmitError,
    id::BlobId,
    payload::{Function, Payload},
};

use super::{
    arguments::{Argument, take_out},
    state::{Slot, State},
};
use crate::{
    cell::Cell,
    error::{Error, SessionError},
};

/// Of a message, for what is around the calls in it.
const FRAME_BYTES: usize = 1 << 10;

/// Parts of an argument are never cut out of a message below this size, however many there are.
const SMALLEST_BLOB: usize = 4 << 10;

/// What a buffer takes of a message beside its bytes: a blob's name and size, with their keys.
const BUFFER_BYTES: u64 = 40;

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Submission {
    pub(crate) head: CallHead,
    /// Direct: one for all engines or one an engine. Balanced: one a task. Code: none.
    pub(crate) arguments: Vec<Payload>,
    pub(crate) function: Option<Arc<Function>>,
}

/// Has the machine take a call; its tasks, one a result, in order.
pub(super) fn submit(state: &mut State, call: Submission) -> Result<Vec<Arc<Cell>>, Error> {
    state.check_open()?;
    let largest = state.message_bytes.saturating_sub(FRAME_BYTES);
    let code = if let Work::Execute { source, .. } = &call.head.work { source.len() } else { 0 };
    let function = call.function.as_ref().map_or(0, |function| function.payload.data.len());
    if code.max(function) > largest {
        let size = code.max(function);
        let advice = "push data as values, or put the code into a module that the engines can import";
        return Err(Error::Refused(format!(
            "the code comes to {size} bytes, over the limit of {largest} (message_bytes): {advice}"
        )));
    }
    // They go in one message.
    let room = largest - function;
    let Submission { head, arguments, function } = call;
    let large = |payload: &Payload| payload.inline_size() > state.inline_bytes as u64;
    let mut calls = Vec::new();
    match &head.placement {
        // Each engine has large arguments of its own, which stay here until it reads them, or they are too many for one
        // message: a call an engine.
        Placement::Direct { engines }
            if engines.len() == arguments.len()
                && (arguments.iter().any(large) || size_of(&arguments) > room as u64) =>
        {
            for (engine, argument) in engines.clone().into_iter().zip(arguments) {
                let head = CallHead { placement: Placement::Direct { engines: vec![engine] }, ..head.clone() };
                calls.push(Ready::new(state, head, vec![argument], room)?);
            }
        }
        _ => calls.push(Ready::new(state, head, arguments, room)?),
    }
    // All of them or none.
    let mut cells = Vec::new();
    for call in calls {
        cells.extend(call.submit(state, function.clone())?);
    }
    Ok(cells)
}

/// A call that fits into a message.
struct Ready {
    head: CallHead,
    arguments: Vec<Payload>,
    /// What was too large in each of them.
    large: Vec<Vec<(BlobId, Bytes)>>,
}

impl Ready {
    /// Takes what is large out of the arguments, and so much more as has to be for them to come to no more than `room`
    /// bytes: those of direct calls go in one message together, those of balanced ones each in its own if need be.
    fn new(state: &State, head: CallHead, mut arguments: Vec<Payload>, room: usize) -> Result<Self, Error> {
        let kept = head.placement.is_one_engine();
        let together = if matches!(head.placement, Placement::Direct { .. }) { arguments.len().max(1) } else { 1 };
        let mut large = Vec::with_capacity(arguments.len());
        for argument in &mut arguments {
            let no_randomness = |error| Error::Refused(format!("the system has no randomness to give: {error}"));
            let mut taken = take_out(argument, state.inline_bytes, kept).map_err(no_randomness)?;
            if size_of([&*argument]) > (room / together) as u64 {
                taken.extend(take_out(argument, SMALLEST_BLOB, kept).map_err(no_randomness)?);
            }
            large.push(taken);
        }
        let size = if together > 1 {
            size_of(&arguments)
        } else {
            arguments.iter().map(|one| size_of([one])).max().unwrap_or(0)
        };
        if size > room as u64 {
            return Err(Error::Refused(format!(
                "the arguments come to {size} bytes, over the {room} that the limit of a message leaves for them \
                 (message_bytes): make fewer and larger values of many small ones"
            )));
        }
        Ok(Self { head, arguments, large })
    }

    fn submit(self, state: &mut State, function: Option<Arc<Function>>) -> Result<Vec<Arc<Cell>>, Error> {
        let Self { head, arguments, large } = self;
        let kept = head.placement.is_one_engine();
        let engines = if let Placement::Direct { engines } = &head.placement { engines.clone() } else { Vec::new() };
        let indexes = state.machine.submit(Arc::new(head), arguments, function).map_err(|error| match error {
            SubmitError::Closed => Error::Session(SessionError::Closed),
            refused => Error::Refused(refused.to_string()),
        })?;
        // One argument for all tasks, or one a task.
        let shared = large.len() == 1;
        let mut arguments = large.into_iter().enumerate().map(|(nth, blobs)| {
            let first = indexes.start + nth as u64;
            let tasks = if shared { indexes.clone() } else { first..first + 1 };
            (!blobs.is_empty()).then(|| state.arguments.add(Argument { blobs, kept, tasks }))
        });
        let mut last = None;
        let mut cells = Vec::new();
        for (nth, index) in indexes.clone().enumerate() {
            if nth == 0 || !shared {
                last = arguments.next().flatten();
            }
            let cell = Cell::new(index, engines.get(nth).map(|engine| engine.0));
            state.tasks.insert(index, Slot { cell: Arc::clone(&cell), argument: last.clone() });
            cells.push(cell);
        }
        Ok(cells)
    }
}

/// What payloads take of a message, about.
fn size_of<'a>(payloads: impl IntoIterator<Item = &'a Payload>) -> u64 {
    payloads.into_iter().map(|payload| payload.inline_size() + payload.buffers.len() as u64 * BUFFER_BYTES).sum()
}

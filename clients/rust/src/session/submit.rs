//! From what a view asks for to what the machine takes.

use std::sync::Arc;

use paraply_core::{
    call::{CallHead, Placement, Work},
    client_session::SubmitError,
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

/// An argument is never cut out of a message below this size, however many there are.
const SMALLEST_BLOB: usize = 4 << 10;

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
    let Submission { head, arguments, function } = call;
    let large = |payload: &Payload| payload.inline_size() > state.inline_bytes as u64;
    let Placement::Direct { engines } = &head.placement else {
        return submit_one(state, head, arguments, function, largest);
    };
    if arguments.len() < 2 || engines.len() != arguments.len() || !arguments.iter().any(large) {
        return submit_one(state, head, arguments, function, largest);
    }
    // Each engine has large arguments of its own, which stay here until it reads them: a call an engine.
    let mut cells = Vec::new();
    for (engine, argument) in engines.clone().into_iter().zip(arguments) {
        let head = CallHead { placement: Placement::Direct { engines: vec![engine] }, ..head.clone() };
        cells.extend(submit_one(state, head, vec![argument], function.clone(), largest)?);
    }
    Ok(cells)
}

fn submit_one(
    state: &mut State,
    head: CallHead,
    mut arguments: Vec<Payload>,
    function: Option<Arc<Function>>,
    largest: usize,
) -> Result<Vec<Arc<Cell>>, Error> {
    let kept = head.placement.is_one_engine();
    let direct = matches!(head.placement, Placement::Direct { .. });
    let inline = match arguments.len() {
        // They go in one message together.
        several @ 2.. if direct => state.inline_bytes.min(largest / 2 / several).max(SMALLEST_BLOB),
        _ => state.inline_bytes,
    };
    let mut large = Vec::with_capacity(arguments.len());
    for argument in &mut arguments {
        let taken = take_out(argument, inline, kept);
        large.push(taken.map_err(|error| Error::Refused(format!("the system has no randomness to give: {error}")))?);
    }
    let size: u64 = arguments.iter().map(Payload::inline_size).sum();
    if direct && size > largest as u64 {
        return Err(Error::Refused(format!(
            "the arguments come to {size} bytes, over the limit of {largest} (message_bytes): make fewer and larger \
             values of many small ones"
        )));
    }
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

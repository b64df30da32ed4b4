//! What a caller is told.

use paraply_common::wire::{id, outcome};
use paraply_core::{
    outcome::{Failure, FailureKind, Output, OutputKind},
    payload::Encoding,
};
use paraply_proto::{
    common::v1 as proto,
    scheduler::v1::{RunTaskResponse, RunTaskStreamResponse, WrittenText, run_task_stream_response::Event},
};
use tonic::Status;

use super::{Told, session::Finished, text::Decoder};

/// Bytes of a result's JSON: with its output it stays within a message.
pub(super) const RESULT_BYTES: usize = 768 << 10;

/// Bytes of each stream in an answer that has it whole.
const OUTPUT_BYTES: usize = 64 << 10;

/// What a task has written, for an answer that has everything at once.
#[derive(Debug, Default)]
pub(super) struct Collected {
    attempt: u32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    dropped: u64,
}

impl Collected {
    pub(super) fn take(&mut self, attempt: u32, output: &Output) {
        if attempt > self.attempt {
            *self = Self { attempt, ..Self::default() };
        }
        let stream = match output.kind {
            OutputKind::Stdout => &mut self.stdout,
            OutputKind::Stderr => &mut self.stderr,
            _ => return,
        };
        let kept = (OUTPUT_BYTES - stream.len()).min(output.data.len());
        stream.extend_from_slice(&output.data[..kept]);
        self.dropped += output.dropped + (output.data.len() - kept) as u64;
    }

    pub(super) fn response(self, finished: Finished) -> Result<RunTaskResponse, Status> {
        Ok(RunTaskResponse {
            stdout: whole(&self.stdout),
            stderr: whole(&self.stderr),
            dropped_output_bytes: self.dropped,
            ..response(finished)?
        })
    }
}

/// What a task writes, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Telling {
    stdout: Decoder,
    stderr: Decoder,
}

impl Telling {
    /// What to say of something that has happened.
    pub(super) fn messages(&mut self, told: Result<Told, Status>) -> Vec<Result<RunTaskStreamResponse, Status>> {
        let events = match told {
            Ok(Told::Accepted(task)) => vec![Event::Accepted(id::encode_task(task))],
            Ok(Told::Output { output, .. }) => self.output(&output).into_iter().collect(),
            Ok(Told::Finished(finished)) => {
                let mut events: Vec<_> = [
                    (proto::OutputKind::Stdout, self.stdout.finish()),
                    (proto::OutputKind::Stderr, self.stderr.finish()),
                ]
                .into_iter()
                .filter_map(|(kind, text)| written(kind, text, 0))
                .collect();
                match response(*finished) {
                    Ok(response) => events.push(Event::Finished(response)),
                    Err(status) => return events.into_iter().map(message).chain([Err(status)]).collect(),
                }
                events
            }
            Err(status) => return vec![Err(status)],
        };
        events.into_iter().map(message).collect()
    }

    fn output(&mut self, output: &Output) -> Option<Event> {
        let (kind, decoder) = match output.kind {
            OutputKind::Stdout => (proto::OutputKind::Stdout, &mut self.stdout),
            OutputKind::Stderr => (proto::OutputKind::Stderr, &mut self.stderr),
            _ => return None,
        };
        written(kind, decoder.push(&output.data), output.dropped)
    }
}

fn message(event: Event) -> Result<RunTaskStreamResponse, Status> {
    Ok(RunTaskStreamResponse { event: Some(event) })
}

fn written(kind: proto::OutputKind, text: String, dropped_bytes: u64) -> Option<Event> {
    let something = !text.is_empty() || dropped_bytes > 0;
    something.then(|| Event::Output(WrittenText { kind: kind.into(), text, dropped_bytes }))
}

/// The answer but for what was written.
fn response(finished: Finished) -> Result<RunTaskResponse, Status> {
    let Finished { task, engine, value } = finished;
    let mut response = RunTaskResponse {
        engine_id: engine.map(|engine| engine.0),
        task_id: Some(id::encode_task(task)),
        ..RunTaskResponse::default()
    };
    match value.and_then(|(encoding, data)| json(encoding, &data)) {
        Ok(result) => response.result_json = result,
        // Only Python could read the exception.
        Err(failure) => response.failure = Some(outcome::encode_failure(Failure { exception: None, ..*failure })),
    }
    Ok(response)
}

fn json(encoding: Encoding, data: &[u8]) -> Result<String, Box<Failure>> {
    let failed = |message: String| {
        Box::new(Failure {
            kind: FailureKind::Unreadable,
            type_name: "NotJson".into(),
            message: message.into(),
            traceback: bytes::Bytes::new(),
            exception: None,
            engine: None,
        })
    };
    if encoding != Encoding::Json {
        return Err(failed(format!("the engine answered JSON in {encoding:?}, which is not read here")));
    }
    String::from_utf8(data.to_vec()).map_err(|error| failed(format!("the engine's JSON is no UTF-8: {error}")))
}

fn whole(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

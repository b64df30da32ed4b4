//! A client's session, as far as it goes with large bytes: calls that name them, and what it is asked for.

use std::sync::Arc;

use bytes::Bytes;
use paraply_common::{
    peer::this_process,
    spawn::{Task, spawn},
    wire::session_link::encode_request,
};
use paraply_core::{
    call::{Call, CallHead, Placement, Work},
    id::{Digest, SessionId},
    payload::{BlobRef, Function, Payload},
    session_link::{Hello, ToScheduler},
};
use paraply_proto::{
    common::v1::BlobWant,
    scheduler::v1::{OpenSessionRequest, SessionUpdate, open_session_request, open_session_response},
};
use paraply_sim::Random;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    calls::{Calls, Line, line},
    engine::ENGINE,
};
use crate::names;

/// Wants that wait for somebody to look at them; others are lost.
const WANTS: usize = 64;

/// A stream that is open.
pub(super) struct Session {
    pub(super) id: SessionId,
    line: Line,
    wants: mpsc::Receiver<BlobWant>,
    /// The index of the next task.
    pub(super) next: u64,
    pub(super) listening: Task<()>,
}

impl Session {
    /// Opens a stream, the `stream`th of its session.
    pub(super) fn open(calls: Calls, id: SessionId, stream: u64) -> Self {
        let (line, sent) = line();
        let (wanted, wants) = mpsc::channel(WANTS);
        let label = Bytes::new();
        let hello = Hello { session: id, resume: None, cancel_on_disconnect: false, label, stream };
        let mut hello = encode_request(ToScheduler::Hello(hello));
        if let Some(open_session_request::Message::Hello(hello)) = &mut hello.message {
            hello.peer = Some(this_process("paraply-fuzz"));
        }
        // There is room: it is the first.
        let _sent = line.try_send(hello.encode_to_vec().into());
        let listening = spawn(listen(calls, sent, line.clone(), wanted));
        Self { id, line, wants, next: 0, listening }
    }

    /// Says something, unless what was said before is still on its way.
    pub(super) fn say(&self, message: Bytes) -> bool {
        self.line.try_send(message).is_ok()
    }

    /// The message of a call on the engine, with an argument that is a blob.
    pub(super) fn call(&mut self, random: &mut Random, argument: BlobRef) -> OpenSessionRequest {
        let (source, digest) = names::function(random);
        let digest = Digest(<[u8; 32]>::try_from(&digest[..]).unwrap_or_default());
        let payload = Payload { data: source, ..Payload::default() };
        let function = Function { digest, payload, name: Bytes::new() };
        let head = CallHead::new(Work::Function(digest), Placement::Direct { engines: vec![ENGINE] });
        let arguments = vec![Payload { data_blob: Some(argument), ..Payload::default() }];
        let call = Call { first_index: self.next, head: Arc::new(head), arguments };
        self.next += 1;
        encode_request(ToScheduler::Submit { calls: vec![call], functions: vec![Arc::new(function)], ack: None })
    }

    /// What it is asked for.
    pub(super) fn wanted(&mut self) -> Option<BlobWant> {
        self.wants.try_recv().ok()
    }

    /// The same, as soon as it is asked; `None` when the stream has ended.
    pub(super) async fn wants(&mut self) -> Option<BlobWant> {
        self.wants.recv().await
    }

    /// Says something when its time has come. False if the stream has ended.
    pub(super) async fn tell(&self, message: ToScheduler) -> bool {
        self.line.send(encode_request(message).encode_to_vec().into()).await.is_ok()
    }

    pub(super) async fn submit(&mut self, random: &mut Random, argument: BlobRef) -> bool {
        let call = self.call(random, argument).encode_to_vec();
        self.line.send(call.into()).await.is_ok()
    }
}

/// Hears what the scheduler says, for as long as there is a stream.
async fn listen(calls: Calls, sent: ReceiverStream<Bytes>, line: Line, wanted: mpsc::Sender<BlobWant>) {
    let Ok(mut heard) = calls.session(sent).await else { return };
    while let Ok(Some(response)) = heard.message().await {
        let Some(open_session_response::Message::Update(update)) = response.message else { continue };
        let SessionUpdate { events, wanted_blobs, .. } = update;
        if let Some(sequence) = events.iter().map(|event| event.sequence).max().filter(|sequence| *sequence > 0) {
            let ack = encode_request(ToScheduler::Ack { sequence }).encode_to_vec();
            // Somebody else may be speaking; the next one says the same.
            let _later = line.try_send(ack.into());
        }
        for want in wanted_blobs {
            let _nobody_looks = wanted.try_send(want);
        }
    }
}

//! An engine that is attached and takes no task: calls on it wait, and with them what they name.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use paraply_common::peer::this_process;
use paraply_common::{clock, secret::Secret, ticket, wire::engine_link::encode_request};
use paraply_core::{
    engine_link::{Credit, Hello, ToScheduler},
    id::{EngineId, Incarnation},
    session_link::EngineInfo,
};
use paraply_proto::scheduler::v1::attach_engine_request::Message;
use prost::Message as _;

use super::calls::{Calls, line};

pub(super) const ENGINE: EngineId = EngineId(1000);
const INCARNATION: Incarnation = Incarnation(1);
/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(3);

/// Attaches, and stays. Says why it could not.
pub(super) async fn attached(calls: Calls, cluster: String, token: Secret) -> String {
    let (line, sent) = line();
    let ticket = ticket::issue(&token, &cluster, ENGINE, INCARNATION);
    let info = EngineInfo { id: ENGINE, incarnation: INCARNATION, peer: Bytes::new(), labels: Vec::new() };
    let (last_epoch, held, kept_blobs) = (None, Vec::new(), Vec::new());
    let hello = Hello { info: Arc::new(info), last_epoch, held, credit: Credit::default(), stream: 1, kept_blobs };
    let mut hello = encode_request(ToScheduler::Hello(hello), &Bytes::copy_from_slice(&ticket));
    if let Some(Message::Hello(hello)) = &mut hello.message {
        hello.peer = Some(this_process("paraply-fuzz"));
    }
    let beat = Bytes::from(encode_request(ToScheduler::Heartbeat, &Bytes::new()).encode_to_vec());
    if line.send(hello.encode_to_vec().into()).await.is_err() {
        return "the engine was not heard".to_owned();
    }
    let mut heard = match calls.engine(sent).await {
        Ok(heard) => heard,
        Err(status) => return status.to_string(),
    };
    loop {
        let next_beat = clock::sleep_until(clock::now() + BEAT);
        tokio::select! {
            biased;
            message = heard.message() => match message {
                Ok(Some(_)) => {}
                ended => return format!("the engine's stream ended: {ended:?}"),
            },
            () = next_beat => drop(line.try_send(beat.clone())),
        }
    }
}

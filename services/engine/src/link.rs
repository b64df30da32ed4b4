//! The stream to the scheduler: dialled when the machine says so, one message at a time each way.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{
    FutureExt as _, StreamExt as _, TryStreamExt as _,
    future::{BoxFuture, pending},
    stream::{BoxStream, once},
};
use paraply_common::{
    line::{Line, line},
    transport::{self, DialError, MAX_MESSAGE_BYTES, tls::ClientTls},
    wire::engine_link,
};
use paraply_core::{engine_link::ToScheduler, membership::Endpoint};
use paraply_proto::scheduler::v1::{
    AttachEngineRequest, AttachEngineResponse, engine_link_service_client::EngineLinkServiceClient,
};
use tokio::sync::Notify;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

/// At most one stream, or one dial under way.
#[derive(Default)]
pub(crate) struct Link {
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Down,
    Dialling(BoxFuture<'static, Result<Up, DialError>>),
    Up(Up),
}

struct Up {
    line: Line<AttachEngineRequest>,
    line_free: Arc<Notify>,
    incoming: BoxStream<'static, Result<AttachEngineResponse, Status>>,
    ticket: Bytes,
}

/// What happens to a link.
#[derive(Debug)]
pub(crate) enum Event {
    Connected,
    Received(Box<AttachEngineResponse>),
    LineFree,
    Broken(String),
}

impl Link {
    /// Begins a stream in place of the one there is.
    pub(crate) fn dial(
        &mut self,
        endpoints: Vec<Endpoint>,
        tls: ClientTls,
        token: Option<MetadataValue<Ascii>>,
        ticket: Bytes,
    ) {
        let dial = async move {
            let channel = transport::connect(&endpoints, &tls).await?;
            Ok(attach(channel, token, ticket))
        };
        self.state = State::Dialling(dial.boxed());
    }

    /// Puts a message on the line, which must be free.
    pub(crate) fn send(&self, message: ToScheduler) {
        if let State::Up(up) = &self.state {
            up.line.send(engine_link::encode_request(message, &up.ticket));
        }
    }

    /// Drops the stream or the dial.
    pub(crate) fn hang_up(&mut self) {
        self.state = State::Down;
    }

    /// What happens next; nothing while there is no stream. Cancel-safe.
    pub(crate) async fn event(&mut self) -> Event {
        match &mut self.state {
            State::Down => pending().await,
            State::Dialling(dial) => match dial.await {
                Ok(up) => {
                    self.state = State::Up(up);
                    Event::Connected
                }
                Err(error) => self.broken(error.to_string()),
            },
            State::Up(up) => {
                let received = tokio::select! {
                    biased;
                    () = up.line_free.notified() => return Event::LineFree,
                    received = up.incoming.next() => received,
                };
                match received {
                    Some(Ok(message)) => Event::Received(Box::new(message)),
                    Some(Err(status)) => self.broken(format!("{}: {}", status.code(), status.message())),
                    None => self.broken("the scheduler ended the stream".into()),
                }
            }
        }
    }

    fn broken(&mut self, why: String) -> Event {
        self.state = State::Down;
        Event::Broken(why)
    }
}

/// Opens the stream on a channel. The scheduler may answer only once it has our first message, so nothing waits here.
fn attach(channel: Channel, token: Option<MetadataValue<Ascii>>, ticket: Bytes) -> Up {
    let line_free = Arc::new(Notify::new());
    let freed = Arc::clone(&line_free);
    let (line, requests) = line(move || freed.notify_one());
    let mut request = Request::new(requests.requests());
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", token);
    }
    let call = async move {
        let mut client = EngineLinkServiceClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        client.attach_engine(request).await.map(tonic::Response::into_inner)
    };
    Up { line, line_free, incoming: once(call).try_flatten().boxed(), ticket }
}

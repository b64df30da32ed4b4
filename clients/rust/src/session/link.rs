//! The stream to the scheduler: dialled when the machine says so, one message at a time each way.

use std::sync::Arc;

use futures_util::{
    FutureExt as _, StreamExt as _, TryStreamExt as _,
    future::{BoxFuture, pending},
    stream::{BoxStream, once},
};
use paraply_common::{
    line::{Line, line},
    peer,
    transport::{MAX_MESSAGE_BYTES, address},
    wire::session_link,
};
use paraply_core::{membership::Endpoint, session_link::ToScheduler};
use paraply_proto::scheduler::v1::{
    OpenSessionRequest, OpenSessionResponse, open_session_request, task_service_client::TaskServiceClient,
};
use tokio::sync::Notify;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
};

use super::way::{AGENT, Found, Lost, Way, lost};

/// At most one stream, or one dial under way.
pub(crate) struct Link {
    pub(crate) way: Way,
    /// What was shown last.
    pub(crate) token: Option<MetadataValue<Ascii>>,
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Down,
    Dialling(BoxFuture<'static, Result<Found, Lost>>),
    Up(Up),
}

struct Up {
    endpoint: Endpoint,
    welcomed: bool,
    line: Line<OpenSessionRequest>,
    line_free: Arc<Notify>,
    incoming: BoxStream<'static, Result<OpenSessionResponse, Status>>,
}

/// What happens to a link.
#[derive(Debug)]
pub(crate) enum Event {
    Connected,
    Received(Box<OpenSessionResponse>),
    LineFree,
    Lost(Lost),
}

impl Link {
    pub(crate) fn new(way: Way) -> Self {
        Self { way, token: None, state: State::Down }
    }

    /// Begins a stream in place of the one there is.
    pub(crate) fn dial(&mut self) {
        self.hang_up();
        self.state = State::Dialling(self.way.clone().connect().boxed());
    }

    /// The scheduler has answered the hello of the stream there is; says where.
    pub(crate) fn welcomed(&mut self) -> Option<Endpoint> {
        let State::Up(up) = &mut self.state else { return None };
        up.welcomed = true;
        self.way.works(up.endpoint.clone());
        Some(up.endpoint.clone())
    }

    /// Where the stream leads, for messages.
    pub(crate) fn name(&self) -> String {
        let State::Up(up) = &self.state else { return String::new() };
        address::text(&up.endpoint).unwrap_or_default()
    }

    /// Whether nobody has welcomed us on the stream there is.
    pub(crate) fn is_unwelcomed(&self) -> bool {
        matches!(self.state, State::Up(Up { welcomed: false, .. }))
    }

    /// Puts a message on the line, which must be free.
    pub(crate) fn send(&self, message: ToScheduler) {
        if let State::Up(up) = &self.state {
            let mut request = session_link::encode_request(message);
            if let Some(open_session_request::Message::Hello(hello)) = &mut request.message {
                hello.peer = Some(peer::this_process(AGENT));
            }
            up.line.send(request);
        }
    }

    /// Drops the stream or the dial.
    pub(crate) fn hang_up(&mut self) {
        match std::mem::take(&mut self.state) {
            State::Dialling(_) => self.way.hung(),
            State::Up(Up { welcomed: false, endpoint, .. }) => self.way.failed(&endpoint),
            State::Up(_) | State::Down => {}
        }
    }

    /// What happens next; nothing while there is no stream. Cancel-safe.
    pub(crate) async fn event(&mut self) -> Event {
        match &mut self.state {
            State::Down => pending().await,
            State::Dialling(dial) => match dial.await {
                Ok(found) => {
                    self.way = found.way.clone();
                    self.token = Some(found.token.clone());
                    self.state = State::Up(open(found));
                    Event::Connected
                }
                Err(lost) => {
                    self.state = State::Down;
                    Event::Lost(lost)
                }
            },
            State::Up(up) => {
                let received = tokio::select! {
                    biased;
                    () = up.line_free.notified() => return Event::LineFree,
                    received = up.incoming.next() => received,
                };
                let lost = match received {
                    Some(Ok(message)) => return Event::Received(Box::new(message)),
                    Some(Err(status)) => lost(&self.name(), &status),
                    None => Lost::ForNow(format!("{}: the scheduler ended the stream", self.name())),
                };
                self.hang_up();
                Event::Lost(lost)
            }
        }
    }
}

/// Opens the stream on a connection. The scheduler may answer only once it has our first message, so nothing waits here.
fn open(found: Found) -> Up {
    let Found { endpoint, channel, token, .. } = found;
    let line_free = Arc::new(Notify::new());
    let freed = Arc::clone(&line_free);
    let (line, requests) = line(move || freed.notify_one());
    let mut request = Request::new(requests.requests());
    request.metadata_mut().insert("authorization", token);
    let call = async move {
        let mut client = TaskServiceClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        client.open_session(request).await.map(tonic::Response::into_inner)
    };
    let incoming = once(call).try_flatten().boxed();
    Up { endpoint, welcomed: false, line, line_free, incoming }
}

//! A client that speaks the session stream by hand.

use paraply_proto::scheduler::v1::{
    Event, OpenSessionRequest, OpenSessionResponse, SessionClosed, SessionHello, SessionUpdate, SessionWelcome, Submit,
    open_session_request::Message, open_session_response, task_service_client::TaskServiceClient,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

use crate::{cluster::Cluster, soon, words};

/// An open session stream.
#[derive(Debug)]
pub struct RawSession {
    /// Its id.
    pub id: [u8; 16],
    /// What the scheduler answered to the hello.
    pub welcome: SessionWelcome,
    requests: mpsc::Sender<OpenSessionRequest>,
    responses: Streaming<OpenSessionResponse>,
}

impl RawSession {
    /// Opens a new session on a connection.
    pub async fn open(cluster: &Cluster, channel: Channel) -> Self {
        Self::try_open(cluster, channel).await.unwrap()
    }

    /// The same, where it may fail.
    ///
    /// # Errors
    /// What the scheduler refused it with.
    pub async fn try_open(cluster: &Cluster, channel: Channel) -> Result<Self, Status> {
        Self::hello(cluster, channel, words::session_hello()).await
    }

    /// Opens a stream with this hello.
    ///
    /// # Errors
    /// What the scheduler refused it with.
    pub async fn hello(cluster: &Cluster, channel: Channel, hello: SessionHello) -> Result<Self, Status> {
        let id = hello.session_id.as_ref().try_into().unwrap_or_default();
        let (requests, mut responses) = stream(cluster, channel, Message::Hello(hello)).await?;
        let first = soon("a welcome", responses.message()).await?.unwrap().message.unwrap();
        match first {
            open_session_response::Message::Welcome(welcome) => Ok(Self { id, welcome, requests, responses }),
            other => panic!("not a welcome: {other:?}"),
        }
    }

    /// Says something.
    pub async fn say(&self, message: Message) {
        self.requests.send(OpenSessionRequest { message: Some(message) }).await.unwrap();
    }

    /// Submits calls of the function that [`words::function`] makes.
    pub async fn submit(&self, calls: Vec<paraply_proto::scheduler::v1::Call>) {
        let functions = vec![words::function()];
        self.say(Message::Submit(Submit { calls, functions, ack_sequence: None })).await;
    }

    /// The next message.
    ///
    /// # Errors
    /// If the stream ends with a status.
    pub async fn next(&mut self) -> Result<Option<open_session_response::Message>, Status> {
        Ok(soon("a message to the client", self.responses.message()).await?.and_then(|response| response.message))
    }

    /// The next update.
    pub async fn update(&mut self) -> SessionUpdate {
        match self.next().await {
            Ok(Some(open_session_response::Message::Update(update))) => update,
            other => panic!("not an update: {other:?}"),
        }
    }

    /// Events until one that `is_last`, that one included.
    pub async fn events_until(&mut self, mut is_last: impl FnMut(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            for event in self.update().await.events {
                let last = is_last(&event);
                events.push(event);
                if last {
                    return events;
                }
            }
        }
    }

    /// How the scheduler closes the stream, after whatever it has to say before.
    pub async fn closed(&mut self) -> SessionClosed {
        loop {
            match self.next().await {
                Ok(Some(open_session_response::Message::Closed(closed))) => return closed,
                Ok(Some(_)) => {}
                other => panic!("not closed: {other:?}"),
            }
        }
    }
}

/// A session stream with its first message on the way.
///
/// # Errors
/// What the scheduler refused it with.
pub async fn stream(
    cluster: &Cluster,
    channel: Channel,
    first: Message,
) -> Result<(mpsc::Sender<OpenSessionRequest>, Streaming<OpenSessionResponse>), Status> {
    let (requests, outgoing) = mpsc::channel(16);
    requests.send(OpenSessionRequest { message: Some(first) }).await.unwrap();
    let mut client = TaskServiceClient::with_interceptor(channel, cluster.as_client());
    let responses = soon("response headers", client.open_session(ReceiverStream::new(outgoing))).await?;
    Ok((requests, responses.into_inner()))
}

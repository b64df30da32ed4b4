//! The stream to the scheduler: dialled when the machine says so, one message at a time each way.
//!
//! A scheduler that nobody welcomes us at directly, whether or not somebody takes the connection, is looked for through the
//! controller next. Each stream that was welcomed has the next one begin with the direct road again.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{
    FutureExt as _, StreamExt as _, TryStreamExt as _,
    future::{BoxFuture, pending},
    stream::{BoxStream, once},
};
use paraply_common::{
    line::{Line, line},
    transport::{MAX_MESSAGE_BYTES, tls::ClientTls},
    wire::engine_link,
};
use paraply_core::engine_link::ToScheduler;
use paraply_proto::scheduler::v1::{
    AttachEngineRequest, AttachEngineResponse, engine_link_service_client::EngineLinkServiceClient,
};
use tokio::sync::Notify;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

use crate::roads::{Road, RoadError, Roads};

/// At most one stream, or one dial under way.
#[derive(Default)]
pub(crate) struct Link {
    state: State,
    /// The road that the next dial begins with.
    next: Road,
}

#[derive(Default)]
enum State {
    #[default]
    Down,
    Dialling(BoxFuture<'static, Result<Up, RoadError>>),
    Up(Up),
}

struct Up {
    road: Road,
    welcomed: bool,
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
    pub(crate) fn dial(&mut self, roads: Roads, tls: ClientTls, token: Option<MetadataValue<Ascii>>, ticket: Bytes) {
        self.hang_up();
        let first = self.next;
        let dial = async move {
            let (road, channel) = roads.connect(first, &tls).await?;
            Ok(attach(road, channel, token, ticket))
        };
        self.state = State::Dialling(dial.boxed());
    }

    /// The scheduler has answered the hello of the stream there is; says by which road.
    pub(crate) fn welcomed(&mut self) -> Road {
        match &mut self.state {
            State::Up(up) => {
                up.welcomed = true;
                up.road
            }
            State::Down | State::Dialling(_) => Road::default(),
        }
    }

    /// Puts a message on the line, which must be free.
    pub(crate) fn send(&self, message: ToScheduler) {
        if let State::Up(up) = &self.state {
            up.line.send(engine_link::encode_request(message, &up.ticket));
        }
    }

    /// Drops the stream or the dial.
    pub(crate) fn hang_up(&mut self) {
        self.next = match std::mem::take(&mut self.state) {
            State::Down => self.next,
            // Whoever it began with swallows what is sent to it, for longer than a dial may take.
            State::Dialling(_) => self.next.other(),
            State::Up(Up { welcomed: true, .. }) => Road::Direct,
            State::Up(up) => up.road.other(),
        };
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
                Err(error) => {
                    // Neither leads anywhere, and so nothing is known against the shorter one.
                    (self.state, self.next) = (State::Down, Road::Direct);
                    Event::Broken(error.to_string())
                }
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
        self.hang_up();
        Event::Broken(why)
    }
}

/// Opens the stream on a channel. The scheduler may answer only once it has our first message, so nothing waits here.
fn attach(road: Road, channel: Channel, token: Option<MetadataValue<Ascii>>, ticket: Bytes) -> Up {
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
    let incoming = once(call).try_flatten().boxed();
    Up { road, welcomed: false, line, line_free, incoming, ticket }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use paraply_core::membership::Endpoint;
    use tokio::net::{TcpListener, TcpSocket, TcpStream};

    use super::*;

    /// Scheduler and controller of a cluster, as far as an engine sees who takes its connections.
    struct Peers {
        /// Where the scheduler is said to be.
        place: SocketAddr,
        scheduler: TcpListener,
        controller: TcpListener,
        link: Link,
    }

    impl Peers {
        async fn new() -> Self {
            let listener = || TcpListener::bind("127.0.0.1:0");
            let (scheduler, controller) = (listener().await.unwrap(), listener().await.unwrap());
            let place = scheduler.local_addr().unwrap();
            Self { place, scheduler, controller, link: Link::default() }
        }

        fn dial(&mut self) {
            let at = |place: SocketAddr| vec![Endpoint::Tcp(place.to_string())];
            let roads = Roads { direct: at(self.place), controller: at(self.controller.local_addr().unwrap()) };
            self.link.dial(roads, ClientTls::default(), None, Bytes::new());
        }

        /// Who takes the connection of a dial.
        async fn connected(&mut self) -> (Road, TcpStream) {
            let (event, taken) = tokio::join!(self.link.event(), async {
                tokio::select! {
                    taken = self.scheduler.accept() => (Road::Direct, taken.unwrap().0),
                    taken = self.controller.accept() => (Road::Controller, taken.unwrap().0),
                }
            });
            assert!(matches!(event, Event::Connected), "{event:?}");
            taken
        }
    }

    #[tokio::test]
    async fn who_takes_connections_and_welcomes_nobody_is_passed_by_until_somebody_was_welcomed() {
        let mut peers = Peers::new().await;
        for (road, welcomed) in [
            (Road::Direct, false),
            (Road::Controller, true),
            (Road::Direct, false),
            (Road::Controller, false),
            (Road::Direct, true),
            (Road::Direct, true),
        ] {
            peers.dial();
            // Kept until the end: a channel whose connection breaks before its first call makes another.
            let (taken_by, _taken) = peers.connected().await;
            assert_eq!(taken_by, road);
            if welcomed {
                assert_eq!(peers.link.welcomed(), road);
            }
            peers.link.hang_up();
        }
    }

    #[tokio::test]
    async fn a_dial_that_takes_too_long_is_followed_by_one_of_the_other_road() {
        let mut peers = Peers::new().await;
        peers.dial();
        peers.link.hang_up();
        peers.dial();
        assert_eq!(peers.connected().await.0, Road::Controller);
    }

    #[tokio::test]
    async fn who_refuses_connections_is_asked_first_again() {
        let mut peers = Peers::new().await;
        let place = peers.scheduler.local_addr().unwrap();
        // Bound, and so nobody else's, but nobody listens there.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        drop(std::mem::replace(&mut peers.scheduler, TcpListener::bind("127.0.0.1:0").await.unwrap()));
        socket.bind(place).unwrap();
        peers.place = place;
        peers.dial();
        assert_eq!(peers.connected().await.0, Road::Controller);
        peers.link.hang_up();
        peers.scheduler = socket.listen(1).unwrap();
        peers.dial();
        assert_eq!(peers.connected().await.0, Road::Direct);
        assert_eq!(peers.link.welcomed(), Road::Direct);
    }

    #[tokio::test]
    async fn without_a_scheduler_nobody_is_asked() {
        let mut peers = Peers::new().await;
        let controller = vec![Endpoint::Tcp(peers.controller.local_addr().unwrap().to_string())];
        peers.link.dial(Roads { direct: Vec::new(), controller }, ClientTls::default(), None, Bytes::new());
        let event = peers.link.event().await;
        assert!(matches!(&event, Event::Broken(why) if why.contains("no scheduler")), "{event:?}");
    }
}

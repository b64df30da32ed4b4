//! A service whose actor answers each message of a stream with one, or with many.

use std::{collections::HashMap, time::Duration};

use paraply_common::{
    actor::{self, Actor},
    feed::feed,
    health::Pulse,
    line::{Line, LineStream, line},
    mailbox::{Mailbox, mailbox},
    secret::Secret,
    shutdown::{Stop, shutdown},
    spawn::{Task, spawn, spawn_detached},
    tokens::{TokenSet, Tokens},
    tower::{auth::AuthLayer, count::CountLayer},
    transport::{Listener, Server, serve},
};
use paraply_core::{membership::Endpoint, time::Time};
use paraply_proto::scheduler::v1::{
    AttachEngineRequest, AttachEngineResponse, SchedulerHeartbeat, attach_engine_response,
    engine_link_service_client::EngineLinkServiceClient,
    engine_link_service_server::{EngineLinkService, EngineLinkServiceServer},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, service::Routes, transport::Channel};

const TOKEN: &str = "engine-token-engine-token";

pub(crate) struct Echo {
    pub(crate) endpoints: Vec<Endpoint>,
    _stop: Stop,
    _tasks: (Task<()>, Task<()>),
}

enum Stimulus {
    Opened(u64, Line<AttachEngineResponse>),
    Said(u64),
    LineFree(u64),
    Broken(u64),
}

/// Answers each message once for every `echoes`, one on the line at a time.
#[derive(Default)]
struct Echoer {
    lines: HashMap<u64, (Line<AttachEngineResponse>, u64, bool)>,
    echoes: u64,
}

impl Actor for Echoer {
    type Stimulus = Stimulus;

    fn handle(&mut self, _now: Time, stimulus: Stimulus) {
        match stimulus {
            Stimulus::Opened(number, line) => {
                self.lines.insert(number, (line, 0, true));
            }
            Stimulus::Said(number) => {
                let (_, owed, _) = self.lines.get_mut(&number).unwrap();
                *owed += self.echoes;
            }
            Stimulus::LineFree(number) => {
                if let Some((_, _, free)) = self.lines.get_mut(&number) {
                    *free = true;
                }
            }
            Stimulus::Broken(number) => {
                self.lines.remove(&number);
            }
        }
    }

    fn tick(&mut self, _now: Time) {}

    fn flush(&mut self, _now: Time) {
        for (line, owed, free) in self.lines.values_mut() {
            if *free && *owed > 0 {
                (*owed, *free) = (*owed - 1, false);
                line.send(AttachEngineResponse {
                    message: Some(attach_engine_response::Message::Heartbeat(SchedulerHeartbeat {})),
                });
            }
        }
    }

    fn next_timeout(&self) -> Option<Time> {
        None
    }
}

struct Service {
    mailbox: Mailbox<Stimulus>,
    numbers: std::sync::atomic::AtomicU64,
}

#[tonic::async_trait]
impl EngineLinkService for Service {
    type AttachEngineStream = LineStream<AttachEngineResponse>;

    async fn attach_engine(
        &self,
        request: Request<Streaming<AttachEngineRequest>>,
    ) -> Result<Response<Self::AttachEngineStream>, Status> {
        let number = self.numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let gone = CancellationToken::new();
        let (guard, mailbox) = (gone.clone().drop_guard(), self.mailbox.clone());
        let (line, stream) = line(move || {
            let _dropped_with_the_stream = &guard;
            mailbox.notice(Stimulus::LineFree(number));
        });
        let mailbox = self.mailbox.clone();
        mailbox.send(Stimulus::Opened(number, line)).await.unwrap();
        spawn_detached(async move {
            let _end = feed(request.into_inner(), gone, &mailbox, |_| Ok(Stimulus::Said(number))).await;
            let _actor_ended = mailbox.send(Stimulus::Broken(number)).await;
        });
        Ok(Response::new(stream))
    }
}

impl Echo {
    pub(crate) fn start(listeners: Vec<Listener>, echoes: u64) -> Self {
        let endpoints = listeners.iter().filter_map(Listener::endpoint).collect();
        let (mailbox, inbox) = mailbox(1024);
        let secret = |text: &str| Secret::try_from(text.to_owned()).unwrap();
        let tokens = TokenSet::new(secret("client-token-client-token"), secret(TOKEN), None);
        let server = Server {
            calls: CountLayer::default(),
            routes: Routes::new(EngineLinkServiceServer::new(Service { mailbox, numbers: Default::default() })),
            auth: Some(AuthLayer::new(Tokens::fixed(tokens))),
            pass_through: None,
        };
        let (stop, shutdown) = shutdown(Duration::ZERO);
        let serving = spawn(async move { serve(listeners, server, &shutdown).await.unwrap() });
        let acting = spawn(async move {
            let mut actor = Echoer { echoes, ..Echoer::default() };
            actor::run(&mut actor, inbox, Pulse::default()).await;
        });
        Self { endpoints, _stop: stop, _tasks: (serving, acting) }
    }
}

pub(crate) async fn attach(channel: Channel) -> (mpsc::Sender<AttachEngineRequest>, Streaming<AttachEngineResponse>) {
    let (says, said) = mpsc::channel(1);
    let mut request = Request::new(ReceiverStream::new(said));
    request.metadata_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    let answers = EngineLinkServiceClient::new(channel).attach_engine(request).await.unwrap();
    (says, answers.into_inner())
}

//! `EngineLinkService`, as engines call it.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use paraply_common::{
    feed::first,
    peer,
    secret::Secret,
    spawn::spawn_detached,
    ticket,
    wire::engine_link::{decode_hello, decode_request, encode_response},
};
use paraply_core::scheduler;
use paraply_proto::scheduler::v1::{
    AttachEngineRequest, AttachEngineResponse, attach_engine_request::Message,
    engine_link_service_server::EngineLinkService,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::{described, shell::Stimulus, stream::Access};

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct EngineLinks {
    pub(crate) access: Access,
    /// What tickets are made with.
    pub(crate) ticket_key: Secret,
}

#[tonic::async_trait]
impl EngineLinkService for EngineLinks {
    type AttachEngineStream = Pin<Box<dyn Stream<Item = Result<AttachEngineResponse, Status>> + Send>>;

    async fn attach_engine(
        &self,
        request: Request<Streaming<AttachEngineRequest>>,
    ) -> Result<Response<Self::AttachEngineStream>, Status> {
        let mut stream = request.into_inner();
        let Some(Message::Hello(hello)) = first(&mut stream).await?.message else {
            return Err(Status::invalid_argument("the first message of an engine's stream is `hello`"));
        };
        peer::negotiate(hello.peer.as_ref())?;
        described::check_labels(&hello.labels)?;
        let shown = hello.ticket.clone();
        let hello = decode_hello(hello).map_err(|error| Status::invalid_argument(format!("hello.{error}")))?;
        let cluster_id = &self.access.identity.cluster_id;
        if !ticket::verify(&self.ticket_key, cluster_id, hello.info.id, hello.info.incarnation, &shown) {
            let message = "the ticket is not for this cluster, engine id and incarnation: register with the controller";
            return Err(Status::unauthenticated(message));
        }

        let access = self.access.clone();
        let connection = access.next_connection();
        let (line, responses) = access.line(connection);
        let closed = CancellationToken::new();
        let reader = closed.clone().drop_guard();
        access.tell(Stimulus::EngineOpened { connection, hello, line, reader }).await?;
        let identity = access.identity.clone();
        spawn_detached(access.read(connection, stream, closed, decode_request, |connection, message| {
            scheduler::Stimulus::EngineMessage { connection, message }
        }));
        let responses = responses.map(move |message| Ok(encode_response(message?, &identity)));
        Ok(Response::new(responses.boxed()))
    }
}

//! An engine that speaks its link by hand.

use bytes::Bytes;
use paraply_proto::{
    common::v1::{AttemptId, Outcome},
    scheduler::v1::{
        AttachEngineRequest, AttachEngineResponse, AttemptFinished, EngineCredit, EngineHello, EngineOrders,
        EngineReports, EngineWelcome, HeldTask, attach_engine_request::Message, attach_engine_response,
        engine_link_service_client::EngineLinkServiceClient,
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

use crate::{cluster::Cluster, soon, words};

/// An attached engine.
#[derive(Debug)]
pub struct RawEngine {
    /// Its id.
    pub id: u32,
    /// What the scheduler answered to the hello.
    pub welcome: EngineWelcome,
    requests: mpsc::Sender<AttachEngineRequest>,
    responses: Streaming<AttachEngineResponse>,
}

impl RawEngine {
    /// Attaches an engine that holds nothing.
    ///
    /// # Errors
    /// What the scheduler refused it with.
    pub async fn attach(cluster: &Cluster, channel: Channel, id: u32) -> Result<Self, Status> {
        Self::hello(cluster, channel, hello(cluster, id, Vec::new())).await
    }

    /// Attaches an engine with this hello.
    ///
    /// # Errors
    /// What the scheduler refused it with.
    pub async fn hello(cluster: &Cluster, channel: Channel, hello: EngineHello) -> Result<Self, Status> {
        let id = hello.engine_id;
        let (requests, outgoing) = mpsc::channel(16);
        requests.send(AttachEngineRequest { message: Some(Message::Hello(hello)) }).await.unwrap();
        let mut client = EngineLinkServiceClient::with_interceptor(channel, cluster.as_engine());
        let answer = soon("response headers", client.attach_engine(ReceiverStream::new(outgoing))).await?;
        let mut responses = answer.into_inner();
        let first = soon("a welcome", responses.message()).await?.unwrap().message.unwrap();
        match first {
            attach_engine_response::Message::Welcome(welcome) => Ok(Self { id, welcome, requests, responses }),
            other => panic!("not a welcome: {other:?}"),
        }
    }

    /// The next orders.
    ///
    /// # Errors
    /// If the stream ends.
    pub async fn orders(&mut self) -> Result<EngineOrders, Status> {
        loop {
            match soon("orders", self.responses.message()).await?.and_then(|response| response.message) {
                Some(attach_engine_response::Message::Orders(orders)) => return Ok(orders),
                Some(attach_engine_response::Message::Heartbeat(_)) => {}
                other => return Err(Status::unavailable(format!("the stream ended: {other:?}"))),
            }
        }
    }

    /// The next tasks assigned.
    ///
    /// # Errors
    /// If the stream ends.
    pub async fn assigned(&mut self) -> Result<Vec<AttemptId>, Status> {
        loop {
            let orders = self.orders().await?;
            let tasks = orders.assigned.into_iter().flat_map(|call| {
                let session = call.session_id;
                call.tasks.into_iter().map(move |task| words::attempt(&session, task.index, task.attempt))
            });
            let tasks: Vec<_> = tasks.collect();
            if !tasks.is_empty() {
                return Ok(tasks);
            }
        }
    }

    /// Reports something.
    pub async fn report(&self, reports: EngineReports) {
        self.requests.send(AttachEngineRequest { message: Some(Message::Reports(reports)) }).await.unwrap();
    }

    /// Reports tasks as finished, all with one outcome.
    pub async fn finish(&self, tasks: Vec<AttemptId>, outcome: &Outcome) {
        let finished = tasks
            .into_iter()
            .map(|task| AttemptFinished { attempt_id: Some(task), outcome: Some(outcome.clone()) })
            .collect();
        self.report(EngineReports { finished, ..EngineReports::default() }).await;
    }

    /// Finishes every task it gets, at once, until its stream ends.
    pub async fn serve(mut self) {
        let outcome = words::none();
        while let Ok(tasks) = self.assigned().await {
            self.finish(tasks, &outcome).await;
        }
    }
}

/// An engine's hello; its incarnation is its id.
#[must_use]
pub fn hello(cluster: &Cluster, id: u32, held: Vec<HeldTask>) -> EngineHello {
    let incarnation = u128::from(id);
    EngineHello {
        engine_id: id,
        incarnation: Bytes::copy_from_slice(&incarnation.to_be_bytes()),
        ticket: Bytes::copy_from_slice(&cluster.ticket(id, incarnation)),
        peer: Some(words::peer()),
        held,
        credit: Some(EngineCredit { total_tasks: 1 << 40, total_bytes: 1 << 50 }),
        ..EngineHello::default()
    }
}

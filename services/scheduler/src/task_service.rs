//! `TaskService`, as clients call it.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use paraply_common::{
    feed::first,
    peer,
    spawn::spawn_detached,
    wire::{
        session_link::{decode_hello, decode_request, encode_response},
        status, tasks,
    },
};
use paraply_core::scheduler;
use paraply_proto::scheduler::v1::{
    CancelTasksRequest, CancelTasksResponse, GetSchedulerStatusRequest, GetSchedulerStatusResponse, GetTasksRequest,
    GetTasksResponse, ListTasksRequest, ListTasksResponse, OpenSessionRequest, OpenSessionResponse, PurgeTasksRequest,
    PurgeTasksResponse, RunTaskRequest, RunTaskResponse, RunTaskStreamRequest, RunTaskStreamResponse,
    WatchSessionRequest, WatchSessionResponse, open_session_request::Message, task_service_server::TaskService,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::{described, listing, run_task::Runner, shell::Stimulus, stream::Access};

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    pub(crate) access: Access,
    pub(crate) runner: Runner,
}

type Responses<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

#[tonic::async_trait]
impl TaskService for Tasks {
    type OpenSessionStream = Responses<OpenSessionResponse>;
    type RunTaskStreamStream = Responses<RunTaskStreamResponse>;
    type WatchSessionStream = Responses<WatchSessionResponse>;

    async fn open_session(
        &self,
        request: Request<Streaming<OpenSessionRequest>>,
    ) -> Result<Response<Self::OpenSessionStream>, Status> {
        let mut stream = request.into_inner();
        let Some(Message::Hello(mut hello)) = first(&mut stream).await?.message else {
            return Err(Status::invalid_argument("the first message of a session stream is `hello`"));
        };
        peer::negotiate(hello.peer.as_ref())?;
        described::cut_label(&mut hello.label);
        let hello = decode_hello(hello).map_err(|error| Status::invalid_argument(format!("hello.{error}")))?;

        let access = self.access.clone();
        let connection = access.next_connection();
        let (line, responses) = access.line(connection);
        let closed = CancellationToken::new();
        let reader = closed.clone().drop_guard();
        access.tell(Stimulus::SessionOpened { connection, hello, line, reader }).await?;
        let identity = access.identity.clone();
        spawn_detached(access.read(connection, stream, closed, decode_request, |connection, message| {
            scheduler::Stimulus::SessionMessage { connection, message }
        }));
        let responses = responses.map(move |message| Ok(encode_response(message?, &identity)));
        Ok(Response::new(responses.boxed()))
    }

    async fn watch_session(
        &self,
        _: Request<WatchSessionRequest>,
    ) -> Result<Response<Self::WatchSessionStream>, Status> {
        Err(not_built("WatchSession"))
    }

    async fn get_tasks(&self, request: Request<GetTasksRequest>) -> Result<Response<GetTasksResponse>, Status> {
        let GetTasksRequest { task_ids, with_outcomes } = request.into_inner();
        let ids = tasks::decode_ids(task_ids).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let (reply, answer) = oneshot::channel();
        self.access.tell(Stimulus::Find { ids, reply }).await?;
        let found = answer.await.map_err(|_| shutting_down())?;
        Ok(Response::new(GetTasksResponse { tasks: tasks::encode(found, with_outcomes) }))
    }

    async fn list_tasks(&self, request: Request<ListTasksRequest>) -> Result<Response<ListTasksResponse>, Status> {
        let page = listing::page(request.get_ref())?;
        let (reply, answer) = oneshot::channel();
        self.access.tell(Stimulus::List { page, reply }).await?;
        Ok(Response::new(listing::response(page, answer.await.map_err(|_| shutting_down())?)))
    }

    async fn purge_tasks(&self, _: Request<PurgeTasksRequest>) -> Result<Response<PurgeTasksResponse>, Status> {
        Err(not_built("PurgeTasks"))
    }

    async fn cancel_tasks(&self, _: Request<CancelTasksRequest>) -> Result<Response<CancelTasksResponse>, Status> {
        Err(not_built("CancelTasks (of other sessions; one's own are cancelled in the session stream)"))
    }

    async fn run_task(&self, request: Request<RunTaskRequest>) -> Result<Response<RunTaskResponse>, Status> {
        self.runner.run(request.into_inner()).await.map(Response::new)
    }

    async fn run_task_stream(
        &self,
        request: Request<RunTaskStreamRequest>,
    ) -> Result<Response<Self::RunTaskStreamStream>, Status> {
        Ok(Response::new(self.runner.stream(request.into_inner())?.boxed()))
    }

    async fn get_scheduler_status(
        &self,
        request: Request<GetSchedulerStatusRequest>,
    ) -> Result<Response<GetSchedulerStatusResponse>, Status> {
        let GetSchedulerStatusRequest { with_sessions, longest_running } = request.into_inner();
        let longest_running = (longest_running as usize).min(status::RUNNING_ROWS);
        let (reply, answer) = oneshot::channel();
        self.access.tell(Stimulus::Ask { longest_running, reply }).await?;
        let answer = answer.await.map_err(|_| shutting_down())?;
        let running = answer.running.into_iter().map(status::encode_running).collect();
        let status = status::encode(answer.status, &self.access.identity, with_sessions);
        Ok(Response::new(GetSchedulerStatusResponse { running_tasks: running, ..status }))
    }
}

fn shutting_down() -> Status {
    Status::unavailable("the scheduler is shutting down")
}

fn not_built(method: &str) -> Status {
    Status::unimplemented(format!("{method} is not built yet"))
}

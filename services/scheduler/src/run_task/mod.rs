//! Tasks of those who have neither our client nor its patience: one call, one task, JSON in and out.
//!
//! Such a task is an ordinary one, of a session that the scheduler opens to itself for it and ends with it
//! ([`session`]): limits, lists and traces know no difference. Who reads its output slowly holds the session's line, as a
//! slow client does, and a call that is given up gives up the session.

mod answer;
mod ask;
mod session;
mod text;

use futures_util::{Stream, StreamExt as _, stream};
use paraply_common::{spawn::spawn_detached, thread::Spawner};
use paraply_core::id::TaskId;
use paraply_proto::scheduler::v1::{RunTaskRequest, RunTaskResponse, RunTaskStreamRequest, RunTaskStreamResponse};
use tokio::sync::mpsc;
use tonic::Status;

use self::{
    answer::{Collected, Telling},
    ask::Ask,
    session::{Finished, Session},
};
use crate::{blob::BlobCalls, stream::Access};

/// Runs them.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    pub(crate) access: Access,
    pub(crate) blobs: BlobCalls,
    /// Where large arguments and results are written and read.
    pub(crate) bulk: Spawner,
}

/// What happens to a task, in this order.
#[derive(Debug)]
enum Told {
    Accepted(TaskId),
    Output { attempt: u32, output: paraply_core::outcome::Output },
    Finished(Box<Finished>),
}

impl Runner {
    /// Runs a task to its end. Dropping the future cancels it.
    ///
    /// # Errors
    /// As the schema says.
    pub(crate) async fn run(&self, request: RunTaskRequest) -> Result<RunTaskResponse, Status> {
        let mut told = self.start(Ask::read(request)?)?;
        let mut collected = Collected::default();
        while let Some(next) = told.recv().await {
            match next? {
                Told::Accepted(_) => {}
                Told::Output { attempt, output } => collected.take(attempt, &output),
                Told::Finished(finished) => return collected.response(*finished),
            }
        }
        Err(shutting_down())
    }

    /// The same, told as it happens.
    ///
    /// # Errors
    /// As the schema says: what is wrong with the request.
    pub(crate) fn stream(
        &self,
        request: RunTaskStreamRequest,
    ) -> Result<impl Stream<Item = Result<RunTaskStreamResponse, Status>> + Send + 'static, Status> {
        let told = self.start(Ask::read(ask::plain(request))?)?;
        let messages = stream::unfold((told, Telling::default()), |(mut told, mut telling)| async move {
            let next = told.recv().await?;
            Some((telling.messages(next), (told, telling)))
        });
        Ok(messages.flat_map(stream::iter))
    }

    /// Has a task of its own talk to the scheduler, one message ahead of who reads. It ends soon after nobody does.
    fn start(&self, ask: Ask) -> Result<mpsc::Receiver<Result<Told, Status>>, Status> {
        let session = Session::new(self.clone())?;
        let (told, receiver) = mpsc::channel(1);
        spawn_detached(session.run(ask, told));
        Ok(receiver)
    }
}

fn shutting_down() -> Status {
    Status::unavailable("the scheduler is shutting down")
}

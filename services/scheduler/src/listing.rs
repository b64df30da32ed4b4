//! `ListTasks`: pages of tasks that are not finished and of the last that are, as one list.

use paraply_common::wire::{id, tasks};
use paraply_core::id::TaskId;
use paraply_proto::scheduler::v1::{ListTasksRequest, ListTasksResponse, TaskStatus};
use tonic::Status;

use crate::shell::{Listed, Page};

/// Tasks on one page.
const MOST: usize = 1000;

/// What is asked for.
///
/// # Errors
/// INVALID_ARGUMENT where the session or the token is malformed.
pub(crate) fn page(request: &ListTasksRequest) -> Result<Page, Status> {
    let session = match &request.session_id {
        none if none.is_empty() => None,
        session => {
            let session = id::session(session, "session_id");
            Some(session.map_err(|error| Status::invalid_argument(error.to_string()))?)
        }
    };
    let after = match request.page_token.as_str() {
        "" => None,
        token => {
            let after = token.parse::<TaskId>();
            Some(
                after
                    .map_err(|_| Status::invalid_argument("page_token: it is the one of the page before, or empty"))?,
            )
        }
    };
    let most = match request.page_size as usize {
        0 => MOST,
        size => size.min(MOST),
    };
    Ok(Page { session, after, most })
}

/// The page: the first tasks of both sorts together.
pub(crate) fn response(page: Page, listed: Listed) -> ListTasksResponse {
    let mut tasks = tasks::encode(listed.unfinished, false);
    tasks.extend(listed.finished);
    tasks.sort_by_cached_key(key);
    let full = tasks.len() >= page.most;
    tasks.truncate(page.most);
    let last = tasks.last().filter(|_| full).and_then(key);
    ListTasksResponse { next_page_token: last.map_or_else(String::new, |id| id.to_string()), tasks }
}

fn key(status: &TaskStatus) -> Option<TaskId> {
    status.task_id.as_ref().and_then(|task| id::task(task).ok())
}

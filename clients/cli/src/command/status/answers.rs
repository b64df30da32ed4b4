//! What the services of a cluster say of themselves.

use paraply_proto::{
    controller::v1::{
        EngineStatus, GetClusterInfoRequest, GetClusterInfoResponse, ListEnginesRequest,
        cluster_service_client::ClusterServiceClient,
    },
    scheduler::v1::{GetSchedulerStatusRequest, GetSchedulerStatusResponse, task_service_client::TaskServiceClient},
};

use crate::{
    cluster_client::{Access, in_time},
    error::Error,
};

/// What the services say.
pub(super) struct Answers {
    pub(super) info: GetClusterInfoResponse,
    pub(super) engines: Vec<EngineStatus>,
    /// None where no scheduler answers.
    pub(super) scheduler: Option<GetSchedulerStatusResponse>,
}

/// Everything the controller knows, all pages of it, and what the scheduler holds.
pub(super) async fn ask(access: &Access, longest_running: u32) -> Result<Answers, Error> {
    let (info, engines) = in_time("controller", ask_controller(access)).await?;
    // A scheduler that is on its way up is no reason not to show the rest.
    let scheduler = in_time("scheduler", ask_scheduler(access, longest_running)).await.ok();
    Ok(Answers { info, engines, scheduler })
}

async fn ask_scheduler(access: &Access, longest_running: u32) -> Result<GetSchedulerStatusResponse, Error> {
    let request = GetSchedulerStatusRequest { with_sessions: false, longest_running };
    let status = TaskServiceClient::new(access.clone()).get_scheduler_status(request).await;
    Ok(status.map_err(|status| Error::Client(status.into()))?.into_inner())
}

async fn ask_controller(access: &Access) -> Result<(GetClusterInfoResponse, Vec<EngineStatus>), Error> {
    let unanswered = |status: tonic::Status| Error::Client(status.into());
    let mut client = ClusterServiceClient::new(access.clone());
    let info = client.get_cluster_info(GetClusterInfoRequest { peer: None }).await.map_err(unanswered)?.into_inner();
    let mut engines = Vec::new();
    let mut request = ListEnginesRequest::default();
    loop {
        let page = client.list_engines(request.clone()).await.map_err(unanswered)?.into_inner();
        engines.extend(page.engines);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok((info, engines));
        }
    }
}

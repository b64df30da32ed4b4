//! Has as many engine pods be there as are wanted: the scale of their Deployment, and which of them goes first when there
//! are to be fewer.

use std::time::Duration;

use clap::Args;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use paraply_common::{clock, line::LineStream};
use paraply_core::time::Time;
use paraply_proto::controller::v1::{WatchEnginesResponse, watch_engines_response::Event};
use serde_json::json;
use tokio_stream::StreamExt as _;

use super::{MANAGER, in_cluster};
use crate::{
    error::Error,
    fleet::{Fleet, Worth},
};

/// What a ReplicaSet that has too many pods looks at: those with the least go first.
const COST: &str = "controller.kubernetes.io/pod-deletion-cost";
/// Of a pod whose engine leaves.
const LEAVING: i64 = -1000;
/// Between two writings of what engines have to do, which asks the API server for each pod that changes.
const PACE: Duration = Duration::from_secs(10);
/// After what the API server has refused.
const AGAIN: Duration = Duration::from_secs(5);

/// Which engines to launch.
#[derive(Debug, Args)]
#[command(next_help_heading = "On Kubernetes")]
pub(crate) struct Flags {
    /// Scale this Deployment of this pod's namespace when there are to be more engines, or fewer
    #[arg(long, value_name = "DEPLOYMENT")]
    kubernetes_engines: Option<String>,

    /// Keep the deletion cost of its pods current, for autoscalers that take engines away without asking
    #[arg(long, requires = "kubernetes_engines")]
    kubernetes_deletion_cost: bool,
}

/// See the module's documentation.
pub(crate) struct Engines {
    deployments: Api<Deployment>,
    pods: Api<Pod>,
    deployment: String,
    keep_costs: bool,
    fleet: Fleet,
    /// How many there are to be, if the Deployment has not been told yet.
    wanted: Option<u32>,
    /// What it could not do last.
    complaint: Option<String>,
}

/// What was to be done was not.
struct NotDone;

impl Flags {
    /// None where nothing of the kind was asked for.
    ///
    /// # Errors
    /// If this is no pod.
    pub(crate) fn engines(self) -> Result<Option<Engines>, Error> {
        let Some(deployment) = self.kubernetes_engines else { return Ok(None) };
        let (client, namespace) = in_cluster()?;
        Ok(Some(Engines {
            deployments: Api::namespaced(client.clone(), &namespace),
            pods: Api::namespaced(client, &namespace),
            deployment,
            keep_costs: self.kubernetes_deletion_cost,
            fleet: Fleet::default(),
            wanted: None,
            complaint: None,
        }))
    }
}

impl Engines {
    /// Until the controller has nothing more to tell.
    pub(crate) async fn launch(mut self, mut told: LineStream<WatchEnginesResponse>) {
        let (mut due, mut next_costs) = (None, clock::now());
        loop {
            let next = tokio::select! {
                next = told.next() => next,
                () = sleep_until(due) => {
                    due = self.act().await.err().map(|NotDone| clock::now() + AGAIN);
                    next_costs = clock::now() + PACE;
                    continue;
                }
            };
            let Some(Ok(response)) = next else { return };
            let Some(event) = response.event else { continue };
            self.fleet.take(&event);
            if let Event::WantedEngines(wanted) = event {
                self.wanted = Some(wanted);
                due = Some(clock::now());
            } else if self.keep_costs {
                due = due.or(Some(next_costs));
            }
        }
    }

    async fn act(&mut self) -> Result<(), NotDone> {
        let done = self.write().await;
        let complaint = done.err().map(|error| error.to_string());
        if let Some(error) = complaint.as_ref().filter(|error| self.complaint.as_ref() != Some(error)) {
            tracing::error!(error, deployment = self.deployment, "engines are not scaled; trying again");
        }
        self.complaint = complaint;
        if self.complaint.is_some() { Err(NotDone) } else { Ok(()) }
    }

    async fn write(&mut self) -> kube::Result<()> {
        self.write_costs().await?;
        let Some(wanted) = self.wanted else { return Ok(()) };
        let patch = Patch::Merge(json!({ "spec": { "replicas": wanted } }));
        self.deployments.patch_scale(&self.deployment, &parameters(), &patch).await?;
        tracing::info!(engines = wanted, deployment = self.deployment, "scaled");
        self.wanted = None;
        Ok(())
    }

    /// Only the API server knows which pods there are: what an engine says of itself is looked for among these.
    async fn write_costs(&self) -> kube::Result<()> {
        let selector = self.deployments.get_scale(&self.deployment).await?.status.and_then(|status| status.selector);
        let pods = self.pods.list(&ListParams::default().labels(&selector.unwrap_or_default())).await?;
        for Pod { metadata, .. } in pods.items {
            let Some(name) = metadata.name else { continue };
            let noted = metadata.annotations.and_then(|annotations| annotations.get(COST)?.parse::<i64>().ok());
            let cost = cost(self.fleet.worth(&name));
            if cost != noted.unwrap_or(0) {
                let patch = json!({ "metadata": { "annotations": { COST: cost.to_string() } } });
                self.pods.patch(&name, &parameters(), &Patch::Merge(patch)).await?;
            }
        }
        Ok(())
    }
}

/// What the ReplicaSet sorts pods by. Of tasks the magnitude is enough, and changes seldom.
fn cost(worth: Worth) -> i64 {
    match worth {
        Worth::Leaving => LEAVING,
        Worth::Empty => -1,
        Worth::Tasks(tasks) => i64::from(u32::BITS - tasks.leading_zeros()),
    }
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

async fn sleep_until(due: Option<Time>) {
    match due {
        Some(due) => clock::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_in_the_order_in_which_pods_are_to_go() {
        let worth =
            [Worth::Leaving, Worth::Empty, Worth::Tasks(0), Worth::Tasks(1), Worth::Tasks(2), Worth::Tasks(700)];
        assert_eq!(worth.map(cost), [-1000, -1, 0, 1, 2, 10]);
        assert_eq!(cost(Worth::Tasks(u32::MAX)), 32, "the annotation is an i32");
    }
}

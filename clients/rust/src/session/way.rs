//! Finding the way to the scheduler: the controller says where it is, and the first address that answers is taken.

use std::time::Duration;

use paraply_common::{
    bearer::Bearer,
    peer,
    transport::{self, address},
    wire,
};
use paraply_core::membership::Endpoint;
use paraply_proto::controller::v1::{GetClusterInfoRequest, cluster_service_client::ClusterServiceClient};
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor as _,
    transport::Channel,
};

use crate::place::Place;

/// What this program is to others.
pub(crate) const AGENT: &str = "paraply-rust";

/// How long the controller may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the scheduler may be.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) place: Place,
    /// Where it was last.
    good: Option<Endpoint>,
    /// So many of the addresses that the controller names took connections and welcomed nobody.
    skip: usize,
    /// So many dials took too long: each begins with another of the controller's addresses.
    hung: usize,
}

/// A connection by which a scheduler may be reached.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) way: Way,
    pub(crate) endpoint: Endpoint,
    pub(crate) channel: Channel,
    /// What is shown there.
    pub(crate) token: MetadataValue<Ascii>,
}

/// Why there is none.
#[derive(Clone, Debug)]
pub(crate) enum Lost {
    /// Trying again may help.
    ForNow(String),
    /// The cluster does not take this client.
    Refused(String),
}

impl Way {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, good: None, skip: 0, hung: 0 }
    }

    /// A scheduler of this cluster welcomed us there.
    pub(crate) fn works(&mut self, endpoint: Endpoint) {
        (self.good, self.skip, self.hung) = (Some(endpoint), 0, 0);
    }

    /// Whoever took the connection there welcomed nobody.
    pub(crate) fn failed(&mut self, endpoint: &Endpoint) {
        if self.good.as_ref() == Some(endpoint) {
            self.good = None;
        } else {
            self.skip += 1;
        }
    }

    /// Whoever was asked first swallows what is sent to it, for longer than a dial may take.
    pub(crate) fn hung(&mut self) {
        (self.good, self.hung) = (None, self.hung + 1);
    }

    /// Connects to the first candidate that takes the connection.
    pub(crate) async fn connect(mut self) -> Result<Found, Lost> {
        if self.place.is_stopped() {
            return Err(Lost::Refused(format!("the cluster of {} was stopped", self.place.name())));
        }
        self.place.read_again();
        let mut bearer = Bearer::new(&self.place.token).map_err(|status| lost("the token", &status))?;
        let shown = bearer.call(Request::new(())).map_err(|status| lost("the token", &status))?;
        let token = shown.metadata().get("authorization").cloned().unwrap_or_else(|| MetadataValue::from_static(""));
        let mut problems = Vec::new();
        if let Some(endpoint) = self.good.clone() {
            match self.try_one(&endpoint).await {
                Ok(channel) => return Ok(Found { way: self, endpoint, channel, token }),
                Err(problem) => problems.push(problem),
            }
        }
        let mut controllers = self.place.endpoints.clone();
        let first = self.hung.checked_rem(controllers.len()).unwrap_or_default();
        controllers.rotate_left(first);
        let mut passed = Vec::new();
        let mut tried = self.good.clone().into_iter().collect::<Vec<_>>();
        for controller in &controllers {
            let listed = match self.ask(controller, &bearer).await {
                Ok(listed) => listed,
                Err(Lost::ForNow(problem)) => {
                    problems.push(problem);
                    continue;
                }
                Err(refused @ Lost::Refused(_)) => return Err(refused),
            };
            for endpoint in listed {
                if tried.contains(&endpoint) {
                    continue;
                }
                tried.push(endpoint.clone());
                if passed.len() < self.skip {
                    passed.push(endpoint);
                    continue;
                }
                match self.try_one(&endpoint).await {
                    Ok(channel) => return Ok(Found { way: self, endpoint, channel, token }),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        // There are no others: from the beginning.
        for (nth, endpoint) in passed.into_iter().enumerate() {
            match self.try_one(&endpoint).await {
                Ok(channel) => return Ok(Found { way: Self { skip: nth, ..self }, endpoint, channel, token }),
                Err(problem) => problems.push(problem),
            }
        }
        problems.dedup();
        Err(Lost::ForNow(problems.join("; ")))
    }

    async fn try_one(&self, endpoint: &Endpoint) -> Result<Channel, String> {
        let connected = transport::connect(std::slice::from_ref(endpoint), &self.place.tls).await;
        connected.map_err(|error| error.to_string())
    }

    /// Where the scheduler is, as the controller there has it.
    async fn ask(&self, controller: &Endpoint, bearer: &Bearer) -> Result<Vec<Endpoint>, Lost> {
        let name = address::text(controller).unwrap_or_default();
        let channel = self.try_one(controller).await.map_err(Lost::ForNow)?;
        let mut client = ClusterServiceClient::with_interceptor(channel, bearer.clone());
        let request = GetClusterInfoRequest { peer: Some(peer::this_process(AGENT)) };
        let asking = client.get_cluster_info(request);
        let answer = match tokio::time::timeout(ANSWER_TIMEOUT, asking).await {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(status)) => return Err(lost(&name, &status)),
            Err(_) => return Err(Lost::ForNow(format!("{name}: no answer within {} s", ANSWER_TIMEOUT.as_secs()))),
        };
        self.check(&answer.cluster_id, &name)?;
        peer::negotiate(answer.controller.as_ref()).map_err(|error| Lost::Refused(error.to_string()))?;
        let endpoints = wire::endpoint::decode(answer.scheduler_endpoints, "scheduler_endpoints")
            .map_err(|error| Lost::ForNow(format!("{name}: {error}")))?;
        if endpoints.is_empty() {
            return Err(Lost::ForNow(format!("{name}: the cluster's scheduler is not there yet")));
        }
        let same = |endpoint| if endpoint == Endpoint::Same { controller.clone() } else { endpoint };
        Ok(endpoints.into_iter().map(same).collect())
    }

    /// Whether the cluster found at an address is the one that is wanted.
    pub(crate) fn check(&self, cluster_id: &str, name: &str) -> Result<(), Lost> {
        let wanted = &self.place.cluster_id;
        if wanted.is_empty() || wanted == cluster_id {
            return Ok(());
        }
        Err(Lost::ForNow(format!("{name}: this is cluster {cluster_id:?}, not {wanted:?}")))
    }
}

/// What a status means for who dials.
pub(crate) fn lost(name: &str, status: &Status) -> Lost {
    let said = format!("{name}: {}", transport::said(status));
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied | Code::FailedPrecondition | Code::InvalidArgument => {
            Lost::Refused(said)
        }
        _ => Lost::ForNow(said),
    }
}

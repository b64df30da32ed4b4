//! A lease at the controller while it lasts: signs of life and loads one way, the engines that there are the other.

use std::time::Duration;

use paraply_common::{
    clock,
    wire::{id, id::encode_id},
};
use paraply_core::{
    id::{EngineId, Incarnation},
    scheduler,
};
use paraply_proto::controller::v1::{
    KeepAliveRequest, WatchMembersRequest, WatchMembersResponse, watch_members_response::Event,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    loads::Told,
    member::{Client, LinkError, Member, Membership, Superseded},
};
use crate::shell::Stimulus;

/// The longest that a changed load may wait to be told.
const LOADS: Duration = Duration::from_secs(1);

impl Member {
    /// Holds the lease until it is lost, and tells why it was.
    pub(super) async fn hold_lease(&self, mut client: Client, membership: &Membership, told: &mut Told) -> LinkError {
        match self.try_to_hold_lease(&mut client, membership, told).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn try_to_hold_lease(
        &self,
        client: &mut Client,
        membership: &Membership,
        told: &mut Told,
    ) -> Result<std::convert::Infallible, LinkError> {
        let interval = (membership.lease / 3).min(LOADS);
        let (requests, outgoing) = mpsc::channel(1);
        let first = KeepAliveRequest {
            member_id: membership.id,
            incarnation: encode_id(self.incarnation.to_bytes()),
            ..self.report(told).await?
        };
        requests.send(first).await.map_err(|_| LinkError::Ended)?;
        let mut answers = client.keep_alive(ReceiverStream::new(outgoing)).await?.into_inner();
        let mut members = client.watch_members(WatchMembersRequest {}).await?.into_inner();
        loop {
            tokio::select! {
                answer = answers.message() => if answer?.ok_or(LinkError::Ended)?.exit {
                    return Err(LinkError::Superseded(Superseded));
                },
                change = members.message() => self.learn(change?.ok_or(LinkError::Ended)?).await?,
                () = self.news.heard() => requests.send(self.report(told).await?).await.map_err(|_| LinkError::Ended)?,
                () = clock::sleep_until(clock::now() + interval) => {
                    requests.send(self.report(told).await?).await.map_err(|_| LinkError::Ended)?;
                }
            }
        }
    }

    /// A sign of life, with what changed.
    async fn report(&self, told: &mut Told) -> Result<KeepAliveRequest, LinkError> {
        let status = self.ask().await?.status;
        let (engine_loads, lost_engine_ids) = told.update(&status.engines);
        let waiting_tasks = status.waiting_for_any;
        Ok(KeepAliveRequest { engine_loads, lost_engine_ids, waiting_tasks, ..KeepAliveRequest::default() })
    }

    async fn learn(&self, change: WatchMembersResponse) -> Result<(), LinkError> {
        let stimulus = match change.event {
            Some(Event::Snapshot(snapshot)) => {
                let mut engines: Vec<(EngineId, Incarnation)> = Vec::new();
                for engine in snapshot.engines {
                    let incarnation = id::incarnation(&engine.incarnation, "snapshot.engines.incarnation")?;
                    engines.push((EngineId(engine.engine_id), incarnation));
                }
                Stimulus::Machine(scheduler::Stimulus::MembersKnown { engines })
            }
            Some(Event::LeftEngineId(engine)) => {
                Stimulus::Machine(scheduler::Stimulus::MemberRemoved { engine: EngineId(engine) })
            }
            Some(Event::Joined(_)) | None => return Ok(()),
        };
        self.mailbox.send(stimulus).await.map_err(|_| LinkError::ShuttingDown)
    }
}

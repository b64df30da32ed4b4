//! What hostile callers say, decoded as the services decode it.

use std::collections::BTreeSet;

use paraply_common::{
    signal, ticket,
    wire::{id, members, peer},
};
use paraply_core::{
    id::{ConnectionId, EngineId, Incarnation},
    membership::{NewEngine, RequestId, Stimulus, WatchKind},
};
use paraply_proto::controller::v1::{
    DeregisterMemberRequest, KeepAliveRequest, MemberRole, RegisterMemberRequest, SignalEnginesRequest,
};

use super::{World, world::Stream};

/// Processes that register.
const PROCESSES: u64 = 20;

pub(super) const CLUSTER: &str = "fuzz";

impl World {
    pub(super) fn register(&mut self) {
        let name = "paraply.controller.v1.RegisterMemberRequest";
        let Some(mut request) = self.peers.message::<RegisterMemberRequest>(name) else { return };
        if self.peers.random.chance(400)
            && let Some((id, incarnation)) = self.somebody()
        {
            let token = ticket::issue(&self.token, CLUSTER, id, incarnation);
            (request.member_id, request.incarnation) = (Some(id.0), id::encode_id(incarnation.to_bytes()));
            request.ticket = token.to_vec().into();
        } else if self.peers.random.chance(900) {
            request.ticket.clear();
            // Of the few names that others use, and some more: a controller has many members.
            if self.peers.random.chance(500) {
                let another = Incarnation(u128::from(self.peers.random.below(PROCESSES)));
                request.incarnation = id::encode_id(another.to_bytes());
            }
        }
        let decoded = id::incarnation(&request.incarnation, "incarnation");
        let Some(incarnation) = self.peers.understood(decoded) else { return };
        let number = RequestId(self.number());
        match request.role() {
            MemberRole::Engine => {
                let Some(engine) = self.new_engine(incarnation, request) else { return };
                self.give(Stimulus::RegisterEngine { request: number, engine });
            }
            MemberRole::Scheduler => {
                let decoded = members::decode_scheduler(incarnation, request);
                let Some(scheduler) = self.peers.understood(decoded) else { return };
                self.give(Stimulus::RegisterScheduler { request: number, scheduler });
            }
            MemberRole::Unspecified => {}
        }
    }

    /// An id that comes with a ticket is proven by it, or the caller is refused.
    fn new_engine(&self, incarnation: Incarnation, request: RegisterMemberRequest) -> Option<NewEngine> {
        let id = request.member_id.map(EngineId);
        let proven = match id {
            Some(id) if !request.ticket.is_empty() => {
                ticket::verify(&self.token, CLUSTER, id, incarnation, &request.ticket).then_some(true)?
            }
            _ => false,
        };
        let described = peer::engine_info(EngineId(0), incarnation, request.peer, request.labels);
        let (peer, labels) = (described.peer, described.labels);
        Some(NewEngine { incarnation, peer, labels, id, proven, registered_unix_nanos: 1 })
    }

    /// Somebody who was given an id.
    fn somebody(&mut self) -> Option<(EngineId, Incarnation)> {
        let granted: Vec<_> = self.granted.iter().map(|(id, incarnation)| (*id, *incarnation)).collect();
        self.peers.random.pick(&granted)
    }

    /// A first message on a stream, or another one.
    pub(super) fn keep_alive(&mut self) {
        let name = "paraply.controller.v1.KeepAliveRequest";
        let Some(mut request) = self.peers.message::<KeepAliveRequest>(name) else { return };
        if self.peers.random.chance(700)
            && let Some((id, incarnation)) = self.somebody()
        {
            (request.member_id, request.incarnation) = (id.0, id::encode_id(incarnation.to_bytes()));
        } else if let Some(scheduler) = self.machine.scheduler() {
            request.incarnation = id::encode_id(scheduler.incarnation.to_bytes());
            // The first scheduler has the lowest of their ids, and the next the next.
            request.member_id = EngineId::MOST.0 + 1 + u32::try_from(self.peers.random.below(3)).unwrap_or_default();
        }
        let report = members::decode_report(&request);
        let streams = self.open.iter().filter(|(_, stream)| matches!(stream, Stream::KeepAlive));
        let streams: Vec<ConnectionId> = streams.map(|(connection, _)| *connection).collect();
        if let Some(connection) = self.peers.random.pick(&streams).filter(|_| self.peers.random.chance(500)) {
            self.give(Stimulus::KeepAlive { connection, report });
            return;
        }
        let decoded = id::incarnation(&request.incarnation, "incarnation");
        let Some(incarnation) = self.peers.understood(decoded) else { return };
        let connection = ConnectionId(self.number());
        self.open.insert(connection, Stream::KeepAlive);
        self.give(Stimulus::KeepAliveOpened { connection, member_id: request.member_id, incarnation, report });
    }

    pub(super) fn watch(&mut self) {
        let kind = self
            .peers
            .random
            .pick(&[WatchKind::Members, WatchKind::Status, WatchKind::Launcher])
            .unwrap_or(WatchKind::Status);
        let connection = ConnectionId(self.number());
        self.open.insert(connection, Stream::Watcher { kind, known: None });
        self.give(Stimulus::WatchOpened { connection, kind });
    }

    pub(super) fn deregister(&mut self) {
        let name = "paraply.controller.v1.DeregisterMemberRequest";
        let Some(request) = self.peers.message::<DeregisterMemberRequest>(name) else { return };
        let decoded = id::incarnation(&request.incarnation, "incarnation");
        let Some(incarnation) = self.peers.understood(decoded) else { return };
        self.give(Stimulus::Deregister { member_id: request.member_id, incarnation });
    }

    pub(super) fn remove(&mut self) {
        let engine = self.engine();
        self.give(Stimulus::Remove { engine });
    }

    pub(super) fn drain(&mut self) {
        let engine = self.engine();
        self.give(Stimulus::Drain { engine });
    }

    pub(super) fn scale(&mut self) {
        let engines = u32::try_from(self.peers.random.below(20)).unwrap_or_default();
        self.give(Stimulus::Scale { engines });
    }

    pub(super) fn signal(&mut self) {
        let name = "paraply.controller.v1.SignalEnginesRequest";
        let Some(mut request) = self.peers.message::<SignalEnginesRequest>(name) else { return };
        if self.peers.random.chance(900) {
            request.signal = "SIGUSR1".to_owned();
        }
        if signal::number(&request.signal).is_none() {
            return;
        }
        // Again and again, to engines that do not listen.
        let times = if self.peers.random.chance(100) { 100 } else { 1 };
        let named: BTreeSet<EngineId> = request.engine_ids.into_iter().map(EngineId).collect();
        let engines: Vec<EngineId> = named.into_iter().chain([self.engine()]).collect();
        for _ in 0..times {
            self.give(Stimulus::Signal { engines: engines.clone(), signal: request.signal.clone().into() });
        }
    }
}

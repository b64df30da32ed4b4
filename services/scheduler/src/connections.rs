//! The streams that are open, by the number that the machine knows them by.

use std::collections::HashMap;

use paraply_common::line::Line;
use paraply_core::{
    engine_link::ToEngine,
    id::{ConnectionId, EngineId, SessionId},
    scheduler::CloseStatus,
    session_link::{CloseReason, ToClient},
};
use tokio_util::sync::DropGuard;
use tonic::Status;

/// One stream: its outgoing side, and what ends its reader when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) end: End,
    pub(crate) _reader: DropGuard,
}

/// Who is at the other end.
#[derive(Debug)]
pub(crate) enum End {
    Session(SessionId, Line<ToClient>),
    Engine(EngineId, Line<ToEngine>),
}

/// All streams.
#[derive(Debug, Default)]
pub(crate) struct Connections(HashMap<ConnectionId, Connection>);

impl Connections {
    pub(crate) fn insert(&mut self, id: ConnectionId, connection: Connection) {
        self.0.insert(id, connection);
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&End> {
        self.0.get(&id).map(|connection| &connection.end)
    }

    /// The peer ended it.
    pub(crate) fn remove(&mut self, id: ConnectionId) {
        self.0.remove(&id);
    }

    /// Writes to a client. Why a stream ends is said at once, whether its line is free or not.
    pub(crate) fn tell_client(&mut self, id: ConnectionId, message: ToClient) {
        if let ToClient::Closed { .. } = message {
            if let Some(Connection { end: End::Session(_, line), .. }) = self.0.remove(&id) {
                line.close_with(message);
            }
        } else if let Some(End::Session(_, line)) = self.get(id) {
            line.send(message);
        }
    }

    pub(crate) fn tell_engine(&self, id: ConnectionId, message: ToEngine) {
        if let Some(End::Engine(_, line)) = self.get(id) {
            line.send(message);
        }
    }

    pub(crate) fn close(&mut self, id: ConnectionId, status: CloseStatus) {
        let Some(connection) = self.0.remove(&id) else { return };
        let status = match status {
            CloseStatus::Ok => Ok(()),
            CloseStatus::AlreadyExists(message) => Err(Status::already_exists(message)),
            CloseStatus::ResourceExhausted(message) => Err(Status::resource_exhausted(message)),
            CloseStatus::InvalidArgument(message) => Err(Status::invalid_argument(message)),
            CloseStatus::Unavailable(message) => Err(Status::unavailable(message)),
        };
        match connection.end {
            End::Session(_, line) => line.close(status),
            End::Engine(_, line) => line.close(status),
        }
    }

    /// The peer said something that cannot be understood.
    pub(crate) fn refuse(&mut self, id: ConnectionId, message: String) {
        match self.0.remove(&id).map(|connection| connection.end) {
            Some(End::Session(_, line)) => {
                line.close_with(ToClient::Closed { reason: CloseReason::ProtocolError, message, expected_index: 0 });
            }
            Some(End::Engine(_, line)) => line.close(Err(Status::invalid_argument(message))),
            None => {}
        }
    }
}

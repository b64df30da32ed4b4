//! The roads to the scheduler: straight to it, and through the controller, which passes its calls on.

use paraply_common::transport::{self, DialError, tls::ClientTls};
use paraply_core::membership::Endpoint;
use tonic::transport::Channel;

/// One of the roads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Road {
    /// The shorter one, which is tried first.
    #[default]
    Direct,
    /// For an engine that reaches the controller and nothing else.
    Controller,
}

impl Road {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Direct => Self::Controller,
            Self::Controller => Self::Direct,
        }
    }
}

/// Where each of them begins, best address first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Roads {
    /// Empty while there is no scheduler.
    pub(crate) direct: Vec<Endpoint>,
    pub(crate) controller: Vec<Endpoint>,
}

/// Why neither leads anywhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoadError {
    #[error("no scheduler is known yet")]
    NoScheduler,
    #[error("the controller: {0}")]
    Controller(DialError),
    #[error("the scheduler: {direct}; through the controller: {controller}")]
    Both { direct: DialError, controller: DialError },
}

impl Roads {
    pub(crate) fn along(&self, road: Road) -> &[Endpoint] {
        match road {
            Road::Direct => &self.direct,
            Road::Controller => &self.controller,
        }
    }

    /// Connects by a road, beginning with `first`; the controller's is tried in any case.
    pub(crate) async fn connect(&self, first: Road, tls: &ClientTls) -> Result<(Road, Channel), RoadError> {
        if self.direct.is_empty() {
            return Err(RoadError::NoScheduler);
        }
        let direct = match first {
            Road::Direct => match transport::connect(&self.direct, tls).await {
                Ok(channel) => return Ok((Road::Direct, channel)),
                Err(error) => Some(error),
            },
            Road::Controller => None,
        };
        match (transport::connect(&self.controller, tls).await, direct) {
            (Ok(channel), _) => Ok((Road::Controller, channel)),
            (Err(controller), Some(direct)) => Err(RoadError::Both { direct, controller }),
            (Err(controller), None) => Err(RoadError::Controller(controller)),
        }
    }
}

//! Members as others see them.

use std::sync::Arc;

use bytes::Bytes;

use super::{Endpoint, machine::Membership};
use crate::{
    id::{EngineId, Incarnation},
    session_link::EngineInfo,
};

/// An engine as operators see it.
#[derive(Clone, PartialEq, Debug)]
pub struct EngineStatus {
    /// Who.
    pub info: Arc<EngineInfo>,
    /// How far it is.
    pub state: EngineState,
    /// Wall clock, nanoseconds since the Unix epoch.
    pub registered_unix_nanos: u64,
    /// What the scheduler last said of it.
    pub load: EngineLoad,
}

/// How far an engine is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EngineState {
    /// It holds a lease; the scheduler has not seen it.
    Registered,
    /// Attached to the scheduler.
    Attached,
    /// Attached, and takes no new work.
    Draining,
}

/// What an engine has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EngineLoad {
    /// Tasks not claimed.
    pub queued_tasks: u32,
    /// Tasks claimed and not finished.
    pub claimed_tasks: u32,
    /// Tasks finished since it attached first.
    pub completed_tasks: u64,
    /// It takes no new work.
    pub draining: bool,
}

impl EngineLoad {
    pub(super) fn is_work(&self) -> bool {
        self.queued_tasks > 0 || self.claimed_tasks > 0
    }
}

/// How much a page holds.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    /// Engines at the most.
    pub engines: usize,
    /// About how many bytes. One engine may be more.
    pub bytes: usize,
}

/// Some engines, in order of id.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Page {
    /// These.
    pub engines: Vec<EngineStatus>,
    /// The id to go on from, if there are more.
    pub next: Option<EngineId>,
}

impl Membership {
    /// The engines from an id on, as many as a page holds.
    #[must_use]
    pub fn page(&self, first: EngineId, limit: PageLimit) -> Page {
        let mut page = Page::default();
        let mut bytes = 0;
        for engine in self.engines_from(first) {
            bytes += engine.size();
            if !page.engines.is_empty() && (page.engines.len() >= limit.engines || bytes > limit.bytes) {
                page.next = Some(engine.info.id);
                break;
            }
            page.engines.push(engine);
        }
        page
    }
}

/// A scheduler as others see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SchedulerInfo {
    /// Its process.
    pub incarnation: Incarnation,
    /// Encoded `PeerInfo`.
    pub peer: Bytes,
    /// Where it can be reached, best first.
    pub endpoints: Vec<Endpoint>,
}

impl EngineStatus {
    /// About how many bytes it takes in a message.
    #[must_use]
    pub fn size(&self) -> usize {
        const FIXED: usize = 96;
        FIXED + described(&self.info.peer, &self.info.labels)
    }
}

impl SchedulerInfo {
    /// Bytes of what it says of itself.
    pub(super) fn size(&self) -> usize {
        let endpoint = |endpoint: &Endpoint| match endpoint {
            Endpoint::Unix { path, boot_id } => path.len() + boot_id.len(),
            Endpoint::Tcp(address) => address.len(),
            Endpoint::Tls { address, server_name } => address.len() + server_name.len(),
            Endpoint::Same => 0,
        };
        described(&self.peer, &[]) + self.endpoints.iter().map(|e| FRAME + endpoint(e)).sum::<usize>()
    }
}

/// About what a field costs beside its bytes.
const FRAME: usize = 8;

/// Bytes of what a member says of itself.
pub(super) fn described(peer: &Bytes, labels: &[(Bytes, Bytes)]) -> usize {
    peer.len() + labels.iter().map(|(key, value)| FRAME + key.len() + value.len()).sum::<usize>()
}

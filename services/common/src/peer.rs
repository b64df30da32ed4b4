//! What this process says of itself, and whether it and a peer understand each other.

use paraply_proto::common::v1::PeerInfo;
use tonic::Status;

/// Newest and oldest protocol revision that this program speaks.
const PROTOCOL_MAX: u32 = 1;
const PROTOCOL_MIN: u32 = 1;

/// No protocol revision is spoken by both ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "no common protocol revision: this side speaks {PROTOCOL_MIN} to {PROTOCOL_MAX}, the peer {min} to {max}; use the \
     same release on both sides"
)]
pub struct NoCommonProtocol {
    min: u32,
    max: u32,
}

/// This process; `agent` is what it is, such as "paraply-scheduler".
#[must_use]
pub fn this_process(agent: &str) -> PeerInfo {
    PeerInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol_max: PROTOCOL_MAX,
        protocol_min: PROTOCOL_MIN,
        python_version: String::new(),
        hostname: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        pid: std::process::id(),
        agent: agent.to_owned(),
    }
}

/// The newest revision that both ends speak. A peer that does not introduce itself speaks none.
///
/// # Errors
/// If there is none; names both ranges.
pub fn negotiate(peer: Option<&PeerInfo>) -> Result<u32, NoCommonProtocol> {
    let (min, max) = peer.map_or((0, 0), |peer| (peer.protocol_min, peer.protocol_max));
    let common = max.min(PROTOCOL_MAX);
    if common < min.max(PROTOCOL_MIN) { Err(NoCommonProtocol { min, max }) } else { Ok(common) }
}

impl From<NoCommonProtocol> for Status {
    fn from(error: NoCommonProtocol) -> Self {
        Self::failed_precondition(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaking(protocol_min: u32, protocol_max: u32) -> PeerInfo {
        PeerInfo { protocol_min, protocol_max, ..PeerInfo::default() }
    }

    #[test]
    fn the_newest_common_revision_is_used() {
        assert_eq!(negotiate(Some(&this_process("test"))), Ok(PROTOCOL_MAX));
        assert_eq!(negotiate(Some(&speaking(1, 9))), Ok(1));
    }

    #[test]
    fn both_ranges_are_named_where_there_is_none() {
        let error = negotiate(Some(&speaking(2, 9))).unwrap_err().to_string();
        assert!(error.contains("1 to 1") && error.contains("2 to 9"), "{error}");
        assert!(negotiate(None).is_err());
    }
}

//! Engines as a client sees them.

use std::collections::BTreeMap;

use paraply_common::wire::peer::peer_info;
use paraply_core::session_link::EngineInfo;

/// An engine that is attached.
///
/// ```no_run
/// # fn example(client: paraply::Client) {
/// for engine in client.engines() {
///     println!("{} on {} (Python {})", engine.id, engine.hostname, engine.python_version);
/// }
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Engine {
    /// Never given to another process while the cluster lives.
    pub id: u32,
    /// Where it runs.
    pub hostname: String,
    /// Its process there.
    pub pid: u32,
    /// Such as "3.11.7"; empty where it is no Python program.
    pub python_version: String,
    /// What it was started with.
    pub labels: BTreeMap<String, String>,
}

impl Engine {
    pub(crate) fn of(info: &EngineInfo) -> Self {
        let peer = peer_info(info);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            id: info.id.0,
            hostname: peer.hostname,
            pid: peer.pid,
            python_version: peer.python_version,
            labels: info.labels.iter().map(|(key, value)| (text(key), text(value))).collect(),
        }
    }
}

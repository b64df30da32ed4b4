//! Who speaks, and engines as others see them.

use std::collections::HashMap;

use bytes::Bytes;
use paraply_core::{
    id::{EngineId, Incarnation},
    session_link::EngineInfo,
};
use paraply_proto::common::v1 as proto;
use prost::Message as _;

use super::{field::text, id};

/// What a scheduler says of itself in every welcome, which the machines do not know.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ServerIdentity {
    /// The cluster it serves.
    pub cluster_id: String,
    /// The process.
    pub peer: proto::PeerInfo,
    /// What it takes.
    pub limits: proto::Limits,
}

/// An engine, from the fields of a hello or of a member.
#[must_use]
pub fn engine_info(
    engine: EngineId,
    incarnation: Incarnation,
    peer: Option<proto::PeerInfo>,
    labels: HashMap<String, String>,
) -> EngineInfo {
    let peer = peer.unwrap_or_default().encode_to_vec().into();
    EngineInfo { id: engine, incarnation, peer, labels: decode_labels(labels) }
}

/// Labels, sorted by key.
pub(crate) fn decode_labels(labels: HashMap<String, String>) -> Vec<(Bytes, Bytes)> {
    let mut labels: Vec<(Bytes, Bytes)> = labels.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
    labels.sort_unstable();
    labels
}

/// The wire form of an engine.
#[must_use]
pub fn encode_engine(info: &EngineInfo) -> proto::Engine {
    proto::Engine {
        engine_id: info.id.0,
        incarnation: id::encode_id(info.incarnation.to_bytes()),
        peer: Some(peer_info(info)),
        labels: encode_labels(&info.labels),
        draining: false,
    }
}

/// What an engine said of itself; the default where the bytes are of another making.
#[must_use]
pub fn peer_info(info: &EngineInfo) -> proto::PeerInfo {
    proto::PeerInfo::decode(info.peer.clone()).unwrap_or_default()
}

pub(crate) fn encode_labels(labels: &[(Bytes, Bytes)]) -> HashMap<String, String> {
    labels.iter().map(|(key, value)| (text(key), text(value))).collect()
}

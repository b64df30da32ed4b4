//! The vectors in `proto/testdata/wire`: a message as proto3 JSON beside its bytes, which every language must agree on.
//! `tests/python/unit/test_golden_vectors.py` reads the same files.
//!
//! After a change of the schema this writes the bytes anew:
//! `PARAPLY_WRITE_VECTORS=1 cargo test -p paraply-common --test golden_vectors the_bytes`.

#![allow(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use paraply_common::wire::{ServerIdentity, engine_link, session_link};
use paraply_proto::{
    FILE_DESCRIPTOR_SET,
    scheduler::v1::{
        AttachEngineRequest, AttachEngineResponse, OpenSessionRequest, attach_engine_request, attach_engine_response,
    },
};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    message: String,
    value: serde_json::Value,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/testdata/wire")
}

fn vectors() -> Vec<(PathBuf, Vector)> {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let vectors: Vec<_> =
        json.map(|path| (path.clone(), serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())).collect();
    assert!(!vectors.is_empty());
    vectors
}

/// The bytes of every vector of one kind of message.
fn bytes_of(message: &str) -> Vec<(PathBuf, Bytes)> {
    let of_kind = vectors().into_iter().filter(|(_, vector)| vector.message == message);
    let bytes: Vec<_> =
        of_kind.map(|(path, _)| (path.clone(), fs::read(path.with_extension("bin")).unwrap().into())).collect();
    assert!(!bytes.is_empty());
    bytes
}

#[test]
fn the_bytes_are_those_of_the_description() {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    for (path, vector) in vectors() {
        let descriptor = pool.get_message_by_name(&vector.message).unwrap();
        let bytes = DynamicMessage::deserialize(descriptor, vector.value).unwrap().encode_to_vec();
        let bin = path.with_extension("bin");
        if env::var_os("PARAPLY_WRITE_VECTORS").is_some() {
            fs::write(&bin, &bytes).unwrap();
        }
        assert_eq!(fs::read(&bin).unwrap(), bytes, "{}", path.display());
    }
}

#[test]
fn what_clients_say_is_understood() {
    for (path, bytes) in bytes_of("paraply.scheduler.v1.OpenSessionRequest") {
        let message = OpenSessionRequest::decode(bytes.clone()).unwrap();
        assert_eq!(message.encode_to_vec(), bytes, "{}", path.display());
        session_link::decode_request(message).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn what_engines_say_is_understood_and_said_the_same_way() {
    for (path, bytes) in bytes_of("paraply.scheduler.v1.AttachEngineRequest") {
        let message = AttachEngineRequest::decode(bytes.clone()).unwrap();
        let ticket = match &message.message {
            Some(attach_engine_request::Message::Hello(hello)) => hello.ticket.clone(),
            _ => Bytes::new(),
        };
        let decoded = engine_link::decode_request(message).unwrap();
        let again = engine_link::encode_request(decoded, &ticket).encode_to_vec();
        assert_eq!(again, bytes, "{}", path.display());
    }
}

#[test]
fn what_the_scheduler_says_to_engines_is_understood_and_said_the_same_way() {
    for (path, bytes) in bytes_of("paraply.scheduler.v1.AttachEngineResponse") {
        let message = AttachEngineResponse::decode(bytes.clone()).unwrap();
        let identity = match &message.message {
            Some(attach_engine_response::Message::Welcome(welcome)) => ServerIdentity {
                cluster_id: welcome.cluster_id.clone(),
                peer: welcome.scheduler.clone().unwrap(),
                limits: welcome.limits.unwrap(),
            },
            _ => ServerIdentity::default(),
        };
        let decoded = engine_link::decode_response(message).unwrap();
        let again = engine_link::encode_response(decoded, &identity).encode_to_vec();
        assert_eq!(again, bytes, "{}", path.display());
    }
}

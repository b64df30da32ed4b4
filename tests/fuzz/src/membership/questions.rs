//! What is asked of the controller, and answered from what it holds.

use paraply_common::{transport::MESSAGE_BYTES, wire::members};
use paraply_core::{id::EngineId, membership::PageLimit};
use paraply_proto::controller::v1::{GetEngineRequest, ListEnginesRequest, ListEnginesResponse};
use prost::Message as _;

use super::World;

/// Bytes of a page.
const PAGE_BYTES: usize = 700;

impl World {
    /// Somebody asks.
    pub(super) fn ask(&mut self) -> Result<(), String> {
        if self.peers.random.chance(300) { self.get_engine() } else { self.list_engines() }
    }

    fn get_engine(&mut self) -> Result<(), String> {
        let name = "paraply.controller.v1.GetEngineRequest";
        let Some(request) = self.peers.message::<GetEngineRequest>(name) else { return Ok(()) };
        let id = EngineId(request.engine_id);
        match self.machine.engine(id) {
            Some(engine) if members::encode_status(&engine).engine.is_none_or(|engine| engine.engine_id != id.0) => {
                Err(format!("engine {id} was asked for, and {engine:?} is told of"))
            }
            _ => Ok(()),
        }
    }

    /// From a page of somebody's choice on, to the end: each engine once, in order.
    fn list_engines(&mut self) -> Result<(), String> {
        let name = "paraply.controller.v1.ListEnginesRequest";
        let Some(mut request) = self.peers.message::<ListEnginesRequest>(name) else { return Ok(()) };
        if self.peers.random.chance(800) {
            let next = self.peers.random.chance(500).then(|| self.engine());
            request.page_token = members::encode_page_token(next);
        }
        let Some(mut first) = self.peers.understood(members::decode_page_token(&request.page_token)) else {
            return Ok(());
        };
        let expected: Vec<u32> = self.machine.engines_from(first).map(|engine| engine.info.id.0).collect();
        let mut told = Vec::new();
        loop {
            let engines = usize::try_from(request.page_size).unwrap_or(usize::MAX).clamp(1, 1000);
            let page = self.machine.page(first, PageLimit { engines, bytes: PAGE_BYTES });
            let answer = ListEnginesResponse {
                engines: page.engines.iter().map(members::encode_status).collect(),
                next_page_token: members::encode_page_token(page.next),
            };
            if answer.encoded_len() > MESSAGE_BYTES {
                return Err(format!("a page has {} bytes", answer.encoded_len()));
            }
            told.extend(page.engines.iter().map(|engine| engine.info.id.0));
            if told.len() > expected.len() || answer.next_page_token.is_empty() {
                break;
            }
            first = members::decode_page_token(&answer.next_page_token).map_err(|error| error.to_string())?;
        }
        if told == expected { Ok(()) } else { Err(format!("engines {expected:?} are there, and {told:?} are listed")) }
    }
}

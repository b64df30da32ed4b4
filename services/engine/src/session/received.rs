//! What the scheduler says: checked, taken over, and given to the machine.

use paraply_common::wire::engine_link;
use paraply_core::{engine_link::ToEngine, engine_session::Stimulus};
use paraply_proto::scheduler::v1::{AttachEngineResponse, EngineWelcome, attach_engine_response::Message};

use super::Session;
use crate::roads::Road;

impl Session {
    pub(super) fn received(&mut self, message: AttachEngineResponse) {
        if let Some(Message::Welcome(welcome)) = &message.message
            && !self.welcomed(welcome)
        {
            self.break_off("the scheduler at the registered address is another cluster's");
            return;
        }
        match engine_link::decode_response(message) {
            Ok(message) => {
                if let ToEngine::Welcome(welcome) = &message {
                    self.epoch = Some(welcome.epoch);
                    let road = self.link.welcomed();
                    self.came_by(road);
                }
                self.stimulus(Stimulus::Received(message));
            }
            Err(error) => self.break_off(&error.to_string()),
        }
    }

    /// Takes the scheduler's limits over; false if it is another cluster's.
    fn welcomed(&mut self, welcome: &EngineWelcome) -> bool {
        if self.registration.as_ref().is_none_or(|registration| registration.cluster_id != welcome.cluster_id) {
            return false;
        }
        if let Some(limits) = &welcome.limits {
            if limits.inline_bytes > 0 {
                self.inline_bytes = limits.inline_bytes.into();
            }
            if limits.task_output_bytes > 0 {
                self.runtime.limit_output(limits.task_output_bytes);
            }
        }
        true
    }

    fn came_by(&mut self, road: Road) {
        if road != self.road {
            tracing::info!(?road, "bytes take the road to the scheduler that this stream has taken");
            self.road = road;
            self.lead_bytes();
        }
    }

    fn break_off(&mut self, why: &str) {
        tracing::error!(why, "dropping the stream to the scheduler");
        self.link.hang_up();
        self.stimulus(Stimulus::Broken);
    }
}

//! What the scheduler says: checked, taken over, and given to the machine when the time for it has come.

use paraply_common::wire::engine_link;
use paraply_core::{engine_link::ToEngine, engine_session::Stimulus};
use paraply_proto::scheduler::v1::{AttachEngineResponse, EngineWelcome, attach_engine_response::Message};

use super::Session;

impl Session {
    pub(super) fn received(&mut self, message: AttachEngineResponse) {
        if let Some(Message::Welcome(welcome)) = &message.message
            && !self.welcomed(welcome)
        {
            self.break_off("the scheduler at the registered address is another cluster's");
            return;
        }
        match engine_link::decode_response(message) {
            Ok(ToEngine::Welcome(welcome)) => {
                self.fetches.drop_all(&welcome.dropped);
                self.kept.forget(&welcome.dropped);
                if self.epoch.replace(welcome.epoch).is_some_and(|known| known != welcome.epoch) {
                    self.kept.store_again(&self.bulk);
                }
                self.pass_on(ToEngine::Welcome(welcome));
            }
            Ok(ToEngine::Orders(orders)) => {
                self.fetches.ordered(&orders, &self.bulk);
                self.kept.forget(&orders.acked);
                self.pass_on(ToEngine::Orders(orders));
            }
            Ok(ToEngine::Heartbeat) if self.kept.is_storing() => {}
            Ok(heartbeat @ ToEngine::Heartbeat) => self.pass_on(heartbeat),
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

    fn break_off(&mut self, why: &str) {
        tracing::error!(why, "dropping the stream to the scheduler");
        self.held_back.clear();
        self.link.hang_up();
        self.stimulus(Stimulus::Broken);
    }

    /// Gives the machine a message, or keeps it until the store has what outcomes name: from its welcome on the scheduler
    /// hears of them. Where that takes longer than a welcome may, the machine dials again, and the storing goes on.
    fn pass_on(&mut self, message: ToEngine) {
        if self.kept.is_storing() {
            self.held_back.push(message);
        } else {
            self.stimulus(Stimulus::Received(message));
        }
    }

    /// The store has everything.
    pub(super) fn let_in(&mut self) {
        for message in std::mem::take(&mut self.held_back) {
            self.stimulus(Stimulus::Received(message));
        }
    }
}

//! The end of a cluster: engines first, then the services, and what takes too long is killed.

use rustix::process::Signal;

use super::{
    cluster::{Cluster, GRACE, Stage},
    event::Event,
};
use crate::control::{Reply, Which};

impl Cluster<'_> {
    pub(super) fn fail(&mut self, message: String) {
        self.failure.get_or_insert(message);
        self.begin_stop();
    }

    pub(super) fn begin_stop(&mut self) {
        if self.stage > Stage::Running {
            return;
        }
        self.stage = Stage::EndingEngines;
        self.engines.iter_mut().for_each(|engine| engine.process.signal(Signal::TERM));
        self.engines.close_sets(&Which::default(), &Reply::error("stopping", "the cluster is being stopped"));
        self.after(GRACE, Event::Overdue(self.stage));
        self.advance();
    }

    /// Goes on with the end when what it waited for is gone.
    pub(super) fn advance(&mut self) {
        if self.stage == Stage::EndingEngines && self.engines.is_empty() {
            self.stage = Stage::EndingServices;
            self.signal_services(Signal::TERM);
            self.after(GRACE, Event::Overdue(self.stage));
        }
        if self.stage == Stage::EndingServices && self.services.iter().all(|service| service.process.is_none()) {
            self.stage = Stage::Over;
        }
    }

    pub(super) fn kill_engines(&mut self) {
        self.engines.iter_mut().for_each(|engine| engine.process.kill_group());
    }

    pub(super) fn signal_services(&self, signal: Signal) {
        for process in self.services.iter().filter_map(|service| service.process.as_ref()) {
            process.signal(signal);
        }
    }
}

//! Those who wait until engines have come or gone.

use std::collections::BTreeSet;

use paraply_proto::controller::v1::EngineState;
use tokio::sync::oneshot;

use crate::{control::Reply, fleet::Fleet};

/// Until when.
#[derive(Debug, Default)]
pub(super) struct Until {
    /// So many take tasks, at least.
    pub(super) attached: usize,
    /// None of these is there.
    pub(super) gone: BTreeSet<u32>,
}

/// Replies that are due later.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<(Until, Reply, oneshot::Sender<Reply>)>);

impl Until {
    fn is_over(&self, fleet: &Fleet) -> bool {
        fleet.count(EngineState::Attached) >= self.attached && !fleet.ids().any(|id| self.gone.contains(&id))
    }
}

impl Waiting {
    pub(super) fn add(&mut self, until: Until, done: Reply, reply: oneshot::Sender<Reply>) {
        self.0.push((until, done, reply));
    }

    /// Answers those whose time has come.
    pub(super) fn look(&mut self, fleet: &Fleet) {
        for (_, done, reply) in self.0.extract_if(.., |(until, ..)| until.is_over(fleet)) {
            // Who asked may have hung up.
            let _ = reply.send(done);
        }
    }

    /// Answers all.
    pub(super) fn give_up(&mut self, answer: &Reply) {
        for (_, _, reply) in self.0.drain(..) {
            let _ = reply.send(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use paraply_proto::controller::v1::watch_engines_response::Event;

    use super::*;
    use crate::fleet::tests::status;

    #[test]
    fn replies_wait_for_those_who_come_and_those_who_go() {
        let (mut waiting, mut fleet) = (Waiting::default(), Fleet::default());
        fleet.take(&Event::Changed(status(1, "a", EngineState::Attached, 0)));
        let (more, mut come) = oneshot::channel();
        waiting.add(Until { attached: 2, ..Until::default() }, Reply::Done {}, more);
        let (fewer, mut gone) = oneshot::channel();
        waiting.add(Until { attached: 0, gone: [1].into() }, Reply::Done {}, fewer);
        waiting.look(&fleet);
        assert!(come.try_recv().is_err() && gone.try_recv().is_err());
        fleet.take(&Event::Changed(status(2, "b", EngineState::Attached, 0)));
        waiting.look(&fleet);
        assert_eq!(come.try_recv(), Ok(Reply::Done {}));
        fleet.take(&Event::RemovedEngineId(1));
        waiting.look(&fleet);
        assert_eq!(gone.try_recv(), Ok(Reply::Done {}));
    }
}

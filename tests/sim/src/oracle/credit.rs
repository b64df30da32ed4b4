//! What engines allow: how much they are sent, and what they may start.

use std::collections::{BTreeMap, BTreeSet};

use paraply_core::{
    engine_link::{Credit, Orders, ToEngine, ToScheduler},
    id::{AttemptId, ConnectionId, Incarnation, TaskId},
};

use super::{Oracle, Violation};

/// By stream to an engine.
#[derive(Debug, Default)]
pub struct LinkCredit {
    links: BTreeMap<ConnectionId, Link>,
    /// Attempts that engines were told they may start.
    started: BTreeSet<(AttemptId, Incarnation)>,
}

#[derive(Debug)]
struct Link {
    incarnation: Incarnation,
    granted: Credit,
    sent: Credit,
    /// Arrived and not finished: one that is alone may be larger than the window.
    unfinished: BTreeSet<AttemptId>,
}

impl LinkCredit {
    pub(super) fn may_start(&self, attempt: AttemptId, incarnation: Incarnation) -> bool {
        self.started.contains(&(attempt, incarnation))
    }
}

impl Oracle {
    /// An engine says what it takes, and what it is done with.
    pub fn engine_says(&mut self, link: ConnectionId, message: &ToScheduler) {
        match message {
            ToScheduler::Hello(hello) => {
                let (incarnation, granted) = (hello.info.incarnation, hello.credit);
                let unfinished = BTreeSet::new();
                self.credit.links.insert(link, Link { incarnation, granted, sent: Credit::default(), unfinished });
            }
            ToScheduler::Reports(reports) => {
                let Some(link) = self.credit.links.get_mut(&link) else { return };
                link.granted = reports.credit.unwrap_or(link.granted);
                let given_back = reports.retracted.iter().filter(|(_, back)| *back).map(|(attempt, _)| attempt);
                for attempt in reports.finished.iter().map(|(attempt, _)| attempt).chain(given_back) {
                    link.unfinished.remove(attempt);
                }
            }
            ToScheduler::Heartbeat => {}
        }
    }

    /// An engine is given orders: within what it granted on this stream.
    ///
    /// # Errors
    /// They are not.
    pub fn engine_hears(&mut self, link: ConnectionId, message: &ToEngine) -> Result<(), Violation> {
        let (ToEngine::Orders(orders), Some(facts)) = (message, self.credit.links.get_mut(&link)) else {
            return Ok(());
        };
        for attempt in &orders.start {
            self.credit.started.insert((*attempt, facts.incarnation));
        }
        let granted = facts.granted;
        for (attempt, bytes, claimed) in assigned(orders) {
            facts.sent.total_tasks += 1;
            facts.sent.total_bytes += bytes;
            let alone = facts.unfinished.is_empty();
            facts.unfinished.insert(attempt);
            if claimed {
                self.credit.started.insert((attempt, facts.incarnation));
            }
            let bytes_within = facts.sent.total_bytes <= granted.total_bytes || alone;
            if facts.sent.total_tasks > granted.total_tasks || !bytes_within {
                let what = format!("was sent, and the engine has {:?} on credit for {granted:?}", facts.sent);
                return Err(Violation::of(attempt.task, what));
            }
        }
        Ok(())
    }
}

/// What orders assign: attempts, bytes of arguments, and whether they count as claimed.
pub(super) fn assigned(orders: &Orders) -> impl Iterator<Item = (AttemptId, u64, bool)> + '_ {
    orders.assigned.iter().flat_map(|call| {
        call.tasks.iter().map(|task| {
            let id = TaskId { session: call.session, index: task.index };
            (AttemptId { task: id, attempt: task.attempt }, task.arguments.inline_size(), task.claimed)
        })
    })
}

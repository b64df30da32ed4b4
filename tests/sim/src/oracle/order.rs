//! FIFO for one session and one engine; one order for all calls on several engines.

use std::collections::BTreeMap;

use paraply_core::{
    call::{CallHead, Placement},
    id::{AttemptId, EngineId, Epoch, Incarnation, SessionId},
    session_link::EngineInfo,
};

use super::Violation;

/// A call, and the epoch in which it was assigned: another scheduler may know of calls in another order.
type Shared = (SessionId, u64, Epoch);

/// In which order engines started direct tasks.
#[derive(Debug, Default)]
pub struct Order {
    /// The last direct task that an engine started for a session, of those that one scheduler sent: that a task had
    /// failed may be forgotten with a scheduler, and then it runs after those that came behind it.
    last: BTreeMap<(SessionId, Incarnation, Option<u64>), u64>,
    /// Calls on several engines, as each engine started them.
    shared: BTreeMap<EngineId, Vec<Shared>>,
    assigned_in: BTreeMap<(AttemptId, EngineId), Epoch>,
}

impl Order {
    pub(super) fn assigned(&mut self, attempt: AttemptId, engine: EngineId, epoch: Epoch) {
        self.assigned_in.insert((attempt, engine), epoch);
    }

    pub(super) fn epoch_of(&self, attempt: AttemptId, engine: EngineId) -> Option<Epoch> {
        self.assigned_in.get(&(attempt, engine)).copied()
    }

    pub(super) fn started(
        &mut self,
        attempt: AttemptId,
        call: u64,
        head: &CallHead,
        engine: &EngineInfo,
        first: bool,
    ) -> Result<(), Violation> {
        let id = attempt.task;
        let Placement::Direct { engines } = &head.placement else { return Ok(()) };
        let epoch = self.assigned_in.get(&(attempt, engine.id)).copied();
        let last = self.last.entry((id.session, engine.incarnation, epoch.map(|epoch| epoch.0))).or_insert(0);
        let before = std::mem::replace(last, (*last).max(id.index));
        // A task that runs again because nobody knew that it had does so in its own time.
        if let Some(last) = Some(before).filter(|last| *last > id.index && first) {
            return Err(Violation::of(id, format!("starts on engine {} after task {last} of its session", engine.id)));
        }
        let Some(epoch) = epoch.filter(|_| engines.len() > 1) else { return Ok(()) };
        let call = (id.session, call, epoch);
        let before = self.shared.entry(engine.id).or_default();
        let earlier = before.clone();
        before.push(call);
        // Calls that this engine started before this one, and another engine after it.
        for other in engines.iter().filter(|other| **other != engine.id) {
            let theirs = self.shared.get(other).map_or(&[][..], Vec::as_slice);
            let Some(here) = theirs.iter().position(|started| *started == call) else { continue };
            if let Some((session, first, _)) = earlier.iter().find(|earlier| theirs[here + 1..].contains(earlier)) {
                let what = format!("starts on engine {} after {session:?}_{first}, on {other} before it", engine.id);
                return Err(Violation::of(id, what));
            }
        }
        Ok(())
    }
}

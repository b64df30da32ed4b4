//! What must hold after every step, in words a failing test can print.

use std::collections::BTreeSet;

use super::{
    keep_alive::Member,
    machine::{Membership, SIGNALS, StreamOf},
    scheduler::SUPERSEDED,
};

impl Membership {
    /// Checks every cross-reference and every limit. Meant for tests: it costs as much as everything it looks at.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn check(&self) -> Result<(), String> {
        self.ids.check()?;
        self.check_engines()?;
        self.check_scheduler()?;
        self.check_streams()?;
        self.check_scale()?;
        self.check_timeout()
    }

    fn check_engines(&self) -> Result<(), String> {
        let (engines, waiting) = (self.engines.len(), self.waiting.len());
        ensure(engines <= self.config.engines, || format!("{engines} engines hold a lease"))?;
        ensure(waiting <= self.config.waiting_engines, || format!("{waiting} engines wait"))?;
        let of_waiting = self.waiting.iter().map(|waiting| waiting.engine.incarnation);
        let of_engines = self.engines.values().map(|engine| engine.info.incarnation);
        let incarnations: BTreeSet<_> = of_waiting.chain(of_engines).collect();
        ensure(incarnations.len() == engines + waiting, || "a process is there twice".to_owned())?;
        for (id, engine) in &self.engines {
            ensure(id.0 < self.ids.next() && engine.info.id == *id, || format!("engine {id} was given no such id"))?;
            ensure(engine.signals.len() <= SIGNALS, || format!("{} signals wait", engine.signals.len()))?;
            if let Some(connection) = engine.stream {
                let member = self.member_of(connection);
                ensure(member == Some(Member::Engine(*id)), || format!("engine {id}'s stream is that of {member:?}"))?;
            }
        }
        Ok(())
    }

    fn check_scheduler(&self) -> Result<(), String> {
        ensure(self.superseded.len() <= SUPERSEDED, || format!("{:?} are remembered", self.superseded))?;
        let Some(scheduler) = &self.scheduler else { return Ok(()) };
        let reported = scheduler.loads.len();
        ensure(reported <= self.config.reported_engines, || format!("{reported} engines are reported"))?;
        let Some(connection) = scheduler.stream else { return Ok(()) };
        let member = self.member_of(connection);
        ensure(member == Some(Member::Scheduler), || format!("the scheduler's stream is that of {member:?}"))
    }

    fn check_streams(&self) -> Result<(), String> {
        for (connection, stream) in &self.streams {
            match &stream.of {
                StreamOf::Watcher(watcher) => {
                    ensure(self.watchers.contains(connection), || format!("{connection:?} does not watch"))?;
                    let stale = watcher.stale(|id| self.engines.contains_key(&id));
                    ensure(stale.is_none(), || format!("a watcher is to hear of {stale:?}, which it does not know"))?;
                }
                StreamOf::KeepAlive(keep_alive) => {
                    let theirs = match keep_alive.member {
                        Member::Engine(id) => self.engines.get(&id).map(|engine| engine.stream),
                        Member::Scheduler => self.scheduler.as_ref().map(|scheduler| scheduler.stream),
                        Member::Superseded => continue,
                    };
                    ensure(theirs == Some(Some(*connection)), || {
                        format!("{connection:?} is of {:?}, whose stream is {theirs:?}", keep_alive.member)
                    })?;
                }
            }
        }
        let gone = self.watchers.iter().find(|connection| !self.streams.contains_key(connection));
        ensure(gone.is_none(), || format!("watcher {gone:?} is gone"))
    }

    fn check_scale(&self) -> Result<(), String> {
        let (wanted, bounds) = (self.wanted_engines(), self.bounds());
        ensure(bounds.contains(&wanted), || format!("{wanted} engines are wanted, which is not within {bounds:?}"))?;
        let next = self.review.at;
        let waited = next.is_none_or(|next| self.next_timeout().is_some_and(|timeout| timeout <= next));
        ensure(waited, || format!("{next:?} is not waited for"))
    }

    /// Whatever runs out is waited for.
    fn check_timeout(&self) -> Result<(), String> {
        let engines = self.engines.values().map(|engine| engine.lease_until);
        let scheduler = self.scheduler.iter().map(|scheduler| scheduler.lease_until);
        let next = engines.chain(scheduler).chain(self.waiting.iter().map(|waiting| waiting.until)).min();
        let waited = next.is_none_or(|next| self.earliest.is_some_and(|earliest| earliest <= next));
        ensure(waited, || format!("{next:?} is not waited for, but {:?}", self.earliest))
    }

    fn member_of(&self, connection: crate::id::ConnectionId) -> Option<Member> {
        match &self.streams.get(&connection)?.of {
            StreamOf::KeepAlive(keep_alive) => Some(keep_alive.member),
            StreamOf::Watcher(_) => None,
        }
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

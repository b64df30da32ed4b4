//! How many engines there are to be, where nobody says so: as many as there is work for, between two bounds.

use std::time::Duration;

use crate::{
    mutant::{Mutant, forgets},
    time::Time,
};

/// What an autoscaler keeps to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Autoscale {
    /// Engines that stay, however little there is to do.
    pub min: u32,
    /// Engines that there are at the most, however much there is to do. Not less than `min`.
    pub max: u32,
    /// How long tasks have to wait until more engines are asked for: a queue of short tasks is gone before an engine has
    /// started. Where there is no engine at all they are asked for at once.
    pub patience: Duration,
    /// How long an engine that was asked for may take to come. After that it is not reckoned with.
    pub start: Duration,
    /// Engines that whoever made the cluster is starting already.
    pub begun: u32,
}

impl Default for Autoscale {
    fn default() -> Self {
        let (patience, start) = (Duration::from_secs(1), Duration::from_secs(60));
        Self { min: 0, max: 0, patience, start, begun: 0 }
    }
}

/// What an autoscaler decides by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    /// Engines that hold a lease and do not leave.
    pub(super) staying: u32,
    /// Engines that unfinished tasks could use.
    pub(super) useful: u32,
    /// Tasks wait that any engine may run.
    pub(super) waiting: bool,
    /// Of those that stay, those that had nothing to do for as long as it takes.
    pub(super) idle: u32,
}

/// The policy: it sees, and says how many engines there are to be when that is another number than it was.
#[derive(Debug, Default)]
pub(super) struct Autoscaler {
    /// Engines that were asked for and have not come.
    coming: u32,
    /// Nobody reckons with them any more.
    coming_until: Option<Time>,
    /// Since when there were fewer than there is work for.
    short_since: Option<Time>,
    /// No engine has to leave before.
    calm_until: Option<Time>,
}

impl Autoscaler {
    /// Of a cluster that was just made, where engines are on their way already.
    pub(super) fn new(policy: Option<Autoscale>) -> Self {
        let coming = policy.map_or(0, |policy| policy.begun.clamp(policy.min, policy.max));
        Self { coming, ..Self::default() }
    }

    /// How many engines there are to be from now on: more than there are and will be, or fewer than stay. `idle` is how
    /// long an engine has nothing to do until it is idle.
    pub(super) fn decide(&mut self, policy: &Autoscale, idle: Duration, now: Time, seen: Seen) -> Option<u32> {
        if self.coming_until.is_some_and(|until| until <= now) {
            self.coming = 0;
        }
        self.coming_until = (self.coming > 0).then(|| self.coming_until.unwrap_or(now + policy.start));
        let target = seen.useful.clamp(policy.min, policy.max);
        if target > self.expected(seen.staying) {
            let since = *self.short_since.get_or_insert(now);
            let starved = seen.staying == 0 && seen.waiting;
            if !starved && since + policy.patience > now {
                return None;
            }
            self.expect(policy, idle, now, target - seen.staying);
            return Some(target);
        }
        self.short_since = None;
        let enough = if forgets(Mutant::LeastUnchecked) { seen.useful } else { target };
        let leaving = seen.staying.saturating_sub(enough).min(seen.idle);
        // Nobody leaves while others come.
        if leaving == 0 || self.coming > 0 || self.calm_until.is_some_and(|until| until > now) {
            return None;
        }
        // Half of them, and half of the others after a while: who comes back from a break finds some.
        self.calm_until = Some(now + idle / 4);
        Some(seen.staying - leaving.div_ceil(2))
    }

    /// When to decide again, if nothing happens before.
    pub(super) fn next(&self, policy: &Autoscale) -> Option<Time> {
        let short = self.short_since.map(|since| since + policy.patience);
        short.into_iter().chain(self.coming_until).chain(self.calm_until).min()
    }

    /// How many engines there will be when all have come that were asked for.
    pub(super) fn expected(&self, staying: u32) -> u32 {
        staying.saturating_add(self.coming)
    }

    /// An engine has come.
    pub(super) fn came(&mut self, idle: Duration, now: Time) {
        self.coming = self.coming.saturating_sub(1);
        self.calm_until = Some(now + idle);
    }

    /// Somebody has said how many there are to be: it goes on from there.
    pub(super) fn told(&mut self, policy: &Autoscale, idle: Duration, now: Time, engines: u32, staying: u32) {
        self.expect(policy, idle, now, engines.saturating_sub(staying));
    }

    fn expect(&mut self, policy: &Autoscale, idle: Duration, now: Time, coming: u32) {
        self.short_since = None;
        self.coming = coming;
        self.coming_until = (coming > 0).then(|| now + policy.start);
        self.calm_until = Some(now + idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const IDLE: Duration = Duration::from_secs(60);

    struct World {
        policy: Autoscale,
        autoscaler: Autoscaler,
        now: Time,
        seen: Seen,
    }

    impl World {
        fn new(min: u32, max: u32, staying: u32) -> Self {
            let policy = Autoscale { min, max, ..Autoscale::default() };
            let seen = Seen { staying, useful: 0, waiting: false, idle: 0 };
            Self { policy, autoscaler: Autoscaler::default(), now: Time(1), seen }
        }

        fn useful(&mut self, useful: u32) -> Option<u32> {
            self.seen.useful = useful;
            self.seen.waiting = useful > self.seen.staying;
            self.decide()
        }

        fn decide(&mut self) -> Option<u32> {
            let decided = self.autoscaler.decide(&self.policy, IDLE, self.now, self.seen);
            if let Some(engines) = decided.filter(|engines| *engines < self.seen.staying) {
                self.seen.idle -= self.seen.staying - engines;
                self.seen.staying = engines;
            }
            decided
        }

        fn pass(&mut self, duration: Duration) -> Option<u32> {
            self.now = self.now + duration;
            self.decide()
        }

        fn comes(&mut self) {
            self.seen.staying += 1;
            self.autoscaler.came(IDLE, self.now);
        }
    }

    #[test]
    fn the_first_task_of_a_cluster_without_engines_gets_one_at_once() {
        let mut world = World::new(0, 8, 0);
        assert_eq!(world.decide(), None);
        assert_eq!(world.useful(1), Some(1));
        assert_eq!(world.useful(1), None, "it is on its way");
        assert_eq!(world.useful(5), Some(5), "there is still none");
        assert_eq!(world.useful(100), Some(8));
        assert_eq!(world.useful(200), None, "the most");
    }

    #[test]
    fn a_queue_that_is_gone_before_an_engine_has_started_asks_for_none() {
        let mut world = World::new(1, 8, 1);
        for _ in 0..20 {
            assert_eq!(world.useful(5), None);
            assert_eq!(world.autoscaler.next(&world.policy), Some(world.now + SECOND));
            assert_eq!(world.pass(SECOND / 2), None);
            assert_eq!(world.useful(1), None);
        }
        assert_eq!(world.useful(5), None);
        assert_eq!(world.pass(SECOND), Some(5));
        assert_eq!(world.pass(SECOND), None);
    }

    #[test]
    fn what_does_not_come_and_what_came_and_died_is_asked_for_again() {
        let mut world = World::new(0, 4, 0);
        assert_eq!(world.useful(3), Some(3));
        world.comes();
        world.comes();
        assert_eq!(world.pass(world.policy.start - SECOND), None);
        assert_eq!(world.pass(SECOND), None, "the queue has its patience again");
        assert_eq!(world.pass(SECOND), Some(3));
        world.comes();
        world.seen.staying -= 1;
        assert_eq!(world.decide(), None);
        assert_eq!(world.pass(SECOND), Some(3));
    }

    #[test]
    fn there_are_never_fewer_than_the_least() {
        let mut world = World::new(2, 4, 1);
        assert_eq!(world.decide(), None);
        assert_eq!(world.pass(SECOND), Some(2), "though there is nothing to do");
        world.comes();
        world.seen.idle = 2;
        assert_eq!(world.pass(IDLE * 10), None);
        world.comes();
        world.comes();
        world.seen.idle = 4;
        assert_eq!(world.pass(IDLE), Some(3));
        assert_eq!(world.pass(IDLE / 4), Some(2));
        assert_eq!(world.pass(IDLE), None);
    }

    #[test]
    fn idle_ones_leave_half_of_them_at_a_time_and_busy_ones_stay() {
        let mut world = World::new(0, 16, 10);
        (world.seen.useful, world.seen.idle) = (2, 8);
        let mut stay = vec![world.decide().unwrap()];
        assert_eq!(world.pass(IDLE / 4 - SECOND), None);
        assert_eq!(world.autoscaler.next(&world.policy), Some(world.now + SECOND));
        for _ in 0..5 {
            stay.extend(world.pass(IDLE / 4));
        }
        assert_eq!(stay, [6, 4, 3, 2]);
    }

    #[test]
    fn nobody_leaves_while_others_come_nor_just_after() {
        let mut world = World::new(0, 8, 2);
        assert_eq!(world.useful(4), None);
        assert_eq!(world.pass(SECOND), Some(4));
        (world.seen.useful, world.seen.idle) = (0, 2);
        assert_eq!(world.pass(SECOND), None);
        world.comes();
        world.comes();
        assert_eq!(world.pass(IDLE - SECOND), None);
        assert_eq!(world.pass(SECOND), Some(3));
    }

    #[test]
    fn a_new_cluster_reckons_with_the_engines_that_it_was_started_with() {
        let mut world = World::new(0, 8, 0);
        world.policy.begun = 3;
        world.autoscaler = Autoscaler::new(Some(world.policy));
        assert_eq!(world.useful(3), None, "three are on their way");
        assert_eq!(world.useful(4), Some(4));
        let beyond = Autoscaler::new(Some(Autoscale { begun: 30, ..world.policy }));
        assert_eq!(beyond.coming, 8);
    }

    #[test]
    fn it_goes_on_from_what_somebody_has_said() {
        let mut world = World::new(0, 8, 1);
        world.autoscaler.told(&world.policy, IDLE, world.now, 4, 1);
        assert_eq!(world.useful(4), None, "three were asked for by hand");
        (0..3).for_each(|_| world.comes());
        (world.seen.useful, world.seen.idle) = (0, 4);
        assert_eq!(world.pass(IDLE - SECOND), None);
        assert_eq!(world.pass(SECOND), Some(2));
    }
}

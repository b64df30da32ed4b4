//! Rules of placement that hold whatever is submitted, by whom, and in whatever order engines come and finish.

use std::collections::{BTreeMap, BTreeSet};

use paraply_core::{engine_link::Reports, id::ConnectionId, id::SessionId};
use proptest::{collection::vec, prelude::*, sample::subsequence};

use crate::world::{A, B, World, balanced, direct};

const ENGINES: [u32; 4] = [0, 1, 2, 3];

#[derive(Clone, Debug)]
enum Step {
    /// This session (`true`: A) calls these engines.
    Direct(bool, Vec<u32>),
    /// This session has so many balanced tasks.
    Balanced(bool, usize),
    /// This engine finishes the oldest task it has, if it has one.
    Finish(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<bool>(), subsequence(ENGINES.to_vec(), 1..=4).prop_shuffle()).prop_map(|(a, to)| Step::Direct(a, to)),
        (any::<bool>(), 1..6usize).prop_map(|(a, tasks)| Step::Balanced(a, tasks)),
        proptest::sample::select(ENGINES.to_vec()).prop_map(Step::Finish),
        proptest::sample::select(ENGINES.to_vec()).prop_map(Step::Finish),
    ]
}

/// A session and its task.
type Id = (SessionId, u64);

/// Four engines, two sessions, and what went where in which order.
struct Cluster {
    world: World,
    clients: BTreeMap<SessionId, (ConnectionId, u64)>,
    engines: BTreeMap<u32, ConnectionId>,
    /// What each engine has and has not finished, with its attempt.
    held: BTreeMap<u32, Vec<(Id, u32)>>,
    /// All that each engine was ever sent.
    sent: BTreeMap<u32, Vec<Id>>,
    /// For each direct task: the first of its call.
    calls: BTreeMap<Id, Id>,
    submitted: BTreeSet<Id>,
}

impl Cluster {
    fn new() -> Self {
        let mut world = World::new();
        let engines = ENGINES.map(|engine| (engine, world.attach(engine))).into();
        let clients = [A, B].map(|session| (session, (world.open(session, None).0, 0))).into();
        let (held, sent) = (BTreeMap::new(), BTreeMap::new());
        Self { world, clients, engines, held, sent, calls: BTreeMap::new(), submitted: BTreeSet::new() }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Direct(a, engines) => {
                let (client, session, first) = self.next(a, engines.len() as u64);
                let ids = (0..engines.len() as u64).map(|nth| ((session, first + nth), (session, first)));
                self.calls.extend(ids);
                self.world.submit(client, vec![direct(first, &engines)]);
            }
            Step::Balanced(a, tasks) => {
                let (client, _, first) = self.next(a, tasks as u64);
                self.world.submit(client, vec![balanced(first, tasks, 0)]);
            }
            Step::Finish(engine) => self.finish(engine),
        }
        self.see();
    }

    fn next(&mut self, a: bool, tasks: u64) -> (ConnectionId, SessionId, u64) {
        let session = if a { A } else { B };
        let (client, next) = self.clients.get_mut(&session).unwrap();
        let first = *next;
        *next += tasks;
        self.submitted.extend((first..*next).map(|index| (session, index)));
        (*client, session, first)
    }

    fn finish(&mut self, engine: u32) {
        let held = self.held.entry(engine).or_default();
        if !held.is_empty() {
            let ((session, index), attempt) = held.remove(0);
            self.world.finish(self.engines[&engine], session, index, attempt);
        }
    }

    /// Notes what engines were sent, and gives back what was asked for and is not the oldest.
    fn see(&mut self) {
        loop {
            let mut quiet = true;
            for (engine, connection) in self.engines.clone() {
                let orders = self.world.orders(connection);
                quiet &= orders.assigned.is_empty() && orders.retract.is_empty();
                for call in orders.assigned {
                    for task in call.tasks {
                        let id = (call.session, task.index);
                        self.held.entry(engine).or_default().push((id, task.attempt));
                        self.sent.entry(engine).or_default().push(id);
                    }
                }
                let held = self.held.entry(engine).or_default();
                let mut retracted = Vec::new();
                for attempt in orders.retract {
                    let id = (attempt.task.session, attempt.task.index);
                    let given = held.iter().skip(1).any(|(held, _)| *held == id);
                    if given {
                        held.retain(|(held, _)| *held != id);
                        self.sent.entry(engine).or_default().retain(|sent| *sent != id);
                    }
                    retracted.push((attempt, given));
                }
                if !retracted.is_empty() {
                    self.world.report(connection, Reports { retracted, ..Reports::default() });
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn waiting(&self) -> u64 {
        self.world.scheduler.status().unassigned
    }

    fn finish_all(&mut self) {
        while self.held.values().any(|held| !held.is_empty()) {
            for engine in ENGINES {
                self.finish(engine);
                self.see();
            }
        }
    }

    /// All direct tasks that an engine was sent.
    fn direct(&self, engine: u32) -> Vec<Id> {
        let sent = self.sent.get(&engine).into_iter().flatten();
        sent.copied().filter(|id| self.calls.contains_key(id)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_task_is_sent_once_and_no_engine_idles_while_tasks_wait(steps in vec(step(), 1..60)) {
        let mut cluster = Cluster::new();
        for step in steps {
            cluster.take(step);
            let idle = ENGINES.iter().any(|engine| cluster.held.get(engine).is_none_or(Vec::is_empty));
            prop_assert!(!idle || cluster.waiting() == 0, "an engine is idle and {} tasks wait", cluster.waiting());
        }
        cluster.finish_all();
        let all: Vec<Id> = cluster.sent.values().flatten().copied().collect();
        prop_assert_eq!(all.len(), cluster.submitted.len());
        prop_assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), cluster.submitted);
    }

    #[test]
    fn direct_calls_keep_their_order_on_each_engine_and_across_engines(steps in vec(step(), 1..60)) {
        let mut cluster = Cluster::new();
        steps.into_iter().for_each(|step| cluster.take(step));
        cluster.finish_all();
        let mut before: BTreeSet<(Id, Id)> = BTreeSet::new();
        for engine in ENGINES {
            let sent = cluster.direct(engine);
            for session in [A, B] {
                let indexes: Vec<u64> = sent.iter().filter(|id| id.0 == session).map(|id| id.1).collect();
                prop_assert!(indexes.is_sorted(), "engine {engine} has {indexes:?} of one session");
            }
            let calls: Vec<Id> = sent.iter().map(|id| cluster.calls[id]).collect();
            for (nth, first) in calls.iter().enumerate() {
                for second in &calls[nth + 1..] {
                    prop_assert!(!before.contains(&(*second, *first)), "{first:?} and {second:?} change places");
                    before.insert((*first, *second));
                }
            }
        }
    }

    #[test]
    fn balanced_work_spreads_evenly_and_at_most_one_unmeasured_task_is_prefetched(tasks in 1..40usize) {
        let mut cluster = Cluster::new();
        cluster.take(Step::Balanced(true, tasks));
        let counts: Vec<usize> = ENGINES.map(|engine| cluster.held.get(&engine).map_or(0, Vec::len)).into();
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        prop_assert!(most - least <= 1 && *most <= 2, "{counts:?}");
    }

    #[test]
    fn two_sessions_get_equal_shares_whatever_they_have_queued(many in 20..200usize, few in 20..40usize) {
        let mut cluster = Cluster::new();
        cluster.take(Step::Balanced(true, many));
        cluster.take(Step::Balanced(false, few));
        let queued = |cluster: &Cluster, session| {
            let sent = cluster.sent.values().flatten().filter(|id| id.0 == session).count();
            (sent, if session == A { many } else { few } - sent)
        };
        // What was sent before B came is A's; from here on they take turns.
        let (begun, _) = queued(&cluster, A);
        while queued(&cluster, A).1 > 0 && queued(&cluster, B).1 > 0 {
            let (a, b) = (queued(&cluster, A).0 - begun, queued(&cluster, B).0);
            // A turn is five milliseconds; the tasks that `finish` reports take one.
            prop_assert!(a.abs_diff(b) <= 7, "A got {a} and B got {b}");
            for engine in ENGINES {
                cluster.finish(engine);
            }
            cluster.see();
        }
    }
}

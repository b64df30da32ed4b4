//! What people submit.

use std::time::Duration;

use bytes::Bytes;
use paraply_core::{
    call::{CallHead, Placement, Work},
    id::{Digest, EngineId},
    payload::Payload,
};

use crate::{labels, program::Program, world::World};

impl World {
    /// A client makes some call.
    pub fn submit_something(&mut self, slot: usize) {
        let Some(client) = self.clients[slot].as_ref().filter(|client| !client.closing) else { return };
        let engines: Vec<EngineId> = client.engines.iter().copied().collect();
        let direct = !engines.is_empty() && self.random.chance(500);
        let number = u8::try_from(self.random.between(1, 5)).unwrap_or(1);
        if direct && self.random.chance(150) {
            let source = self.program().encode(10);
            let work = Work::Execute { source, silent: true, filename: Bytes::new() };
            let engines = self.some_of(&engines, 3);
            let head = self.head(work, Placement::Direct { engines });
            self.submit(slot, head, Vec::new(), None);
            return;
        }
        let placement = if direct {
            let engines = self.some_of(&engines, 4);
            Placement::Direct { engines }
        } else {
            self.balanced(&engines)
        };
        let tasks = match &placement {
            Placement::Direct { engines } if self.random.chance(500) => engines.len(),
            Placement::Direct { .. } => 1,
            Placement::Balanced { .. } if self.random.chance(600) => 1,
            Placement::Balanced { .. } => self.random.index(8) + 1,
        };
        let may_keep = placement.is_one_engine();
        let arguments: Vec<Payload> = (0..tasks)
            .map(|_| {
                let program = self.program();
                self.arguments(program, may_keep)
            })
            .collect();
        let head = self.head(Work::Function(Digest([number; 32])), placement);
        self.submit(slot, head, arguments, Some(Self::function(number)));
    }

    /// What tasks of a call share.
    pub fn head(&mut self, work: Work, placement: Placement) -> CallHead {
        CallHead {
            priority: if self.random.chance(200) { 1 } else { 0 },
            start_once: self.random.chance(80),
            run_timeout: self.random.chance(60).then(|| self.random.micros(200, 20_000)),
            ..CallHead::new(work, placement)
        }
    }

    /// What a task does. It may do it three times.
    fn program(&mut self) -> Program {
        let program = Program::draw(&mut self.random);
        self.work += program.runs * 3;
        program
    }

    fn balanced(&mut self, engines: &[EngineId]) -> Placement {
        let restricted = self.random.chance(150) && !engines.is_empty();
        Placement::Balanced {
            engines: if restricted { self.some_of(engines, 3) } else { Vec::new() },
            labels: if self.random.chance(200) { labels::asked(&mut self.random) } else { Vec::new() },
            retries: self.random.pick(&[0, 0, 1, 2]).unwrap_or_default(),
            queue_timeout: self.random.chance(80).then(|| Duration::from_millis(self.random.between(1, 3000))),
        }
    }

    /// At least one of these, in any order.
    fn some_of(&mut self, engines: &[EngineId], most: usize) -> Vec<EngineId> {
        let mut some = engines.to_vec();
        self.random.shuffle(&mut some);
        some.truncate(self.random.index(most) + 1);
        some
    }
}

//! More engines, or fewer, when the controller says how many there are to be.

use rustix::process::Signal;

use super::{
    START_PATIENCE,
    cluster::{Cluster, GRACE, Stage},
    event::Event,
    say,
};

impl Cluster<'_> {
    /// So many engines are to be there: starts those that are missing. Of too many the controller has drained those that
    /// had joined; others, which it does not know yet, end here.
    pub(super) fn scale(&mut self, engines: u32, here: &[u32], elsewhere: usize) {
        if self.stage != Stage::Running {
            return;
        }
        let staying = self.engines.iter().filter(|(_, engine)| !engine.asked_to_end).count();
        let strangers = here.iter().filter(|pid| self.engines.iter().all(|(own, _)| own != *pid)).count();
        let there = staying + strangers + elsewhere;
        let wanted = engines as usize;
        if wanted > there {
            // Fits: it is less than `engines`.
            self.start_missing((wanted - there) as u32);
        } else {
            self.end_unjoined(there - wanted);
        }
    }

    fn start_missing(&mut self, n: u32) {
        let Some((set, number)) = self.engines.open_set(None) else { return };
        self.engines.leaves_nothing(&set);
        say(format_args!("Starting {n} more engines, set {set}"));
        if let Err(reason) = self.spawn_engines(&set, n) {
            say(format_args!("{reason}"));
        }
        self.after(START_PATIENCE, Event::SetOverdue(number));
    }

    fn end_unjoined(&mut self, most: usize) {
        let mut ended = Vec::new();
        for engine in
            self.engines.iter_mut().filter(|engine| engine.engine_id.is_none() && !engine.asked_to_end).take(most)
        {
            engine.asked_to_end = true;
            engine.process.signal(Signal::TERM);
            ended.push(engine.process.pid());
        }
        if !ended.is_empty() {
            self.after(GRACE, Event::EnginesOverdue(ended));
        }
    }
}

//! Runs a machine on one task: everything that waits is handled, then everything that is due is flushed once. That is
//! the batching; nothing is flushed on a timer.

use std::{pin::pin, time::Duration};

use paraply_core::time::Time;

use crate::{clock, health::Pulse, mailbox::Inbox};

/// How many stimuli are handled before a flush at the most.
const BATCH: usize = 1024;

/// Longest time between two signs of life.
const PULSE: Duration = Duration::from_millis(250);

/// A machine with the shell around it: what a service is, but for its streams.
pub trait Actor: Send {
    /// What happens to it: the machine's own stimuli, and questions of the shell's gRPC methods.
    type Stimulus: Send;

    /// Takes one stimulus in. Must not wait.
    fn handle(&mut self, now: Time, stimulus: Self::Stimulus);

    /// The time of [`Actor::next_timeout`] has come.
    fn tick(&mut self, now: Time);

    /// Carries out everything that is due: takes the machine's instructions and puts messages on their lines.
    fn flush(&mut self, now: Time);

    /// When [`Actor::tick`] is to be called next, if nothing happens before.
    fn next_timeout(&self) -> Option<Time>;
}

/// Runs `actor` until every mailbox of `inbox` is gone. Whoever wants it to end earlier drops the future.
pub async fn run<A: Actor>(actor: &mut A, mut inbox: Inbox<A::Stimulus>, pulse: Pulse) {
    let mut timer = pin!(clock::sleep_until(clock::now()));
    let mut woke = clock::now();
    loop {
        let now = clock::now();
        pulse.touch(now);
        pulse.worked(now.since(woke));
        let wake = actor.next_timeout().map_or(now + PULSE, |due| due.min(now + PULSE));
        // A timer that fires too early costs one turn of this loop; moving it at every turn costs more.
        if wake < clock::time(timer.deadline()) || timer.is_elapsed() {
            timer.as_mut().reset(clock::instant(wake));
        }
        tokio::select! {
            biased;
            stimulus = inbox.recv() => {
                let Some(stimulus) = stimulus else { return };
                woke = clock::now();
                actor.handle(woke, stimulus);
                for _ in 1..BATCH {
                    let Some(stimulus) = inbox.try_recv() else { break };
                    actor.handle(woke, stimulus);
                }
            }
            () = timer.as_mut() => woke = clock::now(),
        }
        let now = clock::now();
        if actor.next_timeout().is_some_and(|due| due <= now) {
            actor.tick(now);
        }
        actor.flush(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mailbox::mailbox, spawn::spawn};

    #[derive(Default)]
    struct Recorder {
        waiting: Vec<u32>,
        flushed: Vec<Vec<u32>>,
        alarm: Option<Time>,
        rang: Option<Time>,
    }

    impl Actor for Recorder {
        type Stimulus = u32;

        fn handle(&mut self, now: Time, stimulus: u32) {
            self.waiting.push(stimulus);
            self.alarm = Some(now + Duration::from_secs(u64::from(stimulus)));
        }

        fn tick(&mut self, now: Time) {
            self.alarm = None;
            self.rang = Some(now);
        }

        fn flush(&mut self, _now: Time) {
            if !self.waiting.is_empty() {
                self.flushed.push(std::mem::take(&mut self.waiting));
            }
        }

        fn next_timeout(&self) -> Option<Time> {
            self.alarm
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_handled_together_and_flushed_once() {
        let (mailbox, inbox) = mailbox(8);
        for stimulus in 1..=5 {
            mailbox.send(stimulus).await.unwrap();
        }
        drop(mailbox);
        let mut actor = Recorder::default();
        run(&mut actor, inbox, Pulse::default()).await;
        assert_eq!(actor.flushed, [[1, 2, 3, 4, 5]]);
    }

    #[tokio::test(start_paused = true)]
    async fn ticks_in_time_and_shows_life_while_idle() {
        let (mailbox, inbox) = mailbox(8);
        let pulse = Pulse::default();
        let watched = pulse.clone();
        let actor = spawn(async move {
            let mut actor = Recorder::default();
            run(&mut actor, inbox, pulse).await;
            actor
        });
        let start = clock::now();
        mailbox.send(30).await.unwrap();
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(watched.is_alive(), "idle is not dead");
        }
        drop(mailbox);
        let rang = actor.await.unwrap().rang.unwrap().since(start);
        assert!(rang >= Duration::from_secs(30) && rang <= Duration::from_millis(30_010), "{rang:?}");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!watched.is_alive(), "an actor that has ended is not serving");
    }
}

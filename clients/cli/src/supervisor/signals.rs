//! The supervisor's own signals.

use std::io;

use paraply_common::spawn::{Task, spawn};
use rustix::process::Signal;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::event::Event;

/// Turns signals into events for as long as the task lives.
pub(super) fn listen(events: &mpsc::Sender<Event>) -> io::Result<Task<()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut user1 = signal(SignalKind::user_defined1())?;
    let mut user2 = signal(SignalKind::user_defined2())?;
    let events = events.clone();
    Ok(spawn(async move {
        loop {
            let event = tokio::select! {
                _ = interrupt.recv() => Event::Stop("Interrupted"),
                _ = terminate.recv() => Event::Stop("Terminated"),
                _ = hangup.recv() => Event::Stop("The terminal is gone"),
                _ = user1.recv() => Event::Relay(Signal::USR1),
                _ = user2.recv() => Event::Relay(Signal::USR2),
            };
            if events.send(event).await.is_err() {
                return;
            }
        }
    }))
}

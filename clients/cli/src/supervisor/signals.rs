//! The supervisor's own signals.

use std::{fs, io};

use paraply_common::spawn::{Task, spawn};
use rustix::process::Signal;
use tokio::{
    signal::unix::{Signal as Signals, SignalKind, signal},
    sync::mpsc,
};

use super::event::Outside;

/// Turns signals into events for as long as the task lives.
pub(super) fn listen<E>(events: &mpsc::Sender<E>) -> io::Result<Task<()>>
where
    E: From<Outside> + Send + 'static,
{
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Whoever has it ignored (`nohup paraply start &`) wants a cluster that outlives the terminal.
    let mut hangup = if is_ignored(Signal::HUP) { None } else { Some(signal(SignalKind::hangup())?) };
    let mut user1 = signal(SignalKind::user_defined1())?;
    let mut user2 = signal(SignalKind::user_defined2())?;
    let events = events.clone();
    Ok(spawn(async move {
        loop {
            let outside = tokio::select! {
                _ = interrupt.recv() => Outside::Stop("Interrupted"),
                _ = terminate.recv() => Outside::Stop("Terminated"),
                () = received(&mut hangup) => Outside::Stop("The terminal is gone"),
                _ = user1.recv() => Outside::Relay(Signal::USR1),
                _ = user2.recv() => Outside::Relay(Signal::USR2),
            };
            if events.send(outside.into()).await.is_err() {
                return;
            }
        }
    }))
}

async fn received(signals: &mut Option<Signals>) {
    match signals {
        Some(signals) => {
            signals.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether this process was started with the signal ignored. Asked before anything listens for it.
fn is_ignored(signal: Signal) -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignored_in(&status, signal))
}

/// `SigIgn` is a number in hexadecimal with a bit for each signal, from 1 on.
fn ignored_in(status: &str, signal: Signal) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal.as_raw() - 1)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_has_its_bit() {
        let status =
            "Name:\tparaply\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n";
        assert!(ignored_in(status, Signal::HUP) && ignored_in(status, Signal::PIPE));
        assert!(!ignored_in(status, Signal::INT));
        assert!(!ignored_in("", Signal::HUP));
    }
}

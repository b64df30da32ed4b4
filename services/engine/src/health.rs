//! Health for whoever asks, where the engine is told to show it: it serves while it is attached to its scheduler.

use std::{pin::Pin, sync::Arc, time::Duration};

use paraply_common::{
    admin::{self, Admin, AdminListener},
    clock,
    health::Pulse,
    spawn::{Task, spawn},
    telemetry::metrics::{Collector, Family, Source},
};
use tokio::sync::watch;

/// How often an attached engine shows a sign of life: more often than one grows old.
const BEAT: Duration = Duration::from_millis(250);

/// Shown while it lives.
pub(crate) struct Health {
    attached: watch::Sender<bool>,
    _answering: Task<()>,
    _beating: Task<()>,
}

impl Health {
    /// On the runtime of the session: where that hangs, nobody answers.
    pub(crate) fn show(listener: AdminListener) -> Self {
        tracing::info!(address = %listener.address(), "admin listener: /metrics, /healthz, /readyz, gRPC health");
        let pulse = Pulse::default();
        let (attached, watched) = watch::channel(false);
        let admin = Admin::new(pulse.clone(), &[], Arc::new(Collector::new(pulse.clone(), NoFigures)));
        Self { attached, _answering: spawn(admin::serve(listener, admin)), _beating: spawn(beat(pulse, watched)) }
    }

    pub(crate) fn attached(&self, is_attached: bool) {
        self.attached.send_if_modified(|attached| std::mem::replace(attached, is_attached) != is_attached);
    }
}

async fn beat(pulse: Pulse, mut attached: watch::Receiver<bool>) {
    while attached.wait_for(|attached| *attached).await.is_ok() {
        pulse.touch(clock::now());
        clock::sleep_until(clock::now() + BEAT).await;
    }
}

/// What is to be known of an engine's work, the scheduler knows.
struct NoFigures;

impl Source for NoFigures {
    fn measure(&self) -> Pin<Box<dyn Future<Output = Option<Vec<Family>>> + Send + '_>> {
        Box::pin(std::future::ready(Some(Vec::new())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn serves_while_it_is_attached() {
        let pulse = Pulse::default();
        let (attached, watched) = watch::channel(false);
        let _beating = spawn(beat(pulse.clone(), watched));
        let wait = async |seconds| clock::sleep_until(clock::now() + Duration::from_secs(seconds)).await;
        wait(5).await;
        assert!(!pulse.is_alive(), "not yet");
        attached.send_replace(true);
        wait(5).await;
        assert!(pulse.is_alive(), "attached");
        attached.send_replace(false);
        wait(2).await;
        assert!(!pulse.is_alive(), "not any more");
    }
}

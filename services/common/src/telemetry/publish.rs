//! What a service lets others see of itself, on a thread of its own: an admin listener for who asks, and metrics for a
//! collector. Neither is there unless it is configured.

use std::{io, sync::Arc, time::Duration};

use super::metrics::{Collector, Push, PushSettings, Source};
use crate::{
    admin::{self, Admin, AdminError, AdminListener},
    health::Pulse,
    spawn::Task,
    thread::RuntimeThread,
};

/// What is published of a service.
#[derive(Debug)]
pub struct Published<S> {
    /// Its name, such as "paraply-scheduler".
    pub service: &'static str,
    /// Its gRPC services by name, as health knows them.
    pub names: &'static [&'static str],
    /// Where the admin listener is; `None` for none.
    pub admin: Option<String>,
    /// Its actor's sign of life.
    pub pulse: Pulse,
    /// Its figures.
    pub figures: S,
}

/// Why nothing can be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The admin listener's address.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// No thread for it.
    #[error("cannot start the thread for metrics: {0}")]
    Thread(#[from] io::Error),
}

/// Publishes while it lives.
#[derive(Debug, Default)]
pub struct Publisher {
    // In this order: tasks end before their thread.
    push: Option<Push>,
    _admin: Option<Task<()>>,
    _thread: Option<RuntimeThread>,
}

impl Publisher {
    /// Starts what is configured: by `admin`, and by OpenTelemetry's variables in the environment.
    ///
    /// # Errors
    /// If the admin listener cannot listen where it is to, or there are no threads left.
    pub fn start<S: Source>(published: Published<S>) -> Result<Self, PublishError> {
        let Published { service, names, admin, pulse, figures } = published;
        let push = PushSettings::from_environment();
        if admin.is_none() && push.is_none() {
            return Ok(Self::default());
        }
        let listener = admin.map(|address| AdminListener::bind(&address)).transpose()?;
        let thread = RuntimeThread::start("paraply-metrics", 1, Duration::ZERO)?;
        let figures = Arc::new(Collector::new(pulse.clone(), figures));
        let admin = listener.map(|listener| {
            tracing::info!(address = %listener.address(), "admin listener: /metrics, /healthz, /readyz, gRPC health");
            thread.spawn(admin::serve(listener, Admin::new(pulse, names, Arc::clone(&figures))))
        });
        let push = push.map(|settings| Push::start(settings, service, figures, &thread));
        Ok(Self { push, _admin: admin, _thread: Some(thread) })
    }

    /// The last figures leave for the collector, if there is one. To be called while the actor still answers; takes a
    /// second or so at the most.
    pub async fn finish(mut self) {
        if let Some(push) = self.push.take() {
            push.finish().await;
        }
    }
}

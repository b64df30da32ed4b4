//! `grpc.health.v1` that means something: a service is SERVING while its actor has shown a sign of life in the last
//! second.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{Stream, StreamExt as _, stream};
use paraply_core::time::Time;
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};

use crate::clock;

/// How old the last sign of life may be.
const FRESH: Duration = Duration::from_secs(1);

/// An actor's sign of life. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    /// Nanoseconds of the last sign; 0 for none, [`STOPPED`] for none any more.
    last: Arc<AtomicU64>,
    /// Nanoseconds at work, in all.
    busy: Arc<AtomicU64>,
}

const STOPPED: u64 = u64::MAX;

impl Pulse {
    /// The actor is alive at `now`.
    pub fn touch(&self, now: Time) {
        if self.last.load(Ordering::Relaxed) != STOPPED {
            self.last.store(now.0, Ordering::Relaxed);
        }
    }

    /// The actor was at work for so long.
    pub fn worked(&self, took: Duration) {
        // Half a millennium fits.
        self.busy.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    /// How long the actor was at work, in all.
    #[must_use]
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy.load(Ordering::Relaxed))
    }

    /// The service is going away: whatever its actor does, it is not serving any more.
    pub fn stop(&self) {
        self.last.store(STOPPED, Ordering::Relaxed);
    }

    /// Whether the last sign is fresh.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        !matches!(last, 0 | STOPPED) && clock::now().since(Time(last)) <= FRESH
    }
}

/// The health service of a process that serves the named gRPC services (and "", the whole) by one actor.
#[must_use]
pub fn server(pulse: Pulse, services: &'static [&'static str]) -> HealthServer<impl Health> {
    HealthServer::new(PulseHealth { pulse, services })
}

#[derive(Clone, Debug)]
struct PulseHealth {
    pulse: Pulse,
    services: &'static [&'static str],
}

impl PulseHealth {
    fn knows(&self, service: &str) -> Result<(), Status> {
        if service.is_empty() || self.services.contains(&service) {
            return Ok(());
        }
        Err(Status::not_found(format!("no service {service:?} here; there are: {}", self.services.join(", "))))
    }

    fn status(&self) -> ServingStatus {
        if self.pulse.is_alive() { ServingStatus::Serving } else { ServingStatus::NotServing }
    }
}

#[tonic::async_trait]
impl Health for PulseHealth {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.knows(&request.get_ref().service)?;
        Ok(Response::new(HealthCheckResponse { status: self.status().into() }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        self.knows(&request.get_ref().service)?;
        let changes = stream::unfold((self.clone(), None), |(health, told)| async move {
            while told == Some(health.status()) {
                clock::sleep_until(clock::now() + FRESH / 2).await;
            }
            let status = health.status();
            Some((Ok(HealthCheckResponse { status: status.into() }), (health, Some(status))))
        });
        Ok(Response::new(changes.boxed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_actor_is_not_serving() {
        let pulse = Pulse::default();
        let health = PulseHealth { pulse: pulse.clone(), services: &["paraply.test"] };
        assert_eq!(health.status(), ServingStatus::NotServing, "no sign yet");
        pulse.touch(clock::now());
        assert_eq!(health.status(), ServingStatus::Serving);
        tokio::time::advance(Duration::from_millis(1100)).await;
        assert_eq!(health.status(), ServingStatus::NotServing, "silent for longer than a second");
        pulse.touch(clock::now());
        assert_eq!(health.status(), ServingStatus::Serving);
        pulse.stop();
        pulse.touch(clock::now());
        assert_eq!(health.status(), ServingStatus::NotServing, "stopped for good");
    }

    #[tokio::test(start_paused = true)]
    async fn a_watcher_is_told_each_change_once() {
        let pulse = Pulse::default();
        pulse.touch(clock::now());
        let health = PulseHealth { pulse: pulse.clone(), services: &[] };
        let mut watch = health.watch(Request::new(HealthCheckRequest::default())).await.unwrap().into_inner();
        let mut next = async || watch.next().await.unwrap().unwrap().status();
        assert_eq!(next().await, ServingStatus::Serving);
        assert_eq!(next().await, ServingStatus::NotServing);
    }

    #[tokio::test]
    async fn an_unknown_service_is_named_in_the_error() {
        let health = PulseHealth { pulse: Pulse::default(), services: &["a", "b"] };
        let request = Request::new(HealthCheckRequest { service: "c".into() });
        let status = health.check(request).await.unwrap_err();
        assert!(status.message().contains("\"c\"") && status.message().contains("a, b"), "{status}");
    }
}

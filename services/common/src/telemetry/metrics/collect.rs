//! All figures of a service, when somebody asks for them.

use std::{pin::Pin, time::Duration};

use super::{Family, Point, process};
use crate::{clock, health::Pulse};

/// How long an actor may take to answer. What it does not say in time is left out, and the rest is said.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where a service's own figures come from.
pub trait Source: Send + Sync + 'static {
    /// Asks for them; `None` if the actor has ended.
    fn measure(&self) -> Pin<Box<dyn Future<Output = Option<Vec<Family>>> + Send + '_>>;
}

/// Asks a service and the system.
pub struct Collector {
    pulse: Pulse,
    source: Box<dyn Source>,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

impl Collector {
    /// Of a service with this actor's pulse. Counters begin now.
    pub fn new(pulse: Pulse, source: impl Source) -> Self {
        process::started_unix_nanos();
        Self { pulse, source: Box::new(source) }
    }

    /// All figures, in a second at the most.
    pub async fn collect(&self) -> Vec<Family> {
        let mut families = process::families();
        let asked = clock::now();
        let measured = tokio::time::timeout(PATIENCE, self.source.measure()).await;
        let took = clock::now().since(asked);
        families.extend([
            Family::gauge(
                "paraply_ready",
                "1 while the service's actor has shown a sign of life in the last second, else 0.",
                Point::alone(f64::from(u8::from(self.pulse.is_alive()))),
            ),
            Family::gauge(
                "paraply_actor_response_seconds",
                "How long the actor took to answer the question for these figures: the lag of its loop.",
                Point::alone(took.as_secs_f64()),
            ),
            Family::counter(
                "paraply_actor_busy_seconds_total",
                "Time in which the actor was at work: a second each second is all there is.",
                Point::alone(self.pulse.busy().as_secs_f64()),
            ),
        ]);
        families.extend(measured.ok().flatten().unwrap_or_default());
        families
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stuck;

    impl Source for Stuck {
        fn measure(&self) -> Pin<Box<dyn Future<Output = Option<Vec<Family>>> + Send + '_>> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_actor_that_does_not_answer_is_waited_for_a_second() {
        let before = clock::now();
        let families = Collector::new(Pulse::default(), Stuck).collect().await;
        assert!(clock::now().since(before) < 2 * PATIENCE);
        let names: Vec<&str> = families.iter().map(|family| family.name).collect();
        assert!(names.contains(&"paraply_ready") && names.contains(&"paraply_process_cpu_seconds_total"), "{names:?}");
    }
}

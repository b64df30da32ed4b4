//! What differs between runs: sizes, limits, and which faults there are.

use std::time::Duration;

use paraply_core::{client_session, engine_session, id::SessionId, membership, scheduler};

use crate::random::Random;

/// How long members and engines may be silent.
pub const LEASE: Duration = Duration::from_secs(10);
/// How long a session outlives its stream.
pub const GRACE: Duration = Duration::from_secs(60);

/// One run's settings.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Engines at the start.
    pub engines: usize,
    /// Clients.
    pub clients: usize,
    /// What the driver does until faults stop.
    pub actions: u64,
    /// The scheduler machine's settings.
    pub scheduler: scheduler::Config,
    /// Those of engines.
    pub engine: engine_session::Config,
    /// Those of clients.
    pub client: client_session::Config,
    /// Those of membership.
    pub membership: membership::Config,
    /// Whether processes die and streams break.
    pub faults: bool,
    /// Whether the controller's record of ids given outlives it.
    pub ids_persist: bool,
}

impl Setting {
    /// Draws a run's settings. Limits are small, so that they are reached.
    pub fn draw(random: &mut Random) -> Self {
        let mut pick = |of: &[u64]| random.pick(of).unwrap_or_default();
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let durable = pick(&[0, 0, 0, 1]) == 1;
        let scheduler = scheduler::Config {
            lease: LEASE,
            session_grace: GRACE,
            session_tasks: pick(&[32, 48, 1000]),
            session_bytes: pick(&[3000, 20_000, 1 << 20]),
            message_bytes: pick(&[300, 1000, 1 << 20]),
            function_bytes: pick(&[0, 120, 1 << 20]),
            engine_outcomes: size(pick(&[2, 50, 16_384])),
            durable,
            ..scheduler::Config::default()
        };
        let engine = engine_session::Config {
            task_window: pick(&[1, 3, 20, 1024]),
            byte_window: pick(&[400, 3000, 1 << 20]),
            function_cache_bytes: pick(&[0, 120, 1 << 20]),
            output_bytes: pick(&[100, 300, 1 << 20]),
            message_bytes: pick(&[200, 1000, 1 << 20]),
            ..engine_session::Config::default()
        };
        let client = client_session::Config {
            call_tasks: size(pick(&[2, 5, 256])),
            message_bytes: pick(&[300, 1000, 1 << 20]),
            ack_events: pick(&[1, 5, 256]),
            functions_remembered: size(pick(&[1, 2, 4096])),
            ..client_session::Config::new(SessionId(0))
        };
        let membership = membership::Config {
            lease: LEASE,
            scheduler_wait: Duration::from_secs(2),
            description_bytes: 1000,
            message_bytes: size(pick(&[200, 100_000])),
            ..membership::Config::default()
        };
        let mut setting = Self {
            engines: size(pick(&[3, 3, 4, 6])),
            clients: size(pick(&[2, 2, 3])),
            actions: pick(&[200, 220, 260]),
            scheduler,
            engine,
            client,
            membership,
            faults: true,
            ids_persist: pick(&[0, 1]) == 1,
        };
        if pick(&[0, 1, 2]) == 0 {
            setting.membership.idle = Duration::from_millis(pick(&[300, 1000, 4000]));
            let min = pick(&[0, 1, 2]) as u32;
            setting.membership.autoscale = Some(membership::Autoscale {
                min,
                max: min + pick(&[1, 3, 6]) as u32,
                patience: Duration::from_millis(pick(&[1, 100, 1000])),
                start: Duration::from_millis(pick(&[500, 3000])),
                begun: pick(&[0, 3]) as u32,
            });
        }
        setting
    }
}

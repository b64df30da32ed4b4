//! What can be set about the scheduler. Each limit says what it costs.

use std::time::Duration;

/// Settings of the scheduler machine.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long an engine may be silent before it counts as lost.
    pub lease: Duration,
    /// How long a session outlives its stream. Its tasks run on, its results are kept.
    pub session_grace: Duration,
    /// How long a client may be away before parts of its results are moved from engines into the store.
    pub away_after: Duration,
    /// Most balanced work an engine is sent ahead of what it runs, by the function's measured times. More hides longer
    /// round trips; less leaves less to take back when another engine is idle.
    pub prefetch: Duration,
    /// Claims of tasks that finish sooner than this are not told to clients.
    pub notice_after: Duration,
    /// Sessions at a time.
    pub sessions: usize,
    /// Tasks a session may have that are unfinished or whose outcome it has not acknowledged. About 400 bytes each,
    /// beside their arguments.
    pub session_tasks: u64,
    /// Bytes of arguments, results and output that a session may have here. At least two messages.
    pub session_bytes: u64,
    /// Where messages are cut.
    pub message_bytes: u64,
    /// Bytes of functions kept though no task names them just now.
    pub function_bytes: u64,
    /// Outcomes left in an engine's keeping until the client has them; older ones are acknowledged before.
    pub engine_outcomes: usize,
    /// Wall clock at the origin of `Time`, nanoseconds since the Unix epoch: what clients are told times by.
    pub unix_origin: u64,
    /// The store survives a restart: outcomes are acknowledged to engines once persisted, not once delivered.
    pub durable: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            session_grace: Duration::from_secs(3600),
            away_after: Duration::from_secs(2),
            prefetch: Duration::from_millis(5),
            notice_after: Duration::from_millis(20),
            sessions: 1024,
            session_tasks: 1_000_000,
            session_bytes: 256 << 20,
            message_bytes: 1 << 20,
            function_bytes: 256 << 20,
            engine_outcomes: 16_384,
            unix_origin: 0,
            durable: false,
        }
    }
}

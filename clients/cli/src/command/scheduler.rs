//! `paraply scheduler`.

use clap::Args;

use super::service::{self, ServiceFlags, settings};
use crate::error::Error;

#[derive(Debug, Args)]
#[command(after_help = "\
Each setting can also stand in [scheduler] of the --config file, or in PARAPLY_SCHEDULER_<SETTING>; flags win. \
Tokens belong there: others on this machine can read a command line.

Example:
  paraply scheduler --config services.toml --controller 127.0.0.1:7600 --listen 127.0.0.1:7601")]
pub(crate) struct Scheduler {
    #[command(flatten)]
    flags: ServiceFlags,

    #[command(flatten)]
    settings: Settings,
}

settings! {
    Settings {
        /// Name of the cluster
        cluster_id,
        /// Token of clients
        client_token,
        /// File with the token of clients
        client_token_file,
        /// Token of engines and of this scheduler
        engine_token,
        /// File with the token of engines
        engine_token_file,
        /// Key that engines' tickets are made with
        ticket_key,
        /// Token of admins, who may change the cluster for others [default: every client may]
        admin_token,
        /// File with the token of admins, who may change the cluster for others
        admin_token_file,
        /// File with the key that engines' tickets are made with [default: the engine token]
        ticket_key_file,
        /// How long a token is good after another has taken its place in its file
        token_overlap_millis,
        /// Speak TLS, with the certificate in this file
        tls_cert_file,
        /// File with the key of the certificate
        tls_key_file,
        /// File with the authorities that the controller's certificate is by [default: whom the system trusts]
        tls_ca_file,
        /// File with the authorities that everybody else's certificates are to be by [default: none is asked for]
        tls_client_ca_file,
        /// Show metrics and health to whoever asks, on this port of the machine or at this host:port
        admin,
        /// Where the controller is, best first: paths of sockets, host:port and tls:host:port, with commas between
        controller,
        /// Where others reach this scheduler, in the same form [default: where it listens]
        advertise,
        /// How long an engine may be silent
        lease_millis,
        /// How long a session outlives its stream
        session_grace_millis,
        /// Sessions at a time
        sessions,
        /// Tasks that a session may have unfinished or unacknowledged
        session_tasks,
        /// Bytes that a session may have in the scheduler, large payloads not counted
        session_bytes,
        /// Largest payload that travels inside a message
        inline_bytes,
        /// Bytes of large payloads kept for all sessions together, in memory and files
        blob_bytes,
        /// Bytes of these in memory
        blob_memory_bytes,
        /// Folder for those that memory has no room for; it must be no other scheduler's
        blob_dir,
        /// Bytes of functions kept that no task needs just now
        function_bytes,
        /// Bytes of output kept for a task
        task_output_bytes,
        /// Finished tasks that are remembered for `paraply trace`
        recent_tasks,
        /// Tasks that are traced at a time, where clients trace their calls
        traced_tasks,
    }
}

impl Scheduler {
    pub(crate) fn run(self) -> Result<(), Error> {
        let run = |config, listeners, shutdown, ()| paraply_scheduler::run(config, listeners, shutdown);
        service::run("scheduler", self.flags, self.settings.given(), |_| Ok((None, ())), run)
    }
}

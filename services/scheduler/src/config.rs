//! What can be set about a scheduler. A key of the configuration is a field of [`Config`].

use std::{path::PathBuf, time::Duration};

use paraply_common::{
    clock,
    config::{ConfigError, lease_millis, token},
    secret::Secret,
    tower::auth::Tokens,
    transport::{INLINE_BYTES, MESSAGE_BYTES, boot_id},
};
use paraply_core::{membership::Endpoint, scheduler};
use paraply_proto::common::v1::Limits;
use serde::Deserialize;

/// Settings of the scheduler, each with a safe default.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The cluster it serves.
    pub cluster_id: String,
    /// What clients show.
    pub client_token: Option<Secret>,
    /// Where `client_token` is, instead of the token itself.
    pub client_token_file: Option<PathBuf>,
    /// What engines show, what their tickets are made with, and what this scheduler shows the controller.
    pub engine_token: Option<Secret>,
    /// Where `engine_token` is, instead of the token itself.
    pub engine_token_file: Option<PathBuf>,
    /// Where metrics and health are shown to whoever asks: a port of this machine, "host:port", or "fd:number" of a socket
    /// that listens. Unset: nowhere.
    pub admin: Option<String>,
    /// Where the controller is, best first: paths of Unix sockets (with a slash in them) and "host:port".
    pub controller: Vec<String>,
    /// Milliseconds that an engine may be silent before it counts as lost.
    #[serde(deserialize_with = "lease_millis")]
    pub lease_millis: u32,
    /// Milliseconds that a session outlives its stream.
    pub session_grace_millis: u64,
    /// Sessions at a time.
    pub sessions: usize,
    /// Tasks that a session may have unfinished or unacknowledged.
    pub session_tasks: u64,
    /// Bytes of arguments, results and output that a session may have here, blobs not counted.
    pub session_bytes: u64,
    /// Largest payload that travels inside a message.
    pub inline_bytes: u32,
    /// Bytes of large payloads kept for all sessions together, in memory and files.
    pub blob_bytes: u64,
    /// Bytes of these in memory; what has no room there goes into files.
    pub blob_memory_bytes: u64,
    /// Where the files are. Unset: in the system's folder for temporary files, as long as the process lives.
    pub blob_dir: Option<PathBuf>,
    /// Bytes of functions kept though no task names them just now.
    pub function_bytes: u64,
    /// Bytes of output that engines keep for one task.
    pub task_output_bytes: u64,
    /// Finished tasks that are remembered for lists and traces: when they ran and where, not what they came to.
    pub recent_tasks: usize,
    /// Tasks that are traced at a time, where clients trace their calls.
    pub traced_tasks: usize,
}

impl Default for Config {
    fn default() -> Self {
        let machine = scheduler::Config::default();
        Self {
            cluster_id: "default".to_owned(),
            client_token: None,
            client_token_file: None,
            engine_token: None,
            engine_token_file: None,
            admin: None,
            controller: Vec::new(),
            lease_millis: 10_000,
            session_grace_millis: 3_600_000,
            sessions: machine.sessions,
            session_tasks: machine.session_tasks,
            session_bytes: machine.session_bytes,
            inline_bytes: INLINE_BYTES as u32,
            blob_bytes: 64 << 30,
            blob_memory_bytes: 32 << 20,
            blob_dir: None,
            function_bytes: machine.function_bytes,
            task_output_bytes: 8 << 20,
            recent_tasks: 20_000,
            traced_tasks: 1000,
        }
    }
}

impl Config {
    /// The tokens, read from their files where these are set.
    pub(crate) fn tokens(&self) -> Result<Tokens, ConfigError> {
        let get = |key, inline: &Option<Secret>, file: &Option<PathBuf>| {
            token("scheduler", key, inline.as_ref(), file.as_deref())
        };
        Ok(Tokens {
            client: get("client_token", &self.client_token, &self.client_token_file)?,
            engine: get("engine_token", &self.engine_token, &self.engine_token_file)?,
        })
    }

    /// Whether the settings fit together.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let (message, two_messages) = (MESSAGE_BYTES as u64, 2 * MESSAGE_BYTES as u64);
        let wrong = |key: &str, message| Err(ConfigError::Value { place: format!("scheduler.{key}"), message });
        if self.cluster_id.is_empty() {
            return wrong("cluster_id", "must not be empty".to_owned());
        }
        if u64::from(self.inline_bytes) * 2 > message {
            return wrong("inline_bytes", format!("must be at most half a message, which has {message} bytes"));
        }
        if self.session_bytes < two_messages {
            return wrong("session_bytes", format!("must be at least two messages, {two_messages} bytes"));
        }
        if self.session_tasks == 0 {
            return wrong("session_tasks", "must be at least 1".to_owned());
        }
        Ok(())
    }

    /// What the machine is told.
    pub(crate) fn machine(&self) -> scheduler::Config {
        scheduler::Config {
            lease: Duration::from_millis(self.lease_millis.into()),
            session_grace: Duration::from_millis(self.session_grace_millis),
            sessions: self.sessions,
            session_tasks: self.session_tasks,
            session_bytes: self.session_bytes,
            function_bytes: self.function_bytes,
            message_bytes: MESSAGE_BYTES as u64,
            unix_origin: clock::unix_origin(),
            ..scheduler::Config::default()
        }
    }

    /// What peers are told.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            message_bytes: MESSAGE_BYTES as u32,
            inline_bytes: self.inline_bytes,
            session_tasks: self.session_tasks,
            session_bytes: self.session_bytes,
            task_output_bytes: self.task_output_bytes,
        }
    }

    /// Where the controller is.
    pub(crate) fn controller_endpoints(&self) -> Vec<Endpoint> {
        let endpoint = |address: &String| match address.contains('/') {
            true => Endpoint::Unix { path: address.clone(), boot_id: boot_id().to_owned() },
            false => Endpoint::Tcp(address.clone()),
        };
        self.controller.iter().map(endpoint).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_together() {
        Config::default().check().unwrap();
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let wrong = [
            ("cluster_id", Config { cluster_id: String::new(), ..Config::default() }),
            ("inline_bytes", Config { inline_bytes: u32::MAX, ..Config::default() }),
            ("session_bytes", Config { session_bytes: 1, ..Config::default() }),
            ("session_tasks", Config { session_tasks: 0, ..Config::default() }),
        ];
        for (key, config) in wrong {
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(&format!("scheduler.{key}")), "{error}");
        }
    }

    #[test]
    fn an_address_with_a_slash_is_a_socket() {
        let config = Config { controller: vec!["/run/c.sock".into(), "localhost:7".into()], ..Config::default() };
        let unix = Endpoint::Unix { path: "/run/c.sock".into(), boot_id: boot_id().into() };
        assert_eq!(config.controller_endpoints(), [unix, Endpoint::Tcp("localhost:7".into())]);
    }
}

//! What can be set about a scheduler. A key of the configuration is a field of [`Config`].

use std::{path::PathBuf, time::Duration};

use paraply_common::{
    clock,
    config::{ConfigError, Credentials, TOKEN_OVERLAP_MILLIS, TokenSetting, TokenSettings, lease_millis},
    secret::Secret,
    transport::{INLINE_BYTES, Listener, MESSAGE_BYTES, address, tls::TlsSettings},
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
    /// What engines show, and what this scheduler shows the controller.
    pub engine_token: Option<Secret>,
    /// Where `engine_token` is, instead of the token itself.
    pub engine_token_file: Option<PathBuf>,
    /// What is shown by who changes the cluster for others. Unset: a client's token is enough for that.
    pub admin_token: Option<Secret>,
    /// Where `admin_token` is, instead of the token itself.
    pub admin_token_file: Option<PathBuf>,
    /// What engines' tickets are made with: the controller has the same. Unset: the engine token.
    pub ticket_key: Option<Secret>,
    /// Where `ticket_key` is, instead of the key itself.
    pub ticket_key_file: Option<PathBuf>,
    /// Milliseconds that a token is still good after another has taken its place in its file.
    pub token_overlap_millis: u64,
    /// The certificate, PEM, with which TCP listeners speak TLS, and those between it and an authority. It is also shown to
    /// a controller that asks for one.
    pub tls_cert_file: Option<PathBuf>,
    /// The certificate's key, PEM.
    pub tls_key_file: Option<PathBuf>,
    /// The authorities, PEM, that the controller's certificate is to be by. Unset: whoever the system trusts.
    pub tls_ca_file: Option<PathBuf>,
    /// The authorities, PEM, that peers' certificates are to be by. Unset: none is asked for.
    pub tls_client_ca_file: Option<PathBuf>,
    /// Where metrics and health are shown to whoever asks: a port of this machine, "host:port", or "fd:number" of a socket
    /// that listens. Unset: nowhere.
    pub admin: Option<String>,
    /// Where the controller is, best first: paths of Unix sockets (with a slash in them), "host:port" and "tls:host:port".
    pub controller: Vec<String>,
    /// Where others reach this scheduler, best first, in the same form. Empty: where it listens.
    pub advertise: Vec<String>,
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
            admin_token: None,
            admin_token_file: None,
            ticket_key: None,
            ticket_key_file: None,
            token_overlap_millis: TOKEN_OVERLAP_MILLIS,
            tls_cert_file: None,
            tls_key_file: None,
            tls_ca_file: None,
            tls_client_ca_file: None,
            admin: None,
            controller: Vec::new(),
            advertise: Vec::new(),
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
    /// The tokens as they are set.
    pub(crate) fn tokens(&self) -> TokenSettings {
        TokenSettings {
            section: "scheduler",
            client: TokenSetting::new("client_token", &self.client_token, &self.client_token_file),
            engine: TokenSetting::new("engine_token", &self.engine_token, &self.engine_token_file),
            admin: TokenSetting::new("admin_token", &self.admin_token, &self.admin_token_file),
            ticket_key: TokenSetting::new("ticket_key", &self.ticket_key, &self.ticket_key_file),
            overlap: Duration::from_millis(self.token_overlap_millis),
        }
    }

    pub(crate) fn tls(&self) -> TlsSettings {
        TlsSettings {
            cert: self.tls_cert_file.clone(),
            key: self.tls_key_file.clone(),
            ca: self.tls_ca_file.clone(),
            client_ca: self.tls_client_ca_file.clone(),
        }
    }

    /// What it shows and accepts, as it is set.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials { tokens: self.tokens(), tls: self.tls(), more_authorities: Vec::new() }
    }

    /// Where others reach it: as it is set, else where it listens.
    pub(crate) fn endpoints(&self, listeners: &[Listener]) -> Result<Vec<Endpoint>, ConfigError> {
        if !self.advertise.is_empty() {
            return Ok(self.advertise.iter().map(|address| address::parse(address)).collect());
        }
        if listeners.iter().any(Listener::is_everywhere) {
            let message = "must be set for a scheduler that listens on every address of its machine: where do others reach \
                           it? Such as --advertise tls:$(hostname):7601";
            return Err(ConfigError::Value { place: "scheduler.advertise".to_owned(), message: message.to_owned() });
        }
        Ok(listeners.iter().filter_map(Listener::endpoint).collect())
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
        self.controller.iter().map(|address| address::parse(address)).collect()
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
}

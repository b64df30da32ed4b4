//! `paraply controller`.

use clap::Args;
#[cfg(feature = "kubernetes")]
use paraply_controller::Launch;

use super::service::{self, ServiceFlags, settings};
use crate::error::Error;

#[derive(Debug, Args)]
#[command(after_help = "\
Each setting can also stand in [controller] of the --config file, or in PARAPLY_CONTROLLER_<SETTING>; flags win. \
Tokens belong there: others on this machine can read a command line.

Example:
  PARAPLY_CONTROLLER_CLIENT_TOKEN=... PARAPLY_CONTROLLER_ENGINE_TOKEN=... \\
    paraply controller --cluster-id lab --listen 127.0.0.1:7600")]
pub(crate) struct Controller {
    #[command(flatten)]
    flags: ServiceFlags,

    #[command(flatten)]
    settings: Settings,

    #[cfg(feature = "kubernetes")]
    #[command(flatten)]
    wanted: crate::kubernetes::Wanted,

    #[cfg(feature = "kubernetes")]
    #[command(flatten)]
    engines: crate::kubernetes::EngineFlags,
}

settings! {
    Settings {
        /// Name of the cluster
        cluster_id,
        /// Token of clients
        client_token,
        /// File with the token of clients
        client_token_file,
        /// Token of engines and of the scheduler
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
        /// File with the authorities that the scheduler's certificate is by [default: whom the system trusts]
        tls_ca_file,
        /// File with the authorities that everybody else's certificates are to be by [default: none is asked for]
        tls_client_ca_file,
        /// Show metrics and health to whoever asks, on this port of the machine or at this host:port
        admin,
        /// Folder in which it keeps which engine ids were given
        state_dir,
        /// Whether engines that end are started again by what runs them, as containers are: true or false
        engines_restart,
        /// How long a member may be silent
        lease_millis,
        /// How long a new engine waits for a scheduler
        scheduler_wait_millis,
        /// Start engines when tasks wait and let idle ones go, so many at the most [default: not done]
        autoscale_max,
        /// Engines that stay when there is nothing to do [default: 0]
        autoscale_min,
        /// How long an engine, or the cluster, has nothing to do until it is idle [default: 60000]
        autoscale_idle_millis,
        /// How long tasks wait until more engines are started [default: 1000]
        autoscale_wait_millis,
        /// Serve KEDA's interface to scalers at this host:port [default: nowhere]
        scaler,
        /// File with the authorities that the certificates of who calls there are to be by
        scaler_client_ca_file,
    }
}

impl Controller {
    pub(crate) fn run(self) -> Result<(), Error> {
        #[cfg(feature = "kubernetes")]
        let prepare = |config: &paraply_controller::Config| {
            let keeper = self.wanted.keeper(&config.cluster_id)?;
            let beside = keeper.map(|keeper| Box::pin(keeper.keep()) as service::Beside);
            let engines = self.engines.engines()?;
            let launch = engines.map(|engines| -> Launch { Box::new(|told| Box::pin(engines.launch(told))) });
            Ok((beside, launch))
        };
        #[cfg(not(feature = "kubernetes"))]
        let prepare = |_: &paraply_controller::Config| Ok((None, None));
        service::run("controller", self.flags, self.settings.given(), prepare, paraply_controller::run)
    }
}

//! What has to be there before the first process: credentials, listeners, and the files that say where they are. And
//! what has to go after the last one.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::{Ipv4Addr, TcpListener},
    os::{
        fd::OwnedFd,
        unix::{fs::OpenOptionsExt as _, net::UnixListener},
    },
    path::{Path, PathBuf},
};

use paraply_common::{
    connection::{self, ConnectionFile},
    secret::Secret,
    transport::boot_id,
};
use paraply_core::membership::Endpoint;
use serde::Serialize;

use super::service::Role;
use crate::{
    error::Error,
    folder::{self, ClusterFolder},
    record::ClusterRecord,
};

/// A service's two ways in. They outlive its process: a new one finds the same addresses, and who connects meanwhile
/// waits in the backlog.
#[derive(Debug)]
pub(super) struct Listeners {
    unix: UnixListener,
    tcp: TcpListener,
    endpoints: [Endpoint; 2],
}

impl Listeners {
    fn bind(socket: &Path) -> Result<Self, Error> {
        let unix = UnixListener::bind(socket).map_err(Error::io(format!("cannot listen on {}", socket.display())))?;
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("cannot listen on 127.0.0.1"))?;
        let address = tcp.local_addr().map_err(Error::io("cannot listen on 127.0.0.1"))?;
        let endpoints = [
            Endpoint::Unix { path: socket.display().to_string(), boot_id: boot_id().to_owned() },
            Endpoint::Tcp(address.to_string()),
        ];
        Ok(Self { unix, tcp, endpoints })
    }

    /// Copies to hand on.
    pub(super) fn descriptors(&self) -> io::Result<[OwnedFd; 2]> {
        Ok([self.unix.try_clone()?.into(), self.tcp.try_clone()?.into()])
    }
}

/// Where a cluster can be reached, and with what.
#[derive(Debug)]
pub(super) struct Ground {
    controller: Listeners,
    scheduler: Listeners,
    pub(super) control: UnixListener,
    pub(super) control_path: PathBuf,
    /// What clients get.
    pub(super) connection: ConnectionFile,
    /// Removes the sockets when it is dropped.
    _sockets: SocketFolder,
}

#[derive(Debug)]
struct SocketFolder(PathBuf);

impl Drop for SocketFolder {
    fn drop(&mut self) {
        // What stays is a few bytes in a temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Ground {
    /// Binds everything, draws new tokens, and writes the files that clients, engines and services read.
    pub(super) fn prepare(folder: &ClusterFolder) -> Result<Self, Error> {
        let name = random()?.expose().chars().take(8).collect::<String>();
        let sockets = SocketFolder(folder::create_socket_folder(&name)?);
        let controller = Listeners::bind(&sockets.0.join("controller.sock"))?;
        let scheduler = Listeners::bind(&sockets.0.join("scheduler.sock"))?;
        let control_path = sockets.0.join("control.sock");
        let control = UnixListener::bind(&control_path)
            .map_err(Error::io(format!("cannot listen on {}", control_path.display())))?;

        let connection = ConnectionFile {
            version: connection::VERSION,
            cluster_id: folder.name().id().to_owned(),
            role: connection::Role::Client,
            profile: folder.name().profile().to_owned(),
            endpoints: controller.endpoints.to_vec(),
            token: random()?,
        };
        let engine = ConnectionFile { role: connection::Role::Engine, token: random()?, ..connection.clone() };
        write_config(folder, &connection, &engine)?;
        engine.write(&folder.engine_connection())?;
        connection.write(&folder.connection())?;
        Ok(Self { controller, scheduler, control, control_path, connection, _sockets: sockets })
    }

    pub(super) fn listeners(&self, role: Role) -> &Listeners {
        match role {
            Role::Controller => &self.controller,
            Role::Scheduler => &self.scheduler,
        }
    }
}

fn random() -> Result<Secret, Error> {
    Secret::random().map_err(|error| Error::Start(format!("the system has no random numbers to give: {error}")))
}

/// The configuration of both services: a table each.
#[derive(Serialize)]
struct Services<'a> {
    controller: Settings<'a>,
    scheduler: Settings<'a>,
}

#[derive(Serialize)]
struct Settings<'a> {
    cluster_id: &'a str,
    client_token: &'a str,
    engine_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_dir: Option<PathBuf>,
    /// The controller's addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    controller: Option<Vec<&'a str>>,
}

fn write_config(folder: &ClusterFolder, client: &ConnectionFile, engine: &ConnectionFile) -> Result<(), Error> {
    let addresses = client.endpoints.iter().filter_map(|endpoint| match endpoint {
        Endpoint::Unix { path, .. } => Some(path.as_str()),
        Endpoint::Tcp(address) => Some(address.as_str()),
        Endpoint::Same => None,
    });
    let settings = || Settings {
        cluster_id: &client.cluster_id,
        client_token: client.token.expose(),
        engine_token: engine.token.expose(),
        state_dir: None,
        controller: None,
    };
    let services = Services {
        controller: Settings { state_dir: Some(folder.store()), ..settings() },
        scheduler: Settings { controller: Some(addresses.collect()), ..settings() },
    };
    let path = folder.config();
    let write = || {
        let text = toml::to_string(&services).map_err(io::Error::other)?;
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(Error::io(format!("cannot write {}", path.display())))
}

/// Removes what a supervisor that was killed has left. For the holder of the lock.
pub(super) fn sweep(folder: &ClusterFolder) {
    if let Some(sockets) = ClusterRecord::read(folder).ok().as_ref().and_then(|record| record.control.parent()) {
        let _ = fs::remove_dir_all(sockets);
    }
    clear(folder, false);
}

/// Removes the files by which a cluster is found, or its whole folder.
pub(super) fn clear(folder: &ClusterFolder, all: bool) {
    // What cannot be removed is stale and says so to whoever reads it: the lock is free.
    for path in [folder.connection(), folder.engine_connection(), folder.config(), folder.record()] {
        let _ = fs::remove_file(path);
    }
    if all {
        let _ = fs::remove_dir_all(folder.path());
    }
}

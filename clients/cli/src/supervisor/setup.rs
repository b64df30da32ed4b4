//! What has to be there before the first process: credentials, listeners, and the files that say where they are. And
//! what has to go after the last one.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    os::{fd::OwnedFd, unix::net::UnixListener},
    path::{Path, PathBuf},
};

use paraply_common::{
    connection::{self, ConnectionFile},
    private_file,
    secret::Secret,
    transport::{address, boot_id},
};
use paraply_core::membership::Endpoint;
use serde::Serialize;

use super::service::Role;
use crate::{
    autoscale::Autoscale,
    error::Error,
    folder::{self, ClusterFolder},
    record::{AdminAddresses, ClusterRecord},
};

const CONTROLLER_SOCKET: &str = "controller.sock";
const SCHEDULER_SOCKET: &str = "scheduler.sock";
const CONTROL_SOCKET: &str = "control.sock";

/// A service's two ways in. They outlive its process: a new one finds the same addresses, and who connects meanwhile
/// waits in the backlog.
#[derive(Debug)]
pub(super) struct Listeners {
    unix: UnixListener,
    tcp: TcpListener,
    endpoints: [Endpoint; 2],
    /// For metrics and health.
    admin: Option<TcpListener>,
}

impl Listeners {
    fn bind(socket: &Path, admin: bool) -> Result<Self, Error> {
        let unix = UnixListener::bind(socket).map_err(Error::io(format!("cannot listen on {}", socket.display())))?;
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("cannot listen on 127.0.0.1"));
        let (tcp, admin) = (bind()?, if admin { Some(bind()?) } else { None });
        let address = tcp.local_addr().map_err(Error::io("cannot listen on 127.0.0.1"))?;
        let endpoints = [
            Endpoint::Unix { path: socket.display().to_string(), boot_id: boot_id().to_owned() },
            Endpoint::Tcp(address.to_string()),
        ];
        Ok(Self { unix, tcp, endpoints, admin })
    }

    /// Copies to hand on.
    pub(super) fn descriptors(&self) -> io::Result<[OwnedFd; 2]> {
        Ok([self.unix.try_clone()?.into(), self.tcp.try_clone()?.into()])
    }

    /// The same of the admin listener, if there is one.
    pub(super) fn admin(&self) -> io::Result<Option<OwnedFd>> {
        self.admin.as_ref().map(|listener| Ok(listener.try_clone()?.into())).transpose()
    }

    fn admin_address(&self) -> Option<String> {
        self.admin.as_ref()?.local_addr().ok().map(|address| address.to_string())
    }
}

/// Where a cluster can be reached, and with what.
#[derive(Debug)]
pub(super) struct Ground {
    controller: Listeners,
    scheduler: Listeners,
    pub(super) control: ControlSocket,
    /// What clients get.
    pub(super) connection: ConnectionFile,
}

/// Where a supervisor is asked.
#[derive(Debug)]
pub(super) struct ControlSocket {
    listener: UnixListener,
    pub(super) path: PathBuf,
    /// Removes its sockets when it is dropped.
    sockets: SocketFolder,
}

#[derive(Debug)]
struct SocketFolder(PathBuf);

impl Drop for SocketFolder {
    fn drop(&mut self) {
        remove_sockets(&self.0);
    }
}

impl ControlSocket {
    /// In a new folder.
    pub(super) fn bind() -> Result<Self, Error> {
        let name = random()?.expose().chars().take(8).collect::<String>();
        let sockets = SocketFolder(folder::create_socket_folder(&name)?);
        let path = sockets.0.join(CONTROL_SOCKET);
        let listener = UnixListener::bind(&path).map_err(Error::io(format!("cannot listen on {}", path.display())))?;
        Ok(Self { listener, path, sockets })
    }

    /// A copy, to listen with.
    pub(super) fn listener(&self) -> Result<UnixListener, Error> {
        self.listener.try_clone().map_err(Error::io("cannot listen for requests"))
    }
}

impl Ground {
    /// Binds everything, draws new tokens, and writes the files that clients, engines and services read.
    pub(super) fn prepare(folder: &ClusterFolder, admin: bool, scaling: Option<Scaling>) -> Result<Self, Error> {
        let control = ControlSocket::bind()?;
        let controller = Listeners::bind(&control.sockets.0.join(CONTROLLER_SOCKET), admin)?;
        let scheduler = Listeners::bind(&control.sockets.0.join(SCHEDULER_SOCKET), admin)?;

        let connection = ConnectionFile {
            version: connection::VERSION,
            cluster_id: folder.name().id().to_owned(),
            role: connection::Role::Client,
            profile: folder.name().profile().to_owned(),
            endpoints: controller.endpoints.to_vec(),
            token: random()?,
            admin_token: Some(random()?),
            ca: None,
            launcher: None,
        };
        let engine = ConnectionFile {
            role: connection::Role::Engine,
            token: random()?,
            admin_token: None,
            ..connection.clone()
        };
        write_config(folder, &connection, &engine, scaling)?;
        paraply_controller::note_new_cluster(&folder.store(), folder.name().id(), &engine.token)
            .map_err(Error::Start)?;
        engine.write(&folder.engine_connection())?;
        connection.write(&folder.connection())?;
        Ok(Self { controller, scheduler, control, connection })
    }

    /// Where metrics and health are, if they are anywhere.
    pub(super) fn admin(&self) -> Option<AdminAddresses> {
        let (controller, scheduler) = (self.controller.admin_address()?, self.scheduler.admin_address()?);
        Some(AdminAddresses { controller, scheduler })
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
    admin_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_dir: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_dir: Option<PathBuf>,
    /// The controller's addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    controller: Option<Vec<String>>,
    #[serde(flatten)]
    scaling: Option<Scaling>,
}

/// What the controller is told of engines that come and go.
#[derive(Serialize)]
pub(super) struct Scaling {
    autoscale_min: u32,
    autoscale_max: u32,
    autoscale_idle_millis: u64,
    autoscale_begun: u32,
}

impl Scaling {
    /// Of a cluster that is started with so many engines.
    pub(super) fn new(autoscale: &Autoscale, engines: u32) -> Self {
        Self {
            autoscale_min: autoscale.bounds.min,
            autoscale_max: autoscale.bounds.max,
            autoscale_idle_millis: u64::try_from(autoscale.idle.as_millis()).unwrap_or(u64::MAX),
            autoscale_begun: engines,
        }
    }
}

fn write_config(
    folder: &ClusterFolder,
    client: &ConnectionFile,
    engine: &ConnectionFile,
    scaling: Option<Scaling>,
) -> Result<(), Error> {
    let addresses = client.endpoints.iter().filter_map(address::text);
    let settings = || Settings {
        cluster_id: &client.cluster_id,
        client_token: client.token.expose(),
        engine_token: engine.token.expose(),
        admin_token: client.admin_token.as_ref().map(Secret::expose),
        state_dir: None,
        blob_dir: None,
        controller: None,
        scaling: None,
    };
    let services = Services {
        controller: Settings { state_dir: Some(folder.store()), scaling, ..settings() },
        scheduler: Settings { controller: Some(addresses.collect()), blob_dir: Some(folder.blobs()), ..settings() },
    };
    let path = folder.config();
    let text = toml::to_string(&services).map_err(io::Error::other);
    let written = text.and_then(|text| private_file::write(&path, text.as_bytes()));
    written.map_err(Error::io(format!("cannot write {}", path.display())))
}

/// What a cluster leaves where others look. Removed when this is dropped: a cluster that has ended, or that never came
/// to be, is not found.
#[derive(Debug)]
pub(super) struct Traces {
    folder: ClusterFolder,
    /// Not even logs.
    pub(super) keep_nothing: bool,
}

impl Traces {
    /// Removes what an earlier supervisor has left, also one that was killed. For the holder of the lock.
    pub(super) fn sweep(folder: &ClusterFolder) -> Self {
        if let Ok(record) = ClusterRecord::read(folder)
            && record.control.file_name().is_some_and(|name| name == CONTROL_SOCKET)
            && let Some(sockets) = record.control.parent()
        {
            remove_sockets(sockets);
        }
        remove_logs(&folder.logs());
        let traces = Self { folder: folder.clone(), keep_nothing: false };
        traces.remove();
        traces
    }

    fn remove(&self) {
        // What cannot be removed is stale and says so to whoever reads it: the lock is free.
        let folder = &self.folder;
        for path in [folder.connection(), folder.engine_connection(), folder.config(), folder.record()] {
            let _ = fs::remove_file(path);
        }
        let _ = fs::remove_dir_all(folder.blobs());
        if self.keep_nothing {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Removes the sockets in a folder, and the folder if nothing else is in it: its name was read from a file.
fn remove_sockets(folder: &Path) {
    // What stays is a few bytes in a temporary folder.
    for name in [CONTROLLER_SOCKET, SCHEDULER_SOCKET, CONTROL_SOCKET] {
        let _ = fs::remove_file(folder.join(name));
    }
    let _ = fs::remove_dir(folder);
}

/// Removes the logs of processes that an earlier start has made, so that they are not shown as this one's. The log of
/// supervisors goes on: each start says in it that it is one.
fn remove_logs(logs: &Path) {
    let Ok(entries) = fs::read_dir(logs) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".log")) else { continue };
        if name == "controller" || name == "scheduler" || name.starts_with("engine-") {
            // One that stays is added to.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_are_removed_from_a_folder_that_a_file_has_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sockets");
        fs::create_dir(&path).unwrap();
        for name in [CONTROLLER_SOCKET, SCHEDULER_SOCKET, CONTROL_SOCKET, "thesis.tex"] {
            fs::write(path.join(name), "").unwrap();
        }
        remove_sockets(&path);
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["thesis.tex"]);
        fs::remove_file(path.join("thesis.tex")).unwrap();
        remove_sockets(&path);
        assert!(!path.exists());
    }

    #[test]
    fn logs_of_an_earlier_start_go_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["controller.log", "scheduler.log", "engine-17-0.log", "supervisor.log", "engine-notes.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_logs(folder.path());
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["engine-notes.txt", "supervisor.log"]);
    }
}

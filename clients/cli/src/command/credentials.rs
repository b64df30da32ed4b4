//! `paraply credentials`: certificates and tokens in a folder, for services, engines, clients and admins.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use paraply_common::{
    certificates::bundle::{self, Bundle, Wish},
    connection::Role,
    private_file,
    transport::address,
};
use paraply_core::membership::Endpoint;

use crate::{
    error::Error,
    folder::{ClusterName, DEFAULT},
};

#[derive(Debug, Args)]
#[command(after_help = "\
What is there already is left alone, but for certificates of this authority that less than a third of their time is left \
of, or that are not for all hosts. Services and engines use what is new without a restart.

In the folder are:
  ca.pem, ca-key.pem                            the authority; its key is needed only here
  server.pem, server-key.pem                    for --tls-cert-file and --tls-key-file of controller and scheduler
  client-token, engine-token, admin-token,
  ticket-key                                    for --client-token-file and so on, of both
  engine/, client/, admin/                      connection files, and certificates to show where services ask for one

Examples:
  paraply credentials creds --endpoint tls:paraply.example:7600
  paraply credentials creds --endpoint tls:controller:7600 --client-endpoint tls:127.0.0.1:7600 --host scheduler")]
pub(crate) struct Credentials {
    /// Folder for them
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// Name of the cluster
    #[arg(long, default_value = DEFAULT)]
    cluster_id: String,

    #[command(flatten)]
    reached: Reached,
}

/// By what a cluster is reached, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Reached {
    /// Where the controller is reached, best first: tls:HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    endpoint: Vec<String>,

    /// Where clients and admins reach it, if not there
    #[arg(long, value_name = "ADDRESS")]
    client_endpoint: Vec<String>,

    /// A host or address that the services' certificate is for, beside those of the endpoints and of this machine itself
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,

    /// How long certificates are valid
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    days: u64,
}

impl Reached {
    /// What certificates are to be like, and where engines and where clients reach the controller.
    pub(crate) fn wish(&self, cluster_id: &str) -> Result<(Wish, Vec<Endpoint>, Vec<Endpoint>), Error> {
        let _checked = ClusterName::new(DEFAULT, cluster_id)?;
        let endpoints = self.endpoint.iter().map(|address| tls(address)).collect::<Result<Vec<_>, _>>()?;
        let clients = self.client_endpoint.iter().map(|address| tls(address)).collect::<Result<Vec<_>, _>>()?;
        let hosts = self.hosts(endpoints.iter().chain(&clients));
        let wish = Wish { cluster_id: cluster_id.to_owned(), hosts, days: self.days };
        let clients = if clients.is_empty() { endpoints.clone() } else { clients };
        Ok((wish, endpoints, clients))
    }

    fn hosts<'a>(&'a self, endpoints: impl Iterator<Item = &'a Endpoint>) -> Vec<String> {
        let of_endpoints = endpoints.filter_map(|endpoint| match endpoint {
            Endpoint::Tls { address, .. } => Some(address::host(address)),
            _ => None,
        });
        let all = self.host.iter().map(String::as_str).chain(of_endpoints).chain(LOCALHOST);
        let mut hosts: Vec<String> = Vec::new();
        for host in all {
            if !hosts.iter().any(|there| there == host) {
                hosts.push(host.to_owned());
            }
        }
        hosts
    }
}

/// What `localhost` may be called.
const LOCALHOST: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

impl Credentials {
    pub(crate) fn run(self) -> Result<(), Error> {
        let (wish, endpoints, clients) = self.reached.wish(&self.cluster_id)?;
        make_folder(&self.folder)?;
        let mut all = self.read()?;
        let made = bundle::complete(&all, &wish).map_err(Error::service)?;
        let mut written = Vec::new();
        for (name, content) in made {
            written.push(self.write(folder_of(&name), &name, content.as_bytes())?);
            all.insert(name, content);
        }
        for (role, folder, name, endpoints) in [
            (Role::Engine, "engine", "engine.json", &endpoints),
            (Role::Client, "client", "connection.json", &clients),
            (Role::Admin, "admin", "connection.json", &clients),
        ] {
            if endpoints.is_empty() {
                continue;
            }
            let file = bundle::connection(&all, role, &self.cluster_id, endpoints.clone()).map_err(Error::service)?;
            let Some(file) = file else { continue };
            let text = serde_json::to_vec_pretty(&file).map_err(Error::service)?;
            if fs::read(self.folder.join(folder).join(name)).is_ok_and(|there| there == text) {
                continue;
            }
            written.push(self.write(folder, name, &text)?);
        }
        match written.as_slice() {
            [] => println!("All is there, and good for now"),
            _ => written.iter().for_each(|path| println!("{}", path.display())),
        }
        Ok(())
    }

    /// What is there.
    fn read(&self) -> Result<Bundle, Error> {
        let mut there = Bundle::new();
        for name in bundle::NAMES {
            let path = self.folder.join(folder_of(name)).join(name);
            match fs::read_to_string(&path) {
                Ok(content) => _ = there.insert(name.to_owned(), content),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io(format!("cannot read {}", path.display()))(error)),
            }
        }
        Ok(there)
    }

    fn write(&self, folder: &str, name: &str, content: &[u8]) -> Result<PathBuf, Error> {
        let folder = self.folder.join(folder);
        make_folder(&folder)?;
        let path = folder.join(name);
        private_file::write(&path, content).map_err(Error::io(format!("cannot write {}", path.display())))?;
        Ok(path)
    }
}

/// Each folder is for one holder, and can be given to it as a whole.
fn folder_of(name: &str) -> &'static str {
    match name {
        bundle::ENGINE | bundle::ENGINE_KEY => "engine",
        bundle::CLIENT | bundle::CLIENT_KEY => "client",
        _ => "",
    }
}

fn make_folder(folder: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(Error::io(format!("cannot make the folder {}", folder.display())))
}

/// An address of the form tls:HOST:PORT.
pub(crate) fn tls(address: &str) -> Result<Endpoint, Error> {
    match address::parse(address) {
        endpoint @ Endpoint::Tls { .. }
            if address.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok()) =>
        {
            Ok(endpoint)
        }
        _ => Err(Error::NotTls(address.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use clap::Parser;
    use paraply_common::{certificates::Certificate, connection::ConnectionFile};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        credentials: Credentials,
    }

    fn run(folder: &Path, arguments: &[&str]) -> Result<(), Error> {
        let arguments = ["x", folder.to_str().unwrap()].into_iter().chain(arguments.iter().copied());
        Cli::try_parse_from(arguments).unwrap().credentials.run()
    }

    #[test]
    fn all_is_made_for_its_owner_and_left_alone_the_second_time() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("creds");
        let arguments = ["--endpoint", "tls:controller:7600", "--client-endpoint", "tls:127.0.0.1:7600", "--host", "s"];
        run(&folder, &arguments).unwrap();
        let mut content = Vec::new();
        for path in
            ["ca-key.pem", "server.pem", "engine/engine.json", "client/connection.json", "admin/connection.json"]
        {
            assert_eq!(fs::metadata(folder.join(path)).unwrap().mode() & 0o777, 0o600, "{path}");
            content.push(fs::read(folder.join(path)).unwrap());
        }
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        run(&folder, &arguments).unwrap();
        for (path, before) in
            ["ca-key.pem", "server.pem", "engine/engine.json", "client/connection.json", "admin/connection.json"]
                .into_iter()
                .zip(content)
        {
            assert_eq!(fs::read(folder.join(path)).unwrap(), before, "{path}");
        }
        let server = Certificate::read(&fs::read_to_string(folder.join("server.pem")).unwrap()).unwrap();
        assert!(server.is_for(&["controller", "s", "localhost", "127.0.0.1", "::1"].map(str::to_owned)));
        let engine = ConnectionFile::read(&folder.join("engine/engine.json")).unwrap();
        assert_eq!(engine.endpoints, [tls("tls:controller:7600").unwrap()]);
        let client = ConnectionFile::read(&folder.join("client/connection.json")).unwrap();
        assert_eq!(client.endpoints, [tls("tls:127.0.0.1:7600").unwrap()]);
        assert_eq!(client.ca.unwrap(), fs::read_to_string(folder.join("ca.pem")).unwrap());
    }

    #[test]
    fn a_token_that_was_removed_is_made_anew_with_its_connection_file() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["--endpoint", "tls:controller:7600"];
        run(folder.path(), &arguments).unwrap();
        let token = || ConnectionFile::read(&folder.path().join("engine/engine.json")).unwrap().token;
        let before = token();
        fs::remove_file(folder.path().join("engine-token")).unwrap();
        run(folder.path(), &arguments).unwrap();
        assert!(!token().matches(before.expose().as_bytes()));
    }

    #[test]
    fn an_endpoint_is_tls() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["controller:7600", "/run/x.sock", "tls:controller", "tls:controller:port"] {
            let error = run(folder.path(), &["--endpoint", bad]).unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains("tls:HOST:PORT"), "{error}");
        }
    }
}

//! A project of the `compose.yaml` that this program carries.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
};

use super::{ENGINE, Project, compose, said};
use crate::error::Error;

const FILE: &str = "compose.yaml";
const CONTENT: &str = include_str!("../../../../compose.yaml");

impl Project {
    /// One that does not run yet. Its file is written into the folder.
    ///
    /// # Errors
    /// If there is no compose on this machine, or the folder cannot be written.
    pub(crate) fn create(name: &str, folder: PathBuf) -> Result<Self, Error> {
        let (command, file) = (compose()?, folder.join(FILE));
        fs::write(&file, CONTENT).map_err(Error::io(format!("cannot write {}", file.display())))?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = free.map_err(Error::io("no port of 127.0.0.1 is free"))?.port();
        Ok(Self { command, name: name.to_owned(), folder, files: vec![FILE.to_owned()], port: Some(port) })
    }

    /// Starts it. Blocks until its containers run.
    ///
    /// # Errors
    /// If docker does not do it.
    pub(crate) fn up(&self, engines: u32) -> Result<(), Error> {
        let up = said(self.compose().args(["up", "--detach", "--no-build", "--scale", &format!("{ENGINE}={engines}")]));
        up.map(drop).map_err(|error| match error {
            Error::Compose(said) if said.contains("No such image") || said.contains("pull access denied") => {
                Error::Compose(format!("{said}\nThe images are made with `make images`, in the source of this program"))
            }
            error => error,
        })
    }

    /// Ends it, and removes what it has kept. Blocks until that is gone.
    ///
    /// # Errors
    /// If docker does not do it.
    pub(crate) fn down(&self) -> Result<(), Error> {
        said(self.compose().args(["down", "--volumes", "--timeout", "3"]))?;
        fs::remove_file(self.folder.join(FILE)).map_err(Error::io("cannot remove the project's compose.yaml"))
    }
}

//! A cluster of `compose.yaml`, by way of docker's own commands: they know where the engine is and who may use it.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::error::Error;

/// What `compose.yaml` calls the service that is reached from outside, and where that has what this needs.
const SERVICE: &str = "controller";
const PORT: &str = "7600";
const CONNECTION: &str = "/credentials/client/connection.json";
const ADMIN_CONNECTION: &str = "/credentials/admin/connection.json";

/// A project as compose names it.
pub(crate) struct Project {
    /// `docker compose` or `docker-compose`.
    command: Vec<&'static str>,
    name: Option<String>,
}

impl Project {
    /// # Errors
    /// If there is no compose on this machine.
    pub(crate) fn find(name: Option<String>) -> Result<Self, Error> {
        let works = |command: &Vec<&str>| {
            let version = Command::new(command[0]).args(&command[1..]).arg("version").output();
            version.is_ok_and(|version| version.status.success())
        };
        let command = [vec!["docker", "compose"], vec!["docker-compose"]].into_iter().find(works);
        let missing = || Error::Compose("neither `docker compose` nor `docker-compose` works here; install one".into());
        Ok(Self { command: command.ok_or_else(missing)?, name })
    }

    /// The connection file of a client on this machine: the credentials made inside, and the port published outside. Whoever
    /// may ask docker for these may do everything, so it has the admin's token as well.
    ///
    /// # Errors
    /// If the project does not run, or its controller has no credentials.
    pub(crate) fn connection(&self) -> Result<Value, Error> {
        let id = self.ask(&["ps", "-q", SERVICE])?;
        let Some(id) = id.lines().next() else {
            return Err(Error::Compose(format!(
                "no service `{SERVICE}` of this project runs: start it with `docker compose up -d`, in the folder of \
                 compose.yaml, or name another with --project-name"
            )));
        };
        let published = self.ask(&["port", SERVICE, PORT])?;
        let mut connection = credentials(id, CONNECTION)?;
        connection["admin_token"] = credentials(id, ADMIN_CONNECTION)?["token"].take();
        lead_to(&mut connection, published.trim())?;
        Ok(connection)
    }

    fn ask(&self, arguments: &[&str]) -> Result<String, Error> {
        let mut command = Command::new(self.command[0]);
        command.args(&self.command[1..]);
        if let Some(name) = &self.name {
            command.args(["--project-name", name]);
        }
        said(command.args(arguments))
    }
}

/// A connection file, out of a container that has nothing to read it with.
fn credentials(container: &str, path: &str) -> Result<Value, Error> {
    let folder = tempfile::tempdir().map_err(Error::io("cannot make a temporary folder"))?;
    let file = folder.path().join("connection.json");
    said(Command::new("docker").args(["cp", "-L", &format!("{container}:{path}")]).arg(&file))?;
    let text = fs::read(&file).map_err(Error::io(format!("cannot read {}", file.display())))?;
    serde_json::from_slice(&text).map_err(|source| Error::Damaged { path: path.into(), source })
}

/// Leads a connection that is good inside to where its port is published.
fn lead_to(connection: &mut Value, published: &str) -> Result<(), Error> {
    let Some((host, port)) = published.rsplit_once(':') else {
        return Err(Error::Compose(format!(
            "port {PORT} of the service `{SERVICE}` is not published: see `ports` of compose.yaml"
        )));
    };
    let host = if matches!(host, "0.0.0.0" | "[::]" | "::") { "127.0.0.1" } else { host };
    // Every certificate that `paraply credentials` makes is for that name.
    connection["endpoints"] = json!([{ "tls": format!("{host}:{port}"), "server_name": "localhost" }]);
    Ok(())
}

/// What a command prints.
fn said(command: &mut Command) -> Result<String, Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(Error::io(format!("cannot run {name}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::Compose(format!("{name} says: {}", said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_port_is_the_way() {
        let mut connection = json!({ "token": "0123456789abcdef", "endpoints": [{ "tls": "controller:7600" }] });
        for (published, way) in [("127.0.0.1:7600", "127.0.0.1:7600"), ("0.0.0.0:32768", "127.0.0.1:32768")] {
            lead_to(&mut connection, published).unwrap();
            assert_eq!(connection["endpoints"], json!([{ "tls": way, "server_name": "localhost" }]));
        }
        assert_eq!(connection["token"], "0123456789abcdef");
        let error = lead_to(&mut connection, "").unwrap_err().to_string();
        assert!(error.contains("`ports`"), "{error}");
    }

    #[test]
    fn what_a_command_complains_of_is_passed_on() {
        let error = said(Command::new("sh").args(["-c", "echo no such project >&2; exit 3"])).unwrap_err().to_string();
        assert_eq!(error, "sh says: no such project");
        assert_eq!(said(Command::new("echo").arg("yes")).unwrap(), "yes\n");
    }
}

//! What a client on this machine needs to reach a project's controller.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{CONTROLLER, Project, containers, said};
use crate::error::Error;

/// Where the controller listens inside, and where it has what this needs.
const PORT: &str = "7600";
const CONNECTION: &str = "/credentials/client/connection.json";
const ADMIN_CONNECTION: &str = "/credentials/admin/connection.json";

impl Project {
    /// The connection file: the credentials made inside, the port published outside, and who launches engines. Whoever may
    /// ask docker for these may do everything, so it has the admin's token as well.
    ///
    /// # Errors
    /// If the project does not run, or its controller has no credentials.
    pub(crate) fn connection(&self) -> Result<Value, Error> {
        let Some(id) = containers(&self.name, CONTROLLER)?.into_iter().next() else {
            return Err(Error::Compose(format!(
                "the service `{CONTROLLER}` of the project {} does not run",
                self.name
            )));
        };
        let published = said(Command::new("docker").args(["port", &id, PORT]))?;
        let mut connection = credentials(&id, CONNECTION)?;
        connection["admin_token"] = credentials(&id, ADMIN_CONNECTION)?["token"].take();
        connection["launcher"] = json!({ "compose": self.name });
        lead_to(&mut connection, published.lines().next().unwrap_or_default())?;
        Ok(connection)
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
    let Some((host, port)) = published.trim().rsplit_once(':') else {
        return Err(Error::Compose(format!(
            "port {PORT} of the service `{CONTROLLER}` is not published: see `ports` of compose.yaml"
        )));
    };
    let host = if matches!(host, "0.0.0.0" | "[::]" | "::") { "127.0.0.1" } else { host };
    // Every certificate that `paraply credentials` makes is for that name.
    connection["endpoints"] = json!([{ "tls": format!("{host}:{port}"), "server_name": "localhost" }]);
    Ok(())
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
}

//! A cluster of `compose.yaml`, by way of docker's own commands: they know where the engine is and who may use it.

mod connection;
mod scale;
mod start;

use std::{path::PathBuf, process::Command};

use crate::error::Error;

/// What `compose.yaml` calls the service that is reached from outside, and the one that there can be many of.
const CONTROLLER: &str = "controller";
const ENGINE: &str = "engine";

/// What compose notes at each container.
const LABEL: &str = "com.docker.compose";

/// A project as compose names it.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// `docker compose` or `docker-compose`.
    command: Vec<&'static str>,
    pub(crate) name: String,
    /// Where its files are.
    folder: PathBuf,
    files: Vec<String>,
    /// On which the controller is published, where this is what starts it.
    port: Option<u16>,
}

impl Project {
    /// One that runs: of this name, or the one of this folder.
    ///
    /// # Errors
    /// If there is no compose on this machine, or no such project runs.
    pub(crate) fn find(name: Option<&str>) -> Result<Self, Error> {
        let command = compose()?;
        let id = match name {
            Some(name) => containers(name, CONTROLLER)?.into_iter().next(),
            None => said(run(&command).args(["ps", "-q", CONTROLLER]))?.lines().next().map(str::to_owned),
        };
        let Some(id) = id else {
            return Err(Error::Compose(format!(
                "no service `{CONTROLLER}` of this project runs: start it with `docker compose up -d`, in the folder of \
                 compose.yaml, or name another with --project-name"
            )));
        };
        let label = |name: &str| -> Result<String, Error> {
            let format = format!("{{{{index .Config.Labels \"{LABEL}.project{name}\"}}}}");
            Ok(said(Command::new("docker").args(["inspect", "--format", &format, &id]))?.trim().to_owned())
        };
        let files = label(".config_files")?.split(',').map(str::to_owned).collect();
        let folder = label(".working_dir")?.into();
        Ok(Self { command, name: label("")?, folder, files, port: None })
    }

    fn compose(&self) -> Command {
        let mut command = run(&self.command);
        command.args(["--project-name", &self.name]);
        for file in &self.files {
            command.args(["--file", file]);
        }
        // Where it is gone, compose says so by the files.
        if self.folder.is_dir() {
            command.current_dir(&self.folder);
        }
        if let Some(port) = self.port {
            command.env("PARAPLY_PORT", port.to_string());
        }
        command
    }
}

fn compose() -> Result<Vec<&'static str>, Error> {
    let works = |command: &Vec<&'static str>| {
        run(command).arg("version").output().is_ok_and(|version| version.status.success())
    };
    let command = [vec!["docker", "compose"], vec!["docker-compose"]].into_iter().find(works);
    command
        .ok_or_else(|| Error::Compose("neither `docker compose` nor `docker-compose` works here; install one".into()))
}

fn run(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// The ids of a service's containers that run.
fn containers(project: &str, service: &str) -> Result<Vec<String>, Error> {
    let mut command = Command::new("docker");
    command.args(["ps", "--quiet", "--no-trunc"]);
    command.args(["--filter", &format!("label={LABEL}.project={project}")]);
    command.args(["--filter", &format!("label={LABEL}.service={service}")]);
    Ok(said(&mut command)?.lines().map(str::to_owned).collect())
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
    fn what_a_command_complains_of_is_passed_on() {
        let error = said(Command::new("sh").args(["-c", "echo no such project >&2; exit 3"])).unwrap_err().to_string();
        assert_eq!(error, "sh says: no such project");
        assert_eq!(said(Command::new("echo").arg("yes")).unwrap(), "yes\n");
    }
}

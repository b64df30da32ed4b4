//! More containers of engines, or fewer.

use std::process::Command;

use super::{ENGINE, Project, containers, said};
use crate::{error::Error, fleet::Fleet};

/// What docker takes of a container's id for the name of its host.
const HOST: usize = 12;

impl Project {
    /// So many engines are to run. Of too many those end that the controller drains, or that have least to do: each has the
    /// grace of `compose.yaml` for the task that it runs. Blocks until they are gone, or the new ones have begun.
    ///
    /// # Errors
    /// If docker does not do it.
    pub(crate) fn scale(&self, wanted: u32, fleet: &Fleet) -> Result<(), Error> {
        let containers = containers(&self.name, ENGINE)?;
        let hosts: Vec<&str> = containers.iter().filter_map(|id| id.get(..HOST)).collect();
        let leaving = fleet.surplus(&hosts, wanted as usize);
        if !leaving.is_empty() {
            said(Command::new("docker").arg("stop").args(&leaving))?;
            said(Command::new("docker").arg("rm").args(&leaving))?;
        }
        if hosts.len() < wanted as usize {
            let scale = format!("{ENGINE}={wanted}");
            let up = ["up", "--detach", "--no-deps", "--no-recreate", "--no-build", "--scale", &scale, ENGINE];
            said(self.compose().args(up))?;
        }
        Ok(())
    }
}

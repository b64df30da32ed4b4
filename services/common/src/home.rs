//! Where the clusters of this user on this machine are, and what names such folders.

use std::{env, io, path::PathBuf};

/// `$PARAPLY_HOME`, else `$XDG_STATE_HOME/paraply`, else `~/.local/state/paraply`.
///
/// # Errors
/// If none of these variables is set, and `HOME` is not either.
pub fn clusters() -> io::Result<PathBuf> {
    if let Some(home) = folder("PARAPLY_HOME") {
        return Ok(home);
    }
    if let Some(state) = folder("XDG_STATE_HOME") {
        return Ok(state.join("paraply"));
    }
    let home = folder("HOME").ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "set HOME or PARAPLY_HOME"))?;
    Ok(home.join(".local/state/paraply"))
}

/// The folder that a variable names. A relative value means the same to every process only where it is made absolute at
/// once.
#[must_use]
pub fn folder(variable: &str) -> Option<PathBuf> {
    let value = env::var_os(variable).filter(|value| !value.is_empty())?;
    std::path::absolute(value).ok()
}

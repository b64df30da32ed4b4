//! Which Python runs the engines, and what keeps it from doing so.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

/// An interpreter that imports nothing in this time hangs, on a file system perhaps; it takes a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// The interpreter given, else the one beside this program (of the same virtual environment), else `python3`.
pub(super) fn find(given: Option<&Path>) -> PathBuf {
    if let Some(given) = given {
        return given.to_owned();
    }
    let beside = env::current_exe().ok().and_then(|program| Some(program.parent()?.join("python3")));
    beside.filter(|python| python.is_file()).unwrap_or_else(|| PathBuf::from("python3"))
}

/// What to say of an interpreter that does not even start.
pub(super) fn cannot_start(python: &Path, error: &io::Error) -> String {
    format!(
        "{} cannot be started ({error}); name a Python interpreter that has paraply with --python",
        python.display()
    )
}

/// Why the interpreter cannot run engines, and what to do about it; None where it can, or does not say in time.
pub(super) async fn diagnose(python: PathBuf) -> Option<String> {
    let mut command = Command::new(&python);
    command.args(["-c", "import paraply.engine, paraply_engine"]).stdin(Stdio::null()).kill_on_drop(true);
    match timeout(PATIENCE, command.output()).await.ok()? {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let reason = said.trim().lines().last().unwrap_or("no reason given");
            Some(format!(
                "{python} cannot import paraply's engine ({reason}); install them with `{python} -m pip install \
                 \"paraply[local]\"`, or name another interpreter with --python",
                python = python.display()
            ))
        }
        Err(error) => Some(cannot_start(&python, &error)),
    }
}

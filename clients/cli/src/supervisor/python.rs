//! Which Python runs the engines, and what keeps it from doing so.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The interpreter given, else the one beside this program (of the same virtual environment), else `python3`.
pub(super) fn find(given: Option<&Path>) -> PathBuf {
    if let Some(given) = given {
        return given.to_owned();
    }
    let beside = env::current_exe().ok().and_then(|program| Some(program.parent()?.join("python3")));
    beside.filter(|python| python.is_file()).unwrap_or_else(|| PathBuf::from("python3"))
}

/// Why the interpreter cannot run engines, and what to do about it; None where it can.
pub(super) fn diagnose(python: &Path) -> Option<String> {
    let check = "import paraply.engine, paraply_engine";
    let mut command = Command::new(python);
    command.args(["-c", check]).stdin(Stdio::null());
    let advice = format!(
        "install them with `{} -m pip install \"paraply[local]\"`, or name another interpreter with --python",
        python.display()
    );
    match command.output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let reason = said.trim().lines().last().unwrap_or("no reason given");
            Some(format!("{} cannot import paraply's engine ({reason}); {advice}", python.display()))
        }
        Err(error) => Some(format!(
            "{} cannot be started ({error}); name a Python interpreter that has paraply with --python",
            python.display()
        )),
    }
}

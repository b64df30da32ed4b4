//! Counting instructions: the number hardly depends on the machine, and not at all on what else that does.
//!
//! A program runs under callgrind, which counts inside [`measured`] only, and writes down and forgets what it has counted
//! at each [`window`]. So the windows of one run can be compared, and start-up costs nothing. Callgrind finds both by
//! their names: there is nothing to link, and without it they are calls like others.

use std::{
    env, fs,
    hint::black_box,
    io::{self, ErrorKind},
    path::Path,
    process::Command,
};

/// What is counted.
#[inline(never)]
pub fn measured(work: impl FnOnce()) {
    // The call is not the function's last, so that it is no jump: callgrind would miss the return.
    black_box(());
    work();
    black_box(());
}

/// The end of a window, and the beginning of the next one.
#[inline(never)]
pub fn window() {
    black_box(());
}

/// The instructions in [`measured`] of each window of a run of `program`, in order. None where there is no valgrind, which
/// is said on standard error: a test of these is then skipped.
///
/// # Errors
/// The program or its files could not be run or read.
///
/// # Panics
/// There is no valgrind, and the environment has `CI`: there, nothing is skipped.
pub fn count(program: &Path, arguments: &[&str], folder: &Path) -> io::Result<Option<Vec<u64>>> {
    let out = folder.join("windows");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--dump-line=no", "--compress-strings=no"]);
    command.arg("--toggle-collect=*paraply_bench::callgrind::measured*");
    command.arg("--dump-after=*paraply_bench::callgrind::window*");
    command.arg(format!("--callgrind-out-file={}", out.display()));
    let done = match command.arg(program).args(arguments).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            assert!(env::var_os("CI").is_none(), "valgrind is not here, and nothing is skipped where CI is set");
            eprintln!("SKIPPED: valgrind is not here (Debian's package of that name); instructions are not counted");
            return Ok(None);
        }
        done => done?,
    };
    if !done.status.success() {
        return Err(io::Error::other(format!("{}: {}", done.status, String::from_utf8_lossy(&done.stderr))));
    }
    // What is after the last window has the plain name.
    let windows = (1..).map(|nth| folder.join(format!("windows.{nth}"))).take_while(|path| path.exists());
    windows.map(|path| total(&fs::read_to_string(path)?)).collect::<io::Result<_>>().map(Some)
}

/// What a file of callgrind's has in all.
fn total(text: &str) -> io::Result<u64> {
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let number = total.and_then(|number| number.trim().parse().ok());
    number.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a file of callgrind's without a total"))
}

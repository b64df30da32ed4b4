//! How many files and sockets this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as this user may, and returns what it was: supervisors and services have a descriptor for
/// each process or connection, and the usual limit of 1,024 is for programs that call `select`.
pub(crate) fn raise() -> Rlimit {
    let before = getrlimit(Resource::Nofile);
    // The limit that there was does for most clusters.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: before.maximum, ..before });
    before
}

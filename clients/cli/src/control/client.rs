//! The asking end.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

use super::{LONGEST_LINE, Reply, Request};
use crate::{error::Error, folder::ClusterFolder, record::ClusterRecord};

/// How long a supervisor may take for an answer that waits for nothing; it takes milliseconds.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// How long a supervisor has to end everything before it counts as hung; it gives itself less.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// Asks the supervisor of a running cluster for what it answers at once.
pub(crate) fn ask(folder: &ClusterFolder, request: &Request) -> Result<Reply, Error> {
    ask_within(folder, request, ANSWER_PATIENCE)
}

/// Asks the supervisor of a running cluster for what may take it this long.
pub(crate) fn ask_within(folder: &ClusterFolder, request: &Request, patience: Duration) -> Result<Reply, Error> {
    exchange(&mut connect(folder, patience)?, request).map_err(unanswered(folder, patience))
}

/// Stops a cluster and returns when its supervisor is gone: it is the last of the cluster's processes.
pub(crate) fn stop(folder: &ClusterFolder) -> Result<(), Error> {
    let mut stream = connect(folder, ANSWER_PATIENCE)?;
    let reply = exchange(&mut stream, &Request::Stop {}).map_err(unanswered(folder, ANSWER_PATIENCE))?;
    if let Reply::Error { message, .. } = reply {
        return Err(Error::Refused { name: folder.name().clone(), message });
    }
    stream.set_read_timeout(Some(STOP_PATIENCE)).map_err(Error::io("cannot wait for the supervisor"))?;
    match stream.read(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(unanswered(folder, STOP_PATIENCE)(error)),
        // The end of the stream, or its reset: either way the process at the other end is gone.
        _ => Ok(()),
    }
}

/// A connection on which neither end waits longer than `patience` for the other.
fn connect(folder: &ClusterFolder, patience: Duration) -> Result<UnixStream, Error> {
    let record = ClusterRecord::read(folder)?;
    let connect = || {
        let stream = UnixStream::connect(&record.control)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(stream)
    };
    connect().map_err(unanswered(folder, patience))
}

fn exchange(stream: &mut UnixStream, request: &Request) -> io::Result<Reply> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).take(LONGEST_LINE).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&answer)?)
}

fn unanswered(folder: &ClusterFolder, patience: Duration) -> impl FnOnce(io::Error) -> Error {
    move |error| match ClusterRecord::read(folder) {
        Ok(record) if error.kind() == io::ErrorKind::WouldBlock => Error::Refused {
            name: folder.name().clone(),
            message: format!(
                "nothing for {} s; its supervisor hangs: end it with `kill -9 {}`, and the rest ends with it",
                patience.as_secs(),
                record.pid
            ),
        },
        _ => Error::io(format!("the supervisor of cluster {} does not answer", folder.name()))(error),
    }
}

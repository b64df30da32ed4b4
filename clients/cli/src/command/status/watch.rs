//! `paraply status --watch`.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    time::Duration,
};

use paraply_common::{clock, connection::ConnectionFile};
use paraply_core::time::Time;

use super::{
    LONGEST_RUNNING,
    answers::{self, Answers},
    json,
    screen::Screen,
    text::{self, Rates},
};
use crate::{
    cluster_client::{self, Access},
    error::Error,
    folder::ClusterFolder,
};

/// Asks and shows every `interval` until Ctrl-C, or until the cluster is stopped or nobody reads any more.
pub(super) async fn watch(
    folder: Option<&ClusterFolder>,
    connection: &ConnectionFile,
    interval: Duration,
    as_json: bool,
) -> Result<(), Error> {
    let screen = if as_json { None } else { Screen::enter().map_err(Error::io("cannot write"))? };
    let mut access: Option<Access> = None;
    let mut earlier: Option<Look> = None;
    loop {
        let begun = clock::now();
        let lines = tokio::select! {
            interrupted = tokio::signal::ctrl_c() => return interrupted.map_err(Error::io("cannot wait for Ctrl-C")),
            answers = ask(connection, &mut access) => match answers {
                Ok(answers) => {
                    let look = Look::of(&answers, begun);
                    let rates = look.since(earlier.as_ref());
                    earlier = Some(look);
                    if as_json {
                        vec![json::of(connection, &answers).to_string()]
                    } else {
                        text::of(connection, &answers, Some(&rates))
                    }
                }
                // Of a cluster elsewhere nobody here knows whether it runs: it has to have answered once.
                Err(error) => match folder.map(ClusterFolder::is_running).transpose()? {
                    Some(false) => break,
                    None if earlier.is_none() => return Err(error),
                    Some(true) | None => again(&error, as_json),
                },
            },
        };
        let shown = match &screen {
            Some(screen) => screen.show(&lines),
            None => print(&lines, as_json),
        };
        match shown {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            shown => shown.map_err(Error::io("cannot write"))?,
        }
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => return interrupted.map_err(Error::io("cannot wait for Ctrl-C")),
            () = clock::sleep_until(begun + interval) => {}
        }
    }
    drop(screen);
    eprintln!("the cluster was stopped");
    Ok(())
}

async fn ask(connection: &ConnectionFile, access: &mut Option<Access>) -> Result<Answers, Error> {
    // A new connection after a failure: the old one may lead to a process that is gone.
    let dialled = match access.take() {
        Some(access) => access,
        None => {
            let dial = async { Ok(cluster_client::connect(connection).await?) };
            cluster_client::in_time("controller", dial).await?
        }
    };
    let answers = answers::ask(&dialled, LONGEST_RUNNING).await?;
    *access = Some(dialled);
    Ok(answers)
}

/// What is shown in place of an answer. Who reads JSON gets nothing else on standard output.
fn again(error: &Error, as_json: bool) -> Vec<String> {
    let line = format!("paraply: {error}; asking again");
    if as_json {
        eprintln!("{line}");
        return Vec::new();
    }
    vec![line]
}

fn print(lines: &[String], as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    if !as_json {
        writeln!(out)?;
    }
    out.flush()
}

/// How many tasks had finished at a time.
struct Look {
    at: Time,
    all: u64,
    engines: BTreeMap<u32, u64>,
}

impl Look {
    fn of(answers: &Answers, at: Time) -> Self {
        let all = answers.scheduler.as_ref().map_or(0, |status| status.completed_tasks);
        let engines = answers.engines.iter();
        let engines = engines.filter_map(|engine| Some((engine.engine.as_ref()?.engine_id, engine.completed_tasks)));
        Self { at, all, engines: engines.collect() }
    }

    /// Counts of a process that was started again begin at 0.
    fn since(&self, earlier: Option<&Self>) -> Rates {
        let seconds = earlier.map_or(0.0, |earlier| self.at.since(earlier.at).as_secs_f64());
        let rate = |now: u64, before: Option<u64>| match before {
            Some(before) if seconds > 0.0 => now.saturating_sub(before) as f64 / seconds,
            _ => 0.0,
        };
        let before = |engine| earlier.and_then(|earlier| earlier.engines.get(engine).copied());
        let engines = self.engines.iter().map(|(engine, count)| (*engine, rate(*count, before(engine))));
        Rates { all: rate(self.all, earlier.map(|earlier| earlier.all)), engines: engines.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(seconds: u64, all: u64, engines: &[(u32, u64)]) -> Look {
        Look { at: Time(seconds * 1_000_000_000), all, engines: engines.iter().copied().collect() }
    }

    #[test]
    fn rates_are_what_was_done_between_two_looks() {
        let (first, second) = (look(10, 100, &[(0, 60), (1, 40)]), look(12, 300, &[(0, 160), (2, 7)]));
        let rates = second.since(Some(&first));
        assert_eq!((rates.all, rates.engines), (100.0, BTreeMap::from([(0, 50.0), (2, 0.0)])));
        assert_eq!(first.since(None).all, 0.0);
        assert_eq!(look(13, 5, &[]).since(Some(&second)).all, 0.0);
    }
}

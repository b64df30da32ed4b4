//! What the socket asks for.

use paraply_common::spawn::spawn_detached;
use tokio::sync::oneshot;

use super::{
    cluster::{Happening, Remote},
    orders::{Order, complete},
    waiting::Until,
};
use crate::{
    control::{EngineProcess, EngineSetStarted, Reply, Report, Request, Which},
    supervisor::{MOST_ENGINES, requests::send, say},
};

impl Remote<'_> {
    pub(super) fn answer(&mut self, request: Request, reply: oneshot::Sender<Reply>) {
        match request {
            Request::Status {} => self.report(reply),
            Request::Stop {} => {
                say(format_args!("Asked to stop cluster {}", self.folder.name()));
                send(reply, Reply::Done {});
                self.stop();
            }
            Request::StartEngines { n, engine_set, wait } => {
                let launcher = self.place.launcher();
                if engine_set.is_some_and(|set| set != launcher) {
                    let message = format!("there is one set of engines here, {launcher:?}: name no other");
                    return send(reply, Reply::error("invalid", message));
                }
                let wanted = self.wanted.saturating_add(n);
                if n == 0 || wanted > MOST_ENGINES {
                    let most = MOST_ENGINES.saturating_sub(self.wanted);
                    return send(reply, Reply::error("invalid", format!("n is {n}; it can be 1 to {most}")));
                }
                let started =
                    EngineSetStarted { engine_set: launcher.to_owned(), engine_ids: Vec::new(), failures: Vec::new() };
                let attached = if wait { wanted as usize } else { 0 };
                let until = Until { attached, ..Until::default() };
                self.wanted = wanted;
                self.order(Order::Scale(wanted), until, Reply::EngineSet(started), reply);
            }
            Request::StopEngines(which) => {
                let Some((engines, reply)) = self.select(&which, reply) else { return };
                self.wanted = if which.engine_id.is_some() { self.wanted.saturating_sub(1) } else { 0 };
                let until = Until { attached: 0, gone: engines.iter().copied().collect() };
                self.order(Order::Drain { engines, staying: self.wanted }, until, Reply::Done {}, reply);
            }
            Request::RestartEngines(which) => {
                let Some((engines, reply)) = self.select(&which, reply) else { return };
                let until = Until { attached: 0, gone: engines.iter().copied().collect() };
                self.order(Order::Remove(engines), until, Reply::Done {}, reply);
            }
            Request::SignalEngines { signal: number, engine_set, engine_id } => {
                let Some((engines, reply)) = self.select(&Which { engine_set, engine_id }, reply) else { return };
                self.order(Order::Signal { engines, number }, Until::default(), Reply::Done {}, reply);
            }
        }
    }

    fn report(&self, reply: oneshot::Sender<Reply>) {
        let engines = self.fleet.attached().map(|(id, pid)| EngineProcess { pid, engine_id: Some(id) });
        let engine_sets = [(self.place.launcher().to_owned(), engines.collect())].into();
        let report = Report { pid: std::process::id(), services: Vec::new(), engine_sets };
        let Some(up) = &self.up else { return send(reply, Reply::Report(report)) };
        let connection = up.connection.clone();
        spawn_detached(async move { send(reply, Reply::Report(complete(report, &connection).await)) });
    }

    /// The engines that are meant; where there are none, that is answered.
    fn select(&self, which: &Which, reply: oneshot::Sender<Reply>) -> Option<(Vec<u32>, oneshot::Sender<Reply>)> {
        let launcher = self.place.launcher();
        let message = match which {
            Which { engine_id: Some(id), .. } if !self.fleet.ids().any(|there| there == *id) => {
                format!("there is no engine {id}")
            }
            Which { engine_id: Some(id), .. } => return Some((vec![*id], reply)),
            Which { engine_set: Some(set), .. } if set != launcher => format!("there is no engine set {set:?}"),
            _ => return Some((self.fleet.ids().collect(), reply)),
        };
        send(reply, Reply::error("not_found", message));
        None
    }

    /// Gives an order, and answers when what it is for has come to be.
    fn order(&self, order: Order, until: Until, done: Reply, reply: oneshot::Sender<Reply>) {
        let Some(up) = &self.up else {
            return send(reply, Reply::error("failed", "the cluster is still being started"));
        };
        let (connection, events) = (up.connection.clone(), self.events.clone());
        spawn_detached(async move {
            match order.give(&connection).await {
                // The loop is over, and with it the answer.
                Ok(()) => drop(events.send(Happening::Ordered(until, done, reply)).await),
                Err(error) => send(reply, error),
            }
        });
    }
}

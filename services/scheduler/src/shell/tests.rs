//! The bell at the link to the controller.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use paraply_common::{health::Pulse, line::line, peer, secret::Secret, thread::Spawner, wire::ServerIdentity};
use paraply_core::{
    call::{Call, CallHead, Placement, Work},
    id::{EngineId, Epoch},
    session_link::{CancelMode, Hello, ToScheduler},
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    blob::Files,
    config::Config,
    parts::{Parts, Process, parts},
    store::MemoryStore,
};

const CLIENT: ConnectionId = ConnectionId(1);

struct World {
    parts: Parts,
    news: News,
}

impl World {
    /// A scheduler without engines, and a client of it.
    async fn new(folder: &std::path::Path) -> Self {
        let config = Config::default();
        let peer = peer::this_process("paraply-test");
        let identity = ServerIdentity { cluster_id: "c".into(), peer, limits: config.limits() };
        let news = News::default();
        let process = Process { identity, epoch: Epoch(1), news: news.clone(), pulse: Pulse::default(), traces: None };
        let key = Secret::try_from("0123456789abcdef".to_owned()).unwrap();
        let parts = parts(&config, &key, process, Files::at(folder), &Spawner::here(), MemoryStore);
        let world = Self { parts, news };
        let hello =
            Hello { session: SessionId(1), resume: None, cancel_on_disconnect: false, label: Bytes::new(), stream: 1 };
        let (line, _stream) = line(|| {});
        let reader = CancellationToken::new().drop_guard();
        world.tell(Stimulus::SessionOpened { connection: CLIENT, hello, line, reader }).await;
        world
    }

    async fn tell(&self, stimulus: Stimulus) {
        self.parts.mailbox.send(stimulus).await.unwrap();
    }

    async fn says(&self, message: ToScheduler) {
        self.tell(Stimulus::Machine(scheduler::Stimulus::SessionMessage { connection: CLIENT, message })).await;
    }

    /// A task for any engine, or for certain ones.
    async fn submits(&self, first_index: u64, engines: &[u32]) {
        let engines = engines.iter().copied().map(EngineId).collect();
        let placement = Placement::Balanced { engines, labels: Vec::new(), retries: 0, queue_timeout: None };
        let work = Work::Execute { source: Bytes::from_static(b"1"), silent: true, filename: Bytes::new() };
        let call = Call { first_index, head: Arc::new(CallHead::new(work, placement)), arguments: Vec::new() };
        self.says(ToScheduler::Submit { calls: vec![call], functions: Vec::new(), ack: None }).await;
    }

    /// Whether the bell has rung since the last time, and how many tasks wait for any engine.
    async fn rang(&self) -> (bool, u64) {
        // The second question comes after all that the first came with.
        let mut waiting = 0;
        for _ in 0..2 {
            let (reply, answer) = oneshot::channel();
            self.tell(Stimulus::Ask { longest_running: 0, reply }).await;
            waiting = answer.await.unwrap().status.waiting_for_any;
        }
        (self.news.heard().now_or_never().is_some(), waiting)
    }
}

#[tokio::test]
async fn the_first_task_that_waits_where_no_engine_is_rings_and_the_next_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    assert_eq!(world.rang().await, (false, 0));
    world.submits(0, &[7]).await;
    assert_eq!(world.rang().await, (false, 0), "it waits for an engine that may come back, and no other is of use");
    world.submits(1, &[]).await;
    assert_eq!(world.rang().await, (true, 1));
    world.submits(2, &[]).await;
    assert_eq!(world.rang().await, (false, 2), "that is told with the next report");
    world.says(ToScheduler::Cancel { indexes: vec![1, 2], mode: CancelMode::Abort }).await;
    assert_eq!(world.rang().await, (false, 0));
    world.submits(3, &[]).await;
    assert_eq!(world.rang().await, (true, 1), "it is the first again");
}

//! One scheduler and all who call it for large bytes.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use paraply_common::{
    clock,
    secret::Secret,
    spawn::{Task, spawn},
    wire::session_link::encode_request,
};
use paraply_core::{
    id::{BlobId, SessionId},
    payload::BlobRef,
    session_link::{CancelMode, ToScheduler},
};
use paraply_proto::{
    blob::v1::{QueryWriteStatusRequest, ReadBlobRequest, WriteBlobRequest, write_blob_request::Message},
    common::v1::BlobWant,
    scheduler::v1::OpenSessionRequest,
};
use paraply_scheduler::{
    Config,
    in_process::{Held, InProcess},
};
use tokio::runtime::{Builder, Runtime};

use super::{
    calls::Calls,
    engine,
    honest::{self, Progress},
    reader::Reader,
    session::Session,
    writer::{Writer, header, usual_session, usual_size},
};
use crate::{entry, names, peers::Peers, tally::Tally};

/// Streams of a kind that are open at a time.
const STREAMS: usize = 6;
/// Wants that somebody may still answer.
const WANTS: usize = 8;
/// A step of time within which everything happens that can.
const MOMENT: Duration = Duration::from_millis(1);
/// After this nothing that was begun is waited for: the longest grace, a minute's patience, and the next sweep.
const OVER: Duration = Duration::from_secs(60 + 60 + 15);

pub(crate) struct World {
    runtime: Runtime,
    parts: Parts,
}

struct Parts {
    peers: Peers,
    scheduler: InProcess,
    folder: tempfile::TempDir,
    calls: Calls,
    engine: Task<String>,
    writers: Vec<Writer>,
    readers: Vec<Reader>,
    sessions: Vec<Session>,
    /// Streams that sessions have had.
    streams: u64,
    wants: Vec<BlobWant>,
    honest: Task<Result<(), String>>,
    progress: Progress,
}

impl entry::World for World {
    fn step(&mut self) -> Result<(), String> {
        self.runtime.block_on(self.parts.step())
    }

    fn serve(&mut self) -> Result<(), String> {
        self.runtime.block_on(self.parts.serve())
    }

    fn tally(&self) -> Tally {
        Tally { done: self.parts.progress.read.load(Ordering::Relaxed), ..self.parts.peers.tally }
    }
}

impl World {
    #[allow(clippy::unwrap_used, reason = "without a runtime or a folder there is no world")]
    pub(crate) fn new(seed: u64) -> Self {
        // One task runs between two looks at the world's own: what happens at the same time happens in any order.
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).event_interval(1).build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let parts = runtime.block_on(async { Parts::new(seed, folder) }).unwrap();
        Self { runtime, parts }
    }
}

impl Parts {
    fn new(seed: u64, folder: tempfile::TempDir) -> Result<Self, String> {
        let mut peers = Peers::new(seed);
        let random = &mut peers.random;
        let token = token();
        let config = Config {
            cluster_id: "fuzz".to_owned(),
            client_token: Some(token.clone()),
            engine_token: Some(token.clone()),
            blob_bytes: random.pick(&[150_000, 600_000, 4 << 20]).unwrap_or(4 << 20),
            blob_memory_bytes: random.pick(&[0, 30_000, 300_000, 1 << 20]).unwrap_or(0),
            session_grace_millis: random.between(1000, 60_000),
            ..Config::default()
        };
        let pace = Duration::from_millis(random.below(4));
        let started = InProcess::start(&config, folder.path(), pace);
        let scheduler = started.map_err(|error| error.to_string())?;
        let calls = Calls(scheduler.routes());
        let engine = spawn(engine::attached(calls.clone(), config.cluster_id, token));
        let progress = Progress::default();
        let honest = honest::rounds(calls.clone(), SessionId(u128::MAX), random.any(), progress.clone());
        Ok(Self {
            peers,
            scheduler,
            folder,
            calls,
            engine,
            writers: Vec::new(),
            readers: Vec::new(),
            sessions: Vec::new(),
            streams: 1,
            wants: Vec::new(),
            honest: spawn(honest),
            progress,
        })
    }

    async fn step(&mut self) -> Result<(), String> {
        match self.peers.random.below(1000) {
            0..30 => {
                let most = self.peers.random.pick(&[100, 6000, 30_000, 70_000]).unwrap_or_default();
                pass(Duration::from_millis(self.peers.random.below(most))).await;
            }
            30..60 => self.break_one(),
            60..120 if self.sessions.len() < STREAMS => self.open_session(),
            120..250 => self.speak(),
            250..300 => self.ask().await,
            300..400 if self.readers.len() < STREAMS => self.open_reader(),
            400..500 => self.read_on(),
            500..600 if self.writers.len() < STREAMS => self.open_writer(),
            _ => self.write_on(),
        }
        if self.peers.random.chance(500) {
            pass(MOMENT).await;
        } else {
            // Not everybody waits for what others do: these have come as far as a task or two of theirs takes them.
            for _ in 0..self.peers.random.below(6) {
                tokio::task::yield_now().await;
            }
        }
        self.look().await
    }

    /// Nothing is wrong with what is there.
    async fn look(&mut self) -> Result<(), String> {
        for at in (0..self.writers.len()).rev() {
            if let Some(ended) = self.writers[at].ended().await {
                ended?;
                self.writers.swap_remove(at);
            }
        }
        for at in (0..self.readers.len()).rev() {
            if let Some(ended) = self.readers[at].ended().await {
                ended?;
                self.readers.swap_remove(at);
            }
        }
        self.sessions.retain(|session| !session.listening.is_finished());
        for session in &mut self.sessions {
            self.wants.extend(std::iter::from_fn(|| session.wanted()));
        }
        self.wants.drain(..self.wants.len().saturating_sub(WANTS));
        if self.honest.is_finished() {
            let ended = (&mut self.honest).await.unwrap_or_else(|panic| Err(panic.to_string()));
            return Err(format!("an honest client left: {ended:?}"));
        }
        if self.engine.is_finished() {
            return Err((&mut self.engine).await.unwrap_or_else(|panic| panic.to_string()));
        }
        self.scheduler.check()
    }

    /// All others leave, and what they wrote goes; whoever reads comes to an end. An honest client has all to itself then.
    async fn serve(&mut self) -> Result<(), String> {
        self.writers.clear();
        self.sessions.clear();
        self.readers.iter().for_each(|reader| reader.read(1 << 20));
        pass(OVER).await;
        self.look().await?;
        if !self.readers.is_empty() {
            return Err(format!("{} readers wait, and there is nobody to wait for", self.readers.len()));
        }
        self.progress.stop.store(true, Ordering::Relaxed);
        (&mut self.honest).await.unwrap_or_else(|panic| Err(panic.to_string()))?;
        self.nothing_is_left().await?;

        let alone = Progress { alone: true, ..Progress::default() };
        let honest = honest::rounds(self.calls.clone(), SessionId(u128::MAX - 1), 7, alone.clone());
        let honest = spawn(honest);
        while alone.read.load(Ordering::Relaxed) < 3 && !honest.is_finished() {
            pass(100 * MOMENT).await;
        }
        alone.stop.store(true, Ordering::Relaxed);
        honest.await.unwrap_or_else(|panic| Err(panic.to_string()))?;
        self.nothing_is_left().await
    }

    async fn nothing_is_left(&self) -> Result<(), String> {
        pass(10 * MOMENT).await;
        let held = self.scheduler.held().await;
        let files = std::fs::read_dir(self.folder.path()).map_or(0, Iterator::count);
        if held == Some(Held::default()) && files == 0 {
            Ok(())
        } else {
            Err(format!("everybody has left, and {held:?} and {files} files stay"))
        }
    }

    // What peers do.

    fn break_one(&mut self) {
        let random = &mut self.peers.random;
        match random.below(4) {
            0 if !self.writers.is_empty() => drop(self.writers.swap_remove(random.index(self.writers.len()))),
            1 if !self.readers.is_empty() => drop(self.readers.swap_remove(random.index(self.readers.len()))),
            2 if !self.sessions.is_empty() => drop(self.sessions.swap_remove(random.index(self.sessions.len()))),
            // The writer's side is closed; it waits for the answer.
            _ => {
                let at = random.index(self.writers.len());
                if let Some(writer) = self.writers.get_mut(at) {
                    writer.line = None;
                }
            }
        }
    }

    fn open_session(&mut self) {
        self.streams += 1;
        let id = SessionId(names::session(self.peers.random.below(names::SESSIONS)));
        self.sessions.push(Session::open(self.calls.clone(), id, self.streams));
    }

    /// A client says something that has to do with blobs, or anything.
    fn speak(&mut self) {
        let random = &mut self.peers.random;
        let at = random.index(self.sessions.len());
        let Some(session) = self.sessions.get_mut(at) else { return };
        let blob_id = names::bytes(random, "blob_id").unwrap_or_default();
        let blob = BlobId(<[u8; 16]>::try_from(&blob_id[..]).map_or(0, u128::from_be_bytes));
        let message = match random.below(100) {
            0..50 => {
                let kept = random.chance(700);
                session.call(random, BlobRef { id: blob, size: usual_size(&blob_id), kept })
            }
            50..85 => {
                let indexes = vec![random.below(session.next + 1)];
                encode_request(ToScheduler::Cancel { indexes, mode: CancelMode::Abort })
            }
            85..93 => encode_request(ToScheduler::Release { blobs: vec![blob] }),
            93..96 => encode_request(ToScheduler::Close),
            _ => {
                let name = "paraply.scheduler.v1.OpenSessionRequest";
                let Some(message) = self.peers.message::<OpenSessionRequest>(name) else { return };
                message
            }
        };
        let bytes = self.peers.mangled(&message).0;
        if let Some(session) = self.sessions.get(at) {
            session.say(bytes);
        }
    }

    async fn ask(&mut self) {
        let blob_id = names::bytes(&mut self.peers.random, "blob_id").unwrap_or_default();
        let (bytes, _) = self.peers.mangled(&QueryWriteStatusRequest { blob_id });
        let _whatever = self.calls.clone().query(bytes).await;
    }

    fn open_reader(&mut self) {
        let random = &mut self.peers.random;
        let blob_id = names::bytes(random, "blob_id").unwrap_or_default();
        let mut session_id = Bytes::copy_from_slice(&usual_session(&blob_id).to_be_bytes());
        if random.chance(100) {
            session_id = names::bytes(random, "session_id").unwrap_or_default();
        }
        let size = usual_size(&blob_id);
        let offset = match random.below(10) {
            0 => random.pick(&[size, size + 1, u64::MAX]).unwrap_or_default(),
            1..4 => random.below(size),
            _ => 0,
        };
        let greedy = random.chance(500);
        let (bytes, whole) = self.peers.mangled(&ReadBlobRequest { blob_id, offset, session_id });
        let reader = Reader::open(self.calls.clone(), bytes, whole.then_some(offset));
        reader.read(if greedy { 1 << 20 } else { 0 });
        self.readers.push(reader);
    }

    fn read_on(&mut self) {
        let at = self.peers.random.index(self.readers.len());
        if let Some(reader) = self.readers.get(at) {
            let messages = self.peers.random.between(1, 3);
            reader.read(usize::try_from(messages).unwrap_or(1));
        }
    }

    /// Somebody writes a blob, or answers a want: in time, late, twice, or with a number that is another's.
    fn open_writer(&mut self) {
        let random = &mut self.peers.random;
        let want = random.pick(&(0..self.wants.len()).collect::<Vec<_>>()).map(|at| self.wants[at].clone());
        let mut next = 0;
        let header = match want.filter(|_| random.chance(600)) {
            Some(want) => {
                next = want.offset;
                let mut header = header(random, want.transfer_id);
                if random.chance(950) {
                    (header.size_bytes, header.blob_id) = (usual_size(&want.blob_id), want.blob_id);
                }
                header
            }
            None if random.chance(100) => {
                let lately = self.wants.last().map_or(0, |want| want.transfer_id);
                let guessed = (lately + random.below(6)).saturating_sub(1);
                header(random, guessed)
            }
            None => header(random, 0),
        };
        let mut writer = Writer::open(self.calls.clone(), header.size_bytes, next);
        let message = if random.chance(970) {
            WriteBlobRequest { message: Some(Message::Header(header)) }
        } else {
            writer.chunk(random)
        };
        writer.send(self.peers.mangled(&message).0);
        self.writers.push(writer);
    }

    fn write_on(&mut self) {
        let random = &mut self.peers.random;
        let at = random.index(self.writers.len());
        let Some(writer) = self.writers.get_mut(at).filter(|writer| writer.can_send()) else { return };
        let mut message = writer.chunk(random);
        if random.chance(20) {
            let name = "paraply.blob.v1.WriteBlobRequest";
            let Some(any) = self.peers.message::<WriteBlobRequest>(name) else { return };
            message = any;
        }
        let bytes = self.peers.mangled(&message).0;
        if let Some(writer) = self.writers.get(at) {
            writer.send(bytes);
        }
    }
}

async fn pass(time: Duration) {
    clock::sleep_until(clock::now() + time).await;
}

#[allow(clippy::unwrap_used, reason = "the text is a constant that is long enough")]
fn token() -> Secret {
    Secret::try_from("the-token-of-all-who-call-this-cluster".to_owned()).unwrap()
}

//! The admin listener: what it shows, and that no peer of it is in another's way.

#![allow(clippy::unwrap_used, reason = "a step of a test that fails is a failed test")]

use std::{future::ready, pin::Pin, sync::Arc, time::Duration};

use paraply_common::{
    admin::{Admin, AdminListener, serve},
    clock,
    health::Pulse,
    spawn::{Task, spawn},
    telemetry::metrics::{Collector, Family, Point, Source},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::transport::Endpoint;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

/// Ten times what an answer takes on a slow machine, and shorter than any of the listener's own limits.
const PATIENCE: Duration = Duration::from_secs(3);

/// More figures than a socket's buffers hold.
const ENGINES: u32 = 200_000;

struct Many;

impl Source for Many {
    fn measure(&self) -> Pin<Box<dyn Future<Output = Option<Vec<Family>>> + Send + '_>> {
        let points = (0..ENGINES).map(|engine| Point::of("engine", engine.to_string(), 1.0)).collect();
        Box::pin(ready(Some(vec![Family::gauge("paraply_test", "Many.", points)])))
    }
}

struct Rig {
    address: String,
    pulse: Pulse,
    _serving: Task<()>,
}

impl Rig {
    fn start() -> Self {
        let pulse = Pulse::default();
        pulse.touch(clock::now());
        let listener = AdminListener::bind("0").unwrap();
        let address = listener.address();
        let collector = Arc::new(Collector::new(pulse.clone(), Many));
        let serving = spawn(serve(listener, Admin::new(pulse.clone(), &["paraply.test"], collector)));
        Self { address, pulse, _serving: serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    /// The first line of an answer, and the text.
    async fn get(&self, path: &str) -> (String, String) {
        self.get_within(path, PATIENCE).await
    }

    async fn get_within(&self, path: &str, patience: Duration) -> (String, String) {
        let answer = async {
            let mut stream = self.connect().await;
            let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            (head.lines().next().unwrap().to_owned(), body.to_owned())
        };
        tokio::time::timeout(patience, answer).await.unwrap()
    }

    async fn answers(&self) {
        assert_eq!(self.get("/healthz").await, ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    }
}

#[tokio::test]
async fn readiness_follows_the_actor_and_liveness_does_not() {
    let rig = Rig::start();
    assert_eq!(rig.get("/readyz").await.1, "ok\n");
    rig.pulse.stop();
    let (status, why) = rig.get("/readyz").await;
    assert!(status.contains("503") && why.contains("no sign of life"), "{status}: {why}");
    rig.answers().await;
    assert!(rig.get("/metrics").await.1.contains("\nparaply_ready 0.0\n"));
}

#[tokio::test]
async fn grpc_health_is_on_the_same_port() {
    let rig = Rig::start();
    let channel = Endpoint::from_shared(format!("http://{}", rig.address)).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    let request = HealthCheckRequest { service: "paraply.test".to_owned() };
    rig.pulse.touch(clock::now());
    let answer = health.check(request).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
}

#[tokio::test]
async fn garbage_is_answered_or_cut_off_and_nobody_else_notices() {
    let rig = Rig::start();
    let long = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    let many = [b"GET / HTTP/1.1\r\n".to_vec(), b"a: b\r\n".repeat(10_000)].concat();
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), vec![0xff; 100_000]].concat();
    let post = [b"POST /metrics HTTP/1.1\r\ncontent-length: 1000000000\r\n\r\n".to_vec(), vec![0; 1 << 20]].concat();
    for garbage in [vec![0; 100_000], b"\r\n".repeat(50_000), long, many, preface, post] {
        let mut stream = rig.connect().await;
        // It may have been cut off in the middle.
        let _ = stream.write_all(&garbage).await;
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok() && answer.len() < 1000, "{:?}", String::from_utf8_lossy(&answer));
        rig.answers().await;
    }
}

#[tokio::test]
async fn a_thousand_connections_that_say_nothing_are_in_nobodys_way() {
    let rig = Rig::start();
    let mut held = Vec::new();
    for number in 0..1000 {
        let mut stream = rig.connect().await;
        let head: &[u8] = match number % 4 {
            0 => b"",
            1 => b"GET /metrics HTT",
            2 => b"GET /metrics HTTP/1.1\r\nhost: ",
            _ => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        };
        let _cut_off = stream.write_all(head).await;
        held.push(stream);
    }
    rig.answers().await;
    // All but the latest were ended.
    let mut ended = 0;
    for stream in &mut held[..900] {
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        ended += usize::from(read.is_ok());
    }
    assert_eq!(ended, 900);
}

#[tokio::test]
async fn answers_that_nobody_reads_are_in_nobodys_way() {
    let rig = Rig::start();
    let mut held = Vec::new();
    for _ in 0..50 {
        let mut stream = rig.connect().await;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        held.push(stream);
    }
    // Fifty others are written meanwhile. What is in nobody's way is there for a minute.
    let (status, text) = rig.get_within("/metrics", 10 * PATIENCE).await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(text.len() > 4 << 20 && text.ends_with(&format!("paraply_test{{engine=\"{}\"}} 1.0\n", ENGINES - 1)));
    rig.answers().await;
}

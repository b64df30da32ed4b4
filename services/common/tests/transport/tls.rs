//! TLS between our own ends: who is let in, who is not, and what each is told.

use std::{fs, path::Path, time::Duration};

use paraply_common::{
    certificates::{Authority, CertifiedKey, Purpose},
    transport::{
        Listener, connect, dial_lazily,
        tls::{ClientTls, Pem, TlsSettings},
    },
};
use paraply_core::membership::Endpoint;
use paraply_proto::scheduler::v1::{AttachEngineRequest, engine_link_service_client::EngineLinkServiceClient};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tonic::{Code, Status};

use crate::echo::{Echo, attach};

/// An authority, a folder with its certificates, and a service that shows one.
struct World {
    folder: TempDir,
    authority: Authority,
    ca: String,
}

impl World {
    fn new() -> Self {
        let (authority, ca) = Authority::make("test", 10).unwrap();
        let world = Self { folder: tempfile::tempdir().unwrap(), authority, ca: ca.certificate };
        world.show(&["localhost", "127.0.0.1"]);
        fs::write(world.path("ca.pem"), &world.ca).unwrap();
        world
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// From now on the service's certificate is for these.
    fn show(&self, hosts: &[&str]) {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        write(self.folder.path(), "server", &self.authority.issue("s", &hosts, Purpose::Service, 1).unwrap());
    }

    fn settings(&self) -> TlsSettings {
        let (cert, key) = (Some(self.path("server.pem")), Some(self.path("server-key.pem")));
        TlsSettings { cert, key, ca: None, client_ca: None }
    }

    fn serve(&self, settings: &TlsSettings) -> Echo {
        let tls = settings.server("test").unwrap().unwrap();
        Echo::start(vec![Listener::tls("127.0.0.1:0", tls).unwrap()], 1)
    }

    fn trusting(&self) -> ClientTls {
        ClientTls::new(Some(Pem::Text(self.ca.clone())), None)
    }
}

fn write(folder: &Path, name: &str, pair: &CertifiedKey) {
    fs::write(folder.join(format!("{name}.pem")), &pair.certificate).unwrap();
    fs::write(folder.join(format!("{name}-key.pem")), &pair.key).unwrap();
}

fn address(echo: &Echo) -> String {
    match &echo.endpoints[0] {
        Endpoint::Tls { address, .. } | Endpoint::Tcp(address) => address.clone(),
        other => panic!("{other:?}"),
    }
}

async fn answers(endpoint: &Endpoint, tls: &ClientTls) {
    let channel = connect(std::slice::from_ref(endpoint), tls).await.unwrap();
    let (says, mut answers) = attach(channel).await;
    says.send(AttachEngineRequest::default()).await.unwrap();
    assert!(answers.message().await.unwrap().is_some());
}

async fn fails(endpoint: &Endpoint, tls: &ClientTls) -> String {
    connect(std::slice::from_ref(endpoint), tls).await.unwrap_err().to_string()
}

/// What the first call over a connection is answered.
async fn refusal(endpoint: Endpoint, tls: &ClientTls) -> Status {
    let channel = dial_lazily(&[endpoint], tls).unwrap();
    let call =
        EngineLinkServiceClient::new(channel).attach_engine(tokio_stream::once(AttachEngineRequest::default())).await;
    call.unwrap_err()
}

#[tokio::test]
async fn who_trusts_the_authority_and_finds_the_name_is_let_in() {
    let world = World::new();
    let echo = world.serve(&world.settings());
    let address = address(&echo);
    answers(&echo.endpoints[0], &world.trusting()).await;
    let port = address.rsplit_once(':').unwrap().1;
    let by_name = Endpoint::Tls { address: format!("localhost:{port}"), server_name: String::new() };
    answers(&by_name, &world.trusting()).await;
    // Through a tunnel the address is not the name.
    world.show(&["paraply-scheduler"]);
    let echo = world.serve(&world.settings());
    let tunnel = Endpoint::Tls { address: self::address(&echo), server_name: "paraply-scheduler".into() };
    answers(&tunnel, &world.trusting()).await;
    let error = fails(&echo.endpoints[0], &world.trusting()).await;
    assert!(error.contains("server_name") && error.contains("paraply-scheduler"), "{error}");
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_time_is_refused_and_named() {
    let world = World::new();
    let echo = world.serve(&world.settings());
    let error = fails(&echo.endpoints[0], &World::new().trusting()).await;
    assert!(error.contains("by no authority that is trusted here"), "{error}");
    let error = fails(&echo.endpoints[0], &ClientTls::default()).await;
    assert!(error.contains("authority"), "{error}");

    let (ca, expired) = expired();
    write(world.folder.path(), "server", &expired);
    let echo = world.serve(&world.settings());
    let error = fails(&echo.endpoints[0], &ClientTls::new(Some(Pem::Text(ca)), None)).await;
    assert!(error.contains("has expired") && error.contains("paraply credentials"), "{error}");
}

/// An authority that is valid, and a certificate by it that was for a day of 2020.
fn expired() -> (String, CertifiedKey) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 1, 2));
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    (ca, CertifiedKey { certificate, key: key.serialize_pem() })
}

#[tokio::test]
async fn plain_text_to_a_tls_port_is_told_so() {
    let world = World::new();
    let echo = world.serve(&world.settings());
    let status = refusal(Endpoint::Tcp(address(&echo)), &ClientTls::default()).await;
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("speaks TLS") && status.message().contains("tls:host:port"), "{status}");
    // A browser or curl hears it too.
    let mut stream = TcpStream::connect(address(&echo)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 400") && text.contains("speaks TLS"), "{text}");
    answers(&echo.endpoints[0], &world.trusting()).await;
}

#[tokio::test]
async fn tls_to_a_plain_port_is_told_so() {
    let world = World::new();
    let echo = Echo::start(vec![Listener::tcp("127.0.0.1:0").unwrap()], 1);
    let endpoint = Endpoint::Tls { address: address(&echo), server_name: String::new() };
    let error = fails(&endpoint, &world.trusting()).await;
    assert!(error.contains("speaks plain text") && error.contains("`tcp` endpoint"), "{error}");
}

#[tokio::test]
async fn peers_show_a_certificate_where_one_is_asked_for() {
    let world = World::new();
    let (authority, ca) = Authority::make("peers", 1).unwrap();
    fs::write(world.path("client-ca.pem"), &ca.certificate).unwrap();
    let settings = TlsSettings { client_ca: Some(world.path("client-ca.pem")), ..world.settings() };
    let echo = world.serve(&settings);

    let status = refusal(echo.endpoints[0].clone(), &world.trusting()).await;
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert!(status.message().contains("PARAPLY_CERT") && status.message().contains("tls_cert_file"), "{status}");

    let showing = |authority: &Authority, name: &str| {
        write(world.folder.path(), name, &authority.issue(name, &[], Purpose::Peer, 1).unwrap());
        let file = |name: String| Some(world.path(&name));
        let (cert, key) = (file(format!("{name}.pem")), file(format!("{name}-key.pem")));
        TlsSettings { cert, key, ca: file("ca.pem".into()), client_ca: None }.client("test", None).unwrap()
    };
    answers(&echo.endpoints[0], &showing(&authority, "peer")).await;
    // One by another authority is none.
    let stranger = showing(&world.authority, "stranger");
    let status = refusal(echo.endpoints[0].clone(), &stranger).await;
    assert!(format!("{status:?}").contains("UnknownCA"), "{status:?}");
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_a_broken_one_for_none() {
    let world = World::new();
    let echo = world.serve(&world.settings());
    let (says, mut answered) = attach(connect(&echo.endpoints, &world.trusting()).await.unwrap()).await;
    world.show(&["renewed"]);
    let named = Endpoint::Tls { address: address(&echo), server_name: "renewed".into() };
    let renewed = async { while connect(std::slice::from_ref(&named), &world.trusting()).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(20), renewed).await.unwrap();
    // Who was there stays.
    says.send(AttachEngineRequest::default()).await.unwrap();
    assert!(answered.message().await.unwrap().is_some());
    fs::write(world.path("server.pem"), "half of").unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    answers(&named, &world.trusting()).await;
}

#[tokio::test]
async fn who_says_nothing_is_dropped() {
    let world = World::new();
    let tls = world.settings().server("test").unwrap().unwrap();
    let plain = Listener::tcp("127.0.0.1:0").unwrap();
    let echo = Echo::start(vec![plain, Listener::tls("127.0.0.1:0", tls).unwrap()], 1);
    for endpoint in &echo.endpoints {
        let (Endpoint::Tls { address, .. } | Endpoint::Tcp(address)) = endpoint else { panic!("{endpoint:?}") };
        let mut silent = TcpStream::connect(address).await.unwrap();
        let end = tokio::time::timeout(Duration::from_secs(20), async {
            let mut buffer = [0; 1024];
            while matches!(silent.read(&mut buffer).await, Ok(1..)) {}
        });
        end.await.unwrap_or_else(|_| panic!("{endpoint:?}: still connected"));
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_or_says_nothing_in_the_handshake_is_named() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::Tls { address: listener.local_addr().unwrap().to_string(), server_name: String::new() };
    let hang_up = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _hello = stream.read(&mut [0; 4096]).await.unwrap();
    };
    let trusting = world.trusting();
    let (error, ()) = tokio::join!(fails(&endpoint, &trusting), hang_up);
    assert!(error.contains("may not speak TLS"), "{error}");
    let keep = async {
        let (stream, _) = listener.accept().await.unwrap();
        stream
    };
    let (error, _silent) = tokio::join!(fails(&endpoint, &trusting), keep);
    assert!(error.contains("no answer within 5 s"), "{error}");
}

#[tokio::test]
async fn half_of_a_pair_is_refused_by_name() {
    let world = World::new();
    for (settings, given, missing) in [
        (TlsSettings { key: None, ..world.settings() }, "tls_cert_file", "tls_key_file"),
        (TlsSettings { cert: None, ..world.settings() }, "tls_key_file", "tls_cert_file"),
        (TlsSettings { client_ca: Some("x".into()), ..TlsSettings::default() }, "tls_client_ca_file", "tls_cert_file"),
    ] {
        let error = settings.server("controller").unwrap_err().to_string();
        assert!(error.contains(&format!("`{given}` is set")) && error.contains(missing), "{error}");
    }
    let other = world.authority.issue("x", &[], Purpose::Service, 1).unwrap();
    fs::write(world.path("server-key.pem"), other.key).unwrap();
    let error = world.settings().server("controller").unwrap_err().to_string();
    assert!(error.contains("server.pem") && error.contains("server-key.pem"), "{error}");
}

#[tokio::test]
async fn any_address_will_do_with_tls() {
    let world = World::new();
    let tls = || world.settings().server("test").unwrap().unwrap();
    let listener = Listener::tls("0.0.0.0:0", tls()).unwrap();
    assert!(listener.is_everywhere());
    let open = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let inherited = Listener::inherited(std::os::fd::IntoRawFd::into_raw_fd(open), Some(tls())).unwrap();
    assert!(matches!(inherited.endpoint(), Some(Endpoint::Tls { .. })));
}

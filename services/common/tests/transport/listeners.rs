use std::{
    fs,
    os::{fd::IntoRawFd as _, unix::net::UnixListener},
    path::Path,
};

use paraply_common::transport::{ListenError, Listener, connect, tls::ClientTls};
use paraply_core::membership::Endpoint;
use paraply_proto::scheduler::v1::AttachEngineRequest;

use crate::echo::{Echo, attach};

async fn answers(endpoint: Endpoint) {
    let (says, mut answers) = attach(connect(&[endpoint], &ClientTls::default()).await.unwrap()).await;
    says.send(AttachEngineRequest::default()).await.unwrap();
    assert!(answers.message().await.unwrap().is_some());
}

#[tokio::test]
async fn one_service_answers_on_all_of_its_listeners() {
    let folder = tempfile::tempdir().unwrap();
    let inherited_unix = UnixListener::bind(folder.path().join("inherited")).unwrap();
    let inherited_tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let echo = Echo::start(
        vec![
            Listener::tcp("127.0.0.1:0").unwrap(),
            Listener::unix(&folder.path().join("own")).unwrap(),
            Listener::inherited(inherited_unix.into_raw_fd(), None).unwrap(),
            Listener::inherited(inherited_tcp.into_raw_fd(), None).unwrap(),
        ],
        1,
    );
    assert_eq!(echo.endpoints.len(), 4);
    for endpoint in echo.endpoints.clone() {
        answers(endpoint).await;
    }
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused_with_what_to_do() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let error = Listener::tcp(address).unwrap_err();
        assert!(matches!(error, ListenError::NotLoopback { .. }), "{error}");
        assert!(error.to_string().contains("--listen 127.0.0.1:0"), "{error}");
    }
    let open = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let error = Listener::inherited(open.into_raw_fd(), None).unwrap_err();
    assert!(matches!(error, ListenError::NotLoopback { .. }), "{error}");
}

#[tokio::test]
async fn what_cannot_be_listened_on_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(Listener::tcp(&address).unwrap_err().to_string().contains(&address));
    assert!(Listener::tcp("nowhere").unwrap_err().to_string().contains("nowhere"));
    let long = Path::new("/tmp").join("x".repeat(200));
    assert!(matches!(Listener::unix(&long).unwrap_err(), ListenError::PathTooLong { .. }));
    let file = fs::File::open("/dev/null").unwrap().into_raw_fd();
    for fd in [1, file, 999_999] {
        let error = Listener::inherited(fd, None).unwrap_err();
        assert!(matches!(error, ListenError::Inherited { .. }), "{error}");
        assert!(error.to_string().contains(&fd.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "std leaves it behind, as a killed process does");
    let listener = Listener::unix(&path).unwrap();
    let error = Listener::unix(&path).unwrap_err().to_string();
    assert!(error.contains("another process listens"), "{error}");
    drop(listener);
    assert!(!path.exists(), "a service that ends takes its socket with it");
    fs::write(&path, "not a socket").unwrap();
    Listener::unix(&path).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), "not a socket");
}

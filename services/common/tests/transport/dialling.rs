use paraply_common::transport::{DialError, Listener, boot_id, connect, dial_lazily, tls::ClientTls};
use paraply_core::membership::Endpoint;
use paraply_proto::scheduler::v1::AttachEngineRequest;

use crate::echo::{Echo, attach};

#[tokio::test]
async fn the_first_endpoint_that_answers_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let echo = Echo::start(vec![Listener::tcp("127.0.0.1:0").unwrap()], 1);
    let nobody_there = Endpoint::Unix { path: path.display().to_string(), boot_id: boot_id().to_owned() };
    let other_machine = Endpoint::Unix { path: "/etc/passwd".into(), boot_id: "another".into() };
    let endpoints = [other_machine.clone(), nobody_there.clone(), Endpoint::Same, echo.endpoints[0].clone()];
    for channel in [
        connect(&endpoints, &ClientTls::default()).await.unwrap(),
        dial_lazily(&endpoints, &ClientTls::default()).unwrap(),
    ] {
        let (says, mut answers) = attach(channel).await;
        says.send(AttachEngineRequest::default()).await.unwrap();
        assert!(answers.message().await.unwrap().is_some());
    }

    let error = connect(&[nobody_there], &ClientTls::default()).await.unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    let error = connect(&[other_machine, Endpoint::Same], &ClientTls::default()).await.unwrap_err();
    assert!(matches!(error, DialError::NoAddress(2)), "{error}");
}

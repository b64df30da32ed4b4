use paraply_common::{
    clock,
    transport::{Listener, connect, tls::ClientTls},
};
use paraply_proto::scheduler::v1::AttachEngineRequest;

use crate::echo::{Echo, attach};

const TURNS: u32 = 2000;

/// The way of every message: transport, reader, mailbox, actor, line, transport.
#[tokio::test]
async fn a_stream_turns_round_many_times_and_quickly() {
    let folder = tempfile::tempdir().unwrap();
    let echo = Echo::start(vec![Listener::unix(&folder.path().join("s")).unwrap()], 1);
    let (says, mut answers) = attach(connect(&echo.endpoints, &ClientTls::default()).await.unwrap()).await;
    let begun = clock::now();
    for _turn in 0..TURNS {
        says.send(AttachEngineRequest::default()).await.unwrap();
        assert!(answers.message().await.unwrap().is_some());
    }
    let each = clock::now().since(begun) / TURNS;
    println!("{each:?} a round trip");
    // Two orders of magnitude above what is measured: a timer or a delayed acknowledgement in between would show.
    assert!(each < std::time::Duration::from_millis(5), "{each:?} a round trip");
}

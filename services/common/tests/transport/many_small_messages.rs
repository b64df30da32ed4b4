use std::time::Duration;

use paraply_common::transport::{Listener, connect, tls::ClientTls};
use paraply_proto::scheduler::v1::AttachEngineRequest;

use crate::echo::{Echo, attach};

/// h2 ends a connection on which too many small frames wait unread: our windows have to leave room for them.
#[tokio::test]
async fn a_reader_that_stalls_on_ten_thousand_small_messages_loses_none() {
    const MESSAGES: u64 = 10_000;
    let echo = Echo::start(vec![Listener::tcp("127.0.0.1:0").unwrap()], MESSAGES);
    let channel = connect(&echo.endpoints, &ClientTls::default()).await.unwrap();
    let (stalled_says, mut stalled) = attach(channel.clone()).await;
    stalled_says.send(AttachEngineRequest::default()).await.unwrap();
    // Another stream of the same connection, by which the stalled one's messages have had time to pile up.
    let (says, mut answers) = attach(channel).await;
    says.send(AttachEngineRequest::default()).await.unwrap();
    for _ in 0..MESSAGES {
        answers.message().await.unwrap().unwrap();
    }
    for _ in 0..MESSAGES {
        let message = tokio::time::timeout(Duration::from_secs(20), stalled.message()).await;
        message.expect("it was sent").expect("the connection lives").expect("the stream goes on");
    }
}

use std::time::Duration;

use paraply_common::clock;
use paraply_proto::controller::v1::WatchEnginesRequest;
use tonic::Code;

use crate::support::{Controller, engine, hello, scheduler};

#[tokio::test]
async fn streams_end_with_a_reason_and_the_service_in_bounded_time() {
    let controller = Controller::start().await;
    controller.register(scheduler(100, &[], 0)).await.unwrap();
    let id = controller.register(engine(1)).await.unwrap().member_id;
    let (_says, mut answers) = controller.keep_alive(hello(id, 1)).await.unwrap();
    answers.message().await.unwrap();
    let mut watch = controller.cluster().watch_engines(WatchEnginesRequest::default()).await.unwrap().into_inner();
    watch.message().await.unwrap();

    let begun = clock::now();
    controller.begin_to_stop();
    for status in [answers.message().await.unwrap_err(), watch.message().await.unwrap_err()] {
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(status.message().contains("shutting down"), "{status}");
    }
    // The keep-alive stream's other half is still open: nobody waits for it longer than the time of grace.
    controller.ended().await;
    assert!(clock::now().since(begun) < Duration::from_secs(5));
}

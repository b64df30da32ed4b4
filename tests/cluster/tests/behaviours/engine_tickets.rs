//! An engine shows what the controller gave it.

use paraply_cluster_tests::{
    cluster::Cluster,
    engine::{RawEngine, hello},
};
use paraply_proto::scheduler::v1::EngineHello;
use tonic::Code;

#[tokio::test]
async fn a_ticket_is_for_one_cluster_id_and_incarnation() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    for wrong in [
        EngineHello { ticket: cluster.ticket(4, 3).to_vec().into(), ..hello(&cluster, 3, vec![]) },
        EngineHello { ticket: cluster.ticket(3, 4).to_vec().into(), ..hello(&cluster, 3, vec![]) },
        EngineHello { ticket: Cluster::default().ticket(3, 3).to_vec().into(), ..hello(&cluster, 3, vec![]) },
        EngineHello { ticket: bytes::Bytes::new(), ..hello(&cluster, 3, vec![]) },
    ] {
        let refused = RawEngine::hello(&cluster, cluster.dial(&scheduler).await, wrong).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
        assert!(refused.message().contains("register with the controller"), "{refused}");
    }
    let right = RawEngine::attach(&cluster, cluster.dial(&scheduler).await, 3).await.unwrap();
    assert_eq!(right.welcome.cluster_id, cluster.id);
    assert!(right.welcome.lease_millis > 0);
}

#[tokio::test]
async fn another_process_does_not_get_an_id_that_is_taken() {
    let cluster = Cluster::default();
    let scheduler = cluster.scheduler();
    let _first = cluster.engine(&scheduler, 3).await;
    let incarnation = 99_u128;
    let second = EngineHello {
        incarnation: incarnation.to_be_bytes().to_vec().into(),
        ticket: cluster.ticket(3, incarnation).to_vec().into(),
        ..hello(&cluster, 3, vec![])
    };
    let refused = RawEngine::hello(&cluster, cluster.dial(&scheduler).await, second).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists, "{refused}");
}

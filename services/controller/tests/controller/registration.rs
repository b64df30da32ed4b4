use paraply_common::{secret::Secret, ticket};
use paraply_core::id::{EngineId, Incarnation};
use paraply_proto::controller::v1::ListEnginesRequest;
use tonic::Code;

use crate::support::{Controller, ENGINE, config, engine, scheduler};

#[tokio::test]
async fn engines_get_ids_in_order_with_tickets_that_a_scheduler_can_check() {
    let controller = Controller::start().await;
    controller.register(scheduler(100, &[], 0)).await.unwrap();
    for number in 0..3_u8 {
        let granted = controller.register(engine(number)).await.unwrap();
        assert_eq!((granted.member_id, granted.cluster_id.as_str()), (number.into(), "quiet-heron"));
        assert_eq!(granted.lease_millis, 10_000);
        let token = Secret::try_from(ENGINE.to_owned()).unwrap();
        let incarnation = Incarnation::from_bytes(&[number; 16]).unwrap();
        assert!(ticket::verify(&token, "quiet-heron", EngineId(number.into()), incarnation, &granted.ticket));
    }
    let again = controller.register(engine(1)).await.unwrap();
    assert_eq!(again.member_id, 1, "a repeat gets the same answer");
}

#[tokio::test]
async fn an_engine_that_comes_before_the_scheduler_waits_for_it() {
    let controller = Controller::start().await;
    let (engine, scheduler) = tokio::join!(controller.register(engine(1)), async {
        // Whichever arrives first: both are answered.
        controller.register(scheduler(2, &[], 7)).await
    });
    scheduler.unwrap();
    assert_eq!(engine.unwrap().member_id, 7, "the scheduler has seen ids up to 6");
}

#[tokio::test]
async fn an_engine_without_a_scheduler_is_told_to_try_again() {
    let controller = Controller::start_with(paraply_controller::Config { scheduler_wait_millis: 50, ..config() }).await;
    let status = controller.register(engine(1)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("no scheduler"), "{status}");
}

#[tokio::test]
async fn a_forged_ticket_is_refused_and_a_wish_is_granted() {
    let controller = Controller::start().await;
    controller.register(scheduler(100, &[], 0)).await.unwrap();
    let mut wish = engine(1);
    wish.member_id = Some(5);
    assert_eq!(controller.register(wish).await.unwrap().member_id, 5);
    let mut forged = engine(2);
    (forged.member_id, forged.ticket) = (Some(5), vec![0; 32].into());
    let status = controller.register(forged).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("ticket"), "{status}");
}

#[tokio::test]
async fn who_leaves_is_gone_at_once() {
    let controller = Controller::start().await;
    controller.register(scheduler(100, &[], 0)).await.unwrap();
    let granted = controller.register(engine(1)).await.unwrap();
    let leave = paraply_proto::controller::v1::DeregisterMemberRequest {
        member_id: granted.member_id,
        incarnation: engine(1).incarnation,
    };
    for _idempotent in 0..2 {
        controller.members().deregister_member(leave.clone()).await.unwrap();
    }
    let left = controller.cluster().list_engines(ListEnginesRequest::default()).await.unwrap().into_inner();
    assert!(left.engines.is_empty());
}

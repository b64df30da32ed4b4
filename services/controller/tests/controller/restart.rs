use paraply_controller::Config;
use tonic::Code;

use crate::support::{Controller, config, engine, hello, scheduler};

#[tokio::test]
async fn after_a_restart_members_keep_their_ids_and_none_is_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config { state_dir: Some(folder.path().to_owned()), ..config() };
    let before = Controller::start_with(config()).await;
    before.register(scheduler(100, &[], 0)).await.unwrap();
    let first = before.register(engine(1)).await.unwrap();
    before.register(engine(2)).await.unwrap();
    before.begin_to_stop();
    before.ended().await;

    let after = Controller::start_with(config()).await;
    let (_says, mut answers) = after.keep_alive(hello(first.member_id, 1)).await.unwrap();
    assert_eq!(answers.message().await.unwrap_err().code(), Code::NotFound, "it is told to register again");
    let mut again = engine(1);
    (again.member_id, again.ticket) = (Some(first.member_id), first.ticket);
    assert_eq!(after.register(again).await.unwrap().member_id, 0);
    assert_eq!(after.register(engine(3)).await.unwrap().member_id, 2, "without waiting for the scheduler");
}

#[tokio::test]
async fn without_state_the_scheduler_says_which_ids_were_given() {
    let after = Controller::start().await;
    let (engine, _) = tokio::join!(after.register(engine(3)), after.register(scheduler(100, &[], 2)));
    assert_eq!(engine.unwrap().member_id, 2);
}

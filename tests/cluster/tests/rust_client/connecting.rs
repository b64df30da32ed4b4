//! Finding a cluster, being refused by one, and leaving it.

use std::time::Duration;

use paraply::{Client, ConnectError, Error, SessionError};
use paraply_cluster_tests::{cluster::Cluster, soon};
use paraply_common::connection::Role;
use paraply_core::membership::Endpoint;

use crate::home::Home;

#[tokio::test]
async fn an_address_and_a_token_are_enough() {
    let home = Home::new(1);
    for service in [&home.controller, home.scheduler.as_ref().unwrap()] {
        let address = format!("127.0.0.1:{}", service.port());
        let client = Client::builder().address(address, home.token()).connect().await.unwrap();
        soon("an engine", client.wait_for_engines(1)).await.unwrap();
        client.close().await;
    }
}

#[tokio::test]
async fn the_wrong_token_is_refused_at_once() {
    let home = Home::new(0);
    let address = format!("127.0.0.1:{}", home.controller.port());
    let connecting = Client::builder().address(address, "0123456789abcdef").connect();
    let error = soon("a refusal", connecting).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused(SessionError::Refused(_))), "{error:?}");
}

#[tokio::test]
async fn another_cluster_at_the_address_is_not_taken_for_the_one_that_is_wanted() {
    let home = Home::new(0);
    let mut file = home.connection(Role::Client);
    file.cluster_id = "another".to_owned();
    file.write(&home.file()).unwrap();
    let asked = Client::builder().file(home.file()).timeout(Duration::from_secs(3));
    let error = soon("an error", asked.connect()).await.unwrap_err().to_string();
    assert!(error.contains(r#"this is cluster "test", not "another""#), "{error}");
}

#[tokio::test]
async fn a_cluster_that_is_stopped_ends_its_clients() {
    let mut home = Home::new(1);
    let client = home.client().await;
    let waiting = client.balanced().apply::<i64>("toy:wait", ());
    std::fs::remove_file(home.file()).unwrap();
    home.scheduler = None;
    let error = soon("an end", waiting).await.unwrap_err();
    assert!(matches!(&error, Error::Session(SessionError::Refused(why)) if why.contains("was stopped")), "{error:?}");
}

#[tokio::test]
async fn who_takes_connections_and_says_nothing_is_passed_by() {
    let home = Home::new(1);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut file = home.connection(Role::Client);
    file.endpoints.insert(0, Endpoint::Tcp(silent.local_addr().unwrap().to_string()));
    file.write(&home.file()).unwrap();
    let client = Client::builder().file(home.file()).connect();
    let client = tokio::time::timeout(Duration::from_secs(20), client).await.unwrap().unwrap();
    soon("an engine", client.wait_for_engines(1)).await.unwrap();
}

#[tokio::test]
async fn who_does_not_answer_is_named() {
    let address = {
        let cluster = Cluster::default();
        format!("127.0.0.1:{}", cluster.controller().port())
    };
    let asked = Client::builder().address(address.clone(), "0123456789abcdef").timeout(Duration::from_millis(300));
    let error = soon("an error", asked.connect()).await.unwrap_err().to_string();
    assert!(error.contains(&address), "{error}");
}

#[tokio::test]
async fn a_client_that_is_closed_takes_no_calls_and_leaves_what_was_detached_to_run() {
    let home = Home::new(1);
    let client = home.client().await;
    let view = client.direct(0);
    let held = client.balanced().apply::<i64>("toy:wait", ());
    let large = "x".repeat(1 << 20);
    view.push("left", &large).detach();
    soon("the end", client.close()).await;
    assert!(matches!(held.await, Err(Error::Session(SessionError::Closed))));
    assert!(matches!(view.execute("late").await, Err(Error::Session(SessionError::Closed))));
}

#[tokio::test]
async fn what_was_detached_runs_though_its_client_is_gone() {
    let home = Home::new(1);
    let large = "x".repeat(1 << 20);
    let client = home.client().await;
    client.direct(0).push("left", &large).detach();
    soon("the end", client.close()).await;
    let next = home.client().await;
    let left = async {
        loop {
            if let Ok(left) = next.direct(0).pull::<String>("left").await {
                return left;
            }
        }
    };
    assert_eq!(soon("what was left", left).await, [large]);
}

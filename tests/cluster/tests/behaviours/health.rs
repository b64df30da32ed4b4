//! Health means that the actor has answered in the last second.

use std::sync::{Arc, Condvar, Mutex};

use paraply_cluster_tests::{
    PATIENCE,
    cluster::{Cluster, GRACE},
    service::Service,
    session::RawSession,
    soon,
    words::direct,
};
use paraply_core::scheduler::Record;
use paraply_scheduler::store::Store;
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

async fn check(channel: &Channel, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel.clone()).check(request).await;
    answer.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
}

async fn becomes(channel: &Channel, wanted: ServingStatus) {
    soon(&format!("{wanted:?}"), async { while check(channel, "").await != Ok(wanted) {} }).await;
}

#[tokio::test]
async fn both_services_say_so_without_a_token() {
    let cluster = Cluster::default();
    let (controller, scheduler) = cluster.both();
    for (service, name) in
        [(&controller, "paraply.controller.v1.ClusterService"), (&scheduler, "paraply.scheduler.v1.TaskService")]
    {
        let channel = cluster.dial(service).await;
        becomes(&channel, ServingStatus::Serving).await;
        assert_eq!(check(&channel, name).await, Ok(ServingStatus::Serving));
        assert_eq!(check(&channel, "no.such.Service").await, Err(Code::NotFound));
    }
}

/// A disk that does not answer.
#[derive(Clone, Debug, Default)]
struct StuckStore(Arc<(Mutex<bool>, Condvar)>);

impl Store for StuckStore {
    fn append(&mut self, sequence: u64, _records: Vec<Record>) -> u64 {
        let (released, bell) = &*self.0;
        // The actor is stuck; its thread's other tasks go elsewhere, or nobody would be left to answer.
        tokio::task::block_in_place(|| {
            drop(bell.wait_timeout_while(released.lock().unwrap(), 2 * PATIENCE, |released| !*released).unwrap());
        });
        sequence
    }
}

impl StuckStore {
    fn release(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

#[tokio::test]
async fn a_stuck_actor_is_not_serving_until_it_goes_on() {
    let cluster = Cluster::default();
    let store = StuckStore::default();
    let (config, stuck) = (cluster.scheduler_config(), store.clone());
    let scheduler = Service::start_on_two_threads(&cluster.scheduler_socket(), GRACE, move |listeners, shutdown| {
        paraply_scheduler::run_with_store(config, listeners, shutdown, stuck)
    });
    let channel = cluster.dial(&scheduler).await;
    becomes(&channel, ServingStatus::Serving).await;
    let session = RawSession::open(&cluster, cluster.dial(&scheduler).await).await;
    session.submit(vec![direct(0, 0)]).await;
    becomes(&channel, ServingStatus::NotServing).await;
    store.release();
    becomes(&channel, ServingStatus::Serving).await;
}

//! KEDA's interface to scalers, as KEDA calls it.

use std::{
    fs,
    net::TcpListener,
    os::{fd::IntoRawFd as _, unix::net::UnixListener},
    path::PathBuf,
};

use paraply_common::{
    certificates::{Authority, Purpose},
    shutdown::shutdown,
    transport::{
        connect,
        tls::{ClientTls, Pem},
    },
};
use paraply_controller::Config;
use paraply_core::membership::Endpoint;
use paraply_proto::{
    controller::v1::{
        EngineLoad, GetClusterInfoRequest, KeepAliveRequest, cluster_service_client::ClusterServiceClient,
    },
    externalscaler::{
        GetMetricsRequest, IsActiveResponse, ScaledObjectRef, external_scaler_client::ExternalScalerClient,
    },
};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};
use tonic::{Code, Status, Streaming, transport::Channel};

use crate::support::{Controller, PATIENCE, config, engine, hello, scheduler};

/// A cluster whose idle time is short.
struct World {
    folder: TempDir,
    authority: Authority,
    address: String,
    controller: Controller,
}

fn files(folder: &TempDir, authority: &Authority, ca: &str) -> (PathBuf, PathBuf, PathBuf) {
    let path = |name: &str| folder.path().join(name);
    let server = authority.issue("s", &["127.0.0.1".to_owned()], Purpose::Service, 1).unwrap();
    fs::write(path("server.pem"), server.certificate).unwrap();
    fs::write(path("server-key.pem"), server.key).unwrap();
    fs::write(path("ca.pem"), ca).unwrap();
    (path("server.pem"), path("server-key.pem"), path("ca.pem"))
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (authority, ca) = Authority::make("test", 10).unwrap();
        let (cert, key, ca) = files(&folder, &authority, &ca.certificate);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let config = Config {
            autoscale_idle_millis: 500,
            scaler: Some(format!("fd:{}", listener.into_raw_fd())),
            scaler_client_ca_file: Some(ca),
            tls_cert_file: Some(cert),
            tls_key_file: Some(key),
            ..config()
        };
        Self { folder, authority, address, controller: Controller::start_with(config).await }
    }

    fn ca(&self) -> Pem {
        Pem::File(self.folder.path().join("ca.pem"))
    }

    async fn channel(&self, tls: &ClientTls) -> Result<Channel, String> {
        let endpoint = Endpoint::Tls { address: self.address.clone(), server_name: String::new() };
        timeout(PATIENCE, connect(&[endpoint], tls)).await.unwrap().map_err(|error| error.to_string())
    }

    /// With a certificate of an authority.
    async fn as_issued_by(&self, authority: &Authority) -> Result<ExternalScalerClient<Channel>, String> {
        let pair = authority.issue("keda", &[], Purpose::Peer, 1).unwrap();
        let tls = ClientTls::new(Some(self.ca()), Some((Pem::Text(pair.certificate), Pem::Text(pair.key))));
        self.channel(&tls).await.map(ExternalScalerClient::new)
    }

    async fn keda(&self) -> ExternalScalerClient<Channel> {
        self.as_issued_by(&self.authority).await.unwrap()
    }

    /// A scheduler that has said nothing yet; its id.
    async fn scheduler(&self) -> u32 {
        self.controller.register(scheduler(100, &[], 0)).await.unwrap().member_id
    }

    /// Where it says what there is to do.
    async fn says(&self, scheduler: u32) -> mpsc::Sender<KeepAliveRequest> {
        self.controller.keep_alive(hello(scheduler, 100)).await.unwrap().0
    }
}

fn object(metadata: &[(&str, &str)]) -> ScaledObjectRef {
    let scaler_metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    ScaledObjectRef { name: "paraply-engine".into(), namespace: "paraply".into(), scaler_metadata }
}

fn wanted(metadata: &[(&str, &str)], metric_name: &str) -> GetMetricsRequest {
    GetMetricsRequest { scaled_object_ref: Some(object(metadata)), metric_name: metric_name.into() }
}

fn waiting(waiting_tasks: u64) -> KeepAliveRequest {
    KeepAliveRequest { waiting_tasks, ..KeepAliveRequest::default() }
}

async fn next(stream: &mut Streaming<IsActiveResponse>) -> Option<bool> {
    timeout(PATIENCE, stream.message()).await.expect("in time").unwrap().map(|answer| answer.result)
}

/// Asks until the answer is this one: what the scheduler has said is on its way.
async fn metric_becomes(keda: &mut ExternalScalerClient<Channel>, metadata: &[(&str, &str)], engines: i64) {
    let asked = async {
        loop {
            let answer = keda.get_metrics(wanted(metadata, "paraply-engines-wanted")).await;
            if let Ok(answer) = answer {
                let [value] = &answer.get_ref().metric_values[..] else { panic!("{answer:?}") };
                assert_eq!(value.metric_value_float, value.metric_value as f64);
                if value.metric_value == engines {
                    return;
                }
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{engines} are not wanted"));
}

#[tokio::test]
async fn who_listens_hears_of_the_first_task_and_of_the_end_of_work_again_and_again() {
    let world = World::start().await;
    let says = world.says(world.scheduler().await).await;
    let mut keda = world.keda().await;
    let mut active = keda.stream_is_active(object(&[])).await.unwrap().into_inner();
    assert_eq!(next(&mut active).await, Some(false));
    for tasks in [1, 1000] {
        says.send(waiting(tasks)).await.unwrap();
        assert_eq!(next(&mut active).await, Some(true));
        assert!(keda.is_active(object(&[])).await.unwrap().into_inner().result);
        says.send(waiting(tasks / 2)).await.unwrap();
        says.send(waiting(0)).await.unwrap();
        assert_eq!(next(&mut active).await, Some(false), "after the idle time, and nothing in between");
    }
    assert!(!keda.is_active(object(&[])).await.unwrap().into_inner().result);
    world.controller.begin_to_stop();
    assert_eq!(next(&mut active).await, None, "it ends well");
    world.controller.ended().await;
}

#[tokio::test]
async fn the_metric_is_engines_and_those_that_leave_are_not_counted() {
    let world = World::start().await;
    let mut keda = world.keda().await;
    let spec = keda.get_metric_spec(object(&[])).await.unwrap().into_inner();
    let [spec] = &spec.metric_specs[..] else { panic!("{spec:?}") };
    assert_eq!(
        (spec.metric_name.as_str(), spec.target_size, spec.target_size_float),
        ("paraply-engines-wanted", 1, 1.0)
    );
    let scheduler = world.scheduler().await;
    for unknown in [
        keda.is_active(object(&[])).await.unwrap_err(),
        keda.get_metrics(wanted(&[], "paraply-engines-wanted")).await.unwrap_err(),
    ] {
        assert_eq!(unknown.code(), Code::Unavailable, "no scheduler has said what there is to do");
    }
    for number in [1, 2, 3] {
        world.controller.register(engine(number)).await.unwrap();
    }
    let load =
        |engine_id, claimed_tasks, draining| EngineLoad { engine_id, claimed_tasks, draining, ..EngineLoad::default() };
    let engine_loads = vec![load(0, 1, false), load(1, 0, false), load(2, 4, true)];
    let says = world.says(scheduler).await;
    says.send(KeepAliveRequest { engine_loads, waiting_tasks: 19, ..KeepAliveRequest::default() }).await.unwrap();
    metric_becomes(&mut keda, &[], 20).await;
    metric_becomes(&mut keda, &[("tasksPerEngine", "4"), ("scalerAddress", "x:1")], 5).await;
    says.send(waiting(u64::MAX)).await.unwrap();
    metric_becomes(&mut keda, &[], u32::MAX.into()).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_trigger_is_said_by_name() {
    let world = World::start().await;
    let mut keda = world.keda().await;
    let wrong = object(&[("tasksPerEngine", "none")]);
    let is_wrong = |status: Status| {
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains("tasksPerEngine: \"none\""), "{status}");
    };
    is_wrong(keda.is_active(wrong.clone()).await.unwrap_err());
    is_wrong(keda.stream_is_active(wrong.clone()).await.unwrap_err());
    is_wrong(keda.get_metric_spec(wrong).await.unwrap_err());
    is_wrong(keda.get_metrics(wanted(&[("tasksPerEngine", "none")], "paraply-engines-wanted")).await.unwrap_err());
    let other = keda.get_metrics(wanted(&[], "cpu")).await.unwrap_err();
    assert_eq!(other.code(), Code::InvalidArgument);
    assert!(other.message().contains("metricName: \"cpu\""), "{other}");
}

#[tokio::test]
async fn only_a_certificate_of_the_authority_opens_it_and_nothing_else_is_there() {
    let world = World::start().await;
    let nobody = ClientTls::new(Some(world.ca()), None);
    let mut nobody = ExternalScalerClient::new(world.channel(&nobody).await.unwrap());
    let refused = nobody.is_active(object(&[])).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("takes only peers with a certificate"), "{refused}");

    let (stranger, _) = Authority::make("stranger", 10).unwrap();
    let answered = match world.as_issued_by(&stranger).await {
        Ok(mut stranger) => stranger.is_active(object(&[])).await.map(|_| ()).map_err(|status| status.to_string()),
        Err(error) => Err(error),
    };
    assert!(answered.is_err(), "a stranger is not let in");

    let pair = world.authority.issue("keda", &[], Purpose::Peer, 1).unwrap();
    let tls = ClientTls::new(Some(world.ca()), Some((Pem::Text(pair.certificate), Pem::Text(pair.key))));
    let channel = world.channel(&tls).await.unwrap();
    let info = ClusterServiceClient::new(channel).get_cluster_info(GetClusterInfoRequest::default()).await;
    let elsewhere = info.unwrap_err();
    assert_eq!(elsewhere.code(), Code::Unimplemented);
}

#[tokio::test]
async fn so_many_may_listen_and_who_leaves_makes_room() {
    let world = World::start().await;
    let mut keda = world.keda().await;
    let mut listening = Vec::new();
    for _ in 0..64 {
        listening.push(keda.stream_is_active(object(&[])).await.unwrap());
    }
    let refused = keda.stream_is_active(object(&[])).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    listening.pop();
    let again = async {
        while keda.stream_is_active(object(&[])).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn without_certificates_it_does_not_listen() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, ca) = Authority::make("test", 10).unwrap();
    let (cert, key, ca) = files(&folder, &authority, &ca.certificate);
    let unix = UnixListener::bind(folder.path().join("scaler.sock")).unwrap();
    let (tcp, unix) = (Some("127.0.0.1:0".to_owned()), Some(format!("fd:{}", unix.into_raw_fd())));
    let (tls_cert_file, tls_key_file) = (Some(cert), Some(key));
    let shown = Config { tls_cert_file, tls_key_file, ..config() };
    let scaler_client_ca_file = Some(ca);
    for (config, what) in [
        (Config { scaler: tcp.clone(), ..config() }, "`scaler_client_ca_file`"),
        (Config { scaler: tcp.clone(), ..shown.clone() }, "`scaler_client_ca_file`"),
        (Config { scaler: tcp, scaler_client_ca_file: scaler_client_ca_file.clone(), ..config() }, "`tls_key_file`"),
        (Config { scaler: unix, scaler_client_ca_file, ..shown }, "is a Unix socket"),
    ] {
        let (_stop, shutdown) = shutdown(PATIENCE);
        let error = paraply_controller::run(config, Vec::new(), shutdown, None).await.unwrap_err().to_string();
        assert!(error.contains("controller.scaler") && error.contains(what), "{error}");
    }
}

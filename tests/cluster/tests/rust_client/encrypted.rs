//! TLS, as the connection file says.

use std::{fs, sync::mpsc, time::Duration};

use paraply::{Client, ConnectError};
use paraply_cluster_tests::{service::Service, soon};
use paraply_common::{
    certificates::bundle::{Bundle, CA, CLIENT_TOKEN, ENGINE_TOKEN, SERVER, SERVER_KEY, Wish, complete, connection},
    connection::{ConnectionFile, Role},
    secret::Secret,
    shutdown::Shutdown,
    transport::{
        Listener, address,
        tls::{Pem, ServerFiles, ServerTls},
    },
};
use paraply_core::membership::Endpoint;
use tempfile::TempDir;

const HOST: &str = "127.0.0.1";

/// A service on a TLS port and nothing else.
fn serve<F, E>(
    folder: &TempDir,
    name: &str,
    run: impl FnOnce(Vec<Listener>, Shutdown) -> F + Send + 'static,
) -> (Service, Endpoint)
where
    F: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let (said, port) = mpsc::channel();
    let path = folder.path().to_owned();
    let run = move |_, shutdown| async move {
        let file = |name: &str| Pem::File(path.join(name));
        let files = ServerFiles { cert: file(SERVER), key: file(SERVER_KEY), client_ca: None };
        let listener = Listener::tls(&format!("{HOST}:0"), ServerTls::new(files).unwrap()).unwrap();
        said.send(listener.endpoint().unwrap()).unwrap();
        run(vec![listener], shutdown).await
    };
    let service = Service::start(&folder.path().join(name), 0, Duration::from_millis(500), run);
    (service, port.recv().unwrap())
}

#[tokio::test]
async fn who_has_the_authority_of_the_file_is_let_in_and_who_has_another_stays_out() {
    let folder = tempfile::tempdir().unwrap();
    let wish = Wish { cluster_id: "test".to_owned(), hosts: vec![HOST.to_owned()], days: 1 };
    let bundle = complete(&Bundle::new(), &wish).unwrap();
    for (name, content) in &bundle {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let token = |name| Some(Secret::try_from(bundle[name].clone()).unwrap());
    let (client_token, engine_token) = (token(CLIENT_TOKEN), token(ENGINE_TOKEN));
    let tls_ca_file = Some(folder.path().join(CA));
    let config = paraply_controller::Config {
        cluster_id: "test".to_owned(),
        client_token: client_token.clone(),
        engine_token: engine_token.clone(),
        tls_ca_file: tls_ca_file.clone(),
        ..paraply_controller::Config::default()
    };
    let run = move |listeners, shutdown| paraply_controller::run(config, listeners, shutdown, None);
    let (_controller, place) = serve(&folder, "controller.sock", run);
    let config = paraply_scheduler::Config {
        cluster_id: "test".to_owned(),
        client_token,
        engine_token,
        tls_ca_file,
        controller: vec![address::text(&place).unwrap()],
        ..paraply_scheduler::Config::default()
    };
    let run = move |listeners, shutdown| paraply_scheduler::run(config, listeners, shutdown);
    let (_scheduler, _) = serve(&folder, "scheduler.sock", run);

    let path = folder.path().join("connection.json");
    let file = connection(&bundle, Role::Client, "test", vec![place]).unwrap().unwrap();
    file.write(&path).unwrap();
    let client = soon("a client", Client::builder().file(&path).connect()).await.unwrap();
    assert!(client.engines().is_empty());
    soon("the end", client.close()).await;

    let other = complete(&Bundle::new(), &wish).unwrap();
    ConnectionFile { ca: other.get(CA).cloned(), ..file }.write(&path).unwrap();
    let connecting = Client::builder().file(&path).timeout(Duration::from_millis(500)).connect();
    let error = soon("a refusal", connecting).await.unwrap_err();
    let ConnectError::Unreachable { problem, .. } = &error else { panic!("{error:?}") };
    assert!(problem.contains("no authority that is trusted here"), "{problem}");
}

use std::time::Duration;

use paraply_common::{config::Layers, shutdown::shutdown};
use paraply_controller::Config;

use crate::support::config;

fn flags(more: &[(&str, &str)]) -> Layers {
    let needed = [("cluster_id", "c"), ("client_token", "0123456789abcdef"), ("engine_token", "0123456789abcdeF")];
    Layers::new("controller").flags(needed.iter().chain(more).map(|(key, value)| (*key, (*value).to_owned())))
}

#[test]
fn what_is_not_set_has_its_default() {
    let config: Config = flags(&[("lease_millis", "5000")]).load().unwrap();
    assert_eq!((config.lease_millis, config.scheduler_wait_millis, config.state_dir), (5000, 10_000, None));
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    let error = flags(&[("lease_milis", "5000")]).load::<Config>().unwrap_err().to_string();
    assert!(error.contains("--lease-milis") && error.contains("lease_millis"), "{error}");
}

#[tokio::test]
async fn without_a_token_it_does_not_start_and_says_how_to_set_one() {
    let config = Config { engine_token: None, ..config() };
    let (_stop, shutdown) = shutdown(Duration::ZERO);
    let error = paraply_controller::run(config, Vec::new(), shutdown, None).await.unwrap_err().to_string();
    assert!(error.contains("--engine-token") && error.contains("PARAPLY_CONTROLLER_ENGINE_TOKEN"), "{error}");
}

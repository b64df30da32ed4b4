//! KEDA's `ExternalScaler`: what autoscalers of Kubernetes ask, on a listener of its own where both sides show certificates.

use std::{collections::HashMap, pin::Pin, sync::Arc};

use futures_util::{Stream, stream};
use paraply_common::{config::ConfigError, shutdown::Shutdown, transport::Listener};
use paraply_core::membership::{Demand, Endpoint};
use paraply_proto::externalscaler::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec, MetricValue,
    ScaledObjectRef,
    external_scaler_server::{ExternalScaler, ExternalScalerServer},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::{Request, Response, Status};

use crate::{config::Config, run::Error};

/// The one metric.
const METRIC: &str = "paraply-engines-wanted";

/// The key of the trigger's metadata that is ours.
const TASKS_PER_ENGINE: &str = "tasksPerEngine";

/// Who may listen at a time: operators of one Kubernetes cluster are a few.
const LISTENERS: usize = 64;

/// Largest request: a reference, and the metadata of a trigger.
const REQUEST_BYTES: usize = 64 << 10;

/// Answers scalers.
#[derive(Clone, Debug)]
pub(crate) struct Scaler {
    demand: watch::Receiver<Option<Demand>>,
    shutdown: Shutdown,
    free: Arc<Semaphore>,
}

impl Scaler {
    pub(crate) fn new(demand: watch::Receiver<Option<Demand>>, shutdown: Shutdown) -> Self {
        Self { demand, shutdown, free: Arc::new(Semaphore::new(LISTENERS)) }
    }

    /// The listener, where one is wanted. Who calls there shows a certificate: nothing else says who it is.
    pub(crate) fn bind(config: &Config) -> Result<Option<Listener>, Error> {
        let Some(address) = &config.scaler else { return Ok(None) };
        let wrong = |message: &str| ConfigError::Value { place: "controller.scaler".into(), message: message.into() };
        let tls = config.scaler_tls()?.ok_or_else(|| {
            wrong(
                "callers are known by their certificates: set `tls_cert_file`, `tls_key_file` and \
                 `scaler_client_ca_file` as well",
            )
        })?;
        let listener = match address.strip_prefix("fd:").map(str::parse) {
            Some(Ok(number)) => Listener::inherited(number, Some(tls))?,
            _ => Listener::tls(address, tls)?,
        };
        if !matches!(listener.endpoint(), Some(Endpoint::Tls { .. })) {
            return Err(wrong("is a Unix socket, where nobody shows a certificate: name a TCP socket").into());
        }
        Ok(Some(listener))
    }

    pub(crate) fn server(self) -> ExternalScalerServer<Self> {
        ExternalScalerServer::new(self).max_decoding_message_size(REQUEST_BYTES)
    }

    fn known(&self) -> Result<Demand, Status> {
        let demand = *self.demand.borrow();
        demand.ok_or_else(|| Status::unavailable("no scheduler has said what there is to do: try again in a moment"))
    }
}

/// How many tasks an engine is to have, as the trigger's metadata says.
fn tasks_per_engine(metadata: &HashMap<String, String>) -> Result<u32, Status> {
    let Some(value) = metadata.get(TASKS_PER_ENGINE) else { return Ok(1) };
    value.parse().ok().filter(|tasks| *tasks > 0).ok_or_else(|| {
        let shown: String = value.chars().take(40).collect();
        Status::invalid_argument(format!("{TASKS_PER_ENGINE}: {shown:?} is not a whole number from 1 to {}", u32::MAX))
    })
}

#[tonic::async_trait]
impl ExternalScaler for Scaler {
    async fn is_active(&self, request: Request<ScaledObjectRef>) -> Result<Response<IsActiveResponse>, Status> {
        tasks_per_engine(&request.get_ref().scaler_metadata)?;
        Ok(Response::new(IsActiveResponse { result: self.known()?.active }))
    }

    type StreamIsActiveStream = Pin<Box<dyn Stream<Item = Result<IsActiveResponse, Status>> + Send>>;

    async fn stream_is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamIsActiveStream>, Status> {
        tasks_per_engine(&request.get_ref().scaler_metadata)?;
        let place = Arc::clone(&self.free).try_acquire_owned();
        let place = place.map_err(|_| Status::resource_exhausted(format!("{LISTENERS} callers listen already")))?;
        let (demand, shutdown) = (self.demand.clone(), self.shutdown.clone());
        let listening = Listening { demand, shutdown, told: None, _place: place };
        Ok(Response::new(Box::pin(stream::unfold(listening, |mut listening| async {
            let result = listening.change().await?;
            Some((Ok(IsActiveResponse { result }), listening))
        }))))
    }

    async fn get_metric_spec(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<GetMetricSpecResponse>, Status> {
        tasks_per_engine(&request.get_ref().scaler_metadata)?;
        let metric = MetricSpec { metric_name: METRIC.to_owned(), target_size: 1, target_size_float: 1.0 };
        Ok(Response::new(GetMetricSpecResponse { metric_specs: vec![metric] }))
    }

    async fn get_metrics(&self, request: Request<GetMetricsRequest>) -> Result<Response<GetMetricsResponse>, Status> {
        let GetMetricsRequest { scaled_object_ref, metric_name } = request.into_inner();
        let tasks = tasks_per_engine(&scaled_object_ref.unwrap_or_default().scaler_metadata)?;
        if metric_name != METRIC {
            let shown: String = metric_name.chars().take(80).collect();
            return Err(Status::invalid_argument(format!("metricName: {shown:?} is not known, only {METRIC:?} is")));
        }
        let engines = self.known()?.engines(tasks);
        let value = MetricValue { metric_name, metric_value: engines.into(), metric_value_float: engines.into() };
        Ok(Response::new(GetMetricsResponse { metric_values: vec![value] }))
    }
}

/// One who is told at every change.
struct Listening {
    demand: watch::Receiver<Option<Demand>>,
    shutdown: Shutdown,
    told: Option<bool>,
    _place: OwnedSemaphorePermit,
}

impl Listening {
    /// Waits until the cluster is active and was not, or the reverse. `None` at the end.
    async fn change(&mut self) -> Option<bool> {
        loop {
            let active = self.demand.borrow_and_update().map(|demand| demand.active);
            if active.is_some() && active != self.told {
                self.told = active;
                return active;
            }
            tokio::select! {
                changed = self.demand.changed() => changed.ok()?,
                () = self.shutdown.begun() => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_says_how_many_tasks_an_engine_is_to_have() {
        let metadata = |value: &str| HashMap::from([(TASKS_PER_ENGINE.to_owned(), value.to_owned())]);
        let others = HashMap::from([("scalerAddress".to_owned(), "paraply-controller:9700".to_owned())]);
        assert_eq!(tasks_per_engine(&others).unwrap(), 1);
        assert_eq!(tasks_per_engine(&metadata("12")).unwrap(), 12);
        for wrong in ["", "0", "-1", "1.5", "many", "4294967296"] {
            let status = tasks_per_engine(&metadata(wrong)).unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            assert!(status.message().starts_with("tasksPerEngine: "), "{status}");
        }
    }
}

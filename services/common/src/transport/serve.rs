//! A service's gRPC methods on its listeners, behind the layers that every service has.

use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tower::util::option_layer;

use super::{crowd::Crowd, http2, incoming::Incoming, listener::Listener};
use crate::{
    shutdown::Shutdown,
    tower::{auth::AuthLayer, count::CountLayer, pass_through::PassThroughLayer, trace::TraceLayer},
};

/// What a service serves.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its gRPC methods.
    pub routes: Routes,
    /// How many calls were answered, and how.
    pub calls: CountLayer,
    /// Who may call what, by token. Without it, whoever the listeners let in.
    pub auth: Option<AuthLayer>,
    /// Calls that are the other service's.
    pub pass_through: Option<PassThroughLayer>,
}

/// The transport failed as a whole.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve: {0}")]
pub struct ServeError(#[from] tonic::transport::Error);

/// Serves until `shutdown`: then no connection is accepted any more, calls may end for the time of grace, and what is
/// left then is cut off. Dropping the future cuts everything off at once.
///
/// # Errors
/// If the transport fails as a whole; not for the trouble of one connection.
pub async fn serve(listeners: Vec<Listener>, server: Server, shutdown: &Shutdown) -> Result<(), ServeError> {
    let killed = CancellationToken::new();
    let _kill_at_the_end = killed.clone().drop_guard();
    let (auth, pass_through) = (option_layer(server.auth), option_layer(server.pass_through));
    let mut layered = http2::server().layer(TraceLayer).layer(server.calls).layer(auth).layer(pass_through);
    let router = layered.add_routes(server.routes);
    // hyper's own graceful shutdown waits for the slowest stream, however long: it gets the time of grace.
    let crowd = Crowd::default();
    let incoming = Incoming::new(listeners, killed, crowd.clone());
    tokio::select! {
        result = router.serve_with_incoming_shutdown(incoming, shutdown.begun()) => Ok(result?),
        () = shutdown.over() => Ok(()),
        never = crowd.clear_up() => match never {},
    }
}

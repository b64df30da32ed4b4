//! HTTP/2 settings of both ends.

use std::time::Duration;

use tonic::transport::{Endpoint, Server};

/// Largest message that our ends make.
pub const MESSAGE_BYTES: usize = 1 << 20;

/// Largest payload that travels inside a message; what is larger goes through BlobService.
pub const INLINE_BYTES: usize = 64 << 10;

/// Largest message that our ends take: a message and what frames it.
pub const MAX_MESSAGE_BYTES: usize = MESSAGE_BYTES + 64 * 1024;

/// What one stream may have on its way, unread: more than a fast line holds, and what a stalled transfer costs.
const STREAM_WINDOW: u32 = 4 << 20;

/// h2 ends a connection on which small frames wait unread for half of this many bytes, whole connection and all: our
/// streams are many small messages, so it is large. Streams are bounded by their own windows and by credit.
const CONNECTION_WINDOW: u32 = 64 << 20;

const FRAME: u32 = 256 << 10;

/// A peer that does not answer a ping within `PING_TIMEOUT` is gone: a half-open connection is seen in 40 seconds at the
/// latest, and by leases long before.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Passing on makes many callers' streams share one connection.
const STREAMS: u32 = 4096;

/// A client that breaks off many calls at once is not an attack on a port that needs a token.
const RESETS: usize = 1024;

pub(super) fn server() -> Server {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_concurrent_streams(STREAMS)
        .http2_keepalive_interval(Some(PING_INTERVAL))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .http2_max_pending_accept_reset_streams(Some(RESETS))
        .http2_max_local_error_reset_streams(Some(RESETS))
}

pub(super) fn client(endpoint: Endpoint) -> Endpoint {
    endpoint
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .http2_max_local_error_reset_streams(RESETS)
}

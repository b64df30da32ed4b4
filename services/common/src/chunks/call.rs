//! Calls whose messages are read and written here.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderValue, Method, Request, Uri, Version, header};
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::{
    Code, Status,
    body::Body,
    metadata::{GRPC_CONTENT_TYPE, MetadataMap},
    transport::Channel,
};
use tower::ServiceExt as _;

use super::{head::Carrier, reader::Chunks};

/// Calls a method, such as "/paraply.blob.v1.BlobService/ReadBlob", with the messages of `frames`. Answers what it answers.
///
/// # Errors
/// If it cannot be reached, or refuses before it answers anything.
pub async fn call(
    channel: Channel,
    method: &'static str,
    metadata: MetadataMap,
    frames: impl Stream<Item = Frame<Bytes>> + Send + 'static,
) -> Result<Chunks, Status> {
    let mut request = Request::new(Body::new(StreamBody::new(frames.map(Ok::<_, Status>))));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(method);
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = metadata.into_headers();
    request.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
    request.headers_mut().insert(header::CONTENT_TYPE, GRPC_CONTENT_TYPE);
    let response = channel.oneshot(request).await.map_err(|error| Status::from_error(Box::new(error)))?;
    if let Some(status) = Status::from_header_map(response.headers()).filter(|status| status.code() != Code::Ok) {
        return Err(status);
    }
    if !response.status().is_success() {
        // A proxy's word: gRPC itself answers 200.
        return Err(Status::unavailable(format!("HTTP status {} on the way to {method}", response.status())));
    }
    Ok(Chunks::new(Carrier::Read, response.into_body()))
}

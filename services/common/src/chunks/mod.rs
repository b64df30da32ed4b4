//! Chunks of large bytes as gRPC messages, framed by hand: tonic's codec copies each byte into a buffer of its own, on its
//! way in as on its way out, and here none is.
//!
//! A gRPC message is a byte that says whether it is compressed, four bytes of length, and the message (gRPC over HTTP/2,
//! "Length-Prefixed-Message"). `WriteBlobRequest` and `ReadBlobResponse` have a `BlobChunk` as a field, whose `data` is
//! last in it: so the head of a message says all about its chunk, and the rest are the chunk's bytes. Messages that others
//! lay out otherwise are put together and handed out whole.

mod call;
mod head;
mod parser;
mod reader;
mod writer;

pub use call::call;
pub use head::Carrier;
pub use reader::{Arrived, Chunks};
pub use writer::{chunk, message, trailers};

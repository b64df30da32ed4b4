//! Engines that run Rust functions: a program registers what it can do, and is a part of a cluster.
//!
//! ```no_run
//! use paraply_engine::native::Engine;
//!
//! fn pi(samples: u64) -> f64 {
//!     let inside = (0..samples).filter(|n| ((n * 7919) % 1000).pow(2) < 785_398).count();
//!     4.0 * inside as f64 / samples as f64
//! }
//!
//! async fn fetch(url: String) -> String {
//!     format!("the page at {url}")
//! }
//!
//! fn parse(text: String) -> Result<i64, std::num::ParseIntError> {
//!     text.parse()
//! }
//!
//! fn main() -> Result<(), paraply_engine::Error> {
//!     Engine::builder().function("pi", pi).function("fetch", fetch).try_function("parse", parse).run()
//! }
//! ```
//!
//! Whoever has a client calls them by name: `lview.apply(paraply.native("pi"), 1000)` in Python, `view.apply(":pi", (1000,))`
//! in Rust. An engine says what it is in its labels: `runtime=native`, `functions=pi,fetch,parse`.
//!
//! A task ends, and never its engine, when its function panics. That needs the unwinding which is Rust's default.

mod builder;
mod context;
mod failed;
mod function;
mod runtime;

pub use paraply_common::transport::tls::TlsSettings;
/// What functions take and return where serde does not say it all: points in time, arrays, tables.
pub use paraply_values as values;

pub use builder::{Engine, EngineBuilder, Running};
pub use context::{Cancelled, Context, PublishError};
pub use function::{Alone, Eventually, Function, Now, Returned, TryReturned, WithContext};

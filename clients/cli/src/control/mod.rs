//! How a supervisor is spoken to: its Unix socket takes one request a line and answers each with one line, in JSON.
//!
//! Whoever may open the socket (it lies in a folder of its owner's) may do everything. The Python client speaks this
//! too; `docs/protocol.md` has the format.

mod client;
mod words;

pub(crate) use client::{ask, ask_within, stop};
pub(crate) use words::{EngineProcess, EngineSetStarted, Reply, Report, Request, ServiceProcess, Which};

/// Bytes of the longest line that either end takes.
pub(crate) const LONGEST_LINE: u64 = 1 << 20;

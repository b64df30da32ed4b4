//! Real services, one file per behaviour.

#![allow(clippy::unwrap_used, reason = "a step of a test that fails is a failed test")]

mod blobs;
mod engine_loss;
mod engine_tickets;
mod find_tasks;
mod health;
mod kept_blobs;
mod limits;
mod malformed;
mod membership;
mod no_op;
mod reflection;
mod run_task;
mod scheduler_restart;
mod shutdown;
mod slow_reader;
mod superseded_scheduler;
mod tokens;
mod vanished_client;
mod versions;

//! The supervisor of a cluster that runs elsewhere: in containers of this machine, or in a namespace of Kubernetes.
//!
//! It has that [`Place`] bring the cluster up, writes the connection file, and takes the cluster away in the end. What is to
//! be done with engines it asks of the controller; where that knows of nobody who launches engines, this does it. One loop,
//! one event at a time, as in the supervisor of processes.

mod cluster;
mod orders;
mod place;
mod requests;
mod waiting;

pub(crate) use cluster::{Make, run};
pub(crate) use place::Place;

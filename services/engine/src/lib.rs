//! The engine: a Runtime and the shell that keeps it attached to a cluster.

//! Simulated clusters: the real state machines, virtual time, breaking connections.

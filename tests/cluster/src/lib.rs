//! Real processes, one file per behaviour.

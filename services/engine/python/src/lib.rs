//! The Python runtime of the engine, as an extension module.

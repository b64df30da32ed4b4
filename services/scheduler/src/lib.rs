//! The data plane: accepts tasks, places them, keeps results until they are acknowledged.

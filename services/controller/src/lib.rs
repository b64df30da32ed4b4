//! The control plane: membership, identity and the operator's API.

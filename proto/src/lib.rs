//! Paraply's gRPC schema as generated Rust. The `.proto` files beside this crate are the source; nothing is written by
//! hand here but this list, and how messages become bytes.

#![allow(clippy::doc_markdown, clippy::large_enum_variant, missing_docs)]

pub mod codec;

/// `paraply.common.v1`: values, tasks and peers, as every service speaks of them.
pub mod common {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("paraply.common.v1");
    }
}

/// `paraply.controller.v1`: the control plane.
pub mod controller {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("paraply.controller.v1");
    }
}

/// `paraply.scheduler.v1`: the data plane.
pub mod scheduler {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("paraply.scheduler.v1");
    }
}

/// `paraply.blob.v1`: large bytes.
pub mod blob {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("paraply.blob.v1");
    }
}

/// `externalscaler`: KEDA's interface to scalers.
pub mod externalscaler {
    tonic::include_proto!("externalscaler");
}

/// The schema itself, for gRPC server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

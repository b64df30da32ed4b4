//! Calls, and what their tasks share.

use std::{sync::Arc, time::Duration};

use paraply_core::{
    call::{Call, CallHead, Placement, Work},
    id::EngineId,
};
use paraply_proto::scheduler::v1 as proto;

use super::{
    error::{WireError, each, required},
    field::{NAME_BYTES, cut, millis, text},
    id, payload, peer,
};

/// A call as a client submits it.
pub(crate) fn decode(message: proto::Call) -> Result<Call, WireError> {
    use proto::call::Work as Wire;
    let work = match required(message.work, "work")? {
        Wire::FunctionDigest(bytes) => Work::Function(id::digest(&bytes, "function_digest")?),
        Wire::Execute(code) => decode_code(code),
    };
    let placement = decode_placement(required(message.placement, "placement")?);
    Ok(Call {
        first_index: message.first_index,
        head: Arc::new(decode_head(work, placement, message.options.unwrap_or_default())),
        arguments: each(message.arguments, "arguments", payload::decode_argument)?,
    })
}

pub(crate) fn decode_head(work: Work, placement: Placement, options: proto::CallOptions) -> CallHead {
    CallHead {
        work,
        placement,
        label: cut(options.label, NAME_BYTES),
        name: cut(options.name, NAME_BYTES),
        traceparent: options.traceparent.into(),
        namespace: options.namespace.into(),
        priority: options.priority,
        start_once: options.start_once,
        run_timeout: options.run_timeout_millis.map(Duration::from_millis),
    }
}

pub(crate) fn decode_code(code: proto::ExecuteCode) -> Work {
    Work::Execute { source: code.source.into(), silent: code.silent, filename: code.filename.into() }
}

fn decode_placement(placement: proto::call::Placement) -> Placement {
    use proto::call::Placement as Wire;
    let engines = |ids: Vec<u32>| ids.into_iter().map(EngineId).collect();
    match placement {
        Wire::Direct(direct) => Placement::Direct { engines: engines(direct.engine_ids) },
        Wire::Balanced(balanced) => Placement::Balanced {
            engines: engines(balanced.engine_ids),
            labels: peer::decode_labels(balanced.labels),
            retries: balanced.retries,
            queue_timeout: balanced.queue_timeout_millis.map(Duration::from_millis),
        },
    }
}

pub(crate) fn encode_options(head: &CallHead) -> proto::CallOptions {
    proto::CallOptions {
        label: text(&head.label),
        priority: head.priority,
        start_once: head.start_once,
        run_timeout_millis: head.run_timeout.map(millis),
        namespace: text(&head.namespace),
        name: text(&head.name),
        traceparent: text(&head.traceparent),
    }
}

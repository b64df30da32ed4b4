//! What a caller asks for: read, checked, and as the machine knows it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use paraply_common::{native, wire::payload::new_function};
use paraply_core::{
    call::{CallHead, Placement, Work},
    id::EngineId,
    payload::{Encoding, Function, Payload},
};
use paraply_proto::scheduler::v1::{RunTaskRequest, RunTaskStreamRequest};
use serde::de::IgnoredAny;
use tonic::Status;

use crate::described;

/// Bytes of a function's text.
const FUNCTION_BYTES: usize = 64 << 10;

/// One task.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Ask {
    pub(super) head: Arc<CallHead>,
    pub(super) function: Arc<Function>,
    /// JSON; empty where there are none.
    pub(super) arguments: Bytes,
    pub(super) engine: Option<EngineId>,
    pub(super) timeout: Option<Duration>,
}

impl Ask {
    /// Reads a request.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, which names the field, and in JSON the place.
    pub(super) fn read(request: RunTaskRequest) -> Result<Self, Status> {
        let RunTaskRequest { function, arguments_json, engine_id, timeout_millis, mut label } = request;
        let size = function.len();
        if function.trim().is_empty() {
            return Err(Status::invalid_argument(
                "function: say what to run, such as \"math:sqrt\", \"2 ** 10\" or \"lambda x: x + 1\"",
            ));
        }
        if size > FUNCTION_BYTES {
            return Err(Status::invalid_argument(format!("function: {size} bytes, the most is {FUNCTION_BYTES}")));
        }
        if engine_id.is_some_and(|id| id > EngineId::MOST.0) {
            return Err(Status::invalid_argument(format!("engine_id: no engine has an id over {}", EngineId::MOST.0)));
        }
        let arguments = check(arguments_json)?;
        described::cut_label(&mut label);
        let name = name(&function);
        let payload = Payload { encoding: Encoding::Text, data: function.into(), ..Payload::default() };
        let function = new_function(payload, name);
        let engine = engine_id.map(EngineId);
        let placement = match engine {
            Some(engine) => Placement::Direct { engines: vec![engine] },
            None => {
                let label = native::is_native(&function).then_some(native::LABEL);
                let labels = label.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
                Placement::Balanced { engines: Vec::new(), labels, retries: 0, queue_timeout: None }
            }
        };
        let head = CallHead {
            label: label.into(),
            name: function.name.clone(),
            ..CallHead::new(Work::Function(function.digest), placement)
        };
        Ok(Self {
            head: Arc::new(head),
            function,
            arguments,
            engine,
            timeout: timeout_millis.map(Duration::from_millis),
        })
    }
}

/// A stream is asked for in the same words.
pub(super) fn plain(request: RunTaskStreamRequest) -> RunTaskRequest {
    let RunTaskStreamRequest { function, arguments_json, engine_id, timeout_millis, label } = request;
    RunTaskRequest { function, arguments_json, engine_id, timeout_millis, label }
}

/// The arguments, if they are a list or an object of JSON. What is in them is the engine's to read.
fn check(json: String) -> Result<Bytes, Status> {
    let wrong = |what: String| Status::invalid_argument(format!("arguments_json: {what}"));
    if json.trim().is_empty() {
        return Ok(Bytes::new());
    }
    serde_json::from_str::<IgnoredAny>(&json).map_err(|error| wrong(format!("this is no JSON: {error}")))?;
    if json.trim_start().starts_with(['[', '{']) {
        return Ok(json.into());
    }
    Err(wrong(
        "a list of positional arguments or an object of named ones is expected, such as [1, 2] or {\"x\": 1}".into(),
    ))
}

/// What errors and lists call it: its first line.
fn name(function: &str) -> String {
    function.trim_start().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(function: &str, arguments_json: &str) -> RunTaskRequest {
        let (function, arguments_json) = (function.to_owned(), arguments_json.to_owned());
        RunTaskRequest { function, arguments_json, ..RunTaskRequest::default() }
    }

    fn refused(request: RunTaskRequest) -> String {
        let status = Ask::read(request).unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        status.message().to_owned()
    }

    #[test]
    fn what_is_asked_for_is_passed_on_as_it_is() {
        let ask = Ask::read(request(":simulate", " [1, {\"a\": null}] ")).unwrap();
        assert_eq!(ask.function.payload.data, ":simulate");
        assert_eq!(ask.arguments, " [1, {\"a\": null}] ");
        assert_eq!((ask.engine, ask.timeout), (None, None));
        let Placement::Balanced { labels, .. } = &ask.head.placement else { panic!("{ask:?}") };
        assert_eq!(*labels, [("runtime".into(), "native".into())], "no other engine has it");
        let ask = Ask::read(RunTaskRequest {
            engine_id: Some(3),
            timeout_millis: Some(1500),
            label: "x".repeat(1000),
            ..request("def f(x):\n    return x\n", "")
        });
        let ask = ask.unwrap();
        assert_eq!(ask.head.placement, Placement::Direct { engines: vec![EngineId(3)] });
        assert_eq!(ask.head.name, "def f(x):");
        assert_eq!(ask.head.label.len(), 256);
        assert_eq!((ask.arguments.len(), ask.timeout), (0, Some(Duration::from_millis(1500))));
    }

    #[test]
    fn what_is_wrong_is_named_and_its_place() {
        assert!(refused(request(" ", "")).starts_with("function:"));
        assert!(refused(request(&"x".repeat(FUNCTION_BYTES + 1), "")).contains("65537 bytes"));
        assert!(refused(RunTaskRequest { engine_id: Some(u32::MAX), ..request("f", "") }).starts_with("engine_id:"));
        assert!(refused(request("sum", "[1,\n 2,,]")).contains("line 2 column 4"));
        assert!(refused(request("sum", "[NaN]")).contains("line 1 column 2"));
        assert!(refused(request("sum", "[1] 2")).contains("line 1 column 5"));
        assert!(refused(request("sum", "3")).contains("a list of positional arguments"));
    }

    #[test]
    fn deep_nesting_is_read_or_refused_and_nothing_else() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let _read_or_refused = Ask::read(request("f", &deep));
    }
}

//! A trace as it is stored: one step a line.

use std::sync::Arc;

use bytes::Bytes;
use paraply_common::wire::{
    ServerIdentity, id,
    payload::{decode as decode_payload, encode_function},
    session_link::{decode_request, decode_response, encode_request, encode_response},
};
use paraply_core::{
    call::Call,
    client_session::{Config, EndReason, Instruction, Stimulus},
    id::{BlobId, SessionId},
    payload,
    session_link::{CancelMode, ToClient, ToScheduler, Update},
    time::Time,
};
use paraply_proto::{common::v1::Function, scheduler::v1 as proto};
use paraply_sim::record::{Step, What};
use prost::Message as _;
use serde_json::{Map, Value, json};

/// How the machine was made, and what happened to it, both as JSON.
pub struct Trace {
    pub config: Value,
    pub steps: Vec<Value>,
}

impl Trace {
    pub fn new(config: &Config) -> Self {
        let config = json!({
            "session": hex(&config.session.to_bytes()),
            "label": String::from_utf8_lossy(&config.label),
            "cancel_on_disconnect": config.cancel_on_disconnect,
            "message_bytes": config.message_bytes,
            "ack_events": config.ack_events,
            "ack_bytes": config.ack_bytes,
            "ack_delay_nanos": config.ack_delay.as_nanos() as u64,
            "jitter_seed": config.dial.jitter_seed.to_string(),
        });
        Self { config, steps: Vec::new() }
    }

    pub fn parse(text: &str) -> Self {
        let mut value: Value = serde_json::from_str(text).unwrap();
        let steps = value["steps"].as_array().unwrap().clone();
        Self { config: value["config"].take(), steps }
    }

    pub fn text(&self) -> String {
        let steps: Vec<String> = self.steps.iter().map(ToString::to_string).collect();
        format!("{{\"config\": {},\n\"steps\": [\n{}\n]}}\n", self.config, steps.join(",\n"))
    }

    pub fn machine_config(&self) -> Config {
        let number = |name: &str| self.config[name].as_u64().unwrap();
        let session = SessionId::from_bytes(&unhex(&self.config["session"])).unwrap();
        let mut config = Config::new(session);
        config.label = Bytes::from(self.config["label"].as_str().unwrap().to_owned());
        config.cancel_on_disconnect = self.config["cancel_on_disconnect"].as_bool().unwrap();
        config.message_bytes = number("message_bytes");
        config.ack_events = number("ack_events");
        config.ack_bytes = number("ack_bytes");
        config.ack_delay = std::time::Duration::from_nanos(number("ack_delay_nanos"));
        config.dial.jitter_seed = self.config["jitter_seed"].as_str().unwrap().parse().unwrap();
        (config.call_tasks, config.call_bytes) = (usize::MAX, u64::MAX);
        config
    }
}

/// One step as JSON.
pub fn encode(step: &Step) -> Value {
    let (name, mut fields) = match &step.what {
        What::Submitted { head, arguments, function } => {
            let call = Call { first_index: 0, head: Arc::clone(head), arguments: arguments.clone() };
            let mut fields = json!({ "call": hex(&encode_call(call)) });
            if let Some(function) = function {
                fields["function"] = hex(&encode_function(function).encode_to_vec()).into();
            }
            ("submit", fields)
        }
        What::Given(stimulus) => encode_stimulus(stimulus),
        What::Flushed(out) => ("flush", json!({ "out": out.iter().map(encode_instruction).collect::<Vec<_>>() })),
    };
    let mut all = Map::from_iter([("at".to_owned(), json!(step.now.0)), ("do".to_owned(), json!(name))]);
    all.append(fields.as_object_mut().unwrap());
    Value::Object(all)
}

fn encode_call(call: Call) -> Vec<u8> {
    let submit = ToScheduler::Submit { calls: vec![call], functions: Vec::new(), ack: None };
    let Some(proto::open_session_request::Message::Submit(submit)) = encode_request(submit).message else {
        unreachable!()
    };
    submit.calls[0].encode_to_vec()
}

fn encode_stimulus(stimulus: &Stimulus) -> (&'static str, Value) {
    match stimulus {
        Stimulus::Connected => ("connected", json!({})),
        Stimulus::Broken => ("broken", json!({})),
        Stimulus::LineFree => ("line_free", json!({})),
        Stimulus::Tick => ("tick", json!({})),
        Stimulus::Close => ("close", json!({})),
        Stimulus::Received(message) => ("received", json!({ "message": hex(&down(message.clone())) })),
        Stimulus::Release { blobs } => {
            let names: Vec<_> = blobs.iter().map(|blob| hex(&blob.to_bytes())).collect();
            ("release", json!({ "blobs": names }))
        }
        Stimulus::Cancel { indexes, mode } => {
            let kill_after = match mode {
                CancelMode::Interrupt { kill_after: Some(after) } => json!(after.as_millis() as u64),
                _ => Value::Null,
            };
            let interrupt = matches!(mode, CancelMode::Interrupt { .. });
            ("cancel", json!({ "indexes": indexes, "interrupt": interrupt, "kill_after_millis": kill_after }))
        }
    }
}

fn encode_instruction(instruction: &Instruction) -> Value {
    match instruction {
        Instruction::Dial => json!({ "dial": true }),
        Instruction::HangUp => json!({ "hang_up": true }),
        Instruction::Send(message) => json!({ "send": hex(&encode_request(message.clone()).encode_to_vec()) }),
        Instruction::Deliver(events) => {
            let update = Update { events: events.clone(), ..Update::default() };
            json!({ "deliver": hex(&down(ToClient::Update(update))) })
        }
        Instruction::PassOn(want) => json!({ "pass_on": {
            "blob": hex(&want.blob.to_bytes()), "transfer": want.transfer.0, "offset": want.offset,
        }}),
        Instruction::BlobTaken { blob } => json!({ "taken": hex(&blob.to_bytes()) }),
        Instruction::Ended { reason } => json!({ "ended": match reason {
            EndReason::Closed => "closed",
            EndReason::Superseded => "superseded",
            EndReason::Expired => "expired",
            EndReason::ProtocolError(_) => "protocol error",
            EndReason::Limit(_) => "limit",
        }}),
    }
}

fn down(message: ToClient) -> Vec<u8> {
    encode_response(message, &ServerIdentity::default()).encode_to_vec()
}

/// What a step, which is no flush, does to a machine.
pub fn decode(step: &Value) -> Step {
    let now = Time(step["at"].as_u64().unwrap());
    let stimulus = match step["do"].as_str().unwrap() {
        "submit" => return Step { now, what: decode_submit(step) },
        "connected" => Stimulus::Connected,
        "broken" => Stimulus::Broken,
        "line_free" => Stimulus::LineFree,
        "tick" => Stimulus::Tick,
        "close" => Stimulus::Close,
        "received" => {
            let message = proto::OpenSessionResponse::decode(&unhex(&step["message"])[..]).unwrap();
            Stimulus::Received(decode_response(message).unwrap())
        }
        "release" => {
            let blob = |name: &Value| BlobId::from_bytes(&unhex(name)).unwrap();
            Stimulus::Release { blobs: step["blobs"].as_array().unwrap().iter().map(blob).collect() }
        }
        "cancel" => {
            let indexes = step["indexes"].as_array().unwrap().iter().map(|index| index.as_u64().unwrap()).collect();
            let kill_after = step["kill_after_millis"].as_u64().map(std::time::Duration::from_millis);
            let interrupt = step["interrupt"].as_bool().unwrap();
            let mode = if interrupt { CancelMode::Interrupt { kill_after } } else { CancelMode::Abort };
            Stimulus::Cancel { indexes, mode }
        }
        other => panic!("{other} is no step"),
    };
    Step { now, what: What::Given(stimulus) }
}

fn decode_submit(step: &Value) -> What {
    let call = proto::Call::decode(&unhex(&step["call"])[..]).unwrap();
    let submit = proto::Submit { calls: vec![call], ..proto::Submit::default() };
    let message = Some(proto::open_session_request::Message::Submit(submit));
    let decoded = decode_request(proto::OpenSessionRequest { message }).unwrap();
    let ToScheduler::Submit { mut calls, .. } = decoded else { unreachable!() };
    let Call { head, arguments, .. } = calls.remove(0);
    let function = step.get("function").map(|function| {
        let Function { digest, payload, name } = Function::decode(&unhex(function)[..]).unwrap();
        // Simulated functions have digests that are not those of their bytes.
        let digest = id::digest(&digest, "digest").unwrap();
        Arc::new(payload::Function { digest, payload: decode_payload(payload.unwrap()).unwrap(), name: name.into() })
    });
    What::Submitted { head, arguments, function }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

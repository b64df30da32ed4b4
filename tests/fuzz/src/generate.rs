//! Messages after the schema: every field may be there, and may have an extreme value.

use bytes::Bytes;
use paraply_proto::FILE_DESCRIPTOR_SET;
use paraply_sim::Random;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use crate::names;

/// Messages within messages.
const DEPTH: u32 = 6;
/// Of a thousand fields: how many have a value that no sane peer sends.
const EXTREME: u64 = 4;

/// The kinds of message that there are.
pub(crate) struct Schema(DescriptorPool);

impl Schema {
    pub(crate) fn new() -> Self {
        Self(DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap_or_default())
    }

    /// A message of this name.
    pub(crate) fn message(&self, random: &mut Random, name: &str) -> Option<DynamicMessage> {
        Some(message(random, &self.0.get_message_by_name(name)?, DEPTH))
    }
}

fn message(random: &mut Random, kind: &MessageDescriptor, depth: u32) -> DynamicMessage {
    let mut made = DynamicMessage::new(kind.clone());
    for field in kind.fields().filter(|field| field.containing_oneof().is_none() || field.is_optional_scalar()) {
        if random.chance(likelihood(&field)) {
            made.set_field(&field, value(random, &field, depth));
        }
    }
    for choice in kind.oneofs().filter(|choice| !choice.is_synthetic()) {
        let fields: Vec<FieldDescriptor> = choice.fields().collect();
        let mut field = &fields[random.index(fields.len())];
        // Others end a stream, wait for something, or change nothing.
        let busy = ["submit", "reports", "orders", "update", "finished", "function_digest", "inline", "result"];
        if let Some(busy) = fields.iter().find(|field| busy.contains(&field.name()) && random.chance(500)) {
            field = busy;
        }
        if !random.chance(EXTREME) {
            made.set_field(field, value(random, field, depth));
        }
    }
    if kind.full_name() == "paraply.common.v1.Payload" && made.has_field_by_name("data_blob") && !random.chance(EXTREME)
    {
        made.clear_field_by_name("data");
    }
    if kind.full_name() == "paraply.common.v1.Function" && !random.chance(EXTREME) {
        let (source, digest) = names::function(random);
        made.set_field_by_name("digest", Value::Bytes(digest));
        made.set_field_by_name("payload", payload(kind, source));
    }
    made
}

/// A field of its own that is only wrapped because it may be absent.
trait OptionalScalar {
    fn is_optional_scalar(&self) -> bool;
}

impl OptionalScalar for FieldDescriptor {
    fn is_optional_scalar(&self) -> bool {
        self.containing_oneof().is_some_and(|choice| choice.is_synthetic())
    }
}

/// Of a thousand messages: how many have this field.
fn likelihood(field: &FieldDescriptor) -> u64 {
    match field.name() {
        // Rare, or there is nothing but waiting, refusing, running out and going away.
        "data_blob" | "blob" | "queue_timeout_millis" | "run_timeout_millis" | "namespace" | "draining" => 60,
        "drain" | "exit" => 4,
        "buffers" | "start_once" | "complete" | "traceparent" => 300,
        "kill_after_millis" | "labels" => 200,
        "resume" => 150,
        _ if field.is_list() || matches!(field.kind(), Kind::Bool) => 700,
        // What is left out there is refused, as a rule.
        _ => 997,
    }
}

/// The bytes of a function, which are one run of bytes.
fn payload(function: &MessageDescriptor, source: Bytes) -> Value {
    let Some(Kind::Message(kind)) = function.get_field_by_name("payload").map(|field| field.kind()) else {
        return Value::Bool(false);
    };
    let mut made = DynamicMessage::new(kind);
    made.set_field_by_name("encoding", Value::EnumNumber(1));
    made.set_field_by_name("data", Value::Bytes(source));
    Value::Message(made)
}

fn value(random: &mut Random, field: &FieldDescriptor, depth: u32) -> Value {
    if field.is_map() {
        let entry = |nth: u64| (MapKey::String(format!("key {nth}")), Value::String("value".to_owned()));
        return Value::Map((0..random.below(3)).map(entry).collect());
    }
    if field.is_list() {
        let most = if random.chance(EXTREME) { 300 } else { 4 };
        let count = if depth == 0 { 0 } else { random.below(most) };
        return Value::List((0..count).map(|_| single(random, field, depth)).collect());
    }
    single(random, field, depth)
}

fn single(random: &mut Random, field: &FieldDescriptor, depth: u32) -> Value {
    match field.kind() {
        Kind::Message(kind) => Value::Message(message(random, &kind, depth.saturating_sub(1))),
        Kind::Enum(kind) if random.chance(EXTREME) => Value::EnumNumber(kind.values().len() as i32 + 7),
        // The first value is "unspecified".
        Kind::Enum(kind) => Value::EnumNumber(random.between(1, kind.values().len() as u64 - 1) as i32),
        Kind::Bool => Value::Bool(random.chance(500)),
        Kind::String => Value::String("é".repeat(length(random, 8, 5000))),
        Kind::Bytes => Value::Bytes(bytes(random, field.name())),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(number(random, field.name()) as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(number(random, field.name())),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number(random, field.name()) as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number(random, field.name()) as i64),
        Kind::Double => Value::F64(f64::from_bits(random.any())),
        Kind::Float => Value::F32(f32::from_bits(random.any() as u32)),
    }
}

fn bytes(random: &mut Random, field: &str) -> Bytes {
    let named = if random.chance(EXTREME) { None } else { names::bytes(random, field) };
    named.unwrap_or_else(|| (0..length(random, 40, 9000)).map(|_| random.any() as u8).collect())
}

fn length(random: &mut Random, usual: usize, extreme: usize) -> usize {
    let most = if random.chance(EXTREME) { extreme } else { usual };
    random.index(most)
}

fn number(random: &mut Random, field: &str) -> u64 {
    if random.chance(EXTREME) {
        let extremes = [0, 1, u64::MAX, u64::MAX - 1, 1 << 31, u64::from(u32::MAX), 1 << 63, random.any()];
        return random.pick(&extremes).unwrap_or_default();
    }
    match field {
        "engine_id" | "engine_ids" => random.below(names::ENGINES),
        "attempt" => random.between(1, 3),
        "epoch" | "last_epoch" => random.between(1, 2),
        "stream" => random.below(4).saturating_sub(2),
        "total_tasks" => random.below(200),
        "total_bytes" => random.below(1 << 20),
        "lease_millis" => random.between(200, 20_000),
        "retries" => random.below(4),
        "size_bytes" => random.below(1 << 17),
        _ => random.below(40),
    }
}

use std::mem::size_of as s;
use paraply_core::{*, outcome::*, payload::*, id::*, session_link as sl, engine_link as el};
use paraply_proto::{common::v1 as c, scheduler::v1 as p};
fn main() {
    println!("core: Payload {} Failure {} Outcome {} Event {} EventKind {} AttemptId {} TaskId {} AssignedTask {} CallHead {}", s::<Payload>(), s::<Failure>(), s::<Outcome>(), s::<sl::Event>(), s::<sl::EventKind>(), s::<AttemptId>(), s::<TaskId>(), s::<el::AssignedTask>(), s::<call::CallHead>());
    println!("core: Buffer {} BlobRef {} Record {} Stimulus {} Output {}", s::<Buffer>(), s::<BlobRef>(), s::<scheduler::Record>(), s::<scheduler::Stimulus>(), s::<Output>());
    println!("proto: Payload {} Failure {} Outcome {} Event {} TaskFinished {} AttemptFinished {} AssignedTask {} AttemptId {} TaskId {}", s::<c::Payload>(), s::<c::Failure>(), s::<c::Outcome>(), s::<p::Event>(), s::<p::TaskFinished>(), s::<p::AttemptFinished>(), s::<p::AssignedTask>(), s::<c::AttemptId>(), s::<c::TaskId>());
}

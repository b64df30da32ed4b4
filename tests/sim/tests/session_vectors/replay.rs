//! A stored trace against the machine.

use paraply_core::{client_session::ClientSession, time::Time};
use paraply_sim::record::{Step, What};

use crate::trace::{Trace, decode, encode};

/// Does to a machine what the trace says. Says where it does something else.
pub fn run(trace: &Trace) -> Result<ClientSession, String> {
    let mut machine = ClientSession::new(trace.machine_config(), Time(0));
    for (nth, stored) in trace.steps.iter().enumerate() {
        if stored["do"] == "flush" {
            let now = Time(stored["at"].as_u64().unwrap());
            let mut out = Vec::new();
            machine.flush(now, &mut out);
            machine.check()?;
            let step = encode(&Step { now, what: What::Flushed(out.clone()) });
            if step != *stored {
                return Err(format!(
                    "step {nth}: {out:#?} instead of {stored}; record the vectors anew if that is right"
                ));
            }
            continue;
        }
        let Step { now, what } = decode(stored);
        match what {
            What::Given(stimulus) => machine.handle(now, stimulus),
            What::Submitted { head, arguments, function } => {
                machine.submit(head, arguments, function).map_err(|error| format!("step {nth}: {error}"))?;
            }
            What::Flushed(_) => unreachable!(),
        }
    }
    Ok(machine)
}

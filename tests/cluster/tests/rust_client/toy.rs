//! A runtime that knows a few functions, and speaks MessagePack.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use bytes::Bytes;
use paraply_core::{
    call::Work,
    id::{AttemptId, EngineId},
    outcome::{FailureKind, Outcome, Output, OutputKind},
    payload::{Encoding, Payload},
};
use paraply_engine::{Finished, Report, Reporter, RunTask, Runtime};
use serde_json::{Value, json};

/// What it says is wrong: the kind, the class, the message.
type Raised = (FailureKind, &'static str, String);

pub(crate) struct Toy {
    // A sender alone could not be shared by old standards of `Sync`.
    batches: Mutex<mpsc::Sender<Vec<RunTask>>>,
    interrupts: Arc<Interrupts>,
    engine: Arc<AtomicU32>,
}

#[derive(Default)]
struct Interrupts {
    wanted: Mutex<HashSet<AttemptId>>,
    changed: Condvar,
}

impl Toy {
    pub(crate) fn start(reporter: Reporter) -> Arc<Self> {
        let (batches, incoming) = mpsc::channel::<Vec<RunTask>>();
        let (interrupts, engine) = (Arc::new(Interrupts::default()), Arc::new(AtomicU32::new(0)));
        let mut interpreter = Interpreter {
            reporter,
            interrupts: Arc::clone(&interrupts),
            engine: Arc::clone(&engine),
            namespace: HashMap::new(),
            runs: 0,
        };
        thread::spawn(move || {
            while let Ok(batch) = incoming.recv() {
                for task in batch {
                    interpreter.run(&task);
                }
                interpreter.reporter.send(Report::Idle);
            }
        });
        Arc::new(Self { batches: Mutex::new(batches), interrupts, engine })
    }
}

impl Runtime for Toy {
    fn run(&self, batch: Vec<RunTask>) {
        // The thread ends with this sender.
        self.batches.lock().unwrap().send(batch).unwrap();
    }

    fn interrupt(&self, attempt: AttemptId) {
        self.interrupts.wanted.lock().unwrap().insert(attempt);
        self.interrupts.changed.notify_all();
    }

    fn registered(&self, engine: EngineId) {
        self.engine.store(engine.0, Ordering::Relaxed);
    }

    fn limit_output(&self, _bytes: u64) {}
}

struct Interpreter {
    reporter: Reporter,
    interrupts: Arc<Interrupts>,
    engine: Arc<AtomicU32>,
    namespace: HashMap<String, Value>,
    runs: u64,
}

impl Interpreter {
    fn run(&mut self, task: &RunTask) {
        self.runs += 1;
        let value = match &task.head.work {
            Work::Execute { source, .. } => {
                self.write(task.attempt, source);
                Ok(Value::Null)
            }
            Work::Function(_) => {
                let function = task.function.as_ref().unwrap();
                let data = &task.arguments.data;
                let arguments = match rmp_serde::from_slice(data) {
                    Ok(Value::Array(arguments)) => arguments,
                    Ok(named) => vec![named],
                    Err(_) => Vec::new(),
                };
                assert_eq!(task.arguments.encoding, Encoding::Msgpack);
                self.call(std::str::from_utf8(&function.payload.data).unwrap(), arguments, task.attempt)
            }
        };
        let mut outcome = Outcome::failed(FailureKind::Exception, "", String::new(), None);
        outcome.value = match value {
            Ok(value) => {
                let data = rmp_serde::to_vec_named(&value).unwrap().into();
                Ok(Payload { encoding: Encoding::Msgpack, data, ..Payload::default() })
            }
            Err((kind, class, message)) => {
                let mut failure = Outcome::failed(kind, class, message, None).value.unwrap_err();
                failure.traceback = Bytes::from_static(b"Traceback (most recent call last):\n  toy");
                Err(failure)
            }
        };
        self.reporter.send(Report::Finished(Finished::new(task.attempt, outcome)));
    }

    fn call(&mut self, name: &str, mut arguments: Vec<Value>, attempt: AttemptId) -> Result<Value, Raised> {
        match name {
            "toy:double" => Ok(json!(2 * arguments[0].as_i64().unwrap())),
            "toy:echo" => Ok(arguments.remove(0)),
            "toy:length" => Ok(json!(arguments[0].as_str().unwrap().len())),
            "toy:repeat" => Ok(json!("x".repeat(usize::try_from(arguments[0].as_u64().unwrap()).unwrap()))),
            "toy:engine" => Ok(json!(self.engine.load(Ordering::Relaxed))),
            "toy:runs" => Ok(json!(self.runs)),
            "toy:attempt" if attempt.attempt < 3 => Err((FailureKind::Exception, "ValueError", "not yet".to_owned())),
            "toy:attempt" => Ok(json!(attempt.attempt)),
            "toy:fail" => Err((FailureKind::Exception, "ValueError", arguments[0].as_str().unwrap().to_owned())),
            "toy:wait" => self.wait(attempt),
            "paraply._ops:push" => {
                let Value::Object(values) = arguments.remove(0) else { panic!("push takes a map") };
                self.namespace.extend(values);
                Ok(Value::Null)
            }
            "paraply._ops:pull" => {
                let name = arguments[0].as_str().unwrap();
                let missing = || (FailureKind::Exception, "NameError", format!("name '{name}' is not defined"));
                self.namespace.get(name).cloned().ok_or_else(missing)
            }
            other => Err((FailureKind::Unreadable, "ModuleNotFoundError", format!("no {other}"))),
        }
    }

    /// Until somebody interrupts it.
    fn wait(&self, attempt: AttemptId) -> Result<Value, Raised> {
        let wanted = self.interrupts.wanted.lock().unwrap();
        let _interrupted = self.interrupts.changed.wait_while(wanted, |wanted| !wanted.remove(&attempt)).unwrap();
        Err((FailureKind::Cancelled, "KeyboardInterrupt", String::new()))
    }

    fn write(&self, attempt: AttemptId, text: &Bytes) {
        let output = Output { kind: OutputKind::Stdout, offset: 0, data: text.clone(), dropped: 0 };
        self.reporter.send(Report::Output(attempt, output));
    }
}

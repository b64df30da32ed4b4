//! How a function failed, in words that travel.

use std::{any::Any, cell::RefCell, fmt::Display, sync::Once};

use bytes::Bytes;
use paraply_core::outcome::{Failure, FailureKind};
use paraply_values::{DecodeError, EncodeError, Encoding, Value};

/// A failure before it is known where it happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failed {
    kind: FailureKind,
    type_name: String,
    message: String,
    traceback: String,
}

impl Failed {
    /// The function returned an error.
    pub(super) fn returned<E: Display>(error: &E) -> Self {
        // The alternate form has the causes too where errors are of `anyhow` and its like.
        Self::exception(&class::<E>(), format!("{error:#}"))
    }

    /// The arguments are not what the function takes, which is a tuple of type `T`.
    pub(super) fn arguments<T>(given: Option<&Value>, error: &DecodeError) -> Self {
        let reason = match error {
            DecodeError::Malformed { reason, .. } => reason.clone(),
            error => error.to_string(),
        };
        let given = given.map(|given| format!(", and was given {}", shown(given))).unwrap_or_default();
        let message = format!("the function takes {}{given}: {reason}", signature(std::any::type_name::<T>()));
        Self::exception("TypeError", message)
    }

    /// What the function returned has no form that others read.
    pub(super) fn value(error: EncodeError) -> Self {
        match error {
            EncodeError::NotPortable { encoding: Encoding::Json, reason } => Self::exception("NotJSONError", reason),
            error => Self::exception("TypeError", format!("the result cannot be sent: {error}")),
        }
    }

    /// Values in order beside values by name: there is no function in Rust that takes both.
    pub(super) fn both<T>() -> Self {
        let takes = signature(std::any::type_name::<T>());
        let message =
            format!("the function takes {takes}: all in their order or all by name, and was given some of either");
        Self::exception("TypeError", message)
    }

    /// The arguments were pickled.
    pub(super) fn pickled() -> Self {
        let message = "native functions read portable values, and these arguments are a Python pickle: call \
                       paraply.native(name), or set `portable` on the view";
        Self { kind: FailureKind::Unreadable, ..Self::exception("UnreadableError", message.into()) }
    }

    /// The engine has nothing of this name.
    pub(super) fn unknown(what: &str, known: &[&str]) -> Self {
        let message = match what.strip_prefix(':') {
            Some(name) => format!("this engine has no function {name:?}; it has: {}", known.join(", ")),
            None => format!(
                "this engine runs native functions and no Python, so it cannot run {what}: give it to an \
                             engine with the label runtime=python"
            ),
        };
        Self { kind: FailureKind::Unreadable, ..Self::exception("LookupError", message) }
    }

    /// Somebody cancelled the task.
    pub(super) fn cancelled() -> Self {
        Self { kind: FailureKind::Cancelled, ..Self::exception("Cancelled", "the task was cancelled".into()) }
    }

    /// The function panicked.
    pub(super) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("a panic without a message").to_owned();
        let place = LAST_PANIC.take().map(|place| format!("panicked at {place}")).unwrap_or_default();
        Self { traceback: place, ..Self::exception("Panic", message) }
    }

    /// The function failed because, or after, it was told to stop.
    pub(super) fn because_cancelled(self) -> Self {
        Self { kind: FailureKind::Cancelled, ..self }
    }

    pub(super) fn failure(self) -> Box<Failure> {
        let traceback = match &*self.traceback {
            "" => format!("{}: {}", self.type_name, self.message),
            place => format!("{place}:\n{}: {}", self.type_name, self.message),
        };
        Box::new(Failure {
            kind: self.kind,
            type_name: self.type_name.into(),
            message: self.message.into(),
            traceback: Bytes::from(traceback),
            exception: None,
            engine: None,
        })
    }

    fn exception(type_name: &str, message: String) -> Self {
        let (type_name, traceback) = (type_name.to_owned(), String::new());
        Self { kind: FailureKind::Exception, type_name, message, traceback }
    }
}

/// What was given in place of a function's arguments, without the values.
fn shown(given: &Value) -> String {
    match given {
        Value::List(values) => format!("({})", values.iter().map(Value::kind).collect::<Vec<_>>().join(", ")),
        Value::Map(named) => {
            let named = named.iter().map(|(name, value)| match name {
                Value::Str(name) => format!("{name}={}", value.kind()),
                other => format!("{}: {}", other.kind(), value.kind()),
            });
            format!("({})", named.collect::<Vec<_>>().join(", "))
        }
        other => other.kind().to_owned(),
    }
}

/// A type as people write it: names without their paths, and a tuple of one without its comma.
fn signature(full: &str) -> String {
    if full == "[(); 0]" {
        return "no arguments".into();
    }
    let mut short = String::with_capacity(full.len());
    for part in full.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short.replace(",)", ")")
}

/// The name of an error's type without its path. Text and what stands for any error are called just that.
fn class<E>() -> String {
    let full = std::any::type_name::<E>();
    if full.contains(['<', '&']) {
        return "Error".into();
    }
    match full.rsplit("::").next() {
        Some("String" | "str") | None => "Error".into(),
        Some(name) => name.into(),
    }
}

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Remembers where this process's panics happen. What was to happen at a panic still does.
pub(super) fn remember_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string);
            // A thread that is just ending has no such place any more.
            let _ending = LAST_PANIC.try_with(|last| *last.borrow_mut() = place);
            before(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_what_people_write() {
        let of = |full: &str| signature(full);
        assert_eq!(of(std::any::type_name::<(String, Option<Vec<u8>>)>()), "(String, Option<Vec<u8>>)");
        assert_eq!(of(std::any::type_name::<(f64,)>()), "(f64)");
        assert_eq!(of(std::any::type_name::<[(); 0]>()), "no arguments");
        assert_eq!(of(std::any::type_name::<(std::collections::BTreeMap<String, [u8; 4]>, bool)>()), {
            "(BTreeMap<String, [u8; 4]>, bool)"
        });
    }

    #[test]
    fn errors_are_called_by_their_type() {
        let parse = "x".parse::<u8>().unwrap_err();
        assert_eq!(Failed::returned(&parse).type_name, "ParseIntError");
        assert_eq!(Failed::returned(&"text").type_name, "Error");
        assert_eq!(Failed::returned(&"text".to_owned()).type_name, "Error");
        let any: Box<dyn std::error::Error> = Box::new(parse);
        assert_eq!(Failed::returned(&any).type_name, "Error");
        assert!(Failed::returned(&any).message.contains("invalid digit"));
    }
}

//! What can go wrong with a task, and with its session.

use std::fmt;

use paraply_core::outcome::{Failure, FailureKind};

pub use crate::value::ValueError;

/// Why a task has no result.
///
/// ```no_run
/// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
/// match client.balanced().apply::<f64>("math:sqrt", (-1.0,)).await {
///     Err(paraply::Error::Exception(raised)) => println!("{} on {:?}", raised.type_name, raised.engine),
///     other => println!("{}", other?),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Its code raised.
    #[error("{0}")]
    Exception(Exception),
    /// The engine that had it, or that it was addressed to, is gone.
    #[error("engine {} was lost: {message}", Named(*.engine))]
    EngineLost {
        /// Which, where one is known.
        engine: Option<u32>,
        /// What is known about it.
        message: String,
    },
    /// It was aborted before it started.
    #[error("the task was aborted before it started")]
    Aborted,
    /// It was interrupted on request.
    #[error("the task was cancelled: {0}")]
    Cancelled(String),
    /// It had waited longer than its `queue_timeout`.
    #[error("the task waited too long: {0}")]
    QueueTimeout(String),
    /// It had run longer than its `run_timeout`.
    #[error("the task ran too long: {0}")]
    RunTimeout(String),
    /// The engine could not read the function or the arguments.
    #[error("the engine could not read the call: {0}")]
    Unreadable(String),
    /// The call itself is wrong: this says what to do about it.
    #[error("the call was refused: {0}")]
    Refused(String),
    /// A value could not be written or read.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The bytes of a large argument or result could not be moved.
    #[error("large bytes could not be moved: {0}")]
    Transfer(String),
    /// The session is over.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// What a task's code raised, as its engine saw it. Prints as Python would: the traceback where there is one.
///
/// ```no_run
/// # async fn example(client: paraply::Client) {
/// if let Err(paraply::Error::Exception(raised)) = client.balanced().apply::<f64>("math:sqrt", (-1,)).await {
///     assert_eq!(raised.type_name, "ValueError");
/// }
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Exception {
    /// The exception's class, such as `ZeroDivisionError`.
    pub type_name: String,
    /// What it says.
    pub message: String,
    /// As the engine would have printed it, without colour; may be empty.
    pub traceback: String,
    /// The engine it happened on.
    pub engine: Option<u32>,
}

impl std::error::Error for Exception {}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.traceback.is_empty() {
            write!(f, "{}: {}", self.type_name, self.message)
        } else {
            f.write_str(self.traceback.trim_end())
        }
    }
}

/// Why a session is over.
///
/// ```no_run
/// use paraply::{Error, SessionError};
///
/// # async fn example(client: paraply::Client) {
/// client.clone().close().await;
/// let late = client.balanced().execute("pass").await;
/// assert!(matches!(late, Err(Error::Session(SessionError::Closed))));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The client was closed.
    #[error("this client is closed")]
    Closed,
    /// Another stream has taken the session over.
    #[error("another client has taken this session over")]
    Superseded,
    /// The client was away for longer than the scheduler keeps a session.
    #[error("the scheduler has forgotten this session: the client was away for too long")]
    Expired,
    /// The cluster does not take this client: trying again does not help.
    #[error("the cluster refused this client: {0}")]
    Refused(String),
    /// One end has broken a rule of the protocol.
    #[error("protocol error: {0}")]
    Protocol(String),
    /// A limit was passed, which this names with its setting.
    #[error("{0}")]
    Limit(String),
}

struct Named(Option<u32>);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(engine) => write!(f, "{engine}"),
            None => f.write_str("?"),
        }
    }
}

impl From<&Failure> for Error {
    fn from(failure: &Failure) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let message = text(&failure.message);
        let engine = failure.engine.map(|engine| engine.0);
        match failure.kind {
            FailureKind::Exception => Self::Exception(Exception {
                type_name: text(&failure.type_name),
                message,
                traceback: text(&failure.traceback),
                engine,
            }),
            FailureKind::EngineLost => Self::EngineLost { engine, message },
            // It went on for too long after it was cancelled, and was ended with its engine.
            FailureKind::Cancelled if failure.type_name == "EngineError" => Self::EngineLost { engine, message },
            FailureKind::Cancelled if message.is_empty() => Self::Cancelled("it was interrupted".to_owned()),
            FailureKind::Cancelled => Self::Cancelled(message),
            FailureKind::Aborted => Self::Aborted,
            FailureKind::QueueTimeout => Self::QueueTimeout(message),
            FailureKind::RunTimeout => Self::RunTimeout(message),
            FailureKind::Unreadable => Self::Unreadable(message),
            FailureKind::Refused => Self::Refused(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use paraply_core::{id::EngineId, outcome::Outcome};

    use super::*;

    fn error(kind: FailureKind, type_name: &'static str) -> Error {
        let outcome = Outcome::failed(kind, type_name, "what happened".to_owned(), Some(EngineId(3)));
        Error::from(&*outcome.value.unwrap_err())
    }

    #[test]
    fn an_exception_has_its_type_message_and_engine() {
        let Error::Exception(raised) = error(FailureKind::Exception, "KeyError") else { panic!("it was raised") };
        assert_eq!((raised.type_name.as_str(), raised.message.as_str()), ("KeyError", "what happened"));
        assert_eq!(raised.engine, Some(3));
        assert_eq!(raised.to_string(), "KeyError: what happened");
    }

    #[test]
    fn a_task_that_was_ended_with_its_engine_has_lost_its_engine() {
        assert!(matches!(error(FailureKind::Cancelled, "EngineError"), Error::EngineLost { engine: Some(3), .. }));
        assert!(matches!(error(FailureKind::Cancelled, "KeyboardInterrupt"), Error::Cancelled(_)));
        let lost = error(FailureKind::EngineLost, "EngineError").to_string();
        assert_eq!(lost, "engine 3 was lost: what happened");
    }
}

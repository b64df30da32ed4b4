//! What can be wrong with a message.

use thiserror::Error;

/// A field that cannot be taken, by its path in the message.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{field}: {problem}")]
pub struct WireError {
    field: String,
    problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Problem {
    /// A message or a choice that must be there is absent.
    #[error("must be set")]
    Missing,
    /// An id or a digest of the wrong size.
    #[error("must be {expected} bytes, and is {actual}")]
    Length {
        /// Bytes needed.
        expected: usize,
        /// Bytes received.
        actual: usize,
    },
    /// An enum value that this version does not know, or UNSPECIFIED where a choice is needed.
    #[error("{value} is not a value of {name}")]
    UnknownValue {
        /// The enum.
        name: &'static str,
        /// What was received.
        value: i32,
    },
    /// A function whose digest is not that of its bytes.
    #[error("is not the SHA-256 of the function's data")]
    Digest,
    /// More in one message than is answered.
    #[error("{actual} at once, and {most} are the most")]
    TooMany {
        /// How many are.
        most: usize,
        /// How many came.
        actual: usize,
    },
    /// Anything else that a rule of the schema forbids.
    #[error("{0}")]
    Rule(&'static str),
}

impl WireError {
    pub(crate) fn new(field: &str, problem: Problem) -> Self {
        Self { field: field.to_owned(), problem }
    }

    /// The path of the field, such as `submit.calls[3].function_digest`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    fn inside(self, parent: &str) -> Self {
        let separator = if self.field.is_empty() { "" } else { "." };
        Self { field: format!("{parent}{separator}{}", self.field), problem: self.problem }
    }
}

/// Puts the parent's name before the path of an error; costs nothing where there is none.
pub(crate) trait Inside {
    fn inside(self, parent: &str) -> Self;
}

impl<T> Inside for Result<T, WireError> {
    fn inside(self, parent: &str) -> Self {
        self.map_err(|error| error.inside(parent))
    }
}

/// The value of a field that must be set.
pub(crate) fn required<T>(value: Option<T>, field: &str) -> Result<T, WireError> {
    value.ok_or_else(|| WireError::new(field, Problem::Missing))
}

/// Decodes every item of a repeated field.
pub(crate) fn each<M, T>(
    items: Vec<M>,
    field: &str,
    decode: impl Fn(M) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let nth = |(n, item)| decode(item).map_err(|error| error.inside(&format!("{field}[{n}]")));
    items.into_iter().enumerate().map(nth).collect()
}

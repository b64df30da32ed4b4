//! What can be wrong with a configuration.

use std::{fmt, io};

/// A configuration that is refused. The message says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or not for us.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{path} is not TOML: {source}")]
    NotToml {
        /// The file.
        path: String,
        /// Where it went wrong.
        source: Box<toml::de::Error>,
    },
    /// The file has a table of nobody's.
    #[error("{path}: unknown table [{table}]; known: {known}")]
    UnknownTable {
        /// The file.
        path: String,
        /// The table.
        table: String,
        /// What it could be.
        known: String,
    },
    /// A variable with bytes that are no text.
    #[error("the environment variable {variable} is not UTF-8 text")]
    NotText {
        /// Its name.
        variable: String,
    },
    /// A key that the service does not have.
    #[error("{place}: unknown key; known: {known}")]
    UnknownKey {
        /// File and key, variable, or flag.
        place: String,
        /// What it could be.
        known: String,
    },
    /// A value that does not fit.
    #[error("{place}: {message}")]
    Value {
        /// File and key, variable, or flag.
        place: String,
        /// What is wrong with it.
        message: String,
    },
    /// A token, which has no place on a command line.
    #[error(
        "`{key}` is not set: write it into a file that only you can read and name that with {flag} (a command line can be \
         read by others), or use {variable}, or `{key}` in [{section}] of the configuration file"
    )]
    MissingToken {
        /// The key.
        key: String,
        /// The flag that names a file.
        flag: String,
        /// The variable that sets it.
        variable: String,
        /// The table in the file.
        section: &'static str,
    },
    /// A key that has no default.
    #[error("`{key}` is not set: use {flag}, {variable}, or `{key}` in [{section}] of the configuration file")]
    Missing {
        /// The key.
        key: String,
        /// The flag that sets it.
        flag: String,
        /// The variable that sets it.
        variable: String,
        /// The table in the file.
        section: &'static str,
    },
}

impl ConfigError {
    /// The token `key` of a service is not set.
    pub(super) fn missing_token(section: &'static str, key: &str) -> Self {
        let (flag, variable) = (format!("--{}-file", key.replace('_', "-")), variable(section, key));
        Self::MissingToken { key: key.to_owned(), flag, variable, section }
    }

    /// `key` of a service is not set.
    pub(super) fn missing(section: &'static str, key: &str) -> Self {
        let (flag, variable) = (format!("--{}", key.replace('_', "-")), variable(section, key));
        Self::Missing { key: key.to_owned(), flag, variable, section }
    }
}

/// The environment variable that sets `key`.
pub(super) fn variable(section: &str, key: &str) -> String {
    format!("PARAPLY_{}_{}", section.to_ascii_uppercase(), key.to_ascii_uppercase())
}

/// What went wrong, while it is not known yet where the key came from.
#[derive(Debug)]
pub(super) enum Fault {
    Unknown { key: String, known: &'static [&'static str] },
    Missing { key: String },
    Value { place: String, message: String },
    Other(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { key, .. } => write!(f, "unknown key {key}"),
            Self::Missing { key } => write!(f, "{key} is not set"),
            Self::Value { message, .. } | Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::Unknown { key: field.to_owned(), known: expected }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing { key: field.to_owned() }
    }
}

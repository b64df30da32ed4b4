#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod args;
mod balanced;
pub mod blocking;
mod cell;
mod client;
mod connect;
mod direct;
mod engine;
mod error;
mod find;
mod function;
mod labels;
mod map;
mod named;
mod options;
mod output;
mod place;
mod session;
mod targets;
mod task;
mod tasks;
mod value;

/// What every language reads, where serde does not say it all: points in time, arrays, values of any type.
pub use paraply_values as values;

/// What a [`ConnectError`] is caused by.
pub use paraply_common::{
    connection::ConnectionFileError,
    transport::{DialError, tls::TlsError},
};

pub use self::{
    args::Args,
    balanced::Balanced,
    client::Client,
    connect::{Connect, ConnectError},
    direct::Direct,
    engine::Engine,
    error::{Error, Exception, SessionError, ValueError},
    function::{Function, IntoFunction},
    labels::Labels,
    map::{Map, Starmap},
    named::WithNamed,
    output::{Output, OutputKind, OutputStream},
    targets::Targets,
    task::Task,
    tasks::Tasks,
};

/// What [`args!`] expands to.
#[doc(hidden)]
pub mod __private {
    pub use crate::named::{End, Field};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_go_from_thread_to_thread() {
        fn may<T: Send>() {}
        may::<Client>();
        may::<Balanced>();
        may::<Direct>();
        may::<Task<f64>>();
        may::<Tasks<f64>>();
        may::<Map<f64, std::ops::Range<u32>>>();
        may::<OutputStream>();
        may::<Error>();
        may::<ConnectError>();
        may::<blocking::Client>();
    }
}

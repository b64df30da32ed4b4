//! The arguments of a call: a tuple, each of whose fields is a positional argument.

use paraply_core::payload::Payload;
use serde::Serialize;

use crate::value::{self, ValueError};

/// Positional arguments: a tuple of up to eight values, or `()` for none.
///
/// ```no_run
/// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
/// let power: f64 = client.balanced().apply("math:pow", (2.0, 10.0)).await?;
/// let process: u32 = client.balanced().apply("os:getpid", ()).await?;
/// # Ok(())
/// # }
/// ```
pub trait Args: sealed::Sealed {}

pub(crate) mod sealed {
    use super::{Payload, ValueError};

    pub trait Sealed {
        /// What travels.
        fn payload(&self) -> Result<Payload, ValueError>;
    }
}

impl Args for () {}

impl sealed::Sealed for () {
    fn payload(&self) -> Result<Payload, ValueError> {
        Ok(value::nothing())
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {
        $(
            impl<$($name: Serialize),+> Args for ($($name,)+) {}

            impl<$($name: Serialize),+> sealed::Sealed for ($($name,)+) {
                fn payload(&self) -> Result<Payload, ValueError> {
                    value::encode(self)
                }
            }
        )*
    };
}

tuples!(
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
);

//! The arguments of a call: a tuple, each of whose fields is a positional argument, and named ones beside them.

use paraply_core::payload::Payload;
use serde::Serialize;

use crate::{
    named::WithNamed,
    value::{self, ValueError},
};

/// Arguments: a tuple of up to eight positional ones, `()` for none, or what [`args!`](crate::args) makes, which has named
/// ones too.
///
/// ```no_run
/// use paraply::args;
///
/// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
/// let power: f64 = client.balanced().apply("math:pow", (2.0, 10.0)).await?;
/// let process: u32 = client.balanced().apply("os:getpid", ()).await?;
/// let number: i64 = client.balanced().apply("builtins:int", args!("ff", base = 16)).await?;
/// # Ok(())
/// # }
/// ```
pub trait Args: sealed::Sealed {
    /// The same with named arguments: the fields of a struct, or a map whose keys are strings.
    ///
    /// A value with anything else for names is refused where the result of the call would be.
    ///
    /// ```no_run
    /// use paraply::Args as _;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Options {
    ///     ndigits: u32,
    /// }
    ///
    /// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
    /// let rounded: f64 = client.balanced().apply("builtins:round", (2.718,).named(Options { ndigits: 1 })).await?;
    /// assert_eq!(rounded, 2.7);
    /// # Ok(())
    /// # }
    /// ```
    fn named<N: Serialize>(self, named: N) -> WithNamed<Self, N>
    where
        Self: sealed::Positional + Sized,
    {
        WithNamed { positional: self, named }
    }
}

pub(crate) mod sealed {
    use super::{Payload, Serialize, ValueError};

    pub trait Sealed {
        /// What travels.
        fn payload(&self) -> Result<Payload, ValueError>;
    }

    /// Arguments none of which has a name.
    pub trait Positional: Serialize {
        const ANY: bool;
    }
}

impl Args for () {}

impl sealed::Positional for () {
    const ANY: bool = false;
}

impl sealed::Sealed for () {
    fn payload(&self) -> Result<Payload, ValueError> {
        Ok(value::nothing())
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {
        $(
            impl<$($name: Serialize),+> Args for ($($name,)+) {}

            impl<$($name: Serialize),+> sealed::Positional for ($($name,)+) {
                const ANY: bool = true;
            }

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

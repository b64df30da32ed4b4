//! Rust functions as engines call them: arguments are read by serde, results are written by it.

use std::{
    fmt::Display,
    future::{Future, ready},
    pin::Pin,
    sync::Arc,
};

use futures_util::FutureExt as _;
use paraply_common::portable;
use paraply_core::payload::{Encoding, Payload};
use paraply_values::{DecodeError, Value};
use serde::{Serialize, de::DeserializeOwned};

use super::{context::Context, failed::Failed};

/// What a function comes to.
pub(super) type Answer = Result<Payload, Failed>;

type Blocking = dyn Fn(Context, &Payload) -> Answer + Send + Sync;
type Later = dyn Fn(Context, &Payload) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

/// A function that has forgotten its types.
#[derive(Clone)]
pub enum Erased {
    Blocking(Arc<Blocking>),
    Async(Arc<Later>),
}

/// What can be called with the arguments of a task: a function of up to eight values that serde reads, with a [`Context`]
/// before them if it wants one. One that takes a single struct can be called with named arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called with the arguments of a task",
    note = "a function takes up to eight values that serde can read (`DeserializeOwned`), after a `Context` if it wants one, and is \
            `Send + Sync + 'static`"
)]
pub trait Function<Kind>: sealed::Callable<Kind> {}

/// What becomes a task's result: a value that serde writes, or a future of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a task",
    note = "a result is a value that serde can write (`Serialize`) or a future of one; what returns a `Result` is given to \
            `try_function`"
)]
pub trait Returned<Kind>: sealed::Returns<Kind> {}

/// What becomes a task's result or its failure: a `Result` whose error can be displayed, or a future of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a task",
    note = "`try_function` takes functions that return a `Result` of a value that serde can write (`Serialize`) and an error \
            that can be displayed, or a future of one"
)]
pub trait TryReturned<Kind>: sealed::TryReturns<Kind> {}

impl<Kind, T: sealed::Callable<Kind>> Function<Kind> for T {}
impl<Kind, T: sealed::Returns<Kind>> Returned<Kind> for T {}
impl<Kind, T: sealed::TryReturns<Kind>> TryReturned<Kind> for T {}

pub(super) mod sealed {
    use super::{Context, Erased, Failed, Payload};

    pub trait Callable<Kind>: Send + Sync + 'static {
        type Output;

        fn call(&self, context: Context, arguments: &Payload) -> Result<Self::Output, Failed>;
    }

    pub trait Returns<Kind>: Sized {
        /// The name of the type of the result.
        fn name() -> &'static str;

        fn erase<K, F: Callable<K, Output = Self>>(function: F) -> Erased;
    }

    pub trait TryReturns<Kind>: Sized {
        fn erase<K, F: Callable<K, Output = Self>>(function: F) -> Erased;
    }
}

/// Marks functions that take no context.
#[derive(Debug)]
pub struct Alone<T>(std::marker::PhantomData<T>);

/// Marks functions that take a context first.
#[derive(Debug)]
pub struct WithContext<T>(std::marker::PhantomData<T>);

/// Marks what is there when a function returns.
#[derive(Debug)]
pub enum Now {}

/// Marks what is there when a future is over.
#[derive(Debug)]
pub enum Eventually {}

impl<T: Serialize> sealed::Returns<Now> for T {
    fn name() -> &'static str {
        std::any::type_name::<T>()
    }

    fn erase<K, F: sealed::Callable<K, Output = Self>>(function: F) -> Erased {
        Erased::Blocking(Arc::new(move |context, arguments| {
            answer(&function.call(context, arguments)?, arguments.encoding)
        }))
    }
}

impl<T, Fut> sealed::Returns<Eventually> for Fut
where
    T: Serialize,
    Fut: Future<Output = T> + Send + 'static,
{
    fn name() -> &'static str {
        std::any::type_name::<T>()
    }

    fn erase<K, F: sealed::Callable<K, Output = Self>>(function: F) -> Erased {
        Erased::Async(Arc::new(move |context, arguments| {
            let encoding = arguments.encoding;
            match function.call(context, arguments) {
                Ok(future) => future.map(move |value| answer(&value, encoding)).boxed(),
                Err(failed) => ready(Err(failed)).boxed(),
            }
        }))
    }
}

impl<T: Serialize, E: Display> sealed::TryReturns<Now> for Result<T, E> {
    fn erase<K, F: sealed::Callable<K, Output = Self>>(function: F) -> Erased {
        Erased::Blocking(Arc::new(move |context, arguments| {
            let value = function.call(context, arguments)?.map_err(|error| Failed::returned(&error))?;
            answer(&value, arguments.encoding)
        }))
    }
}

impl<T, E, Fut> sealed::TryReturns<Eventually> for Fut
where
    T: Serialize,
    E: Display,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    fn erase<K, F: sealed::Callable<K, Output = Self>>(function: F) -> Erased {
        Erased::Async(Arc::new(move |context, arguments| {
            let encoding = arguments.encoding;
            match function.call(context, arguments) {
                Ok(future) => {
                    future.map(move |value| answer(&value.map_err(|error| Failed::returned(&error))?, encoding)).boxed()
                }
                Err(failed) => ready(Err(failed)).boxed(),
            }
        }))
    }
}

/// Whoever asks in JSON is answered in JSON.
fn answer<T: Serialize>(value: &T, asked: Encoding) -> Answer {
    let written = if asked == Encoding::Json { portable::encode_json(value) } else { portable::encode(value) };
    written.map_err(Failed::value)
}

/// What stands for values in order where there are others by name (`docs/protocol.md`, "Values").
const IN_ORDER: &str = "*";

/// How arguments by name are read.
type Named<T> = fn(&Payload) -> Result<T, DecodeError>;

/// Arguments in order, or a struct's fields by name where `T` is a tuple of that struct alone.
fn arguments<T: DeserializeOwned>(payload: &Payload, named: Option<Named<T>>) -> Result<T, Failed> {
    // As empty as the arguments of a function that takes none.
    let empty = (payload.data.is_empty() && payload.buffers.is_empty()).then(no_arguments);
    let payload = empty.as_ref().unwrap_or(payload);
    if payload.encoding == Encoding::Pickle5 {
        return Err(Failed::pickled());
    }
    let error = match portable::decode(payload) {
        Ok(values) => return Ok(values),
        Err(error) => error,
    };
    let given = portable::decode::<Value>(payload).ok();
    if let Some(Value::Map(named)) = &given
        && named.iter().any(|(name, _)| matches!(name, Value::Str(name) if name == IN_ORDER))
    {
        return Err(Failed::both::<T>());
    }
    let by_name = named.filter(|_| matches!(given, Some(Value::Map(_)))).map(|named| named(payload));
    by_name.unwrap_or(Err(error)).map_err(|error| Failed::arguments::<T>(given.as_ref(), &error))
}

fn no_arguments() -> Payload {
    Payload { encoding: Encoding::Json, data: bytes::Bytes::from_static(b"[]"), ..Payload::default() }
}

macro_rules! callable {
    ($($name:ident)*) => {
        impl<Fun, R, $($name: DeserializeOwned),*> sealed::Callable<Alone<($($name,)*)>> for Fun
        where
            Fun: Fn($($name),*) -> R + Send + Sync + 'static,
        {
            type Output = R;

            #[allow(non_snake_case, reason = "each is named after its type")]
            fn call(&self, _: Context, payload: &Payload) -> Result<R, Failed> {
                let ($($name,)*) = read!(payload $($name)*);
                Ok(self($($name),*))
            }
        }

        impl<Fun, R, $($name: DeserializeOwned),*> sealed::Callable<WithContext<($($name,)*)>> for Fun
        where
            Fun: Fn(Context, $($name),*) -> R + Send + Sync + 'static,
        {
            type Output = R;

            #[allow(non_snake_case, reason = "each is named after its type")]
            fn call(&self, context: Context, payload: &Payload) -> Result<R, Failed> {
                let ($($name,)*) = read!(payload $($name)*);
                Ok(self(context, $($name),*))
            }
        }
    };
}

macro_rules! read {
    // serde has no tuple of nothing.
    ($payload:ident) => {
        arguments::<[(); 0]>($payload, None).map(|[]| ())?
    };
    ($payload:ident $one:ident) => {
        arguments::<($one,)>($payload, Some(|payload| portable::decode::<$one>(payload).map(|one| (one,))))?
    };
    ($payload:ident $($name:ident)+) => {
        arguments::<($($name,)+)>($payload, None)?
    };
}

callable!();
callable!(A);
callable!(A B);
callable!(A B C);
callable!(A B C D);
callable!(A B C D E);
callable!(A B C D E F);
callable!(A B C D E F G);
callable!(A B C D E F G H);

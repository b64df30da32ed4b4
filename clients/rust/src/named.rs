//! Named arguments. On the wire a map of them, with the list of positional ones, if there are any, under `*`.

use paraply_core::payload::Payload;
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    args::{Args, sealed},
    value::{self, ValueError},
};

/// Positional and named arguments, as [`args!`](crate::args) and [`Args::named`] make them.
///
/// ```
/// use paraply::Args as _;
///
/// let one: paraply::WithNamed<_, _> = ("ff",).named(std::collections::BTreeMap::from([("base", 16)]));
/// let other = paraply::args!("ff", base = 16);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct WithNamed<P, N> {
    pub(crate) positional: P,
    pub(crate) named: N,
}

/// As it travels.
#[derive(Serialize)]
struct Map<'a, P, N> {
    #[serde(rename = "*", skip_serializing_if = "Option::is_none")]
    positional: Option<&'a P>,
    #[serde(flatten)]
    named: &'a N,
}

impl<P: sealed::Positional, N: Serialize> Args for WithNamed<P, N> {}

impl<P: sealed::Positional, N: Serialize> sealed::Sealed for WithNamed<P, N> {
    fn payload(&self) -> Result<Payload, ValueError> {
        value::encode(&Map { positional: P::ANY.then_some(&self.positional), named: &self.named })
    }
}

/// No name more.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct End;

/// A named argument, and those before it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Field<F, T> {
    pub before: F,
    pub name: &'static str,
    pub value: T,
}

/// Named arguments of any types.
#[doc(hidden)]
pub trait Fields {
    const COUNT: usize;

    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
}

impl Fields for End {
    const COUNT: usize = 0;

    fn write<M: SerializeMap>(&self, _: &mut M) -> Result<(), M::Error> {
        Ok(())
    }
}

impl<F: Fields, T: Serialize> Fields for Field<F, T> {
    const COUNT: usize = F::COUNT + 1;

    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.before.write(map)?;
        map.serialize_entry(self.name.strip_prefix("r#").unwrap_or(self.name), &self.value)
    }
}

impl<F: Fields, T: Serialize> Serialize for Field<F, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Self::COUNT))?;
        self.write(&mut map)?;
        map.end()
    }
}

/// The arguments of a call as Python writes them: positional ones, then named ones.
///
/// ```no_run
/// use paraply::args;
///
/// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
/// let view = client.balanced();
/// let sorted: Vec<i64> = view.apply("builtins:sorted", args!([3, 1, 2], reverse = true)).await?;
/// assert_eq!(sorted, [3, 2, 1]);
/// let day: paraply::values::Value = view.apply("builtins:dict", args!(year = 2024, r#type = "leap")).await?;
/// # Ok(())
/// # }
/// ```
///
/// A name is a Rust identifier; `r#type` is Python's `type`. Other names, and those that are not known before, are the keys
/// of a map: [`Args::named`].
#[macro_export]
macro_rules! args {
    // Those that are done: positional in parentheses, named in brackets.
    (@take ($($positional:expr,)*) []) => { ($($positional,)*) };
    (@take ($($positional:expr,)*) [$named:expr]) => { $crate::Args::named(($($positional,)*), $named) };
    (@take ($($positional:expr,)*) [] $name:ident = $value:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@named ($($positional,)*) [
            $crate::__private::Field { before: $crate::__private::End, name: stringify!($name), value: $value }
        ] $($($rest)*)?)
    };
    (@take ($($positional:expr,)*) [] $next:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@take ($($positional,)* $next,) [] $($($rest)*)?)
    };
    (@named ($($positional:expr,)*) [$before:expr] $name:ident = $value:expr $(, $($rest:tt)*)?) => {
        $crate::args!(@named ($($positional,)*) [
            $crate::__private::Field { before: $before, name: stringify!($name), value: $value }
        ] $($($rest)*)?)
    };
    (@named ($($positional:expr,)*) [$named:expr]) => { $crate::Args::named(($($positional,)*), $named) };
    (@named ($($positional:expr,)*) [$named:expr] $($rest:tt)+) => {
        compile_error!("a positional argument stands before the named ones")
    };
    ($($all:tt)*) => { $crate::args!(@take () [] $($all)*) };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::sealed::Sealed as _;
    use crate::{Args, ValueError, value};

    fn json(args: impl Args) -> serde_json::Value {
        value::decode(&args.payload().unwrap()).unwrap()
    }

    #[test]
    fn named_arguments_are_a_map_with_the_positional_ones_beside() {
        use serde_json::json as expected;
        assert_eq!(json(args!(1, "a")), expected!([1, "a"]));
        assert_eq!(json(args!(a = 1, b = [true],)), expected!({"a": 1, "b": [true]}));
        assert_eq!(
            json(args!(1, 2 == 2, sep = ",", r#type = ())),
            expected!({"*": [1, true], "sep": ",", "type": null})
        );
        let start = 5;
        assert_eq!(json(args!(start, end = start + 1)), expected!({"*": [5], "end": 6}));
        assert_eq!(args!().payload().unwrap(), value::nothing());
    }

    #[test]
    fn names_may_come_from_a_struct_or_a_map() {
        use serde_json::json as expected;
        #[derive(serde::Serialize)]
        struct Options<'a> {
            sep: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            nrows: Option<u32>,
        }
        assert_eq!(json(("a.csv",).named(Options { sep: ";", nrows: None })), expected!({"*": ["a.csv"], "sep": ";"}));
        assert_eq!(json(().named(BTreeMap::from([("x", 1.5)]))), expected!({"x": 1.5}));
        assert_eq!(json(().named(BTreeMap::<&str, u8>::new())), expected!({}));
    }

    #[test]
    fn what_has_no_names_is_refused() {
        let refused = |result: Result<_, ValueError>| result.unwrap_err().to_string();
        let error = refused((1,).named(7).payload());
        assert!(error.contains("can only flatten structs and maps"), "{error}");
        let error = refused(().named([("a", 1)]).payload());
        assert!(error.contains("structs and maps"), "{error}");
    }

    #[cfg(feature = "ndarray")]
    #[test]
    fn arrays_have_names_too() {
        use paraply_values::{Nd, NdArray};
        let array = ndarray::Array1::linspace(0.0, 1.0, 1000);
        let payload = args!(1, weights = Nd(array.view())).payload().unwrap();
        assert_eq!(payload.buffers.len(), 1);
        #[derive(serde::Deserialize)]
        struct Read {
            weights: NdArray<f64, ndarray::Ix1>,
        }
        let read: Read = value::decode(&payload).unwrap();
        assert_eq!(read.weights.0, array);
    }
}

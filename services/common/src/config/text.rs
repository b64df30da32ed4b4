//! A value from a flag or a variable: text, which becomes what the field is.

use serde::{
    Deserializer,
    de::{IntoDeserializer, Visitor, value::SeqDeserializer},
};

use super::error::Fault;

pub(super) struct Text(pub(super) String);

impl Text {
    fn parse<T: std::str::FromStr>(&self, what: &str) -> Result<T, Fault> {
        self.0.trim().parse().map_err(|_| Fault::Other(format!("{:?} is not {what}", self.0)))
    }
}

impl<'de> IntoDeserializer<'de, Fault> for Text {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $what:literal,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit(self.parse($what)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Text {
    type Error = Fault;

    parsed! {
        deserialize_bool visit_bool "true or false",
        deserialize_i8 visit_i64 "a whole number",
        deserialize_i16 visit_i64 "a whole number",
        deserialize_i32 visit_i64 "a whole number",
        deserialize_i64 visit_i64 "a whole number",
        deserialize_u8 visit_u64 "a whole number from 0",
        deserialize_u16 visit_u64 "a whole number from 0",
        deserialize_u32 visit_u64 "a whole number from 0",
        deserialize_u64 visit_u64 "a whole number from 0",
        deserialize_f32 visit_f64 "a number",
        deserialize_f64 visit_f64 "a number",
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    /// A list is written with commas.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let items = self.0.split(',').map(str::trim).filter(|item| !item.is_empty());
        visitor.visit_seq(SeqDeserializer::new(items.map(|item| Self(item.to_owned()))))
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

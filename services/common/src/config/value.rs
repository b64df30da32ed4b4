//! One value with the place it came from, and all of them as what serde reads a struct from.

use std::collections::{BTreeMap, btree_map};

use serde::{
    Deserializer,
    de::{DeserializeSeed, IntoDeserializer as _, MapAccess, Visitor},
};

use super::{error::Fault, text::Text};

/// A value, and where it was set.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) place: String,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Toml(toml::Value),
    Text(String),
}

impl Setting {
    pub(super) fn toml(place: String, value: toml::Value) -> Self {
        Self { place, value: Value::Toml(value) }
    }

    pub(super) fn text(place: String, value: String) -> Self {
        Self { place, value: Value::Text(value) }
    }
}

/// All settings by key.
pub(super) struct Settings(pub(super) BTreeMap<String, Setting>);

impl<'de> Deserializer<'de> for Settings {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(Rest { settings: self.0.into_iter(), next: None })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Rest {
    settings: btree_map::IntoIter<String, Setting>,
    next: Option<Setting>,
}

impl<'de> MapAccess<'de> for Rest {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, setting)) = self.settings.next() else { return Ok(None) };
        self.next = Some(setting);
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let setting = self.next.take().ok_or_else(|| Fault::Other("a value was asked for before its key".into()))?;
        let value = match setting.value {
            Value::Toml(value) => seed.deserialize(value).map_err(|error| error.message().to_owned()),
            Value::Text(text) => seed.deserialize(Text(text)).map_err(|error| error.to_string()),
        };
        value.map_err(|message| Fault::Value { place: setting.place, message })
    }
}

//! Configuration in layers: a service's defaults, then a TOML file, then `PARAPLY_<SERVICE>_*` in the environment, then
//! flags. Later layers win, key by key. A key that the service does not know is refused, with those it knows.
//!
//! A service's configuration is a flat struct with `#[serde(default, deny_unknown_fields)]`: the defaults are its own,
//! and the known keys are its fields.

mod credentials;
mod error;
mod lease;
mod text;
mod token;
mod value;

use std::{collections::BTreeMap, fs, path::Path};

use serde::de::DeserializeOwned;

pub use credentials::{Credentials, TOKEN_OVERLAP_MILLIS, TokenSetting, TokenSettings};
pub use error::ConfigError;
use error::Fault;
pub use lease::lease_millis;
use value::{Setting, Settings};

/// The tables that the file may have: one file serves all services.
const SECTIONS: [&str; 3] = ["controller", "scheduler", "engine"];

/// Collects the layers of one service, lowest first.
#[derive(Debug)]
pub struct Layers {
    section: &'static str,
    settings: BTreeMap<String, Setting>,
}

impl Layers {
    /// Of the service whose table in the file is `section`, such as "controller".
    #[must_use]
    pub fn new(section: &'static str) -> Self {
        Self { section, settings: BTreeMap::new() }
    }

    /// Adds the service's table of a TOML file.
    ///
    /// # Errors
    /// If the file cannot be read, is not TOML, or has a table that is no service's.
    pub fn file(mut self, path: &Path) -> Result<Self, ConfigError> {
        let place = path.display().to_string();
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: place.clone(), source })?;
        let mut tables: toml::Table =
            text.parse().map_err(|source| ConfigError::NotToml { path: place.clone(), source: Box::new(source) })?;
        if let Some(table) = tables.keys().find(|table| !SECTIONS.contains(&table.as_str())) {
            return Err(ConfigError::UnknownTable { path: place, table: table.clone(), known: SECTIONS.join(", ") });
        }
        match tables.remove(self.section) {
            Some(toml::Value::Table(table)) => {
                for (key, value) in table {
                    self.settings.insert(key.clone(), Setting::toml(format!("{place}: {}.{key}", self.section), value));
                }
                Ok(self)
            }
            None => Ok(self),
            Some(_) => {
                Err(ConfigError::UnknownTable { path: place, table: self.section.to_owned(), known: "a table".into() })
            }
        }
    }

    /// Adds this process's environment.
    ///
    /// # Errors
    /// If one of the service's variables is not UTF-8.
    pub fn environment(mut self) -> Result<Self, ConfigError> {
        let prefix = error::variable(self.section, "");
        for (name, value) in std::env::vars_os() {
            let Some((name, key)) = name.to_str().and_then(|name| Some((name, name.strip_prefix(&prefix)?))) else {
                continue;
            };
            let value = value.into_string().map_err(|_| ConfigError::NotText { variable: name.to_owned() })?;
            self.settings.insert(key.to_ascii_lowercase(), Setting::text(name.to_owned(), value));
        }
        Ok(self)
    }

    /// Adds flags that were given, by key.
    #[must_use]
    pub fn flags<K: Into<String>>(mut self, flags: impl IntoIterator<Item = (K, String)>) -> Self {
        for (key, value) in flags {
            let key = key.into();
            let name = format!("--{}", key.replace('_', "-"));
            self.settings.insert(key, Setting::text(name, value));
        }
        self
    }

    /// The configuration.
    ///
    /// # Errors
    /// If a key is unknown, a value does not fit, or a key without default is missing; says where it came from.
    pub fn load<T: DeserializeOwned>(self) -> Result<T, ConfigError> {
        let places: BTreeMap<String, String> =
            self.settings.iter().map(|(key, setting)| (key.clone(), setting.place.clone())).collect();
        T::deserialize(Settings(self.settings)).map_err(|fault| match fault {
            Fault::Unknown { key, known } => {
                ConfigError::UnknownKey { place: places.get(&key).cloned().unwrap_or(key), known: known.join(", ") }
            }
            Fault::Missing { key } => ConfigError::missing(self.section, &key),
            Fault::Value { place, message } => ConfigError::Value { place, message },
            Fault::Other(message) => ConfigError::Value { place: self.section.to_owned(), message },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, path::PathBuf};

    use serde::Deserialize;

    use super::*;
    use crate::secret::Secret;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Example {
        lease_millis: u32,
        ratio: f64,
        fresh: bool,
        label: String,
        state: Option<PathBuf>,
        listen: Vec<String>,
    }

    impl Default for Example {
        fn default() -> Self {
            Self { lease_millis: 10, ratio: 0.5, fresh: false, label: "x".into(), state: None, listen: Vec::new() }
        }
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn flag(key: &str, value: &str) -> Layers {
        Layers::new("controller").flags([(key, value.to_owned())])
    }

    #[test]
    fn later_layers_win_key_by_key() {
        let file = file("[scheduler]\nwhatever = 1\n[controller]\nlease_millis = 20\nlabel = '7'\nlisten = ['a']\n");
        let layers = Layers::new("controller").file(file.path()).unwrap();
        let layers = layers.flags([("lease_millis", "30".to_owned()), ("fresh", "true".to_owned())]);
        let config: Example = layers.load().unwrap();
        assert_eq!(
            config,
            Example {
                lease_millis: 30,
                fresh: true,
                label: "7".into(),
                listen: vec!["a".into()],
                ..Example::default()
            }
        );
    }

    #[test]
    fn text_becomes_what_the_field_is() {
        let config: Example = flag("label", "123").load().unwrap();
        assert_eq!(config.label, "123", "digits are a label if a label is asked for");
        assert_eq!(flag("listen", "a,b").load::<Example>().unwrap().listen, ["a", "b"]);
        assert_eq!(flag("state", "/x").load::<Example>().unwrap().state, Some("/x".into()));
        assert_eq!(flag("ratio", "2").load::<Example>().unwrap().ratio, 2.0);
    }

    #[test]
    fn an_unknown_key_is_named_with_the_known_ones() {
        let error = flag("leese_millis", "3").load::<Example>().unwrap_err().to_string();
        assert!(error.contains("--leese-millis") && error.contains("lease_millis, ratio"), "{error}");
        let file = file("[controller]\nleese = 20\n");
        let error = Layers::new("controller").file(file.path()).unwrap().load::<Example>().unwrap_err().to_string();
        assert!(error.contains("controller.leese") && error.contains("lease_millis"), "{error}");
    }

    #[test]
    fn an_unknown_table_is_named() {
        let file = file("[controler]\nlease_millis = 20\n");
        let error = Layers::new("controller").file(file.path()).unwrap_err().to_string();
        assert!(error.contains("controler") && error.contains("controller, scheduler"), "{error}");
    }

    #[test]
    fn a_value_that_does_not_fit_says_where_it_is() {
        let error = flag("lease_millis", "soon").load::<Example>().unwrap_err().to_string();
        assert!(error.starts_with("--lease-millis") && error.contains("soon"), "{error}");
        let file = file("[controller]\nlease_millis = 'soon'\n");
        let error = Layers::new("controller").file(file.path()).unwrap().load::<Example>().unwrap_err().to_string();
        assert!(error.contains("controller.lease_millis"), "{error}");
    }

    #[test]
    fn a_missing_key_says_all_the_ways_to_set_it_and_a_bad_secret_is_not_shown() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Strict {
            #[expect(dead_code, reason = "only its absence is of interest")]
            client_token: Secret,
        }
        let error = Layers::new("engine").load::<Strict>().unwrap_err().to_string();
        assert!(error.contains("--client-token") && error.contains("PARAPLY_ENGINE_CLIENT_TOKEN"), "{error}");
        let error = flag("client_token", "hunter2").load::<Strict>().unwrap_err().to_string();
        assert!(error.contains("--client-token") && !error.contains("hunter2"), "{error}");
    }
}

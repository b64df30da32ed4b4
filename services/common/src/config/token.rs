//! A token, which a configuration holds or names the file of.

use std::{fs, path::Path};

use super::ConfigError;
use crate::secret::Secret;

/// The token that is set as `key` of `section`, or is the content of the file that is set as `<key>_file`.
///
/// # Errors
/// If neither or both are set, or the file holds no token.
pub(super) fn token(
    section: &'static str,
    key: &str,
    token: Option<&Secret>,
    file: Option<&Path>,
) -> Result<Secret, ConfigError> {
    let wrong = |message: String| ConfigError::Value { place: format!("{section}.{key}_file"), message };
    match (token, file) {
        (Some(token), None) => Ok(token.clone()),
        (None, None) => Err(ConfigError::missing_token(section, key)),
        (Some(_), Some(_)) => Err(wrong(format!("`{key}` is set as well: leave one out"))),
        (None, Some(path)) => {
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| wrong(format!("cannot read {}: {error}", path.display())))?;
            Secret::try_from(text).map_err(|error| wrong(format!("{} holds no token: {error}", path.display())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_set_once_and_its_file_is_named_if_it_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "0123456789abcdef\n").unwrap();
        let inline = Secret::try_from("fedcba9876543210".to_owned()).unwrap();
        let get = |inline, file| token("engine", "engine_token", inline, file);
        assert_eq!(get(None, Some(&file)).unwrap().expose(), "0123456789abcdef");
        assert_eq!(get(Some(&inline), None).unwrap().expose(), "fedcba9876543210");
        let error = |inline, file| get(inline, file).unwrap_err().to_string();
        let missing = error(None, None);
        assert!(
            missing.contains("PARAPLY_ENGINE_ENGINE_TOKEN") && missing.contains("--engine-token-file"),
            "{missing}"
        );
        assert!(error(Some(&inline), Some(&file)).contains("leave one out"));
        fs::write(&file, "short").unwrap();
        assert!(error(None, Some(&file)).contains("at least 16"));
        assert!(error(None, Some(&folder.path().join("none"))).contains("cannot read"));
    }
}

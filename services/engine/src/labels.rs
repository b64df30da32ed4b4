//! The labels that an engine goes by: those it sets itself, and its user's.

use crate::error::Error;

/// What every engine says of itself. Users cannot set them: calls rely on what they say.
pub const RESERVED_LABELS: [&str; 2] = ["runtime", "functions"];

/// A user's labels and the one that says what runs code here, such as "python".
///
/// # Errors
/// If the user's set what is reserved.
pub fn labelled(runtime: &str, users: Vec<(String, String)>) -> Result<Vec<(String, String)>, Error> {
    if let Some((key, _)) = users.iter().find(|(key, _)| RESERVED_LABELS.contains(&key.as_str())) {
        return Err(Error::ReservedLabel(key.clone()));
    }
    Ok(std::iter::once(("runtime".to_owned(), runtime.to_owned())).chain(users).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(key: &str) -> (String, String) {
        (key.to_owned(), "a".to_owned())
    }

    #[test]
    fn what_engines_set_themselves_users_cannot() {
        let labels = labelled("python", vec![label("zone")]).unwrap();
        assert_eq!(labels, [("runtime".to_owned(), "python".to_owned()), label("zone")]);
        for reserved in RESERVED_LABELS {
            let error = labelled("python", vec![label("zone"), label(reserved)]).unwrap_err().to_string();
            assert!(error.contains(&format!("label '{reserved}'")), "{error}");
        }
    }
}

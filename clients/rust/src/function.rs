//! Functions: Python's by name or by source, and those that native engines have.

use std::sync::Arc;

use bytes::Bytes;
use paraply_common::{native, wire::payload::new_function};
use paraply_core::payload::{Encoding, Function as Sent, Payload};

use crate::error::Error;

/// A function that engines call: a Python one by its name or by its source, or one that native engines have registered.
/// Cheap to clone; its text goes to the cluster once.
///
/// ```
/// use paraply::Function;
///
/// let norm = Function::reference("numpy.linalg:norm")?;
/// assert_eq!(norm.name(), "norm");
/// # Ok::<(), paraply::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function(Arc<Sent>);

impl Function {
    /// The function of this name, which engines import: `"package.module:qualified.name"`.
    ///
    /// # Errors
    /// It is no such name.
    ///
    /// ```
    /// assert!(paraply::Function::reference("math:sqrt").is_ok());
    /// assert!(paraply::Function::reference("math.sqrt").is_err());
    /// ```
    pub fn reference(name: &str) -> Result<Self, Error> {
        let is_dotted = |path: &str| path.split('.').all(is_identifier);
        let last = match name.split_once(':') {
            Some((module, path)) if is_dotted(module) && is_dotted(path) => path.rsplit('.').next().unwrap_or(path),
            _ => {
                let rule = "a function is named \"package.module:qualified.name\"";
                return Err(Error::Refused(format!("{name:?} names no function: {rule}")));
            }
        };
        Ok(Self::of(name, last))
    }

    /// The function that native engines have registered under this name.
    ///
    /// # Errors
    /// It is no such name.
    ///
    /// ```
    /// assert_eq!(paraply::Function::native("simulate")?.name(), "simulate");
    /// # Ok::<(), paraply::Error>(())
    /// ```
    pub fn native(name: &str) -> Result<Self, Error> {
        let function = native::function(name).map(Self);
        function.ok_or_else(|| Error::Refused(format!("{name:?} names no function: {}", native::RULE)))
    }

    /// The function that this Python source makes: one lambda, or one `def`. Its globals are the namespace of the engine
    /// that calls it; imports belong inside.
    ///
    /// ```
    /// use paraply::Function;
    ///
    /// let cube = Function::source("lambda x: x ** 3");
    /// let mean = Function::source("
    /// def mean(values):
    ///     import statistics
    ///     return statistics.fmean(values)
    /// ");
    /// assert_eq!((cube.name(), mean.name()), ("<lambda>", "mean"));
    /// ```
    #[must_use]
    pub fn source(code: &str) -> Self {
        let code = code.trim_matches(['\r', '\n']);
        let definition = code.lines().find_map(|line| line.strip_prefix("def "));
        let name = definition.and_then(|rest| rest.split('(').next()).map_or("<lambda>", str::trim);
        // A line end is what source has and names have not.
        Self::of(&format!("{}\n", code.trim_end()), name)
    }

    /// What errors, logs and `paraply status` call it.
    ///
    /// ```
    /// assert_eq!(paraply::Function::reference("os.path:join")?.name(), "join");
    /// # Ok::<(), paraply::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.0.name).unwrap_or_default()
    }

    /// Only native engines have it.
    pub(crate) fn is_native(&self) -> bool {
        native::is_native(&self.0)
    }

    pub(crate) fn sent(&self) -> Arc<Sent> {
        Arc::clone(&self.0)
    }

    fn of(text: &str, name: &str) -> Self {
        let data = Bytes::copy_from_slice(text.as_bytes());
        Self(new_function(Payload { encoding: Encoding::Text, data, ..Payload::default() }, name.to_owned()))
    }
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// What can be called: a [`Function`], or the name of one: `"module:name"` in Python, `":name"` on native engines.
///
/// ```no_run
/// # async fn example(client: paraply::Client) -> Result<(), paraply::Error> {
/// let view = client.balanced();
/// let by_name: f64 = view.apply("math:sqrt", (2.0,)).await?;
/// let sqrt = paraply::Function::reference("math:sqrt")?;
/// let by_value: f64 = view.apply(&sqrt, (2.0,)).await?;
/// # Ok(())
/// # }
/// ```
pub trait IntoFunction {
    /// The function.
    ///
    /// # Errors
    /// It is the name of none.
    fn into_function(self) -> Result<Function, Error>;
}

impl IntoFunction for Function {
    fn into_function(self) -> Result<Function, Error> {
        Ok(self)
    }
}

impl IntoFunction for &Function {
    fn into_function(self) -> Result<Function, Error> {
        Ok(self.clone())
    }
}

impl IntoFunction for &str {
    fn into_function(self) -> Result<Function, Error> {
        match self.strip_prefix(':') {
            Some(name) => Function::native(name),
            None => Function::reference(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_has_a_module_and_a_name() {
        for good in ["math:sqrt", "a.b_1:C.d", "größe:messen"] {
            Function::reference(good).unwrap();
        }
        for bad in ["", "sqrt", "math.sqrt", ":sqrt", "math:", "math:sqrt()", "a b:c", "a:b:c", "1a:b"] {
            assert!(matches!(Function::reference(bad), Err(Error::Refused(_))), "{bad}");
        }
    }

    #[test]
    fn a_native_name_follows_a_colon() {
        assert_eq!(":pi".into_function().unwrap(), Function::native("pi").unwrap());
        assert_eq!(Function::native("a.b").unwrap().sent().payload.data, ":a.b");
        for bad in ["", ":pi", "a b", "a.", "a:b"] {
            assert!(matches!(Function::native(bad), Err(Error::Refused(_))), "{bad}");
        }
    }

    #[test]
    fn source_has_a_line_end_which_no_name_has() {
        let sent = |code| Function::source(code).sent().payload.data.clone();
        assert_eq!(sent("lambda x: x"), "lambda x: x\n");
        assert_eq!(sent("\ndef f(x):\n    return x\n\n"), "def f(x):\n    return x\n");
        assert_eq!(Function::source("@cached\ndef f (x):\n    return x").name(), "f");
    }

    #[test]
    fn its_digest_is_that_of_its_text() {
        // printf operator:add | sha256sum
        let digest = "22684877d88d7460fd946765b6396410071d24bfbacc07f185cbbdd6fcddf7e0";
        assert_eq!(Function::reference("operator:add").unwrap().sent().digest.to_string(), digest);
    }
}

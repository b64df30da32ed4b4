//! Functions that engines of another runtime than Python have registered: how they are named, and who has them.

use std::sync::Arc;

use paraply_core::payload::{Encoding, Function, Payload};

use crate::wire::payload::new_function;

/// The label of engines that have them.
pub const LABEL: (&str, &str) = ("runtime", "native");

/// How a name has to be, for errors.
pub const RULE: &str = "letters, digits, `_` and dots do";

/// The function of this name as calls name it, ":name"; none where no function can have it.
#[must_use]
pub fn function(name: &str) -> Option<Arc<Function>> {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    let data = name.split('.').all(is_word).then(|| format!(":{name}").into())?;
    Some(new_function(Payload { encoding: Encoding::Text, data, ..Payload::default() }, name.to_owned()))
}

/// Whether only such engines have it.
#[must_use]
pub fn is_native(function: &Function) -> bool {
    function.payload.data.starts_with(b":")
}

//! Which engines a direct view is of.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use paraply_core::{id::EngineId, session_link::EngineInfo};

use crate::{error::Error, labels::Labels, session::Session};

/// Labels that an error shows.
const SHOWN: usize = 16;

/// Engines: all, those of some ids, or those with some labels.
///
/// ```no_run
/// use paraply::Targets;
///
/// # fn example(client: paraply::Client) {
/// let all = client.direct(Targets::All);
/// let one = client.direct(3);
/// let some = client.direct([0, 2]);
/// let first = client.direct(0..4);
/// let native = client.direct(Targets::labels([("runtime", "native")]));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Targets {
    /// All that are attached when a call is made.
    All,
    /// Exactly these, in this order.
    Engines(Vec<u32>),
    /// All that are attached and carry these labels when a call is made. Made by [`Targets::labels`].
    Labels(Labels),
}

impl Targets {
    /// Engines that carry each of these labels with this value.
    ///
    /// ```
    /// use paraply::Targets;
    ///
    /// let nearby = Targets::labels([("runtime", "python"), ("zone", "a")]);
    /// ```
    pub fn labels<K: Into<String>, V: Into<String>>(labels: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Labels(Labels::new(labels))
    }

    /// Those that a call is made on now.
    pub(crate) fn engines(&self, session: &Session) -> Result<Vec<EngineId>, Error> {
        let engines = session.engines();
        let attached: Vec<EngineId> = engines.iter().map(|engine| engine.id).collect();
        let ids = match self {
            Self::All => return Ok(attached),
            Self::Engines(ids) => ids,
            Self::Labels(labels) => {
                let matching = engines.iter().filter(|engine| labels.are_of(engine)).map(|engine| engine.id);
                let matching: Vec<EngineId> = matching.collect();
                if matching.is_empty() && !attached.is_empty() {
                    return Err(nobody_has(labels, &engines));
                }
                return Ok(matching);
            }
        };
        let named: Vec<EngineId> = ids.iter().copied().map(EngineId).collect();
        match named.iter().find(|engine| !attached.contains(engine)) {
            None => Ok(named),
            Some(missing) => {
                let list: Vec<String> = attached.iter().map(EngineId::to_string).collect();
                Err(Error::Refused(format!("no engine {missing}: there are {}", list.join(", "))))
            }
        }
    }
}

/// No engine carries the labels: what is there instead.
fn nobody_has(labels: &Labels, engines: &[Arc<EngineInfo>]) -> Error {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let carried: BTreeSet<String> = engines
        .iter()
        .flat_map(|engine| &engine.labels)
        .map(|(key, value)| format!("{}={}", text(key), text(value)))
        .collect();
    let count = engines.len();
    let there = if carried.is_empty() {
        "none at all".to_owned()
    } else {
        let shown: Vec<&str> = carried.iter().take(SHOWN).map(String::as_str).collect();
        let more = carried.len() - shown.len();
        shown.join(" ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
    };
    Error::Refused(format!("no engine has labels {labels}: those of the {count} engines are {there}"))
}

impl From<u32> for Targets {
    fn from(engine: u32) -> Self {
        Self::Engines(vec![engine])
    }
}

impl From<Vec<u32>> for Targets {
    fn from(engines: Vec<u32>) -> Self {
        Self::Engines(engines)
    }
}

impl From<&[u32]> for Targets {
    fn from(engines: &[u32]) -> Self {
        Self::Engines(engines.to_vec())
    }
}

impl<const N: usize> From<[u32; N]> for Targets {
    fn from(engines: [u32; N]) -> Self {
        Self::Engines(engines.to_vec())
    }
}

impl From<Range<u32>> for Targets {
    fn from(engines: Range<u32>) -> Self {
        Self::Engines(engines.collect())
    }
}

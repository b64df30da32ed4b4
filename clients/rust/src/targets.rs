//! Which engines a direct view is of.

use std::ops::Range;

use paraply_core::id::EngineId;

use crate::{error::Error, session::Session};

/// Engines: all, or those of some ids.
///
/// ```no_run
/// use paraply::Targets;
///
/// # fn example(client: paraply::Client) {
/// let all = client.direct(Targets::All);
/// let one = client.direct(3);
/// let some = client.direct([0, 2]);
/// let first = client.direct(0..4);
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Targets {
    /// All that are attached when a call is made.
    All,
    /// Exactly these, in this order.
    Engines(Vec<u32>),
}

impl Targets {
    /// Those that a call is made on now.
    pub(crate) fn engines(&self, session: &Session) -> Result<Vec<EngineId>, Error> {
        let attached: Vec<EngineId> = session.engines().iter().map(|engine| engine.id).collect();
        let Self::Engines(ids) = self else { return Ok(attached) };
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

//! Bytes of a result that are not in a message.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use paraply_common::{heap, transfer::Source};

use crate::runtime::Lent;

/// Where they are.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// Here.
    Bytes(Bytes),
    /// Where the task left them, as long as no other runs.
    Lent(Arc<dyn Lent>),
}

impl Held {
    /// Nobody reads them any more: their room may be used again.
    pub(crate) fn let_go(self) {
        match self {
            Self::Bytes(bytes) => heap::reuse_bytes(bytes),
            Self::Lent(lent) => lent.let_go(),
        }
    }
}

impl Source for Held {
    fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Lent(lent) => lent.size(),
        }
    }

    fn piece(&self, range: Range<usize>) -> Option<Bytes> {
        match self {
            Self::Bytes(bytes) => bytes.piece(range),
            Self::Lent(lent) => lent.piece(range),
        }
    }
}

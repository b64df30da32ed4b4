//! One who reads a blob, as fast or as slowly as it is told to.

use std::sync::Arc;

use bytes::Bytes;
use paraply_common::{
    spawn::{Task, spawn},
    transport::MAX_MESSAGE_BYTES,
};
use tokio::sync::Semaphore;
use tonic::{Code, Status};

use super::calls::Calls;

/// A call that is open.
pub(super) struct Reader {
    /// Messages that it may read.
    may_read: Arc<Semaphore>,
    end: Task<Result<(), String>>,
}

impl Reader {
    /// Begins to read from `offset` on; what is asked for may be no message.
    pub(super) fn open(calls: Calls, request: Bytes, offset: Option<u64>) -> Self {
        let may_read = Arc::new(Semaphore::new(0));
        let end = spawn(read(calls, request, offset, Arc::clone(&may_read)));
        Self { may_read, end }
    }

    pub(super) fn read(&self, messages: usize) {
        self.may_read.add_permits(messages);
    }

    /// What came of it, once something has.
    pub(super) async fn ended(&mut self) -> Option<Result<(), String>> {
        if !self.end.is_finished() {
            return None;
        }
        Some((&mut self.end).await.unwrap_or_else(|panic| Err(panic.to_string())))
    }
}

/// Chunks come in order, without gaps, and each fits into a message.
async fn read(calls: Calls, request: Bytes, mut offset: Option<u64>, may_read: Arc<Semaphore>) -> Result<(), String> {
    let well_formed = offset.is_some();
    let mut chunks = match calls.read(request).await {
        Ok(chunks) => chunks,
        Err(status) => return as_documented(&status, well_formed),
    };
    loop {
        let Ok(permit) = may_read.acquire().await else { return Ok(()) };
        permit.forget();
        let chunk = match chunks.message().await {
            Ok(Some(message)) => message.chunk.unwrap_or_default(),
            Ok(None) => return Ok(()),
            Err(status) => return as_documented(&status, well_formed),
        };
        if chunk.data.is_empty() || chunk.data.len() > MAX_MESSAGE_BYTES {
            return Err(format!("a reader got {} bytes at a time", chunk.data.len()));
        }
        match &mut offset {
            Some(due) if *due == chunk.offset => *due += chunk.data.len() as u64,
            Some(due) => return Err(format!("a reader got bytes at {} where {due} was due", chunk.offset)),
            None => {}
        }
    }
}

/// The errors that a reader may get.
fn as_documented(status: &Status, well_formed: bool) -> Result<(), String> {
    let documented = match status.code() {
        Code::InvalidArgument | Code::NotFound | Code::OutOfRange | Code::Aborted => true,
        Code::Unavailable => !status.message().contains("shutting down"),
        // It was no message.
        Code::Internal => !well_formed,
        _ => false,
    };
    if documented { Ok(()) } else { Err(format!("a reader was told {status}")) }
}

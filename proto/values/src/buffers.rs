//! The buffers of the payload that is written or read on this thread.
//!
//! Serde passes values to a format and nothing beside them; elements of arrays go past it, through here.

use std::{cell::RefCell, mem};

use bytes::Bytes;

thread_local! {
    static WRITTEN: RefCell<Option<Beside>> = const { RefCell::new(None) };
    static READ: RefCell<Option<Vec<Bytes>>> = const { RefCell::new(None) };
}

/// What has gone past the format.
#[derive(Default)]
pub(crate) struct Beside {
    pub(crate) buffers: Vec<Bytes>,
    /// A part of the value that can only be all of it.
    #[cfg(feature = "arrow")]
    pub(crate) alone: Vec<crate::Payload>,
}

/// Puts back what was there before, also when the value's own code panics.
struct Restore<T: 'static> {
    place: &'static std::thread::LocalKey<RefCell<Option<T>>>,
    before: Option<T>,
}

impl<T> Drop for Restore<T> {
    fn drop(&mut self) {
        self.place.set(self.before.take());
    }
}

/// What `write` gives, and what was put beside it meanwhile.
pub(crate) fn written<R>(write: impl FnOnce() -> R) -> (R, Beside) {
    let _restore = Restore { place: &WRITTEN, before: WRITTEN.replace(Some(Beside::default())) };
    let result = write();
    (result, WRITTEN.with_borrow_mut(|beside| beside.as_mut().map(mem::take)).unwrap_or_default())
}

/// What `read` gives, with these buffers to be had.
pub(crate) fn reading<R>(buffers: &[Bytes], read: impl FnOnce() -> R) -> R {
    let _restore = Restore { place: &READ, before: READ.replace(Some(buffers.to_vec())) };
    read()
}

/// A part of what is being written that can only be all of it. Returns whether anything is being written.
#[cfg(feature = "arrow")]
pub(crate) fn put_alone(payload: crate::Payload) -> bool {
    WRITTEN.with_borrow_mut(|beside| beside.as_mut().map(|beside| beside.alone.push(payload)).is_some())
}

/// Whether MessagePack is being written.
pub(crate) fn is_writing() -> bool {
    WRITTEN.with_borrow(Option::is_some)
}

/// Whether MessagePack is being read.
pub(crate) fn is_reading() -> bool {
    READ.with_borrow(Option::is_some)
}

/// The position of one more buffer; None where no payload is being written, or it has so many that more would cost too much.
pub(crate) fn put(bytes: &Bytes) -> Option<u64> {
    const MOST: usize = 4096;
    WRITTEN.with_borrow_mut(|beside| {
        let buffers = beside.as_mut().map(|beside| &mut beside.buffers).filter(|buffers| buffers.len() < MOST)?;
        buffers.push(bytes.clone());
        Some(buffers.len() as u64 - 1)
    })
}

/// The buffer at a position of the payload that is being read.
pub(crate) fn get(position: u64) -> Option<Bytes> {
    let position = usize::try_from(position).ok()?;
    READ.with_borrow(|buffers| buffers.as_ref()?.get(position).cloned())
}

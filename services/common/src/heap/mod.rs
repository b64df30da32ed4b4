//! The heap: room for large bytes, and what a service has used of it going back to the system.

mod spare;

use std::{collections::TryReserveError, mem::MaybeUninit};

use bytes::{Bytes, BytesMut};

pub use self::spare::{keep_for_a_moment, reuse};

/// From so many bytes on, making pages one by one is what most of a copy's time goes into.
const LARGE: usize = 4 << 20;

/// Room for `length` bytes; for many, what was given back a moment ago, or large pages where the system has them.
///
/// # Errors
/// If memory has no such room.
pub fn room_for(length: usize) -> Result<BytesMut, TryReserveError> {
    if length >= LARGE
        && let Some(room) = spare::take(length)
    {
        return Ok(room);
    }
    let mut room = Vec::new();
    room.try_reserve_exact(length)?;
    if length >= LARGE {
        want_large_pages(room.spare_capacity_mut());
    }
    // It stays where it is: `BytesMut` itself cannot try.
    Ok(BytesMut::from(Bytes::from(room)))
}

fn want_large_pages(room: &mut [MaybeUninit<u8>]) {
    #[cfg(target_os = "linux")]
    {
        let page = rustix::param::page_size();
        let start = room.as_mut_ptr().wrapping_add(room.as_ptr().align_offset(page));
        let length = (room.as_ptr_range().end.addr().saturating_sub(start.addr())) / page * page;
        // SAFETY: whole pages within the room: it is advice, and changes nothing that can be read or written. A kernel
        // without large pages refuses it.
        let _taken = unsafe { libc::madvise(start.cast(), length, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = room;
}

/// Has glibc give freed memory back, and not keep some for each thread: chunks of a megabyte come and go by the thousand,
/// and by default what they leave stays. Called before there are threads; with other allocators it does nothing.
pub fn give_back_what_is_free() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (parameter, value) in [
        (libc::M_ARENA_MAX, 2),
        (libc::M_TRIM_THRESHOLD, 1 << 20),
        // Above the size of a chunk: mapping pages for each would cost more than the rest of its way.
        (libc::M_MMAP_THRESHOLD, 4 << 20),
    ] {
        // SAFETY: mallopt takes two numbers, and refuses what it does not know.
        let _taken = unsafe { libc::mallopt(parameter, value) };
    }
}

/// Has glibc give back what is free between what is used, which it does not do by itself. It takes a millisecond for each
/// some ten megabytes of heap.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes the allocator's own locks, from any thread.
    let _any = unsafe { libc::malloc_trim(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_what_memory_holds() {
        for length in [0, 1, LARGE, LARGE + 4097] {
            let mut room = room_for(length).unwrap();
            assert!(room.is_empty() && room.capacity() >= length);
            room.resize(length, 7);
            assert!(room.iter().all(|byte| *byte == 7));
        }
        assert!(room_for(usize::MAX >> 1).is_err());
    }
}

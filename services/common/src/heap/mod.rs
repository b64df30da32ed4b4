//! The heap: room for large bytes, and what a service has used of it going back to the system.

mod spare;

use std::{collections::TryReserveError, mem::MaybeUninit};

use bytes::{Bytes, BytesMut};

pub use self::spare::{keep_for_a_moment, reusable, reuse, reuse_bytes, take};

/// From so many bytes on, making pages one by one is what most of a copy's time goes into.
const LARGE: usize = 4 << 20;

/// Of the sizes that large pages have, the least of x86-64 and of most others.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;

/// Room for `length` bytes; for many, what was given back a moment ago, or large pages where the system has them.
///
/// # Errors
/// If memory has no such room.
pub fn room_for(length: usize) -> Result<BytesMut, TryReserveError> {
    take(length).map_or_else(|| new_room_for(length), Ok)
}

/// The same, and none that was given back: it takes no memory until it is written to.
///
/// # Errors
/// If memory has no such room.
pub fn new_room_for(length: usize) -> Result<BytesMut, TryReserveError> {
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
    advise(room, rustix::param::page_size(), libc::MADV_HUGEPAGE);
    #[cfg(not(target_os = "linux"))]
    let _ = room;
}

/// What is in the room may be lost, and the system may take its pages as soon as it needs some: those that are written to
/// before that are there as they were.
fn offer_pages(room: &mut [MaybeUninit<u8>]) {
    // Of large pages, none is to be split.
    #[cfg(target_os = "linux")]
    advise(room, LARGE_PAGE, libc::MADV_FREE);
    #[cfg(not(target_os = "linux"))]
    let _ = room;
}

/// Of the pages of `page` bytes that lie within the room as a whole.
#[cfg(target_os = "linux")]
fn advise(room: &mut [MaybeUninit<u8>], page: usize, advice: libc::c_int) {
    let start = room.as_mut_ptr().wrapping_add(room.as_ptr().align_offset(page));
    let length = (room.as_ptr_range().end.addr().saturating_sub(start.addr())) / page * page;
    // SAFETY: it is memory of the room's, and nothing has been written there that anybody reads. A kernel that does not
    // know the advice refuses it.
    let _taken = unsafe { libc::madvise(start.cast(), length, advice) };
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

//! The heap of a service: what large transfers have used goes back to the system.

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

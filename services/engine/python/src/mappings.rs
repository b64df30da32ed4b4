//! What the process's memory is mapped from.

use std::{fs, io, ops::Range, str};

/// Whether nobody but this process can change what is at these addresses: neither another process nor a file.
///
/// # Errors
/// If the system does not say.
pub(crate) fn are_private(addresses: Range<usize>) -> io::Result<bool> {
    Ok(are_private_in(&fs::read("/proc/self/maps")?, addresses))
}

/// The same by the lines of such a file, proc_pid_maps(5), which come in order.
fn are_private_in(maps: &[u8], addresses: Range<usize>) -> bool {
    let mut reached = addresses.start;
    for Mapping { range, is_private } in maps.split(|byte| *byte == b'\n').filter_map(Mapping::parse) {
        if reached >= addresses.end {
            break;
        }
        if range.end <= reached {
            continue;
        }
        if range.start > reached || !is_private {
            return false;
        }
        reached = range.end;
    }
    reached >= addresses.end
}

struct Mapping {
    range: Range<usize>,
    /// Of no file, and shared with nobody.
    is_private: bool,
}

impl Mapping {
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let (range, mode, _offset, _device, inode) =
            (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let (start, end) = str::from_utf8(range).ok()?.split_once('-')?;
        let address = |hexadecimal| usize::from_str_radix(hexadecimal, 16).ok();
        Some(Self { range: address(start)?..address(end)?, is_private: mode.ends_with(b"p") && inode == b"0" })
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    const MAPS: &[u8] = b"\
1000-3000 r-xp 00000000 fd:00 17 /usr/bin/a program
3000-5000 rw-p 00000000 00:00 0 [heap]
5000-6000 rw-p 00000000 00:00 0
6000-7000 rw-s 00000000 00:01 9 /dev/shm/\xff
8000-9000 rw-p 00000000 00:00 0
";

    #[test]
    fn private_is_what_is_of_no_file_and_not_shared_as_a_whole() {
        for private in [0x3000..0x5000, 0x3001..0x3002, 0x4fff..0x6000, 0x8000..0x9000] {
            assert!(are_private_in(MAPS, private.clone()), "{private:x?}");
        }
        for other in [0x2fff..0x3001, 0x5fff..0x6001, 0x6000..0x6001, 0x7000..0x8001, 0x8000..0x9001, 0xf000..0xf001] {
            assert!(!are_private_in(MAPS, other.clone()), "{other:x?}");
        }
    }

    #[test]
    fn the_system_knows_what_is_shared() {
        let size = 1 << 20;
        let owned = vec![7_u8; size];
        let start = owned.as_ptr().addr();
        assert!(are_private(start..start + size).unwrap());
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, which nobody else has.
        let shared = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
        assert_ne!(shared, libc::MAP_FAILED);
        assert!(!are_private(shared.addr()..shared.addr() + size).unwrap());
        // SAFETY: as it was mapped.
        assert_eq!(unsafe { libc::munmap(shared, size) }, 0);
    }
}
